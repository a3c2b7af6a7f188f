"""ΔF/F of all cortical sites, and how they go together."""

from collections.abc import Mapping

import numpy as np

from rig.protocol.dff import BLUE, GREEN
from rig.settings.fields import Box


def site_traces(patches: Mapping[Box, np.ndarray], sites: Mapping[str, Box], n_history: int) -> np.ndarray:
    """Return ΔF/F of each site, green minus blue, (n_sites, n_frames).

    Parameters
    ----------
    patches : mapping of Box to array (n_frames, h, w, 3)
        The pixels of the sites.
    sites : mapping of str to Box
    n_history : int
        Frames of the ΔF/F baseline, which ends before each frame.
    """
    return np.stack([trace_of(patches[box], n_history) for box in sites.values()])


def trace_of(patch: np.ndarray, n_history: int) -> np.ndarray:
    """Return ΔF/F of the mean light of a patch (n_frames, h, w, 3) against the frames before each; 0 on the first."""
    means = patch.reshape(len(patch), -1, 3).mean(axis=1)[:, : GREEN + 1]
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(means, axis=0)])
    ends = np.arange(1, len(means))
    begins = np.maximum(0, ends - n_history)
    before = (total[ends] - total[begins]) / (ends - begins)[:, None]
    dff = np.zeros_like(means)
    np.divide(means[1:] - before, before, out=dff[1:], where=before > 0)
    trace: np.ndarray = dff[:, GREEN] - dff[:, BLUE]
    return trace


def correlation(traces: np.ndarray) -> np.ndarray:
    """Return the correlation of the sites with each other, (n_sites, n_sites); 0 where a site never changes."""
    centred = traces - traces.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1))
    scaled = np.divide(centred, norms[:, None], out=np.zeros_like(centred), where=norms[:, None] > 0)
    found: np.ndarray = scaled @ scaled.T
    return found
