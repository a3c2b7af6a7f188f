"""The report of a mouse over days: its learning curve, and a row for each session with a link to its report."""

import contextlib
import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from analysis.blind import CURE, hides
from analysis.chance_numbers import against_chance_in
from analysis.chance_numbers import numbers_of as chance_of_day
from analysis.csv_files import write_csv
from analysis.derived.learning import counted
from analysis.evidence import Evidence, gather
from analysis.figures.chance import OVER_DAYS, draw_days
from analysis.figures.spec import BLUE, GREEN, GREY, ORANGE, RED, grid
from analysis.outcomes import Outcomes, minutes_of, outcomes_of, reward_ul, rewards_of
from analysis.page import Cell, Page, Picture, Table, as_base64, new_drawing
from analysis.sessions import LeftOut, sessions_of_mouse, stands_in
from rig.errors import SettingsError
from rig.protocol.chance import Against

COLUMNS = (
    "day", "session", "trials", "success rate", "median latency (s)", "last threshold", "rewards", "water (µl)",
    "weight (g)", "minutes", "times chance", "95 % interval",
)  # fmt: skip
REPORT = "report.html"


class Day(NamedTuple):
    """A session of a mouse.

    Attributes
    ----------
    day : date
    folder : Path
    outcomes : Outcomes
    rewards : int
    water_ul : float
        NaN where the valve was not calibrated.
    minutes : float
    weight_g : float
        NaN where none was noted.
    chance : Against
        Crossings in trials against those in rests.
    """

    day: date
    folder: Path
    outcomes: Outcomes
    rewards: int
    water_ul: float
    minutes: float
    weight_g: float
    chance: Against


def days_of(folder: Path, unblind: bool = False) -> tuple[list[Day], list[LeftOut]]:
    """Return the real sessions of a mouse with trials, oldest first, and those that are left out."""
    days: list[Day] = []
    left_out: list[LeftOut] = []
    for each in sessions_of_mouse(folder):
        try:
            evidence = gather(each)
        except SettingsError as error:
            left_out.append(LeftOut(each, str(error)))
            continue
        reason = f"blind; {CURE}" if hides(evidence.session, unblind) else why_left_out(evidence)
        if reason:
            left_out.append(LeftOut(each, reason))
        else:
            days.append(day_of(evidence))
    return days, left_out


def why_left_out(evidence: Evidence) -> str:
    """Return why a session is no part of a learning curve, '' where it is."""
    if what := stands_in(evidence.session):
        return f"not a real session: {what}"
    if evidence.is_baseline:
        return "a baseline"
    return "" if began(evidence) else "its date is not known"


def began(evidence: Evidence) -> date | None:
    """Return the day of a session: by the name of its folder, else by its first row."""
    times = evidence.session.columns.get("time", np.zeros(0, str))
    first = str(times[0]) if len(times) else ""
    for text, form in ((evidence.session.folder.name, "%Y%m%d%H%M%S"), (first, "%Y-%m-%d %H:%M:%S.%f")):
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form).date()
    return None


def day_of(evidence: Evidence) -> Day:
    """Return what a session came to."""
    session, ul = evidence.session, reward_ul(evidence.settings, evidence.session.folder)
    day, rewards = began(evidence), rewards_of(evidence.session)
    assert day is not None
    water = np.nan if ul is None else rewards * ul
    weight = session.weights_g.get(day, np.nan)
    return Day(
        day,
        session.folder,
        outcomes_of(session),
        rewards,
        water,
        minutes_of(session),
        weight,
        against_chance_in(evidence),
    )


def by_day(days: Sequence[Day]) -> list[Day | date]:
    """Return the sessions in order; for a day without one, the day itself."""
    found: list[Day | date] = list(days[:1])
    for before, one in pairwise(days):
        found += [before.day + timedelta(days=i) for i in range(1, (one.day - before.day).days)]
        found.append(one)
    return found


def mouse_page(folder: Path, unblind: bool = False) -> tuple[Page, list[Day]]:
    """Return everything that the report of a mouse says, and its sessions; blind ones only if they may be known.

    Raises
    ------
    SettingsError
        No session of it is real and has trials.
    """
    days, left_out = days_of(folder, unblind)
    if not days:
        reasons = "; ".join(f"{each.folder.name}: {each.reason}" for each in left_out[:3])
        raise SettingsError(f"{folder}: no session here is real and has trials ({reasons})")
    mouse = folder.resolve().name
    page = Page(
        title=f"{mouse}, {days[0].day} to {days[-1].day}",
        heading=mouse,
        about=f"{days[0].day} to {days[-1].day} · {counted(len(days), 'session')}",
        marks=[f"Left out: {counted(len(left_out), 'session')} ({why(left_out)})."] if left_out else [],
        numbers=[
            (percent(days[-1].outcomes.success_rate), "success in the last session"),
            (f"{len(days)}", "sessions"),
        ],
        said=in_words(days),
        checks=(),
        figures=[curve_of(days), chance_of_days(days)],
        tables=[table_of(days, folder)],
        footer=str(folder),
    )
    return page, days


