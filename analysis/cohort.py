#!/usr/bin/env python3
"""The statistics of a cohort: many mice over many days.

From a data root, or from a CSV file with a row for each session, it writes cohort.json (every number, unrounded),
tables as CSV files, and cohort.html, one page with figures.  Warnings are part of the result.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from analysis.many import add_options
from rig.ending import run
from rig.errors import RigError, SettingsError
from rig.terminal import console

if TYPE_CHECKING:
    from analysis.cohorts.table import Choices

MISSING = "a cohort needs more Python packages ({error}); run 'make setup-analysis'"
VALUES, POLICIES = ("performance", "rewards", "minmax", "latency"), ("complete", "zero", "paper")


def main() -> int:
    """Read the command line, compute, write, and say what was found."""
    arguments = parser().parse_args()
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
        import statsmodels  # noqa: F401
    except ImportError as error:
        raise RigError(MISSING.format(error=error)) from None
    for line in make(arguments):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("source", metavar="DATA_ROOT | SESSIONS.csv", type=Path, help="folder of mice, or a table")
    found.add_argument("--value", choices=VALUES, default="performance", help="what is tested (performance)")
    found.add_argument(
        "--missing", choices=POLICIES, help="what is done about missing days; needed where there are some"
    )
    found.add_argument("--rule-change-day", action="append", default=[], metavar="[GROUP=]DAY",
                       help="last day under the first rule, of all groups or of one; may be repeated")  # fmt: skip
    found.add_argument("--days", metavar="A-B", help="first and last day that count")
    found.add_argument("--group", help="the only group that counts")
    found.add_argument(
        "--select", metavar="MANIFEST.csv", type=Path, help="sessions that count: mouse_id, cal_day, group"
    )
    found.add_argument("--out", metavar="DIR", type=Path, default=Path("cohort"), help="where to write (./cohort)")
    found.add_argument("--mouse-column", default="mouse_id", help="column that says which animal it was (mouse_id)")
    found.add_argument("--calendar", action="store_true", help="DATA_ROOT: count days without a session, too")
    found.add_argument("--simulated", action="store_true", help="DATA_ROOT: simulated and replayed sessions count, too")
    found.add_argument("--pseudo-count", type=float, default=0.0, help="added to each bin before a divergence (0)")
    add_options(found)
    return found


def make(arguments: argparse.Namespace) -> list[str]:
    """Compute and write a cohort; return what the user is to read."""
    from analysis.cohorts.files import write_all
    from analysis.cohorts.make import all_files

    files, warnings = all_files(arguments, choices_of(arguments))
    return [*warnings, *(str(path) for path in write_all(arguments.out.expanduser(), files))]


def choices_of(arguments: argparse.Namespace) -> "Choices":
    """Return what the command line chooses.

    Raises
    ------
    SettingsError
        An option cannot be understood.
    """
    from analysis.cohorts.table import Choices

    if not 0 <= arguments.pseudo_count < float("inf"):
        raise SettingsError(f"--pseudo-count {arguments.pseudo_count}: it must be 0 or more")
    change = dict(change_day(text) for text in arguments.rule_change_day)
    return Choices(
        arguments.value, arguments.missing, change, days(arguments.days), arguments.group, arguments.mouse_column
    )


def change_day(text: str) -> tuple[str, int]:
    """Return the group and the day of --rule-change-day; '' stands for all groups."""
    group, _, day = text.rpartition("=")
    if not re.fullmatch(r"\d+", day.strip()):
        raise SettingsError(f"--rule-change-day {text}: write a day, as 10, or a group and its day, as trained=10")
    return group.strip(), int(day)


def days(text: str | None) -> tuple[int, int] | None:
    """Return first and last day of --days."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", text)
    if not found or int(found[1]) > int(found[2]):
        raise SettingsError(f"--days {text}: write first and last day, as 1-4")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    run(main)
