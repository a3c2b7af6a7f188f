"""Linear models with an intercept of its own for each mouse, fitted by statsmodels: REML, lbfgs.

With some optimisers, or maximum likelihood, p differs by up to 40 %: method and optimiser are part of the result.
"""

import contextlib
import warnings
from typing import Any, NamedTuple

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM

from analysis.stats.refused import Refused

METHOD = "statsmodels MixedLM, reml=True"
OPTIMISERS = ("lbfgs", "powell")
"""In this order: on its way lbfgs may meet a mouse variance of 0, where a matrix is singular; powell agrees with it."""


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
    optimiser : str
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
    optimiser: str
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
        found, optimiser = fitted(MixedLM(values, design, groups=mice))
        last = design.shape[1] - 1
        slope, se, p = (float(each[last]) for each in (found.params, found.bse, found.pvalues))
    if not np.isfinite([slope, se, p]).all() or se == 0:
        raise Refused("statsmodels finds no standard error: the values lie on lines, or hardly vary")
    return Mixed(
        slope=slope,
        se=se,
        z=slope / se,
        p=p,
        n=len(values),
        n_mice=n_mice,
        mouse_variance=float(found.cov_re[0][0]),
        rest_variance=float(found.scale),
        optimiser=optimiser,
        converged=bool(found.converged),
        said="; ".join(dict.fromkeys(str(each.message) for each in caught)),
    )


def fitted(model: MixedLM) -> tuple[Any, str]:
    """Return the fit of a model, and the optimiser that found it."""
    for optimiser in OPTIMISERS:
        with contextlib.suppress(np.linalg.LinAlgError):
            return model.fit(reml=True, method=optimiser), optimiser
    raise Refused("statsmodels cannot fit it: a matrix is singular")
