"""Linear models with an intercept of its own for each mouse, fitted by statsmodels: REML, lbfgs.

With other optimisers, or maximum likelihood, p differs by up to 40 %: the method is part of the result.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from analysis.stats.refused import Refused

METHOD = "statsmodels MixedLM, reml=True, method=lbfgs"
NO_VARIANCE = "the intercepts of the mice do not vary, so the estimate is that of least squares"


class Mixed(NamedTuple):
    """What a mixed model says about one coefficient.

    Attributes
    ----------
    slope, se, z, p : float
        Per day; of the last column of the model.
    n, n_mice : int
        Values and mice.
    mouse_variance, rest_variance : float
        Between the intercepts of mice, and the rest.
    converged : bool
    said : str
        What statsmodels warned of.
    """

    slope: float
    se: float
    z: float
    p: float
    n: int
    n_mice: int
    mouse_variance: float
    rest_variance: float
    converged: bool
    said: str


def mixed(days: np.ndarray, values: np.ndarray, mice: np.ndarray) -> Mixed:
    """Return the slope of value ~ day + (1 | mouse); (n,) each."""
    return fit(np.column_stack([np.ones(len(days)), days]), values, mice, days)


def interaction(days: np.ndarray, values: np.ndarray, mice: np.ndarray, is_second: np.ndarray) -> Mixed:
    """Return by how much the slopes of two groups differ: day x group of value ~ day * group + (1 | mouse)."""
    second = is_second.astype(float)
    return fit(np.column_stack([np.ones(len(days)), days, second, days * second]), values, mice, days)


def fit(design: np.ndarray, values: np.ndarray, mice: np.ndarray, days: np.ndarray) -> Mixed:
    """Fit a model; return what it says about its last column.

    Raises
    ------
    Refused
        There are too few values, mice or days, or the model cannot be fitted.
    """
    n_mice, n_days = len(np.unique(mice)), len(np.unique(days))
    if n_mice < 2 or n_days < 2 or len(values) <= design.shape[1] + 1:
        raise Refused(f"there are too few values: {len(values)} of {n_mice} mice on {n_days} days")
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise Refused("a group has values on one day only")
    if np.ptp(values) == 0:
        raise Refused("all values are the same")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = MixedLM(values, design, groups=mice).fit(reml=True, method="lbfgs")
            last = design.shape[1] - 1
            slope, se, p = (float(each[last]) for each in (found.params, found.bse, found.pvalues))
            between = float(found.cov_re[0][0])
        except np.linalg.LinAlgError:
            return without_intercepts(design, values, mice)
    if not np.isfinite([slope, se, p]).all() or se == 0:
        raise Refused("statsmodels finds no standard error: the values lie on lines, or hardly vary")
    said = "; ".join(dict.fromkeys(str(each.message) for each in caught))
    converged = bool(found.converged)
    return Mixed(slope, se, slope / se, p, len(values), n_mice, between, float(found.scale), converged, said)


def without_intercepts(design: np.ndarray, values: np.ndarray, mice: np.ndarray) -> Mixed:
    """Return what the model comes to where the intercepts of mice do not vary.

    There statsmodels fails, because a matrix is singular.  The estimate is then that of least squares, if the restricted
    likelihood falls from variance 0 on: its slope there is checked.

    Raises
    ------
    Refused
        It rises: the matrix is singular for another reason.
    """
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ values
    rest = values - design @ coefficients
    n, k = design.shape
    variance = float(rest @ rest) / (n - k)
    same = (mice[:, None] == mice[None, :]).astype(float)
    rises = float(rest @ same @ rest) / variance - float(np.trace(same) - np.trace(inverse @ design.T @ same @ design))
    if variance == 0 or rises > 0:
        raise Refused("statsmodels cannot fit it: a matrix is singular")
    slope, se = float(coefficients[-1]), float(np.sqrt(variance * inverse[-1, -1]))
    p = float(2 * stats.norm.sf(abs(slope / se)))
    return Mixed(slope, se, slope / se, p, n, len(np.unique(mice)), 0.0, variance, True, NO_VARIANCE)
