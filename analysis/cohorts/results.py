"""All statistics of a cohort, by their names in the output; each row has its numbers, or the reason why it has none."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.cohorts.divergence import divergences
from analysis.cohorts.missing import Cells, cells_of, check_policy, paper_cells
from analysis.cohorts.table import VALUES, Choices, Cohort
from analysis.stats.anova import RmAnova, rm_anova
from analysis.stats.mixed import METHOD, Mixed, interaction, mixed
from analysis.stats.pairwise import (
    MannWhitney,
    OneWay,
    Paired,
    Welch,
    benjamini_hochberg,
    mann_whitney,
    one_way,
    paired,
    welch,
)
from analysis.stats.refused import Refused, fields_of
from analysis.stats.regression import Line, ols, slope
from analysis.stats.trend import MannKendall, mann_kendall

ALL_GROUPS, ALL_DAYS = "all groups", "all"
CELL_FIELDS = ("cells_observed", "cells_imputed", "subjects_dropped", "cells_averaged")
Row = dict[str, Any]
Key = tuple[str, int]  # a group on a day


class Part(NamedTuple):
    """Rows that belong together: a group, on all days, or before or after the change of its rule."""

    group: str
    phase: str
    rows: pd.DataFrame

    @property
    def names(self) -> Row:
        """The columns that say which part this is."""
        return {"group": self.group, "phase": self.phase}


def results_of(cohort: Cohort, whole: pd.DataFrame, choices: Choices, pseudo_count: float = 0.0) -> dict[str, Any]:
    """Return all statistics of a cohort.

    Parameters
    ----------
    cohort : Cohort
        Of the chosen group and days.
    whole : DataFrame
        Its table before that choice.
    """
    table = cohort.table
    check_policy({group: table[table["group"] == group] for group in cohort.groups}, choices)
    parts = list(parts_of(table, choices))
    return {
        "curves": curves(table),
        "rm_anova": [anova_row(part, whole, choices) for part in parts],
        "mann_kendall": [trend_row(part, choices) for part in parts],
        "ols": [line_row(part, choices) for part in [*parts, *rules_of(table)]],
        "mixed": [mixed_row(part, choices) for part in parts],
        "pairwise": pairs(table, choices, MannWhitney),
        "oneway": pairs(table, choices, OneWay),
        "rule_change": [change_row(part, choices) for part in parts if choices.change_of(part.group) is not None
                        and part.phase == ALL_DAYS],
        "between_groups": list(between_groups(table, choices)),
        "kld": divergences(cohort, pseudo_count),
    }  # fmt: skip


def parts_of(table: pd.DataFrame, choices: Choices) -> Iterator[Part]:
    """Yield each group on all days, before and after the change of its rule; and all groups on the days they share."""
    groups = sorted(table["group"].unique())
    for group in groups:
        rows = table[table["group"] == group]
        yield Part(group, ALL_DAYS, rows)
        if choices.change_of(group) is not None:
            yield from (Part(group, phase, rows[rows["phase"] == phase]) for phase in ("before", "after"))
    if len(groups) > 1:
        shared = set.intersection(*(set(table["day"][table["group"] == group]) for group in groups))
        yield Part(ALL_GROUPS, ALL_DAYS, table[table["day"].isin(shared)])


def rules_of(table: pd.DataFrame) -> Iterator[Part]:
    """Yield the rows of each rule, where there are several; `phase` is then the rule."""
    rules = sorted(rule for rule in table["rule"].unique() if rule)
    if len(rules) > 1:
        yield from (Part(ALL_GROUPS, f"rule {rule}", table[table["rule"] == rule]) for rule in rules)


def known(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows that have a value."""
    return rows[rows[column].notna()]


def curves(table: pd.DataFrame) -> list[Row]:
    """Return n, mean and SEM of every value, for each group and day with a session."""
    rows = []
    for name in (name for name in VALUES if name in table):
        for (group, day), values in known(table, name).groupby(["group", "day"])[name]:
            n = len(values)
            sem = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else None
            rows.append(
                {"value": name, "group": group, "day": int(day), "n": n, "mean": float(values.mean()), "sem": sem}
            )
    return rows


