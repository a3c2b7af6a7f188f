"""Mice x days for an analysis of variance, and what is done where a mouse has no value on a day.

complete    mice with a missing day are left out
zero        0 stands in its place
paper       as the published figures were made: see `paper_cells`
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.cohort_table import RULES, Choices
from analysis.derived.learning import counted
from analysis.stats.refused import Refused
from rig.errors import SettingsError

POLICIES = ("complete", "zero", "paper")
PAPER_COLUMNS = ("mouse_id", "group", "sex", "roi_type", *RULES, "exp_label")
"""A column of the published grid is what differs in one of these."""


class Cells(NamedTuple):
    """Mice x days.

    Attributes
    ----------
    mice : list of str
    days : list of int
    values : array (n_mice, n_days)
        Without NaN.
    cells_observed, cells_imputed : int
        That were measured, and that were invented.
    subjects_dropped : list of str
        Mice that were left out.
    cells_averaged : int
        In which more than one value was averaged.
    """

    mice: list[str]
    days: list[int]
    values: np.ndarray
    cells_observed: int
    cells_imputed: int
    subjects_dropped: list[str]
    cells_averaged: int


def duplicates_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that share group, mouse and day with another one."""
    return table[table.duplicated(["group", "mouse", "day"], keep=False)].sort_values(["group", "mouse", "day"])


def grid_of(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return mice x days, NaN where there is no value.

    Raises
    ------
    Refused
        A mouse has two sessions on a day: which one counts is not for a program to guess.
    """
    twice = table[table.duplicated(["mouse", "day"], keep=False)]
    if len(twice):
        mouse, day = twice[["mouse", "day"]].iloc[0]
        n = int(((twice["mouse"] == mouse) & (twice["day"] == day)).sum())
        raise Refused(f"{mouse} has {n} sessions on day {day}; name the one that counts with --select")
    return table.pivot(index="mouse", columns="day", values=column).sort_index().sort_index(axis=1)


def cells_of(table: pd.DataFrame, column: str, policy: str) -> Cells:
    """Return mice x days of a part of a cohort, missing days treated as `complete` or `zero` says."""
    grid = grid_of(table, column)
    holes = grid.isna()
    days = [int(day) for day in grid.columns]
    if policy == "zero":
        missing = int(holes.to_numpy().sum())
        return Cells(list(grid.index), days, grid.fillna(0).to_numpy(float), grid.size - missing, missing, [], 0)
    whole = grid[~holes.any(axis=1)]
    dropped = [str(mouse) for mouse in grid.index[holes.any(axis=1)]]
    return Cells(list(whole.index), days, whole.to_numpy(float), whole.size, 0, dropped, 0)


def paper_cells(whole: pd.DataFrame, choices: Choices, mice: list[str], groups: list[str], days: list[int]) -> Cells:
    """Return mice x days as the published figures were made.

    Blocks of days stand on each other: each group, and one whose rule changes in two, before and after.  A column is a
    mouse with its group, sex and rule.  Every cell without a value is 0, also those of the other blocks, and all cells
    of a mouse and a day are averaged.

    Parameters
    ----------
    whole : DataFrame
        The cohort before --days and --group.
    mice, groups, days : list
        What is wanted of it.
    """
    keys = [name for name in PAPER_COLUMNS if name in whole]
    named = whole.assign(**{name: whole[name].fillna("") for name in keys})
    columns = named[[*keys, "mouse"]].drop_duplicates()
    columns = columns[columns["mouse"].isin(mice) & columns["group"].isin(groups)]
    blocks = list(blocks_of(named, choices))
    observed = imputed = averaged = 0
    values = np.full((len(mice), len(days)), np.nan)
    for i, mouse in enumerate(mice):
        own = columns[columns["mouse"] == mouse]
        for j, day in enumerate(days):
            found = grid_values(blocks, own, keys, day, choices.column)
            observed, imputed = observed + int((~np.isnan(found)).sum()), imputed + int(np.isnan(found).sum())
            averaged += len(found) > 1
            values[i, j] = np.nan_to_num(found).mean()
    return Cells(mice, days, values, observed, imputed, [], averaged)


def blocks_of(whole: pd.DataFrame, choices: Choices) -> Iterator[pd.DataFrame]:
    """Yield the blocks of the published grid."""
    for group, rows in whole.groupby("group"):
        change = choices.change_of(str(group))
        if change is None:
            yield rows
        else:
            yield rows[rows["day"] <= change]
            yield rows[rows["day"] > change]


def grid_values(blocks: list[pd.DataFrame], columns: pd.DataFrame, keys: list[str], day: int, value: str) -> np.ndarray:
    """Return what the columns of a mouse have on a day, in each block that has this day; NaN for nothing."""
    found = []
    for block in blocks:
        on_day = block[block["day"] == day]
        if not len(on_day):
            continue
        for column in columns.to_dict("records"):
            same = np.logical_and.reduce([on_day[name] == column[name] for name in keys])
            found.append(on_day[value][same].mean())
    return np.array(found, float)


def check_policy(parts: dict[str, pd.DataFrame], choices: Choices) -> None:
    """Raise SettingsError where mice lack days, and the user did not say what is to be done about it.

    Parameters
    ----------
    parts : dict of str to DataFrame
        The rows of each group.
    """
    if choices.missing is not None:
        return
    for group, rows in parts.items():
        once = rows.drop_duplicates(["mouse", "day"])
        holes = grid_of(once, choices.column).isna()
        missing = int(holes.to_numpy().sum())
        if missing:
            mouse, day = holes.stack()[lambda is_hole: is_hole].index[0]
            mice = int(holes.any(axis=1).sum())
            raise SettingsError(
                f"{missing} of {holes.size} mice x days of {group} have no {choices.value}, as {mouse} on day {day}; "
                f"say --missing complete (leaves {counted_mice(mice)} out), zero (invents "
                f"{counted(missing, 'value')}) or paper (as the published figures: zeros, averages)"
            )


def counted_mice(n: int) -> str:
    """Return a number of mice in words."""
    return "1 mouse" if n == 1 else f"{n} mice"
