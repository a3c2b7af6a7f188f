"""Which report a folder means, and writing it: of a session, or of a mouse over days."""

from pathlib import Path

import cv2

from analysis.blind import hides, refuse_blind
from analysis.evidence import gather
from analysis.mouse_page import REPORT, mouse_page, write_table
from analysis.page import write_page
from analysis.session_page import page_of, write_tables
from analysis.sessions import folders_of


def make(path: Path, tables: bool, unblind: bool = False) -> list[Path]:
    """Make the report of a session, or of all sessions of a mouse; return what was written.

    Parameters
    ----------
    path : Path
    tables : bool
        Write the numbers as CSV files, too.
    unblind : bool
        Show everything of blind sessions.

    Raises
    ------
    SettingsError
        There is no session, or tables of a blind one are wanted.
    """
    report = report_of_session if folders_of(path) == [path] else report_of_mouse
    return report(path, tables, unblind)


def report_of_session(path: Path, tables: bool, unblind: bool) -> list[Path]:
    """Write the report of a session into its folder."""
    cv2.setNumThreads(1)
    if tables:
        refuse_blind([path], unblind, "its tables")
    evidence = gather(path)
    folder = evidence.session.folder
    page = page_of(evidence, hides(evidence.session, unblind))
    write_page(folder / REPORT, page)
    return [folder / REPORT] + (write_tables(folder, evidence, page.checks) if tables else [])


def report_of_mouse(path: Path, tables: bool, unblind: bool) -> list[Path]:
    """Write the report of a mouse over days into its folder."""
    page, days = mouse_page(path, unblind)
    write_page(path / REPORT, page)
    return [path / REPORT] + ([write_table(path, days)] if tables else [])
