"""Which tone a signal plays."""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=8)
def get_bins(threshold: float, n_tones: int) -> np.ndarray:
    """Return `dff_bins`, the edges between the tones.

    A signal up to 0 plays the lowest tone, a signal above the threshold the highest, and the others
    share what lies between in equal parts.

    Parameters
    ----------
    threshold : float
        In the unit of the signal, above 0.
    n_tones : int
        At least 3.

    Returns
    -------
    array (n_tones - 1,) float
        From 0 to `threshold`; read-only.
    """
    edges = np.linspace(0.0, threshold, n_tones - 1)
    edges.flags.writeable = False
    return edges


def tone_index(signal: float, bins: np.ndarray) -> int:
    """Return the index of the tone, 0 to n_tones - 1; an edge belongs to the tone below it."""
    return int(np.searchsorted(bins, signal, side="left"))
