"""A straight line through values over days, by ordinary least squares."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from analysis.stats.refused import Refused


class Line(NamedTuple):
    """A straight line.

    Attributes
    ----------
    slope, intercept : float
        Per day; on day 0.
    r, p, se : float
        Correlation; two-sided p and standard error of the slope.
    n : int
    """

    slope: float
    intercept: float
    r: float
    p: float
    se: float
    n: int


def ols(days: np.ndarray, values: np.ndarray) -> Line:
    """Return the line through values over days, (n,) each."""
    if len(values) < 3 or len(np.unique(days)) < 2:
        raise Refused(f"3 values on 2 days are needed; there are {len(values)} on {len(np.unique(days))}")
    if np.ptp(values) == 0:
        raise Refused("all values are the same, so p has no value")
    found = stats.linregress(days, values)
    slope_, intercept, r, p, se = map(float, (found.slope, found.intercept, found.rvalue, found.pvalue, found.stderr))
    return Line(slope_, intercept, r, p, se, len(values))


def slope(days: np.ndarray, values: np.ndarray) -> float:
    """Return only the slope; NaN with fewer than two days."""
    x = days - days.mean() if len(days) else days
    return float((x * values).sum() / (x**2).sum()) if np.any(x) else np.nan
