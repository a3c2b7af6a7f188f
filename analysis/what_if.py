#!/usr/bin/env python3
"""What would a recorded session have come to with another threshold, ROI, rule, history or delay?

Runs the recorded frames (CLMF: the logged pose) through the unmodified loop of the experiment's own script, with books
in memory.  First with the same settings: the rows must be identical to the log.  Then with each wanted setting.
Nothing is written unless asked.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analysis.replay.compare import Difference, first_difference
from analysis.replay.experiment import run_again
from analysis.replay.recorded import Recorded, open_recorded
from analysis.sessions import LeftOut, folders_of, stands_in
from analysis.sweep import Try, tries_of
from analysis.what_if_picture import refuse_without_matplotlib, write_png
from analysis.what_if_rows import CAVEAT, Row, recorded_row, row_of, table_of, write_csv
from rig.ending import run
from rig.errors import SettingsError
from rig.settings.common import RigSettings
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
    recordings, left_out = open_all(args.sessions)
    wanted = {id(each): [each.settings(one.overrides) for one in tries] for each in recordings}  # all checked first
    with progress_bar() as bar:
        checked = [try_all(each, tries, wanted[id(each)], bar) for each in recordings]
    for line in [*(f"left out: {each.folder}: {each.reason}" for each in left_out), *(said for said, _, _ in checked)]:
        console.print(line, soft_wrap=True)
    rows = [row for _, _, rows_of_session in checked for row in rows_of_session]
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table_of(rows))
    console.print(CAVEAT, soft_wrap=True)
    write_files(args, rows)
    return 0 if all(is_same for _, is_same, _ in checked) else 1


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("sessions", metavar="SESSION", nargs="+", type=Path, help="folder of a session, or of a mouse")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a setting to try; repeatable")
    parser.add_argument("--sweep", metavar="KEY=FROM:TO:STEP", help="try each value of a setting")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write a row for each session and setting")
    parser.add_argument("--png", metavar="FILE", type=Path, help="draw what the settings would have changed")
    return parser.parse_args()


def open_all(paths: Sequence[Path]) -> tuple[list[Recorded], list[LeftOut]]:
    """Open all sessions; of a mouse's folder, those that cannot be run again are left out.

    Raises
    ------
    SettingsError
        A session that was named cannot be run again, none can, or they are of different experiments.
    """
    recordings: list[Recorded] = []
    left_out: list[LeftOut] = []
    for path in paths:
        folders = folders_of(path)
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


def try_all(
    recorded: Recorded, tries: Sequence[Try], wanted: Sequence[RigSettings], bar: Progress
) -> tuple[str, bool, list[Row]]:
    """Check a session with its own settings, then run it with the others.

    Returns
    -------
    sentence : str
        How the check went.
    is_same : bool
        All rows were identical.
    rows : list of Row
    """
    own, session = recorded.settings({}), recorded.session
    boxes = [box for settings in (own, *wanted) for box in settings.light_boxes().values()]
    task = bar.add_task(session.folder.name, total=len(tries) + 2)
    recorded.read_patches(boxes, at(bar, task))
    bar.update(task, completed=1)
    found = first_difference(session, run_again(recorded, own, recorded.is_baseline), recorded.n_frames())
    bar.advance(task)
    rows = [recorded_row(session)]
    for one, settings in zip(tries, wanted, strict=True):
        rows.append(row_of(one.label, one.value, session, run_again(recorded, settings)))
        bar.advance(task)
    recorded.patches.clear()
    return how_it_went(recorded, found), found is None, rows


def at(bar: Progress, task: int) -> Callable[[float], None]:
    """Return what shows the share of the frames that has been read."""
    return lambda share: bar.update(task, completed=share)  # type: ignore[arg-type]


def how_it_went(recorded: Recorded, found: Difference | None) -> str:
    """Say whether the session with its own settings has the rows of the log."""
    folder, n = recorded.session.folder, recorded.n_frames()
    if found is None:
        return f"{folder}: checked, the same settings give the same {n} rows, every column but the time"
    where = f"on row {found.row} of {n}" if found.column != "number of rows" else f"after row {found.row}"
    return (
        f"{folder}: NOT THE SAME ROWS with the same settings: {found.column} is {found.now} {where}, and "
        f"{found.logged} in the log{reason_for(recorded)}; do not trust the rows below"
    )


def reason_for(recorded: Recorded) -> str:
    """Say why a session cannot be run again as it was, where that can be seen."""
    frames = recorded.session.frames
    if not len(frames):
        return " (a recording without the times of its frames, as those of the original, cannot be repeated exactly)"
    if recorded.session.of("log"):
        return " (the disk was too slow: some frames were not stored)"
    code = recorded.session.versions.get("code_version")
    return f" (it was run with the code {code})" if code else ""


def write_files(args: argparse.Namespace, rows: Sequence[Row]) -> None:
    """Write what was asked for."""
    if args.csv is not None:
        write_csv(args.csv, rows)
        console.print(f"written: {args.csv}", soft_wrap=True)
    if args.png is not None:
        write_png(args.png, rows)
        console.print(f"written: {args.png}", soft_wrap=True)


def progress_bar() -> Progress:
    """Return a progress bar; nothing is shown where standard output is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


if __name__ == "__main__":
    run(main)