def anova_row(part: Part, whole: pd.DataFrame, choices: Choices) -> Row:
    """Return the analysis of variance of a part, and what was done about missing days."""
    policy = choices.missing or "complete"
    row = {**part.names, "value": choices.value, "missing": policy}
    try:
        cells = paper_part(part, whole, choices) if policy == "paper" else cells_of(part.rows, choices.column, policy)
    except Refused as reason:
        return {**row, "days": [], **dict.fromkeys(RmAnova._fields + CELL_FIELDS), "reason": str(reason)}
    about = {name: getattr(cells, name) for name in CELL_FIELDS}
    return {**row, "days": cells.days, **fields_of(RmAnova, rm_anova, cells.values), **about}


def paper_part(part: Part, whole: pd.DataFrame, choices: Choices) -> Cells:
    """Return the cells of a part as the published figures were made: before the change is before its day, too."""
    change = choices.change_of(part.group)
    days = sorted(int(day) for day in part.rows["day"].unique() if part.phase != "before" or day != change)
    groups = sorted(part.rows["group"].unique())
    return paper_cells(whole, choices, sorted(part.rows["mouse"].unique()), groups, days)


def trend_row(part: Part, choices: Choices) -> Row:
    """Return the trend of the means of days."""
    daily = known(part.rows, choices.column).groupby("day")[choices.column].mean()
    days = [int(day) for day in daily.index]
    found = fields_of(MannKendall, mann_kendall, np.array(days, float), daily.to_numpy(float))
    return {**part.names, "value": choices.value, "days": days, **found}


