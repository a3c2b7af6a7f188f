"""Two sets of values: do they differ?  And the p values of a family of such questions, corrected for their number."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from analysis.stats.refused import Refused


class MannWhitney(NamedTuple):
    """Two independent sets, by rank; U is of the first."""

    U: float
    p: float
    n_a: int
    n_b: int


class OneWay(NamedTuple):
    """Two independent sets, by an F test of their means."""

    F: float
    p: float
    df_between: int
    df_within: int
    n_a: int
    n_b: int


class Welch(NamedTuple):
    """Two independent sets, by Welch's t test: their variances may differ."""

    t: float
    df: float
    p: float
    mean_a: float
    mean_b: float
    n_a: int
    n_b: int


class Paired(NamedTuple):
    """Two values of each mouse: t test of the differences, and the signed-rank test of Wilcoxon."""

    t: float
    df: int
    p: float
    p_wilcoxon: float
    mean_difference: float
    n: int


def mann_whitney(a: np.ndarray, b: np.ndarray) -> MannWhitney:
    """Compare two sets by rank, two-sided: exact where the smaller has at most 8 values and none are equal."""
    need(a, b, 1)
    if len(np.unique(np.concatenate([a, b]))) < 2:
        raise Refused("all values are the same")
    found = stats.mannwhitneyu(a, b)
    return MannWhitney(float(found.statistic), float(found.pvalue), len(a), len(b))


def one_way(a: np.ndarray, b: np.ndarray) -> OneWay:
    """Compare the means of two sets by an F test."""
    need(a, b, 2)
    need_variation(a, b)
    found = stats.f_oneway(a, b)
    return OneWay(float(found.statistic), float(found.pvalue), 1, len(a) + len(b) - 2, len(a), len(b))


def welch(a: np.ndarray, b: np.ndarray) -> Welch:
    """Compare the means of two sets by Welch's t test."""
    need(a, b, 2)
    need_variation(a, b)
    found = stats.ttest_ind(a, b, equal_var=False)
    return Welch(
        float(found.statistic), float(found.df), float(found.pvalue), float(a.mean()), float(b.mean()), len(a), len(b)
    )


def paired(before: np.ndarray, after: np.ndarray) -> Paired:
    """Compare two values of each mouse; (n,) each, in the same order."""
    differences = after - before
    if len(differences) < 2:
        raise Refused(f"2 mice with both values are needed; there are {len(differences)}")
    if np.ptp(differences) == 0:
        raise Refused("all mice differ by the same, so t has no value")
    found = stats.ttest_rel(after, before)
    return Paired(
        float(found.statistic),
        len(differences) - 1,
        float(found.pvalue),
        float(stats.wilcoxon(differences).pvalue),
        float(differences.mean()),
        len(differences),
    )


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Return the p values of a family, corrected for the false discovery rate; None stays None, and does not count."""
    known = [value for value in p if value is not None]
    corrected = iter(stats.false_discovery_control(known) if known else ())
    return [None if value is None else float(next(corrected)) for value in p]


def need(a: np.ndarray, b: np.ndarray, n: int) -> None:
    """Refuse sets of fewer than n values."""
    if min(len(a), len(b)) < n:
        raise Refused(f"{n} in each set are needed; there are {len(a)} and {len(b)}")


def need_variation(a: np.ndarray, b: np.ndarray) -> None:
    """Refuse sets in which nothing varies."""
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        raise Refused("within the sets nothing varies")
