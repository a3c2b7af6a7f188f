"""The test of Mann and Kendall: do the means of the days rise or fall?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from analysis.stats.refused import Refused

FEWEST = 3  # days


class MannKendall(NamedTuple):
    """A trend.

    Attributes
    ----------
    S : int
        Pairs of days that rise, minus pairs that fall.
    var_S : float
        Of S without a trend, corrected for ties.
    z, p : float
        With correction for continuity; p is two-sided, of the normal distribution.
    tau : float
        S / number of pairs.
    sen_slope : float
        The median slope between two days, per day.
    sen_intercept : float
        Of the line with that slope, on the first day.
    n : int
        Days.
    """

    S: int
    var_S: float  # noqa: N815 - the name of the field
    z: float
    p: float
    tau: float
    sen_slope: float
    sen_intercept: float
    n: int


def mann_kendall(days: Sequence[float] | np.ndarray, means: Sequence[float] | np.ndarray) -> MannKendall:
    """Return the trend of the means of days.

    Parameters
    ----------
    days, means : sequence (n,)
        In order of the days; without NaN.

    Raises
    ------
    Refused
        There are fewer than three days.
    """
    x, y = np.asarray(days, float), np.asarray(means, float)
    n = len(y)
    if n < FEWEST:
        raise Refused(f"a trend needs {FEWEST} days; there are {n}")
    first, second = np.triu_indices(n, 1)
    s = int(np.sign(y[second] - y[first]).sum())
    variance = variance_of_s(y)
    z = float((s - np.sign(s)) / np.sqrt(variance)) if variance else 0.0
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    return MannKendall(
        S=s,
        var_S=variance,
        z=z,
        p=float(2 * stats.norm.sf(abs(z))),
        tau=s / (n * (n - 1) / 2),
        sen_slope=slope,
        sen_intercept=float(np.median(y) - np.median(x - x[0]) * slope),
        n=n,
    )


def variance_of_s(values: np.ndarray) -> float:
    """Return the variance of S without a trend, corrected for ties."""
    n, (_, ties) = len(values), np.unique(values, return_counts=True)
    return float((n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18)
