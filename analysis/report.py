#!/usr/bin/env python3
"""The report of a session: what it came to, whether it was sound, and figures that say how to read them.

Writes report.html, one file with everything inside, into the folder of the session.  For the folder of a mouse, the
same over days: real sessions with trials, each with a link to its report.  For a data root, that of every mouse.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from analysis.many import Result, Where, add_options, for_each
from analysis.sessions import folders_of, mice_of
from rig.ending import run
from rig.errors import RigError
from rig.terminal import console

MISSING = "the report needs more Python packages ({error}); run 'make setup-analysis'"
EPILOG = """examples
  %(prog)s SESSION
  %(prog)s DATA_ROOT/MOUSE
  %(prog)s DATA_ROOT --sessions --jobs 4      every session, then every mouse

exit status: 0 all reports are made; 1 not; 2 bad arguments"""


def main() -> int:
    """Read the command line, make the reports, say where they are."""
    args = parse()
    refuse_without_packages()
    from analysis.report_files import make

    paths = [path.expanduser() for path in args.paths]
    if len(paths) == 1 and not mice_of(paths[0]) and not args.sessions:
        written, failed = make(paths[0], args.tables, args.unblind), list[str]()
    else:
        written, failed = make_all(paths, args)
    for path in written:
        console.print(f"{path}", soft_wrap=True)
    for reason in failed:
        console.print(f"NOT MADE  {reason}", soft_wrap=True)
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "paths", metavar="SESSION", nargs="+", type=Path, help="folder of a session, of a mouse, or of a data root"
    )
    parser.add_argument("--tables", action="store_true", help="write the numbers as CSV files next to the report, too")
    parser.add_argument("--sessions", action="store_true", help="of a mouse or a data root: each session's report, too")
    add_options(parser)
    return parser.parse_args()


def refuse_without_packages() -> None:
    """Raise RigError where a package of the report is not installed."""
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise RigError(MISSING.format(error=error)) from None


def make_all(paths: list[Path], args: argparse.Namespace) -> tuple[list[Path], list[str]]:
    """Make many reports, first of sessions, then of mice; return what was written, and why the others were not."""
    from analysis.report_files import make

    where, task = Where(args.jobs, args.scheduler), partial(make, tables=args.tables, unblind=args.unblind)
    mice = [mouse for path in paths for mouse in mice_of(path) or [path]]
    results: list[Result[list[Path]]] = []
    if args.sessions:
        sessions = [session for path in paths for session in folders_of(path)]
        results += for_each(task, sessions, where, "reports of sessions")
        mice = [mouse for mouse in mice if mouse not in sessions]
    results += for_each(task, mice, where, "reports")
    return [each for result in results for each in result.value or ()], [each.reason for each in results if each.reason]


if __name__ == "__main__":
    run(main)
