"""How often the signal is above a threshold, and rises above it: what a mouse would earn by chance."""

from typing import NamedTuple

import numpy as np

from rig.protocol.crossings import crossings_per_min

N_THRESHOLDS = 120


class Curve(NamedTuple):
    """How often a signal is above each threshold.

    Attributes
    ----------
    thresholds : array (n,)
    frames_per_min, crossings_per_min : array (n,)
        Frames above it, and rises above it, per minute.
    """

    thresholds: np.ndarray
    frames_per_min: np.ndarray
    crossings_per_min: np.ndarray


def curve(signal: np.ndarray, period_s: float, highest: float) -> Curve:
    """Return the curve of a signal, for thresholds from 0 to the highest."""
    thresholds, minutes = np.linspace(0, highest, N_THRESHOLDS), max(len(signal), 1) * period_s / 60
    above = len(signal) - np.searchsorted(np.sort(signal), thresholds, side="right")
    crossings = crossings_per_min(signal, thresholds, minutes) if len(signal) > 1 else np.zeros(N_THRESHOLDS)
    return Curve(thresholds, above / minutes, crossings)


def at_threshold(found: Curve, threshold: float) -> float:
    """Return how often the signal rises above a threshold, per minute."""
    return float(np.interp(threshold, found.thresholds, found.crossings_per_min))
