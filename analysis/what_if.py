#!/usr/bin/env python3
"""What would a recorded session have come to with another threshold, ROI, rule, history or delay?

Runs the recorded frames (CLMF: the logged pose) through the unmodified loop of the experiment's own script, with books
in memory.  First with the same settings: the rows must be identical to the log.  Then with each wanted setting.
Nothing is written unless asked.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from rich.progress import BarColumn, TaskProgressColumn

from analysis.blind import refuse_blind
from analysis.many import Where, add_options, for_each, progress_bar
from analysis.replay.recorded import Recorded, open_recorded
from analysis.sessions import LeftOut, folders_of, stands_in
from analysis.sweep import Try, tries_of
from analysis.what_if_picture import refuse_without_matplotlib, write_png
from analysis.what_if_rows import CAVEAT, Row, table_of, write_rows
from analysis.what_if_session import Tried, try_recorded, try_session
from rig.ending import run
from rig.errors import SettingsError
from rig.terminal import console

EPILOG = """examples
  %(prog)s SESSION                                              was the rule obeyed?
  %(prog)s SESSION --set reward_threshold=0.1
  %(prog)s SESSION --sweep reward_threshold=0.03:0.2:0.01 --set adaptive_threshold=0 --png sweep.png
  %(prog)s DATA_ROOT/MOUSE --set roi=HL_L --csv rows.csv         all sessions of a mouse: median and range

exit status: 0 all rows were identical with the same settings; 1 not; 2 bad settings or arguments"""

WIDTH = 240  # characters of the table in a file or a pipe


def main() -> int:
    """Read the command line, run, print."""
    args = parse()
    if args.png is not None:
        refuse_without_matplotlib(args.png)
    tries = tries_of(args.set, args.sweep)
    recordings, left_out = open_all(args.sessions, args.unblind)
    for each in recordings:
        for one in tries:
            each.settings(one.overrides)  # a mistake is found before the first is run
    tried, failed = try_all(recordings, tries, Where(args.jobs, args.scheduler))
    left_out += failed
    for line in [*(f"left out: {each.folder}: {each.reason}" for each in left_out), *(each.said for each in tried)]:
        console.print(line, soft_wrap=True)
    rows = [row for each in tried for row in each.rows]
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table_of(rows))
    console.print(CAVEAT, soft_wrap=True)
    write_files(args, rows)
    return 0 if all(each.is_same for each in tried) and not failed else 1


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "sessions", metavar="SESSION", nargs="+", type=Path, help="folder of a session, of a mouse, or of a data root"
    )
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a setting to try; repeatable")
    parser.add_argument("--sweep", metavar="KEY=FROM:TO:STEP", help="try each value of a setting")
    add_options(parser)
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write a row for each session and setting")
    parser.add_argument("--png", metavar="FILE", type=Path, help="draw what the settings would have changed")
    return parser.parse_args()


def open_all(paths: Sequence[Path], unblind: bool = False) -> tuple[list[Recorded], list[LeftOut]]:
    """Open all sessions; of a mouse's folder, those that cannot be run again are left out.

    Raises
    ------
    SettingsError
        A session is blind, one that was named cannot be run again, none can, or they are of different experiments.
    """
    recordings: list[Recorded] = []
    left_out: list[LeftOut] = []
    for path in paths:
        folders = folders_of(path)
        refuse_blind(folders, unblind, "what they came to")
        for folder in folders:
            try:
                recorded = open_recorded(folder)
                recorded.settings({})
            except SettingsError as error:
                if folders == [path]:
                    raise
                left_out.append(LeftOut(folder, str(error)))
            else:
                recordings.append(recorded)
    recordings, apart = apart_from_real(recordings, paths)
    left_out += apart
    if not recordings:
        raise SettingsError(f"{paths[0]}: no session here can be run again; the first says: {left_out[0].reason}")
    models = {recorded.model for recorded in recordings}
    if len(models) > 1:
        labels = " and ".join(sorted(model.label for model in models))
        raise SettingsError(f"these are sessions of different experiments, {labels}; name those of one")
    return recordings, left_out


def apart_from_real(recordings: Sequence[Recorded], named: Sequence[Path]) -> tuple[list[Recorded], list[LeftOut]]:
    """Return sessions, where some are real only these and those that were named, and what is left out then."""
    what = {id(each): stands_in(each.session) for each in recordings}
    if all(what.values()):
        return list(recordings), []
    stays = {id(each): not what[id(each)] or each.session.folder in named for each in recordings}
    kept, apart = ([each for each in recordings if stays[id(each)] == wanted] for wanted in (True, False))
    return kept, [LeftOut(each.session.folder, f"not a real session: {what[id(each)]}") for each in apart]


def try_all(recordings: Sequence[Recorded], tries: Sequence[Try], where: Where) -> tuple[list[Tried], list[LeftOut]]:
    """Run all sessions; return what they gave, and those that failed."""
    if len(recordings) == 1:
        return [try_one(recordings[0], tries)], []
    folders = [each.session.folder for each in recordings]
    results = for_each(partial(try_session, tries=tries), folders, where, "sessions")
    found = [each.value for each in results if each.value is not None]
    return found, [LeftOut(each.folder, each.reason) for each in results if each.reason]


def try_one(recorded: Recorded, tries: Sequence[Try]) -> Tried:
    """Run a session, and show how far it is."""
    with progress_bar(BarColumn(), TaskProgressColumn()) as bar:
        task = bar.add_task(recorded.session.folder.name, total=1.0)
        return try_recorded(recorded, tries, lambda share: bar.update(task, completed=share))


def write_files(args: argparse.Namespace, rows: Sequence[Row]) -> None:
    """Write what was asked for."""
    if args.csv is not None:
        write_rows(args.csv, rows)
        console.print(f"written: {args.csv}", soft_wrap=True)
    if args.png is not None:
        write_png(args.png, rows)
        console.print(f"written: {args.png}", soft_wrap=True)


if __name__ == "__main__":
    run(main)
