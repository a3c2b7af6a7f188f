"""Notices a camera that runs and still cannot be used: another frame rate than asked for, the same image for ever."""

from collections import deque
from itertools import pairwise

import numpy as np

from rig.devices.frames import Frame

OVER_S = 5.0  # the rate is averaged over
AFTER_S = 2.0  # of frames it can be judged
TOLERANCE = 0.05
FEWEST = 6  # frames for a rate
FROZEN_S = 2.0
SAMPLES = 32  # rows and columns that are compared first


class CameraWatch:
    """Looks at every frame of a session.

    Parameters
    ----------
    framerate : float
        What was asked for, frames/s: the length of the ΔF/F baseline and of all delays rests on it.
    """

    def __init__(self, framerate: float) -> None:
        self._framerate = framerate
        self._over_s = max(OVER_S, 2 * FEWEST / framerate)
        self._times_s: deque[float] = deque()
        self._image: np.ndarray | None = None
        self._changed_s = 0.0

    def see(self, frame: Frame) -> None:
        """Take the next frame."""
        self._times_s.append(frame.time_s)
        while self._times_s[0] < frame.time_s - self._over_s:
            self._times_s.popleft()
        if self._image is None or not is_same(frame.image, self._image):
            self._changed_s = frame.time_s
        self._image = frame.image

    def trouble(self) -> str:
        """Return what is wrong with the camera, nothing where all is well."""
        still_s = (self._times_s[-1] - self._changed_s) if self._times_s else 0.0
        if still_s >= max(FROZEN_S, 3 / self._framerate):
            return f"the image has not changed for {still_s:.0f} s: the camera is frozen; restart it"
        rate = self._rate()
        if rate is None or abs(rate / self._framerate - 1) <= TOLERANCE:
            return ""
        return (
            f"{rate:.1f} frames/s arrive where framerate = {self._framerate:g}, so baseline and trials are not as long "
            "as they should be: shorten the exposure, or set framerate"
        )

    def _rate(self) -> float | None:
        """Return how many frames a second arrive; None while that cannot be said.

        The longest gap is left out: a single pause of the computer is counted as lost frames, and says nothing of the
        camera.
        """
        times_s = self._times_s
        if len(times_s) < FEWEST or times_s[-1] - times_s[0] < AFTER_S:
            return None
        longest_s = max(later - earlier for earlier, later in pairwise(times_s))
        lasted_s = times_s[-1] - times_s[0] - longest_s
        return (len(times_s) - 2) / lasted_s if lasted_s > 0 else None


def is_same(image: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two images (height, width, 3) are equal; a few pixels are compared first, to be quick."""
    if image.shape != other.shape:
        return False
    rows, columns = (max(1, size // SAMPLES) for size in image.shape[:2])
    few = np.array_equal(image[::rows, ::columns], other[::rows, ::columns])
    return few and np.array_equal(image, other)
