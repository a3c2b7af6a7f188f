"""What a reader of a cohort must know before a p value: each a sentence, and all of them part of the result."""

import re
from typing import Any

import numpy as np
import pandas as pd

from analysis.cohorts.missing import counted_mice, duplicates_of
from analysis.cohorts.results import ALL_DAYS
from analysis.cohorts.sessions import in_words
from analysis.cohorts.table import NO_GROUP, is_random, is_true
from analysis.derived.learning import counted

FEW = 5  # mice in a group
CLOSE = 1e-9


def about_table(table: pd.DataFrame) -> list[str]:
    """Return what is to be known about the sessions."""
    return [
        *about_duplicates(table),
        *about_names(table),
        *about_groups(table),
        *about_rewards(table),
    ]


def about_left_out(left_out: dict[str, int]) -> list[str]:
    """Return how many sessions are not counted, and why."""
    return [f"Left out: {counted(sum(left_out.values()), 'session')} ({in_words(left_out)})."] if left_out else []


def about_duplicates(table: pd.DataFrame) -> list[str]:
    """Return which mice have more than one session on a day."""
    twice = duplicates_of(table)
    if not len(twice):
        return []
    found = [
        f"{mouse} on day {day} ({n})" for (_, mouse, day), n in twice.groupby(["group", "mouse", "day"]).size().items()
    ]
    more = f", and {len(found) - 6} more" if len(found) > 6 else ""
    return [
        f"Duplicates, more than one session of a mouse on a day: {', '.join(found[:6])}{more}. They are not averaged "
        "in silence: curves count each session, only --missing paper averages; --select says which one counts."
    ]


def about_names(table: pd.DataFrame) -> list[str]:
    """Return names that look like the same mouse."""
    found = []
    for what, key in (("begin alike", before_underscore), ("differ by case or signs only", letters)):
        names = pd.Series(sorted(table["mouse"].unique()))
        for _, alike in names.groupby(names.map(key)):
            if len(alike) > 1:
                found.append(
                    f"{', '.join(alike)} {what}: if that is one mouse, it counts more than once; name the column that "
                    "says which animal it was with --mouse-column."
                )
    return list(dict.fromkeys(found))


def before_underscore(name: str) -> str:
    """Return what stands before the first underscore, as BZ1 of BZ1_exp3; the whole name where that has no number."""
    begins = name.split("_")[0]
    return begins if re.search(r"\d", begins) else name


def letters(name: str) -> str:
    """Return the letters and digits of a name, small."""
    return re.sub(r"[^\w+]|_", "", name).casefold()


def about_groups(table: pd.DataFrame) -> list[str]:
    """Return groups with few mice, mice in two groups, and sessions without a group."""
    found = []
    n_mice = table.groupby("group")["mouse"].nunique()
    if len(few := n_mice[n_mice < FEW]):
        groups = ", ".join(f"{group} ({counted_mice(n)})" for group, n in few.items())
        found.append(f"Fewer than {FEW} mice: {groups}.")
    n_groups = table.groupby("mouse")["group"].nunique()
    for mouse in n_groups[n_groups > 1].index:
        groups = " and ".join(sorted(table["group"][table["mouse"] == mouse].unique()))
        found.append(f"{mouse} is in the groups {groups}: they are not independent, and no test here accounts for it.")
    if NO_GROUP in set(table["group"]) and table["group"].nunique() > 1:
        n = int((table["group"] == NO_GROUP).sum())
        found.append(f"Without a group, which subject.ini or --select can say: {counted(n, 'session')}.")
    return found


def about_rewards(table: pd.DataFrame) -> list[str]:
    """Return in how many sessions performance is not what it seems."""
    other = (table["given_performance"] - table["performance"]).abs() > CLOSE if "given_performance" in table else False
    said = {
        "More rewards than trials, so performance is held at 1; rewards_per_trial is the ratio itself":
            table["rewards"] > table["trials"],
        "Another performance in the file than min(1, rewards / trials), which is taken": other,
        "No trials, so no performance": ~(table["trials"] > 0),
        "Random rewards, so no performance: they were not earned": is_random(table),
        "Cut short, or still running": is_true(table, "was_cut_short"),
        "No min-max value, because the mouse had the same rewards in all sessions of a rule":
            table["minmax"].isna() & table["rewards"].notna(),
    }  # fmt: skip
    return [f"{what}: {counted(n, 'session')}." for what, which in said.items() if (n := int(np.sum(which)))]


def about_results(results: dict[str, Any]) -> list[str]:
    """Return what is to be known about the statistics."""
    anovas = results["rm_anova"]
    return [
        *gathered(
            "Invented zeros in the analysis of variance",
            [f"{part(row)}: {row['cells_imputed']} of {row['cells_imputed'] + row['cells_observed']} cells"
             for row in anovas if row["cells_imputed"]],
        ),
        *gathered(
            "Mice with a missing day, left out of the analysis of variance",
            [f"{part(row)}: {', '.join(row['subjects_dropped'])}" for row in anovas if row["subjects_dropped"]],
        ),
        *gathered("No analysis of variance", [f"{part(row)}: {row['reason']}" for row in anovas if row["reason"]]),
        *gathered(
            "Groups that are compared only by p values that stand side by side, which is no comparison",
            [f"{row['a']} and {row['b']}, {row['phase']} days: no direct test, {row['reason']}"
             for row in results["between_groups"] if row["reason"]],
        ),
        *gathered(
            "Mixed models that did not converge",
            [part(row) for row in results["mixed"] if row["reason"] is None and not row["converged"]],
        ),
    ]  # fmt: skip


def part(row: dict[str, Any]) -> str:
    """Return which part of a cohort a row is about."""
    return f"{row['group']}, {row['phase']}{' days' if row['phase'] == ALL_DAYS else ''}"


def gathered(what: str, found: list[str]) -> list[str]:
    """Return one sentence about all that were found, none without any."""
    return [f"{what}: {'; '.join(found)}."] if found else []
