"""How well the paws were tracked, and how they moved."""

from collections.abc import Mapping

import numpy as np


def speed_of(columns: Mapping[str, np.ndarray], part: str) -> np.ndarray:
    """Return how far a body part moved since the row before, px/frame; 0 on the first row."""
    x, y = columns[f"{part}_x"], columns[f"{part}_y"]
    return np.concatenate([[0.0], np.hypot(np.diff(x), np.diff(y))])


def share_by_second(is_so: np.ndarray, time_s: np.ndarray, every_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each interval, s, and the share of its rows on which something is so, 0 to 1."""
    bins = np.floor(time_s / every_s).astype(int)
    n = np.bincount(bins)
    share = np.bincount(bins, is_so.astype(float)) / np.maximum(n, 1)
    filled = n > 0
    return (np.flatnonzero(filled) + 0.5) * every_s, share[filled]


def opposite_of(part: str, parts: tuple[str, ...]) -> str | None:
    """Return the same body part of the other side, fl_r for fl_l; None where there is none."""
    swapped = part[:-1] + {"l": "r", "r": "l", "L": "R", "R": "L"}.get(part[-1:], "")
    return swapped if swapped in parts and swapped != part else None


def path_of(columns: Mapping[str, np.ndarray], part: str, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return x, y of a body part, px; NaN on rows on which it is less likely than `least`."""
    seen = columns[f"{part}_likelihood"] >= least
    return np.where(seen, columns[f"{part}_x"], np.nan), np.where(seen, columns[f"{part}_y"], np.nan)
