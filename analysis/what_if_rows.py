"""What a session would have come to with other settings: one row per session and setting, and the table of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.table import Table

from analysis.csv_files import exact, write_csv
from analysis.outcomes import Outcomes, outcomes_of, unit_of
from analysis.replay.compare import different
from rig.files.reader import Session

CAVEAT = (
    "Open loop: the mouse heard the recorded tone and got the recorded water, so this is exact for the same settings, "
    "good for choosing at or below the used threshold and on baselines, and above it a ranking."
)
RECORDED = "as recorded"
HEADINGS = {
    "done": "trials\ndone",
    "cut_short": "cut\nshort",
    "successes": "suc-\ncesses",
    "success_rate": "success\nrate",
    "rewards_per_min": "rewards\nper min",
    "latency_s": "median\nlatency s",
    "threshold": "last\nthreshold",
    "other_outcome_s": "first other\noutcome s",
    "other_tone_s": "first other\ntone s",
}
FORMS = {"done": "{:.0f}", "cut_short": "{:.0f}", "successes": "{:.0f}", "success_rate": "{:.2f}",
         "rewards_per_min": "{:.2f}", "latency_s": "{:.1f}", "threshold": "{:.4g}", "other_outcome_s": "{:.1f}",
         "other_tone_s": "{:.1f}"}  # fmt: skip


class Row(NamedTuple):
    """What a session came to with some setting.

    Attributes
    ----------
    session : str
        Its folder.
    label : str
        The setting.
    value : float or None
        Of the sweep.
    outcomes : Outcomes
    other_outcome_s, other_tone_s : float
        When the first outcome and the first tone were other than recorded, from the start, s; NaN where none was.
    unit : str
        Of the threshold.
    """

    session: str
    label: str
    value: float | None
    outcomes: Outcomes
    other_outcome_s: float = np.nan
    other_tone_s: float = np.nan
    unit: str = ""

    def numbers(self) -> dict[str, float]:
        """Return the numbers of the row by their names in HEADINGS."""
        times = {"other_outcome_s": self.other_outcome_s, "other_tone_s": self.other_tone_s}
        return {name: float(value) for name, value in self.outcomes._asdict().items()} | times


def recorded_row(session: Session) -> Row:
    """Return the row of a session as it was."""
    return Row(str(session.folder), RECORDED, None, outcomes_of(session), unit=unit_of(session))


def row_of(label: str, value: float | None, recorded: Session, now: Session) -> Row:
    """Return the row of a session that was run again."""
    rows = [different(recorded.columns, now.columns, column) for column in ("reward", "freq")]
    time_s = recorded.row_times_s()
    outcome_s, tone_s = (np.nan if row is None else float(time_s[row] - time_s[0]) for row in rows)
    return Row(str(recorded.folder), label, value, outcomes_of(now), outcome_s, tone_s, unit_of(now))


def in_words(name: str, values: Iterable[float]) -> str:
    """Return a number in its form, or the median and the range of several; '-' where there is none."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return "-"
    form = FORMS[name]
    if len(known) == 1:
        return form.format(known[0])
    low, middle, high = (form.format(value) for value in (known.min(), np.median(known), known.max()))
    return f"{middle} ({low} to {high})"


def table_of(rows: Sequence[Row]) -> Table:
    """Return the table: a row for each setting; with several sessions the median and, in parentheses, the range."""
    table = Table(box=None, padding=(0, 1))
    table.add_column("\nsetting", no_wrap=True)
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right")
    for label in dict.fromkeys(row.label for row in rows):
        alike = [row for row in rows if row.label == label]
        words = {name: in_words(name, (row.numbers()[name] for row in alike)) for name in HEADINGS}
        words["threshold"] += f" {' and '.join(sorted({row.unit for row in alike}))}"
        table.add_row(label, *words.values())
    return table


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a row for each session and setting; the last column says what the numbers are good for.

    Raises
    ------
    RigError
        The file cannot be written.
    """
    lines = [[row.session, row.label, *map(exact, row.numbers().values()), row.unit, CAVEAT] for row in rows]
    write_csv(path, ["session", "setting", *HEADINGS, "unit of threshold", "caveat"], lines)
