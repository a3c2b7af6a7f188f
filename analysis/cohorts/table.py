"""The table of a cohort: a row for each session, checked, selected, with the values that statistics are made of."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rig.errors import SettingsError

NEEDED = ("mouse_id", "day", "trials", "rewards")
RULES = ("roi_rule", "control_joint", "rule")
"""Columns that may say what was trained; the first one that is there counts."""
VALUES = ("performance", "rewards", "rewards_per_trial", "minmax", "success_rate", "latency_s")
"""Columns that curves are drawn of; min-max values are never called a success rate."""
COLUMN_OF = {"performance": "performance", "rewards": "rewards", "minmax": "minmax", "latency": "latency_s"}
"""What --value may name, and its column."""
NO_GROUP = "no group"
LAST_DAY = 3650
EVERYONE = ""  # in `Choices.change`: the day of every group


@dataclass(frozen=True)
class Choices:
    """What the user chose.

    Attributes
    ----------
    value : str
        A key of COLUMN_OF.
    missing : str or None
        complete, zero or paper; None where the user did not say.
    change : dict of str to int
        {group: last day under the first rule}; EVERYONE stands for all groups.
    days : (int, int) or None
        First and last day that count.
    group : str or None
        The only group that counts.
    mouse_column : str
        The column that says which animal it was.
    """

    value: str = "performance"
    missing: str | None = None
    change: Mapping[str, int] = field(default_factory=dict)
    days: tuple[int, int] | None = None
    group: str | None = None
    mouse_column: str = "mouse_id"

    @property
    def column(self) -> str:
        """The column of the value."""
        return COLUMN_OF[self.value]

    def change_of(self, group: str) -> int | None:
        """Return the last day under the first rule in a group, None where its rule does not change."""
        return self.change.get(group, self.change.get(EVERYONE))


class Histogram(NamedTuple):
    """The distribution of the signal of a session: counts between edges of a unit, and how many lie outside."""

    counts: tuple[int, ...]
    unit: str
    outside: int


@dataclass
class Cohort:
    """A cohort.

    Attributes
    ----------
    table : DataFrame
        A row for each session, with `group`, `mouse` (the animal), `day`, `rule`, `phase`, the columns of VALUES, and
        all others that the input has.
    inputs : list of dict
        path and sha256 of what was read.
    rows : dict of str to int
        How many rows there were after each step.
    warnings : list of str
    signals : dict of str to Histogram
        {session: of its signal}; empty for a cohort from a CSV file.
    """

    table: pd.DataFrame
    inputs: list[dict[str, str]]
    rows: dict[str, int]
    warnings: list[str]
    signals: dict[str, Histogram] = field(default_factory=dict)

    @property
    def groups(self) -> list[str]:
        """The groups, in order."""
        return sorted(self.table["group"].unique())


def read_csv(path: Path) -> pd.DataFrame:
    """Return a CSV file as a table; mice, groups, rules and dates as text.

    Raises
    ------
    SettingsError
        It is missing, empty, or not a table.
    """
    try:
        text = dict.fromkeys(("mouse_id", "cal_day", "group", "sex", *RULES), str)
        empty = {"keep_default_na": False, "na_values": ["", "NaN", "nan"]}  # a group may be called NA
        table = pd.read_csv(path, dtype=text, encoding="utf-8-sig", **empty)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file or folder") from None
    except (OSError, ValueError) as error:  # pandas' errors of parsing are ValueErrors
        raise SettingsError(f"{path} cannot be read as a CSV file in UTF-8 ({' '.join(str(error).split())})") from None
    if not len(table):
        raise SettingsError(f"{path} has no row; a cohort needs a row for each session")
    return table


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def with_numbers(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the table with numbers where numbers belong.

    Raises
    ------
    SettingsError
        A column is missing, or a row has something else there.
    """
    if absent := [name for name in NEEDED if name not in table]:
        raise SettingsError(
            f"{source} lacks the column{'s' * (len(absent) > 1)} {', '.join(absent)}; "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    table = table.copy()
    for name in ("day", "trials", "rewards", "success_rate", "latency_s"):
        if name in table:
            table[name] = as_numbers(table, name, source)
    unknown = table[["mouse_id", "day"]].isna().any(axis=1)
    if unknown.any():
        raise SettingsError(f"{source}: row {first(unknown)} has no mouse_id or no day")
    if (table["day"] % 1 != 0).any():
        raise SettingsError(f"{source}: day must be whole numbers; row {first(table['day'] % 1 != 0)} has another one")
    table["day"] = table["day"].astype(int)
    far = table["day"].abs() > LAST_DAY
    if far.any():
        raise SettingsError(
            f"{source}: row {first(far)} says day = {table['day'][far].iloc[0]}; days are counted from the first "
            f"session, to {LAST_DAY} at most; a date belongs into cal_day"
        )
    return table


def as_numbers(table: pd.DataFrame, name: str, source: str) -> pd.Series:
    """Return a column as numbers; nothing stays NaN."""
    found = pd.to_numeric(table[name], errors="coerce").astype(float)
    wrong = (found.isna() & table[name].notna()) | np.isinf(found)
    if wrong.any():
        text = table[name][wrong].iloc[0]
        raise SettingsError(f"{source}: row {first(wrong)} says {name} = {text}, which is no number")
    return found


def first(which: pd.Series) -> int:
    """Return the row of the file that is the first of these; the header is row 1."""
    return int(np.flatnonzero(which.to_numpy())[0]) + 2


def select(table: pd.DataFrame, manifest: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that a manifest names, and warnings.

    Where the table has a row of the manifest's group, that one is taken; else the manifest says the group.  A `day` of
    the manifest replaces that of the table.
    """
    if absent := [name for name in ("mouse_id", "cal_day") if name not in manifest]:
        raise SettingsError(f"--select {source} lacks the column {absent[0]}; it needs mouse_id, cal_day and group")
    if "cal_day" not in table:
        raise SettingsError("--select needs the column cal_day in the table of sessions, too")
    rows, absent = [], []
    for wanted in manifest.to_dict("records"):
        found = table[(table["mouse_id"] == wanted["mouse_id"]) & (table["cal_day"] == wanted["cal_day"])]
        if not len(found):
            absent.append(f"{wanted['mouse_id']} {wanted['cal_day']}")
            continue
        rows.append(as_wanted(found, wanted))
    if not rows:
        raise SettingsError(f"--select {source} names no session of this cohort")
    said = [f"{len(absent)} rows of {source} are not in the cohort, as {absent[0]}."] if absent else []
    return pd.concat(rows, ignore_index=True), said


def as_wanted(found: pd.DataFrame, wanted: Mapping[Any, Any]) -> pd.DataFrame:
    """Return the row of a session as a manifest wants it."""
    group = wanted.get("group")
    if group is not None and not pd.isna(group):
        same = found[found["group"] == group] if "group" in found else found[:0]
        found = same if len(same) else found.head(1).assign(group=group)
    if "day" in wanted and not pd.isna(wanted["day"]):
        found = found.assign(day=int(wanted["day"]))
    return found


def with_values(table: pd.DataFrame, choices: Choices) -> pd.DataFrame:
    """Return the table with `group`, `mouse`, `rule`, `phase`, and the columns of VALUES that can be had."""
    if choices.mouse_column not in table:
        raise SettingsError(f"--mouse-column {choices.mouse_column}: the table has no such column")
    table = table.copy()
    table["group"] = table["group"].fillna("").replace("", NO_GROUP) if "group" in table else NO_GROUP
    table["mouse"] = table[choices.mouse_column].astype(str)
    if "cal_day" not in table:
        table["cal_day"] = ""
    rule = next((name for name in RULES if name in table), None)
    table["rule"] = table[rule].fillna("") if rule else ""
    table["phase"] = [phase_of(group, day, choices) for group, day in zip(table["group"], table["day"], strict=True)]
    trials = table["trials"].where(table["trials"] > 0)
    table["rewards_per_trial"] = (table["rewards"] / trials).where(~is_random(table))
    table["performance"] = table["rewards_per_trial"].clip(upper=1)
    table["minmax"] = minmax(table)
    if "latency_s" not in table and "latency" in table:
        table["latency_s"] = table["latency"]
    return table


def is_random(table: pd.DataFrame) -> pd.Series:
    """Return which sessions gave their rewards whatever the signal did."""
    return is_true(table, "rewards_are_random")


def is_true(table: pd.DataFrame, name: str) -> pd.Series:
    """Return in which rows a column says true; nowhere without the column."""
    return table[name].isin([True, "True"]) if name in table else pd.Series(False, index=table.index)


def phase_of(group: str, day: int, choices: Choices) -> str:
    """Return before or after the change of the rule, '' where it does not change."""
    change = choices.change_of(group)
    return "" if change is None else "before" if day <= change else "after"


def minmax(table: pd.DataFrame) -> pd.Series:
    """Return rewards, 0 for the fewest and 1 for the most of this mouse, rule and phase; NaN where all are the same."""
    rewards = table["rewards"].groupby([table[name] for name in ("group", "mouse_id", "rule", "phase")])
    low, high = rewards.transform("min"), rewards.transform("max")
    return (table["rewards"] - low) / (high - low).where(high > low)


def restricted(table: pd.DataFrame, choices: Choices) -> pd.DataFrame:
    """Return the rows of the chosen group and days.

    Raises
    ------
    SettingsError
        There is none.
    """
    if choices.group is not None:
        known = sorted(table["group"].unique())
        if choices.group not in known:
            raise SettingsError(f"--group {choices.group}: there is no such group; there are {', '.join(known)}")
        table = table[table["group"] == choices.group]
    if choices.days is not None:
        low, high = choices.days
        has = f"{table['day'].min()} to {table['day'].max()}"
        table = table[table["day"].between(low, high)]
        if not len(table):
            raise SettingsError(f"--days {low}-{high}: no session is on these days; there are days {has}")
    return table.reset_index(drop=True)


def days_in_words(days: Sequence[int]) -> str:
    """Return days as 1-4, 6, 9."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
