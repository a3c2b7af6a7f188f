"""Signals cut out around moments, and the mean of them."""

from typing import NamedTuple

import numpy as np


class Aligned(NamedTuple):
    """A signal around several moments.

    Attributes
    ----------
    time_s : array (n_samples,)
        Relative to the moment.
    values : array (n_moments, n_samples)
        NaN where the session has no row.
    """

    time_s: np.ndarray
    values: np.ndarray

    def mean(self) -> np.ndarray:
        """Return the mean of each sample, NaN where no moment has one."""
        mean: np.ndarray = masked(self.values).mean(axis=0).filled(np.nan)
        return mean

    def sem(self) -> np.ndarray:
        """Return the standard error of the mean of each sample; NaN with fewer than two moments."""
        known = masked(self.values)
        n = known.count(axis=0)
        spread = known.std(axis=0, ddof=1).filled(np.nan) if len(self.values) > 1 else np.full(len(self.time_s), np.nan)
        return np.where(n > 1, spread / np.sqrt(np.maximum(n, 1)), np.nan)


def masked(values: np.ndarray) -> np.ma.MaskedArray:
    """Return an array whose NaN are left out of means."""
    return np.ma.masked_invalid(values)


def around(signal: np.ndarray, rows: np.ndarray, period_s: float, before_s: float, after_s: float) -> Aligned:
    """Cut a signal out around rows.

    Parameters
    ----------
    signal : array (n,)
    rows : array (m,) int
        The moments.
    period_s : float
        Between two rows.
    before_s, after_s : float
        How much before and after each moment, s.
    """
    offsets = np.arange(-round(before_s / period_s), round(after_s / period_s) + 1)
    at = np.asarray(rows)[:, None] + offsets
    inside = (at >= 0) & (at < len(signal))
    values = np.where(inside, np.asarray(signal, float)[np.clip(at, 0, len(signal) - 1)], np.nan)
    return Aligned(offsets * period_s, values)


def by_trial(signal: np.ndarray, trial: np.ndarray, period_s: float) -> Aligned:
    """Cut a signal out by trial, from its start to its outcome; NaN after that.

    Parameters
    ----------
    signal, trial : array (n,)
        The signal, and the number of the trial (0 in rest) of each row.
    period_s : float
    """
    numbers = np.unique(trial[trial > 0])
    longest = max(np.count_nonzero(trial == number) for number in numbers)
    values = np.full((len(numbers), longest), np.nan)
    for i, number in enumerate(numbers):
        part = signal[trial == number]
        values[i, : len(part)] = part
    return Aligned(np.arange(longest) * period_s, values)


def rows_of_then(time_s: np.ndarray, rows: np.ndarray, delay_s: float) -> np.ndarray:
    """Return the row nearest in time to each of these rows, `delay_s` before."""
    wanted = time_s[rows] - delay_s
    after = np.clip(np.searchsorted(time_s, wanted), 1, len(time_s) - 1)
    is_nearer = time_s[after] - wanted < wanted - time_s[after - 1]
    found: np.ndarray = np.where(is_nearer, after, after - 1)
    return found
