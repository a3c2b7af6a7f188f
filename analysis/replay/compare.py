"""Where the rows of a session that was run again differ from the log."""

from typing import NamedTuple

import numpy as np

from analysis.replay.experiment import Columns, without_the_clock
from rig.files.reader import Session


class Difference(NamedTuple):
    """The first difference between two sessions: where it is, and the two values."""

    row: int
    column: str
    logged: object
    now: object


def first_different_row(logged: np.ndarray, now: np.ndarray) -> int | None:
    """Return the first row on which a column differs, as far as both reach; None where it does not."""
    n = min(len(logged), len(now))
    different = (logged[:n] != now[:n]) & ~(is_nan(logged[:n]) & is_nan(now[:n]))
    return int(different.argmax()) if different.any() else None


def is_nan(column: np.ndarray) -> np.ndarray:
    """Return where a column is no number."""
    return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)


def first_difference(logged: Session, now: Session, n_rows: int) -> Difference | None:
    """Return the first difference in any column but the wall clock, None where all rows are identical.

    Parameters
    ----------
    logged, now : Session
    n_rows : int
        That `now` should have.
    """
    one, other = without_the_clock(logged.columns), without_the_clock(now.columns)
    found = [(row, name) for name in one.keys() & other.keys() if (row := different(one, other, name)) is not None]
    if found:
        row, name = min(found)
        return Difference(row, name, one[name][row].item(), other[name][row].item())
    if missing := sorted(one.keys() - other.keys()):  # an old session has fewer columns than it would have now
        return Difference(0, missing[0], missing[0] in one, missing[0] in other)
    return None if len(now) == n_rows else Difference(min(len(now), n_rows), "number of rows", n_rows, len(now))


def different(one: Columns, other: Columns, name: str) -> int | None:
    """Return the first row on which a column of two sessions differs."""
    return first_different_row(one[name], other[name])
