"""The divergence of Kullback and Leibler: how far a distribution is from another one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analysis.stats.refused import Refused


class Means(NamedTuple):
    """Means of divergences, some of which are infinite.

    Attributes
    ----------
    mean_without_inf : float or None
        Of the finite ones.
    mean_inf_as_0 : float
        With 0 in place of infinity, as the published figures have it.
    n, n_inf : int
        How many there are, and how many of them are infinite.
    """

    mean_without_inf: float | None
    mean_inf_as_0: float
    n: int
    n_inf: int


def histogram(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, int]:
    """Return how many values lie between the edges (n_edges - 1,), and how many outside; NaN counts as neither."""
    known = values[np.isfinite(values)]
    counts, _ = np.histogram(known, edges)
    return counts, int(len(known) - counts.sum())


def kld(counts: np.ndarray, reference: np.ndarray, pseudo_count: float = 0.0) -> float:
    """Return the divergence of a distribution from a reference, D(counts || reference), nats; may be infinite.

    Parameters
    ----------
    counts, reference : array (n_bins,)
        On the same edges.
    pseudo_count : float
        Added to every bin of both.
    """
    p, q = counts + pseudo_count, reference + pseudo_count
    if not p.sum() or not q.sum():
        raise Refused("a histogram is empty")
    p, q = p / p.sum(), q / q.sum()
    filled = p > 0
    if np.any(q[filled] == 0):
        return float("inf")
    return float((p[filled] * np.log(p[filled] / q[filled])).sum())


def means(values: Sequence[float] | np.ndarray) -> Means:
    """Return the means of divergences, with and without the infinite ones."""
    found = np.asarray(values, float)
    found = found[~np.isnan(found)]
    if not len(found):
        raise Refused("there is no divergence")
    finite = found[np.isfinite(found)]
    mean = float(finite.mean()) if len(finite) else None
    return Means(mean, float(finite.sum() / len(found)), len(found), len(found) - len(finite))
