#!/usr/bin/env python3
"""The report of a session: what it came to, whether it was sound, and figures that say how to read them.

Writes report.html, one file with everything inside, into the folder of the session.  For the folder of a mouse, the
same over days: real sessions with trials, each with a link to its report.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from rig.ending import run
from rig.errors import RigError, SettingsError
from rig.terminal import console

REPORT = "report.html"
MISSING = "the report needs more Python packages ({error}); run 'make setup-analysis'"


def main() -> int:
    """Read the command line, make the report, say where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("session", metavar="SESSION", type=Path, help="folder of a session, or of a mouse")
    parser.add_argument("--tables", action="store_true", help="write the numbers as CSV files next to the report, too")
    args = parser.parse_args()
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise RigError(MISSING.format(error=error)) from None
    for path in make(args.session.expanduser(), args.tables):
        console.print(f"{path}", soft_wrap=True)
    return 0


def make(path: Path, tables: bool) -> list[Path]:
    """Make the report of a session, or of all sessions of a mouse; return what was written.

    Raises
    ------
    SettingsError
        There is no session.
    """
    from analysis.sessions import is_session, sessions_of_mouse

    if path.is_file() or is_session(path):
        return report_of_session(path, tables)
    if not path.is_dir():
        raise SettingsError(f"{path}: there is no such folder; name a session, or the folder of a mouse")
    if not sessions_of_mouse(path):
        raise SettingsError(f"{path}: there is no session here; name the folder of a session, or that of a mouse")
    return report_of_mouse(path, tables)


def report_of_session(path: Path, tables: bool) -> list[Path]:
    """Write the report of a session into its folder."""
    import cv2

    from analysis.evidence import gather
    from analysis.page import write_page
    from analysis.session_page import page_of, write_tables

    cv2.setNumThreads(1)
    evidence = gather(path)
    folder = evidence.session.folder
    page = page_of(evidence)
    write_page(folder / REPORT, page)
    return [folder / REPORT] + (write_tables(folder, evidence, page.checks) if tables else [])


def report_of_mouse(path: Path, tables: bool) -> list[Path]:
    """Write the report of a mouse over days into its folder."""
    from analysis.mouse_page import mouse_page, write_table
    from analysis.page import write_page

    page, days = mouse_page(path)
    write_page(path / REPORT, page)
    return [path / REPORT] + ([write_table(path, days)] if tables else [])


if __name__ == "__main__":
    run(main)