def arrays(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return days, values and mice of the rows that have a value."""
    rows = known(rows, column)
    return rows["day"].to_numpy(float), rows[column].to_numpy(float), rows["mouse"].to_numpy(str)


def line_row(part: Part, choices: Choices) -> Row:
    """Return the straight line through all values of a part."""
    days, values, _ = arrays(part.rows, choices.column)
    return {**part.names, "value": choices.value, **fields_of(Line, ols, days, values)}


def mixed_row(part: Part, choices: Choices) -> Row:
    """Return the slope of value ~ day + (1 | mouse)."""
    found = fields_of(Mixed, mixed, *arrays(part.rows, choices.column))
    return {**part.names, "value": choices.value, "method": METHOD, **found}


def family(table: pd.DataFrame, choices: Choices) -> list[tuple[Key, Key]]:
    """Return which sets are compared: first and last day of each group, both sides of the change of its rule, and each
    two groups on the last day that they share.
    """
    found: list[tuple[Key, Key]] = []
    days = {str(group): sorted(map(int, rows["day"].unique())) for group, rows in table.groupby("group")}
    for group, own in days.items():
        if len(own) > 1:
            found.append(((group, own[0]), (group, own[-1])))
        change = choices.change_of(group)
        if change is not None and own[0] <= change < own[-1]:
            before, after = max(day for day in own if day <= change), min(day for day in own if day > change)
            found.append(((group, before), (group, after)))
    for a, b in combinations(days, 2):
        if shared := sorted(set(days[a]) & set(days[b])):
            found.append(((a, shared[-1]), (b, shared[-1])))
    return list(dict.fromkeys(found))


def pairs(table: pd.DataFrame, choices: Choices, kind: type[MannWhitney] | type[OneWay]) -> list[Row]:
    """Return a test for each pair of the family; p values by rank are corrected for their number."""
    test = {MannWhitney: mann_whitney, OneWay: one_way}[kind]
    rows = []
    for a, b in family(table, choices):
        found = fields_of(kind, test, on_day(table, a, choices), on_day(table, b, choices))
        rows.append({"a": named(a), "b": named(b), "value": choices.value, **found})
    if kind is MannWhitney:
        for row, corrected in zip(rows, benjamini_hochberg([row["p"] for row in rows]), strict=True):
            row["p_bh"] = corrected
    return rows


def named(key: Key) -> str:
    """Return a group on a day in words."""
    return f"{key[0]}, day {key[1]}"


def on_day(table: pd.DataFrame, key: Key, choices: Choices) -> np.ndarray:
    """Return the values of a group on a day."""
    rows = table[(table["group"] == key[0]) & (table["day"] == key[1])]
    values: np.ndarray = known(rows, choices.column)[choices.column].to_numpy(float)
    return values


def change_row(part: Part, choices: Choices) -> Row:
    """Return what a change of the rule did to each mouse of a group, and the test of the pairs."""
    change = choices.change_of(part.group)
    assert change is not None
    rows = known(part.rows, choices.column).sort_values("day")
    mice = [around_change(str(mouse), own, choices.column, change) for mouse, own in rows.groupby("mouse")]
    both = [mouse for mouse in mice if mouse["difference"] is not None]
    before, after = (np.array([mouse[side] for mouse in both], float) for side in ("before", "after"))
    found = fields_of(Paired, paired, before, after)
    return {"group": part.group, "value": choices.value, "last_day_of_first_rule": change, **found, "mice": mice}


def around_change(mouse: str, rows: pd.DataFrame, column: str, change: int) -> Row:
    """Return the last value of a mouse before a change, the first one after it, and when it was as good as before."""
    row: Row = dict.fromkeys(
        ("before_day", "before", "after_day", "after", "difference", "days_to_regain", "regained_on_day")
    )
    row |= {"mouse": mouse}
    before, after = rows[rows["day"] <= change], rows[rows["day"] > change]
    if len(before):
        row |= {"before_day": int(before["day"].iloc[-1]), "before": float(before[column].iloc[-1])}
    if len(after):
        row |= {"after_day": int(after["day"].iloc[0]), "after": float(after[column].iloc[0])}
    if len(before) and len(after):
        regained = after["day"][is_as_good(after[column], row["before"], column)]
        row["difference"] = row["after"] - row["before"]
        if len(regained):
            row["regained_on_day"] = int(regained.iloc[0])
            row["days_to_regain"] = int(regained.iloc[0]) - change
    return row


def is_as_good(values: pd.Series, before: float, column: str) -> pd.Series:
    """Return which values are at least as good as before: a latency is better when it is shorter."""
    return values <= before if column == "latency_s" else values >= before


def between_groups(table: pd.DataFrame, choices: Choices) -> Iterator[Row]:
    """Yield a direct comparison of each two groups: the slopes of their mice, and day x group."""
    phases = ["before", "after"] if (table["phase"] != "").any() else []
    for phase in [ALL_DAYS, *phases]:
        rows = table if phase == ALL_DAYS else table[table["phase"] == phase]
        for a, b in combinations(sorted(rows["group"].unique()), 2):
            yield two_groups(a, b, phase, rows[rows["group"].isin([a, b])], choices)


def two_groups(a: str, b: str, phase: str, rows: pd.DataFrame, choices: Choices) -> Row:
    """Return a direct comparison of two groups."""
    slopes_of = {group: slopes(rows[rows["group"] == group], choices.column) for group in (a, b)}
    first, second = (np.array(list(slopes_of[group].values())) for group in (a, b))
    by_t, by_rank = fields_of(Welch, welch, first, second), fields_of(MannWhitney, mann_whitney, first, second)
    days, values, mice = arrays(rows, choices.column)
    names = np.char.add(np.char.add(known(rows, choices.column)["group"].to_numpy(str), " "), mice)
    is_b = (known(rows, choices.column)["group"] == b).to_numpy()
    return {
        "a": a, "b": b, "phase": phase, "value": choices.value, "slopes": slopes_of,
        "welch": by_t, "mann_whitney": by_rank,
        "interaction": {"method": METHOD, **fields_of(Mixed, interaction, days, values, names, is_b)},
        "reason": by_t["reason"],
    }  # fmt: skip


def slopes(rows: pd.DataFrame, column: str) -> dict[str, float]:
    """Return the slope of each mouse that has a value on two days, per day."""
    found = {}
    for mouse, own in known(rows, column).groupby("mouse"):
        if own["day"].nunique() > 1:
            found[str(mouse)] = slope(own["day"].to_numpy(float), own[column].to_numpy(float))
    return found
