"""ΔF/F of an ROI against the frames before it."""

from collections import deque

import numpy as np

BLUE, GREEN = 0, 1


class RoiHistory(deque[np.ndarray]):
    """The last crops of one ROI, and their sum.

    The sum is kept while crops come and go, so that the cost of a frame does not grow with the length of the
    history.  Whole numbers below 2**53 are exact as float, so it never drifts.

    Parameters
    ----------
    n_frames : int
        How many frames the baseline spans.
    """

    def __init__(self, n_frames: int) -> None:
        super().__init__(maxlen=n_frames)
        self.sum: np.ndarray | None = None
        self.signs = np.zeros(0)  # of each value of a crop in the signal: blue -1, green +1

    def append(self, crop: np.ndarray) -> None:
        """Add a crop (height, width, 3) uint8 BGR; the oldest leaves when the history is full."""
        self.append_colours(crop[..., : GREEN + 1].copy())

    def append_colours(self, colours: np.ndarray) -> None:
        """Add blue and green of a crop (height, width, 2), whole numbers of any type; it belongs to the history now."""
        if self.sum is None:
            self.sum = np.zeros(colours.shape)
            self.signs = np.tile([-1.0, 1.0], colours.size // (GREEN + 1))
        elif len(self) == self.maxlen:
            self.sum -= self[0]
        self.sum += colours
        super().append(colours)

    def baseline(self) -> np.ndarray | None:
        """Return F0 of blue and green (height, width, 2), the mean of each pixel, or None before the first frame."""
        return None if self.sum is None else self.sum / len(self)


def dff_map(image: np.ndarray, baseline: np.ndarray | None) -> np.ndarray:
    """Return green ΔF/F minus blue ΔF/F of each pixel.

    ΔF/F = (F - F0) / F0, and 0 where F0 is 0 or there is no baseline yet.  Blue reflectance carries the
    hemodynamics that green carries too (Gupta & Murphy, eLife 105070).

    Parameters
    ----------
    image : array (height, width, 3) uint8, BGR
    baseline : array (height, width, 2) float, or None
        F0 of blue and green, from `RoiHistory.baseline`.

    Returns
    -------
    array (height, width) float
        Always finite.
    """
    if baseline is None:
        return np.zeros(image.shape[:2])
    change = image[..., : GREEN + 1] - baseline
    if baseline.all():
        dff = change / baseline
    else:
        dff = np.divide(change, baseline, out=np.zeros(change.shape), where=baseline > 0)
    corrected: np.ndarray = dff[..., GREEN] - dff[..., BLUE]
    return corrected


def average_dff(crop: np.ndarray, history: RoiHistory) -> float:
    """Return `avgDff` of a crop against the frames before it, then let the crop join the history.

    The mean of `dff_map`, in fewer steps.
    """
    total, colours = history.sum, crop[..., : GREEN + 1].astype(float)  # floats are faster, and as exact
    if total is not None and np.count_nonzero(total) == total.size:
        baseline = total / len(history)
        change = colours - baseline
        change /= baseline
        dff: float = float(change.ravel() @ history.signs) * (GREEN + 1) / change.size
    else:
        dff = float(dff_map(crop, history.baseline()).mean())
    history.append_colours(colours)
    return dff
