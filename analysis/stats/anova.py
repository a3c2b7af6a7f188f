"""Analysis of variance with repeated measures: does the mean change over days, within the same mice?"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from analysis.stats.refused import Refused

LEAST = 1e-12  # of all variation: less than this is rounding


class RmAnova(NamedTuple):
    """An analysis of variance with one factor, repeated in each subject.

    Attributes
    ----------
    F, p : float
    df_day, df_err : int
    ss_day, ss_subj, ss_err : float
        Sums of squares.
    gg_epsilon, p_gg : float
        Greenhouse-Geisser: how far the differences between days are from equally variable (1: not at all), and p with
        the degrees of freedom reduced by it.
    partial_eta2, generalised_eta2 : float
        Effect sizes.
    n, k : int
        Subjects and days.
    """

    F: float
    p: float
    df_day: int
    df_err: int
    ss_day: float
    ss_subj: float
    ss_err: float
    gg_epsilon: float
    p_gg: float
    partial_eta2: float
    generalised_eta2: float
    n: int
    k: int


def rm_anova(values: np.ndarray) -> RmAnova:
    """Return the analysis of variance of subjects over days.

    Parameters
    ----------
    values : array (n_subjects, n_days)
        Without NaN.

    Raises
    ------
    Refused
        There are fewer than two subjects or days, or within subjects nothing varies but the days' means.
    """
    n, k = values.shape
    if n < 2 or k < 2:
        raise Refused(f"2 mice and 2 days are needed; there are {n} and {k}")
    ss_day, ss_subj, ss_err = sums_of_squares(values)
    if ss_err <= LEAST * (ss_day + ss_subj + ss_err):
        raise Refused("the values vary by nothing but mouse and day, so F has no value")
    df_day, df_err = k - 1, (n - 1) * (k - 1)
    f = (ss_day / df_day) / (ss_err / df_err)
    epsilon = greenhouse_geisser(values)
    return RmAnova(
        F=f,
        p=float(stats.f.sf(f, df_day, df_err)),
        df_day=df_day,
        df_err=df_err,
        ss_day=ss_day,
        ss_subj=ss_subj,
        ss_err=ss_err,
        gg_epsilon=epsilon,
        p_gg=float(stats.f.sf(f, df_day * epsilon, df_err * epsilon)),
        partial_eta2=ss_day / (ss_day + ss_err),
        generalised_eta2=ss_day / (ss_day + ss_err + ss_subj),
        n=n,
        k=k,
    )


def sums_of_squares(values: np.ndarray) -> tuple[float, float, float]:
    """Return how much of the variation is between days, between subjects, and neither."""
    n, k = values.shape
    mean, of_days, of_subjects = values.mean(), values.mean(axis=0), values.mean(axis=1)
    rest = values - of_days - of_subjects[:, None] + mean
    return (
        float(n * ((of_days - mean) ** 2).sum()),
        float(k * ((of_subjects - mean) ** 2).sum()),
        float((rest**2).sum()),
    )


def greenhouse_geisser(values: np.ndarray) -> float:
    """Return the epsilon of Greenhouse and Geisser, 1 / (k - 1) to 1."""
    k = values.shape[1]
    centring = np.eye(k) - 1 / k
    covariance = centring @ np.atleast_2d(np.cov(values.T)) @ centring
    return float(np.trace(covariance) ** 2 / ((k - 1) * (covariance**2).sum()))
