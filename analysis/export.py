#!/usr/bin/env python3
"""Sessions in the formats of others: NWB, wfield, DeepLabCut, ALF.

Each session is read, and copied into files of its own; nothing of it is changed.  A file that is there already is
written anew.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from rich.progress import BarColumn, TaskProgressColumn

from analysis.blind import refuse_blind
from analysis.export_session import FORMATS, Exported, Wanted, export_session, writer_of
from analysis.many import Where, add_options, for_each, progress_bar
from analysis.sessions import folders_of
from rig.ending import run
from rig.files.metadata import offset_of
from rig.terminal import console

EPILOG = """examples
  %(prog)s SESSION --to nwb                          into the folder of the session
  %(prog)s DATA_ROOT/MOUSE --to nwb --out DANDISET   all sessions of a mouse, in folders as DANDI wants them
  %(prog)s DATA_ROOT --to wfield --out DIR --jobs 2

exit status: 0 all were exported; 1 not, and each said why; 2 bad settings or arguments"""


def main() -> int:
    """Read the command line, export, print what was written."""
    args = parse()
    wanted = Wanted(args.to, args.out, args.incomplete, args.utc_offset)
    writer_of(wanted.to)  # what is not installed is said once
    folders = list(dict.fromkeys(folder for path in args.sessions for folder in folders_of(path.expanduser())))
    refuse_blind(folders, args.unblind, "an export")
    if len(folders) == 1:
        report(export_one(folders[0], wanted))
        return 0
    return export_many(folders, wanted, Where(args.jobs, args.scheduler))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "sessions", metavar="SESSION", nargs="+", type=Path, help="folder of a session, of a mouse, or of a data root"
    )
    parser.add_argument("--to", choices=FORMATS, required=True, help="format")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where to; the folder of each session without it")
    parser.add_argument("--incomplete", action="store_true", help="nwb: although metadata are missing")
    parser.add_argument(
        "--utc-offset", metavar="+HH:MM", type=utc_offset, help="nwb: of sessions that do not say how far from UTC"
    )
    add_options(parser)
    args = parser.parse_args()
    if args.to != "nwb" and (args.incomplete or args.utc_offset is not None):
        parser.error(f"--incomplete and --utc-offset are for --to nwb, not for --to {args.to}")
    if args.out is not None:
        args.out = args.out.expanduser().absolute()  # for workers, which may have been started elsewhere
    return args


def utc_offset(text: str) -> timedelta:
    """Return the offset that +01:00 means."""
    found = offset_of(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no offset from UTC, as +01:00 or -05:00")
    return found


def export_one(folder: Path, wanted: Wanted) -> Exported:
    """Export a session, and show how far it is."""
    with progress_bar(BarColumn(), TaskProgressColumn()) as bar:
        task = bar.add_task(f"{folder.name} to {wanted.to}", total=1.0)
        return export_session(folder, wanted, lambda share: bar.update(task, completed=share))


def export_many(folders: Sequence[Path], wanted: Wanted, where: Where) -> int:
    """Export sessions, some at once; return the exit status."""
    results = for_each(partial(export_session, wanted=wanted), folders, where, f"to {wanted.to}")
    for result in results:
        if result.value is not None:
            report(result.value)
    for result in results:
        if result.reason:
            console.print(f"NOT EXPORTED  {result.reason}", soft_wrap=True)
    return 1 if any(result.reason for result in results) else 0


def report(exported: Exported) -> None:
    """Print what was written, and what there is to know about it."""
    for path in exported.files:
        console.print(f"{path}", soft_wrap=True)
    for sentence in exported.said:
        console.print(f"  {sentence}", soft_wrap=True)


if __name__ == "__main__":
    run(main)
