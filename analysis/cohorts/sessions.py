"""A cohort from a data root: the sessions of all mice, summarized one by one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.cohorts.table import Histogram
from analysis.many import Where, for_each
from analysis.session_summary import Summary, summarize
from analysis.sessions import is_session, mice_of, sessions_of_mouse
from rig.errors import SettingsError


class Collected(NamedTuple):
    """What a data root has: a row for each session, inputs, signals, and why sessions were left out, {why: number}."""

    table: pd.DataFrame
    inputs: list[dict[str, str]]
    signals: dict[str, Histogram]
    left_out: dict[str, int]


def folders_below(root: Path) -> list[Path]:
    """Return the folders of all sessions of all mice below a data root, or of one mouse.

    Raises
    ------
    SettingsError
        There is none.
    """
    if not root.is_dir():
        raise SettingsError(f"{root}: there is no such file or folder")
    if is_session(root):
        raise SettingsError(f"{root} is one session; a cohort needs the folder that holds the folders of the mice")
    found = [folder for mouse in (root, *mice_of(root)) for folder in sessions_of_mouse(mouse)]
    if not found:
        raise SettingsError(f"{root}: there is no session here; name the folder that holds the folders of the mice")
    return found


def collect(root: Path, with_simulated: bool, by_calendar: bool, where: Where) -> Collected:
    """Return what the sessions of a data root came to; each is a task of its own."""
    results = for_each(partial(summarize, with_simulated=with_simulated), folders_below(root), where, "sessions")
    summaries = [each.value or Summary(str(each.folder), each.reason, {}) for each in results]
    return collected(summaries, root, by_calendar)


def collected(summaries: Iterable[Summary], root: Path, by_calendar: bool) -> Collected:
    """Return summaries as a table.

    Parameters
    ----------
    by_calendar : bool
        Whether `day` counts all days since the first session of a mouse, or only those with a session.

    Raises
    ------
    SettingsError
        No session can be used.
    """
    everything = list(summaries)
    used = [each for each in everything if not each.left_out]
    left_out = Counter(each.left_out for each in everything if each.left_out)
    if not used:
        raise SettingsError(f"{root}: no session can be used ({in_words(left_out)}){hint(left_out)}")
    table = pd.DataFrame([{**each.row, "session": each.folder} for each in used])
    dates = [date.fromisoformat(text) for text in table["date"]]
    table.insert(2, "day", days_of(table["mouse_id"].tolist(), dates, by_calendar))
    inputs = [{"path": each.folder, "sha256": each.row["sha256"]} for each in used]
    signals = {each.folder: Histogram(each.counts, each.unit, each.outside) for each in used if each.unit}
    return Collected(table, inputs, signals, dict(left_out))


def in_words(left_out: dict[str, int]) -> str:
    """Return why sessions were left out, and how many."""
    return ", ".join(f"{n} {why}" for why, n in list(left_out.items())[:4])


def hint(left_out: dict[str, int]) -> str:
    """Return what would let sessions in that are not real, where that is why there is none."""
    return "; --simulated counts those that are not real" if {"simulated", "replayed"} & left_out.keys() else ""


def days_of(mice: Sequence[str], dates: Sequence[date], by_calendar: bool) -> list[int]:
    """Return the day of each session, from 1 for each mouse."""
    of_mouse = {mouse: sorted({d for m, d in zip(mice, dates, strict=True) if m == mouse}) for mouse in set(mice)}
    if by_calendar:
        return [(day - of_mouse[mouse][0]).days + 1 for mouse, day in zip(mice, dates, strict=True)]
    return [of_mouse[mouse].index(day) + 1 for mouse, day in zip(mice, dates, strict=True)]
