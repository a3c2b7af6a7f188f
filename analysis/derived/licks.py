"""Licks around moments, and whether rewards were taken."""

import numpy as np

TAKEN_WITHIN_S = 3.0


def lick_times_s(licks: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Return the times, s, of the rows on which the spout was touched."""
    times_s: np.ndarray = time_s[licks.astype(bool)]
    return times_s


def relative(events_s: np.ndarray, moments_s: np.ndarray, before_s: float, after_s: float) -> list[np.ndarray]:
    """Return for each moment the events around it, s relative to it."""
    return [cut(events_s - moment, before_s, after_s) for moment in moments_s]


def cut(times_s: np.ndarray, before_s: float, after_s: float) -> np.ndarray:
    """Return the times that lie in a window."""
    return times_s[(times_s >= -before_s) & (times_s <= after_s)]


def rate(around: list[np.ndarray], before_s: float, after_s: float, bin_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each bin, s, and the mean rate of the events in it, 1/s."""
    edges = np.linspace(-before_s, after_s, round((before_s + after_s) / bin_s) + 1)
    together = np.concatenate(around) if around else np.zeros(0)
    counts, _ = np.histogram(together, edges)
    return (edges[1:] + edges[:-1]) / 2, counts / max(1, len(around)) / bin_s


def share_taken(licks_s: np.ndarray, rewards_s: np.ndarray) -> float:
    """Return the share of the rewards after which the mouse licked within some seconds."""
    taken = [bool(((licks_s >= at) & (licks_s <= at + TAKEN_WITHIN_S)).any()) for at in rewards_s]
    return float(np.mean(taken))
