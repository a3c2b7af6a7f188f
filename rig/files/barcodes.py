"""Barcodes as another machine has recorded them: edges back to values.  `rig.devices.sync_lines` sends them."""

import numpy as np

from rig.devices.sync_lines import BIT_S, BITS, FIRST_BIT_S, LENGTH_S, START_S

OFF_S = 0.008  # an edge may be this far from its place
QUIET_S = 1.0  # before a barcode


def decode(rising_s: np.ndarray, falling_s: np.ndarray) -> dict[int, float]:
    """Return {barcode: when it began}, of the barcodes that are whole.

    Parameters
    ----------
    rising_s, falling_s : array (n,), (m,)
        Times of the edges, s.  A barcode with an edge too few or too many is left out.
    """
    times_s = np.concatenate([rising_s, falling_s])
    levels = np.repeat([1, 0], [len(rising_s), len(falling_s)])
    order = np.argsort(times_s, kind="stable")
    times_s, levels = times_s[order], levels[order]
    quiet_s = np.diff(times_s, prepend=-np.inf)
    found = {}
    for first in np.flatnonzero((levels == 1) & (quiet_s >= QUIET_S)):
        last = np.searchsorted(times_s, times_s[first] + LENGTH_S + OFF_S, "right")
        value = value_of(times_s[first:last] - times_s[first], levels[first:last])
        if value is not None:
            found[value] = float(times_s[first])
    return found


def value_of(offsets_s: np.ndarray, levels: np.ndarray) -> int | None:
    """Return the value of a barcode with these edges, None if they are not those of one.

    Parameters
    ----------
    offsets_s : array (n,)
        s since the first.
    levels : array (n,)
        1 for a rising edge, 0 for a falling one.
    """
    alternates = len(levels) % 2 == 0 and (levels == np.arange(1, len(levels) + 1) % 2).all()
    if not alternates or abs(offsets_s[1] - START_S) > OFF_S:
        return None
    places = (offsets_s[2:] - FIRST_BIT_S) / BIT_S
    if (np.abs(places - places.round()) * BIT_S > OFF_S).any():
        return None
    middles_s = FIRST_BIT_S + BIT_S * (np.arange(BITS) + 0.5)
    is_high = levels[np.searchsorted(offsets_s, middles_s) - 1]
    return sum(int(level) << bit for bit, level in enumerate(is_high))
