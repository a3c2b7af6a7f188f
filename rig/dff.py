"""ΔF/F of an ROI against the frames before it."""

from collections import deque

import numpy as np

BLUE, GREEN = 0, 1


class RoiHistory(deque[np.ndarray]):
    """The last crops of one ROI, and their sum.

    The sum is kept in integers while crops come and go, so that it never drifts and the cost of a
    frame does not grow with the length of the history.

    Parameters
    ----------
    n_frames : int
        How many frames the baseline spans.
    """

    def __init__(self, n_frames: int) -> None:
        super().__init__(maxlen=n_frames)
        self.sum: np.ndarray | None = None

    def append(self, crop: np.ndarray) -> None:
        """Add a crop (height, width, 3) uint8 BGR; the oldest leaves when the history is full."""
        crop = crop.copy()
        if self.sum is None:
            self.sum = np.zeros(crop.shape, np.int64)
        elif len(self) == self.maxlen:
            self.sum -= self[0]
        self.sum += crop
        super().append(crop)

    def baseline(self) -> np.ndarray | None:
        """Return F0 (height, width, 3) float, the mean of each pixel, or None before the first frame."""
        return None if self.sum is None else self.sum / len(self)


def dff_map(image: np.ndarray, baseline: np.ndarray | None) -> np.ndarray:
    """Return green ΔF/F minus blue ΔF/F of each pixel.

    ΔF/F = (F - F0) / F0, and 0 where F0 is 0 or there is no baseline yet.  Blue reflectance carries the
    hemodynamics that green carries too (Gupta & Murphy, eLife 105070).

    Parameters
    ----------
    image : array (height, width, 3) uint8, BGR
    baseline : array (height, width, 3) float, or None
        F0, from `RoiHistory.baseline`.

    Returns
    -------
    array (height, width) float
        Always finite.
    """
    if baseline is None:
        return np.zeros(image.shape[:2])
    f, f0 = image[..., : GREEN + 1], baseline[..., : GREEN + 1]
    dff = np.divide(f - f0, f0, out=np.zeros(f0.shape), where=f0 > 0)
    corrected: np.ndarray = dff[..., GREEN] - dff[..., BLUE]
    return corrected


def average_dff(crop: np.ndarray, history: RoiHistory) -> float:
    """Return `avgDff` of a crop against the frames before it, then let the crop join the history."""
    dff = float(dff_map(crop, history.baseline()).mean())
    history.append(crop)
    return dff
