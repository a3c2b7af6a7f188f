"""Mice x days for an analysis of variance, and what is done where a mouse has no value on a day.

complete    mice with a missing day are left out
zero        0 stands in its place
paper       as the published figures were made: see `paper_cells`
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.cohorts.table import RULES, Choices
from analysis.derived.learning import counted
from analysis.stats.refused import Refused
from rig.errors import SettingsError

POLICIES = ("complete", "zero", "paper")
PAPER_COLUMNS = ("mouse_id", "group", "sex", "roi_type", *RULES, "exp_label")
"""A column of the published grid is what differs in one of these."""


class Block(NamedTuple):
    """A block of the published grid: its days, and {(column, day): value}."""

    days: set[int]
    cells: dict[tuple[tuple[Any, ...], int], float]


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
    chosen = named[named["mouse"].isin(mice) & named["group"].isin(groups)]
    columns = {mouse: set(map(tuple, own[keys].to_numpy())) for mouse, own in chosen.groupby("mouse")}
    blocks = [block_of(rows, keys, choices.column) for rows in blocks_of(named, choices)]
    found = [[grid_values(blocks, columns[mouse], day) for day in days] for mouse in mice]
    grid = [np.array(cell) for row in found for cell in row]
    imputed = sum(int(np.isnan(cell).sum()) for cell in grid)
    values = np.array([np.nan_to_num(cell).mean() for cell in grid]).reshape(len(mice), len(days))
    averaged = sum(len(cell) > 1 for cell in grid)
    return Cells(mice, days, values, sum(map(len, grid)) - imputed, imputed, [], averaged)


def blocks_of(whole: pd.DataFrame, choices: Choices) -> Iterator[pd.DataFrame]:
    """Yield the blocks of the published grid."""
    for group, rows in whole.groupby("group"):
        change = choices.change_of(str(group))
        if change is None:
            yield rows
        else:
            yield rows[rows["day"] <= change]
            yield rows[rows["day"] > change]


def block_of(rows: pd.DataFrame, keys: list[str], value: str) -> Block:
    """Return a block of the published grid; sessions of a column on one day are averaged."""
    means = rows.groupby([*keys, "day"])[value].mean()
    cells = {(tuple(key[:-1]), int(key[-1])): float(mean) for key, mean in means.items()}
    return Block({int(day) for day in rows["day"]}, cells)


def grid_values(blocks: list[Block], columns: set[tuple[Any, ...]], day: int) -> list[float]:
    """Return what the columns of a mouse have on a day, in each block that has this day; NaN for nothing."""
    return [
        block.cells.get((column, day), np.nan) for block in blocks if day in block.days for column in sorted(columns)
    ]


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
            i, j = np.argwhere(holes.to_numpy())[0]
            mouse, day = holes.index[i], holes.columns[j]
            mice = int(holes.any(axis=1).sum())
            raise SettingsError(
                f"{missing} of {holes.size} mice x days of {group} have no {choices.value}, as {mouse} on day {day}; "
                f"say --missing complete (leaves {counted_mice(mice)} out), zero (invents "
                f"{counted(missing, 'value')}) or paper (as the published figures: zeros, averages)"
            )


def counted_mice(n: int) -> str:
    """Return a number of mice in words."""
    return "1 mouse" if n == 1 else f"{n} mice"
