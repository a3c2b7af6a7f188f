"""How often a signal rises above a threshold, and the threshold that is crossed as often as is wished for."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rig.protocol.resampling import limits, resampled

STEP = 0.001  # of thresholds, in the unit of the signal
LARGEST = 9.99  # a setting of 10 is refused
LOWEST_RATE, HIGHEST_RATE = 0.1, 60.0  # 1/min
BLOCK_S = 10.0  # of the bootstrap; transients and the ΔF/F baseline are shorter
MOST_THRESHOLDS = 1000


@dataclass(frozen=True)
class Auto:
    """The wish for a threshold that the signal crosses so often by itself, in the baseline of the day.

    Raises
    ------
    ValueError
        The rate is not between LOWEST_RATE and HIGHEST_RATE.
    """

    per_min: float

    def __post_init__(self) -> None:
        if not LOWEST_RATE <= self.per_min <= HIGHEST_RATE:
            raise ValueError(
                f"auto takes a rate from {LOWEST_RATE:g} to {HIGHEST_RATE:g} crossings per minute, as in auto:2"
            )

    def __str__(self) -> str:
        return f"auto:{self.per_min:g}"


def crossings_per_min(signal: np.ndarray, thresholds: np.ndarray, minutes: float) -> np.ndarray:
    """Return how often the signal rises above each threshold.

    Parameters
    ----------
    signal : array (n,)
        In order of time.
    thresholds : array (m,)
    minutes : float
        How long the signal lasts.

    Returns
    -------
    array (m,)
        Upward crossings per minute: from at most the threshold in one frame to above it in the next.
    """
    rises = signal[1:] > signal[:-1]
    starts, ends = np.sort(signal[:-1][rises]), np.sort(signal[1:][rises])
    # A rise crosses every threshold from its start up to just below its end.
    crossed = np.searchsorted(starts, thresholds, "right") - np.searchsorted(ends, thresholds, "right")
    return crossed / minutes


def threshold_for(signal: np.ndarray, rate_per_min: float, minutes: float) -> float | None:
    """Return the highest threshold, in steps of 0.001, that is crossed at least this often; None if none is."""
    thresholds = thresholds_up_to(signal.max())
    often_enough = thresholds[crossings_per_min(signal, thresholds, minutes) >= rate_per_min]
    return round(float(often_enough[-1]), 3) if len(often_enough) else None


def thresholds_up_to(highest: float) -> np.ndarray:
    """Return the thresholds up to a signal, in steps of 0.001; at least one."""
    return np.arange(1, int(np.clip(highest, STEP, LARGEST) / STEP) + 1) * STEP


def threshold_interval(signal: np.ndarray, rate_per_min: float, minutes: float) -> tuple[float, float]:
    """Return the 95 % interval of `threshold_for`: stretches of BLOCK_S of the signal are drawn anew (bootstrap).

    Parameters
    ----------
    signal : array (n,)
        In order of time, n at least 2.
    rate_per_min, minutes : float
    """
    thresholds = thresholds_up_to(signal.max())
    thresholds = thresholds[:: -(-len(thresholds) // MOST_THRESHOLDS)]
    edges = np.linspace(0, len(signal) - 1, max(1, round(minutes * 60 / BLOCK_S)) + 1).astype(int)
    stretches = [signal[begin : end + 1] for begin, end in pairwise(edges)]
    counts = np.stack([crossings_per_min(one, thresholds, 1.0) for one in stretches])
    is_often_enough = resampled(counts) / minutes >= rate_per_min
    from_the_top = is_often_enough[:, ::-1].argmax(axis=1)
    highest = np.where(is_often_enough.any(axis=1), thresholds[len(thresholds) - 1 - from_the_top], STEP)
    return limits(highest)
