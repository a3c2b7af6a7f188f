"""ΔF/F of an ROI against the frames before it.

Replays must give the same numbers on any processor, so nothing here uses BLAS (`@`, `dot`), whose order of adding
depends on the processor; numpy's own reductions add in an order that the code fixes.
"""

from collections import deque

import numpy as np

BLUE, GREEN = 0, 1
N_COLOURS = 2  # of the three that a frame has; red is not used


class RoiHistory:
    """The last crops of one ROI, and what its ΔF/F is measured against.

    The sum of the crops is kept while they come and go, so that the cost of a frame does not grow with the length of
    the history.  Whole numbers below 2**53 are exact as float, so the sum never drifts.

    Parameters
    ----------
    n_frames : int
        Length of the ΔF/F baseline.
    """

    def __init__(self, n_frames: int) -> None:
        self._crops: deque[np.ndarray] = deque(maxlen=n_frames)
        self._sum: np.ndarray | None = None

    def append(self, crop: np.ndarray) -> None:
        """Add a copy of a crop (height, width, 3) uint8 BGR; the oldest leaves when the history is full."""
        self._join(crop[..., :N_COLOURS].transpose(2, 0, 1).copy())

    def baseline(self) -> np.ndarray | None:
        """Return F0 of blue and green (2, height, width), the mean of each pixel; None before the first crop."""
        return None if self._sum is None else self._sum / len(self._crops)

    def dff(self, crop: np.ndarray) -> tuple[float, float]:
        """Return ΔF/F of blue and of green, averaged over the crop, then let the crop join the history.

        ΔF/F = (F - F0) / F0 of each pixel, and 0 where F0 is 0 or before the first crop (Gupta & Murphy, eLife 105070).

        Parameters
        ----------
        crop : array (height, width, 3) uint8, BGR

        Returns
        -------
        tuple of float
            Blue, green; always finite.
        """
        colours = np.array(crop[..., :N_COLOURS].transpose(2, 0, 1), float, order="C")
        blue = green = 0.0
        baseline = self.baseline()
        if baseline is not None:
            change = relative_change(colours, baseline)
            sums = np.add.reduce(change.reshape(N_COLOURS, -1), axis=1)
            n_pixels = change[0].size
            blue, green = float(sums[BLUE]) / n_pixels, float(sums[GREEN]) / n_pixels
        self._join(colours)
        return blue, green

    def __len__(self) -> int:
        return len(self._crops)

    def _join(self, colours: np.ndarray) -> None:
        if self._sum is None:
            self._sum = np.zeros(colours.shape)
        elif len(self._crops) == self._crops.maxlen:
            self._sum -= self._crops[0]
        self._sum += colours
        self._crops.append(colours)


def relative_change(now: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Return (F - F0) / F0 of each pixel, 0 where F0 is 0; both arrays have one shape."""
    change: np.ndarray = now - baseline
    if np.count_nonzero(baseline) == baseline.size:
        change /= baseline
        return change
    np.divide(change, baseline, out=change, where=baseline > 0)
    change[baseline == 0] = 0.0
    return change


def dff_map(image: np.ndarray, baseline: np.ndarray | None) -> np.ndarray:
    """Return green ΔF/F minus blue ΔF/F of each pixel.

    Blue reflectance carries the haemodynamics that green carries too (Gupta & Murphy, eLife 105070).

    Parameters
    ----------
    image : array (height, width, 3) uint8, BGR
    baseline : array (2, height, width) float, or None
        F0 of blue and green, from `RoiHistory.baseline`.

    Returns
    -------
    array (height, width) float
        Always finite; 0 without a baseline.
    """
    if baseline is None:
        return np.zeros(image.shape[:2])
    dff = relative_change(image[..., :N_COLOURS].transpose(2, 0, 1), baseline)
    corrected: np.ndarray = dff[GREEN] - dff[BLUE]
    return corrected
