"""What a cohort must have, so that a statistic can say anything; what is missing is a sentence."""

import pandas as pd

from analysis.cohorts.table import EVERYONE, Choices
from rig.errors import SettingsError


def check_enough(table: pd.DataFrame, choices: Choices) -> None:
    """Raise SettingsError where no statistic could say anything: no value, one mouse, one day."""
    if choices.column not in table:
        raise SettingsError(f"--value {choices.value}: the table has no column {choices.column}")
    known = table[table[choices.column].notna()]
    if not len(known):
        raise SettingsError(f"--value {choices.value}: no session has this value")
    for name, what in (("mouse", "mouse"), ("day", "day")):
        if known[name].nunique() < 2:
            raise SettingsError(
                f"a cohort needs 2 {'mice' if what == 'mouse' else 'days'} with a value; "
                f"there is one {what}, {known[name].iloc[0]}"
            )


def check_change(table: pd.DataFrame, choices: Choices) -> None:
    """Raise SettingsError where the rule is said to change in a group that is not there, or on no day of it."""
    for group, day in choices.change.items():
        days = table["day"] if group == EVERYONE else table["day"][table["group"] == group]
        if not len(days):
            known = ", ".join(sorted(table["group"].unique()))
            raise SettingsError(f"--rule-change-day {group}={day}: there is no such group; there are {known}")
        if not days.min() <= day < days.max():
            raise SettingsError(
                f"--rule-change-day {day}: it is the last day under the first rule, so it must be from {days.min()} to "
                f"{days.max() - 1}"
            )