def why(left_out: Sequence[LeftOut]) -> str:
    """Return the reasons for which sessions are left out, each with its number."""
    reasons = [each.reason for each in left_out]
    return ", ".join(f"{reasons.count(reason)} {reason}" for reason in dict.fromkeys(reasons))


def percent(share: float) -> str:
    """Return a share in per cent, '-' where there is none."""
    return "-" if np.isnan(share) else f"{100 * share:.0f} %"


def in_words(days: Sequence[Day]) -> str:
    """Say how the mouse has learned."""
    rates = [each.outcomes.success_rate for each in days if not np.isnan(each.outcomes.success_rate)]
    if len(rates) < 2:
        return "One session has no trend."
    return f"The success rate went from {percent(rates[0])} in the first session to {percent(rates[-1])} in the last."


def curve_of(days: Sequence[Day]) -> Picture:
    """Draw success rate, latency, threshold, water and weight over the days."""
    series = {
        "success (%)": ([100 * each.outcomes.success_rate for each in days], GREEN),
        "median latency (s)": ([each.outcomes.latency_s for each in days], BLUE),
        "last threshold": ([each.outcomes.threshold for each in days], ORANGE),
        "rewards": ([float(each.rewards) for each in days], GREY),
        "water (µl)": ([each.water_ul for each in days], BLUE),
        "weight (g)": ([each.weight_g for each in days], RED),
    }
    known = {name: each for name, each in series.items() if not np.isnan(each[0]).all()}
    drawing = new_drawing(2.6 * -(-len(known) // 2))
    draw_curves(drawing, [(each.day - days[0].day).days + 1 for each in days], known)
    reads = (
        "Good: success rises or stays high while the threshold climbs, and latencies fall. Bad: success that falls "
        "together with the weight: a mouse that is not well. Days without a session stay empty."
    )
    return Picture("curve", "Learning curve", reads, as_base64(drawing))


def chance_of_days(days: Sequence[Day]) -> Picture:
    """Draw how each session compares with chance."""
    if not any(each.chance.low > 0 or np.isfinite(each.chance.high) for each in days):
        return Picture("chance", "Trials against chance", OVER_DAYS, missing="no rest was long enough")
    drawing = new_drawing(2.6)
    draw_days(drawing, [(each.day - days[0].day).days + 1 for each in days], [each.chance for each in days])
    return Picture("chance", "Trials against chance", OVER_DAYS, as_base64(drawing))


def draw_curves(drawing: Figure, days: Sequence[int], series: dict[str, tuple[list[float], str]]) -> None:
    """Draw a panel for each series."""
    panels = grid(drawing, -(-len(series) // 2), 2)
    for axes, (name, (values, color)) in zip(panels, series.items(), strict=False):
        axes.plot(*with_gaps(days, values), "o-", color=color)
        axes.set(xlabel="day", ylabel=name, xlim=(0.5, days[-1] + 0.5))
        axes.set_ylim(bottom=0)
    for axes in panels[len(series) :]:
        axes.set_axis_off()


def with_gaps(days: Sequence[int], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return days and values with NaN where a day has no session, so that no line is drawn across it."""
    at, found = [float(days[0])], [values[0]]
    for before, day, value in zip(days, days[1:], values[1:], strict=False):
        if day - before > 1:
            at.append(before + 1.0)
            found.append(np.nan)
        at.append(float(day))
        found.append(value)
    return at, found


def table_of(days: Sequence[Day], folder: Path) -> Table:
    """Return a row for each session, with a link to its report where there is one, and for each day without."""
    rows = [row_of(each, folder) if isinstance(each, Day) else [Cell(f"{each}")] for each in by_day(days)]
    filled = [[*row, *[Cell("")] * (len(COLUMNS) - len(row))] for row in rows]
    return Table("Sessions", COLUMNS, filled)


def row_of(each: Day, folder: Path) -> list[Cell]:
    """Return the row of a session."""
    report = each.folder / REPORT
    link = os.path.relpath(report, folder) if report.is_file() else ""
    texts = numbers_of(each)
    return [Cell(f"{each.day}"), Cell(each.folder.name, link), *(Cell(text) for text in texts)]


def numbers_of(each: Day) -> list[str]:
    """Return the numbers of a session as they stand in its row, after day and session."""
    outcomes = each.outcomes
    forms = (
        (outcomes.done, "{:.0f}"),
        (outcomes.success_rate, "{:.3f}"),
        (outcomes.latency_s, "{:.2f}"),
        (outcomes.threshold, "{:.4g}"),
        (each.rewards, "{:.0f}"),
        (each.water_ul, "{:.1f}"),
        (each.weight_g, "{:.1f}"),
        (each.minutes, "{:.1f}"),
    )
    texts = ["" if np.isnan(value) else form.format(value) for value, form in forms]
    return [*texts, *chance_of_day(each.chance)]


def write_table(folder: Path, days: Sequence[Day]) -> Path:
    """Write the rows of the sessions as a CSV file; return its path."""
    rows = [[f"{each.day}", each.folder.name, *numbers_of(each)] for each in days]
    return write_csv(folder / "report_days.csv", COLUMNS, rows)
