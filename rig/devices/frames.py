"""A frame, and how a camera thread hands it to the loop."""

import queue
import time
from typing import NamedTuple

import cv2
import numpy as np

from rig.devices import realtime
from rig.errors import CameraError

COLOURS = {3: ("blue", "green", "red"), 1: ("grey",)}
"""The channels of an image, by how many there are."""


def in_colours(image: np.ndarray) -> np.ndarray:
    """Return an image with three channels, as networks take it: grey is three equal colours."""
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.shape[2] == 1 else image


class Frame(NamedTuple):
    """One image of the camera.

    Attributes
    ----------
    number : int
        Counted by the camera: a gap means that frames were lost.
    time_s : float
        The clock of the experiment.  A camera's capture time on the monotonic clock; for simulated and
        replayed frames the time at which they belong, however fast they come.
    captured_s : float
        When the frame was captured, on the monotonic clock of this machine.
    image : array (height, width, channels) uint8
        BGR, or grey with one channel.
        Belongs only to this frame: no driver writes into it later.
    known_age_s : float or None
        How old the frame is when it is decided on, where that does not depend on this machine: as recorded in a
        replay, 0 in a simulation that runs as fast as it can.
    was_paused : bool
        In a replay: the recorded session was to pause from this frame on, or earlier.
    paw_moved : bool
        In a replay: the line of the paw was high then.
    measured : tuple of float or None
        In a replay that has kept only the ROIs of the picture: `global_dff` and `movement_px`, as they were logged.
    """

    number: int
    time_s: float
    captured_s: float
    image: np.ndarray
    known_age_s: float | None = None
    was_paused: bool = False
    paw_moved: bool = False
    measured: tuple[float, float] | None = None

    def age_s(self) -> float:
        """Return how old the frame is now, s."""
        return time.monotonic() - self.captured_s if self.known_age_s is None else self.known_age_s


class Numbering:
    """Numbers frames by their times, for cameras that do not count them: a gap of n periods skips n - 1 numbers.

    Parameters
    ----------
    framerate : float
    """

    def __init__(self, framerate: float) -> None:
        self._framerate = framerate
        self._number, self._previous_s = -1, 0.0

    def number(self, captured_s: float) -> int:
        """Return the number of the frame captured at this time, from 0."""
        periods = round((captured_s - self._previous_s) * self._framerate) if self._number >= 0 else 1
        self._number += max(1, periods)
        self._previous_s = captured_s
        return self._number


class Counting:
    """Numbers frames one after the other, for cameras that tell neither their numbers nor their times.

    Such a frame arrives up to a period early or late, so a gap between two of them is no loss.  A frame that had to be
    left out is one, and then the gap says how many there were.

    Parameters
    ----------
    framerate : float
    """

    def __init__(self, framerate: float) -> None:
        self._framerate = framerate
        self._number, self._left_out, self._previous_s = -1, 0, 0.0

    def leave_out(self) -> None:
        """Count a frame that nobody may see."""
        self._left_out += 1

    def number(self, arrived_s: float) -> int:
        """Return the number of the frame that arrived at this time, from 0."""
        missed = self._left_out
        if missed and self._number >= 0:
            missed = max(missed, int((arrived_s - self._previous_s) * self._framerate) - 1)
        self._number += missed + 1
        self._left_out, self._previous_s = 0, arrived_s
        return self._number


class FrameQueue:
    """Hands every frame over once and in order.

    When the loop is so late that the queue is full, the newest frame is left out; its number is
    missing then, and so the loss is counted where all losses are.

    Parameters
    ----------
    size : int
        How many frames may wait.
    timeout_s : float
        How long `get` waits before it reports that the camera has stopped.
    in_real_time : bool
        The thread that hands frames over asks for real-time scheduling with its first one.
    """

    def __init__(self, size: int, timeout_s: float, in_real_time: bool = False) -> None:
        self._queue: queue.Queue[Frame] = queue.Queue(size)
        self._timeout_s = timeout_s
        self._error: Exception | None = None
        self._is_to_ask = in_real_time

    def put(self, frame: Frame) -> None:
        """Hand a frame over; called by the camera's thread, which must never wait."""
        if self._is_to_ask:
            self._is_to_ask = False
            realtime.ask(realtime.CAPTURE)
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            return  # the gap in the numbers shows it

    def fail(self, error: Exception) -> None:
        """Let the loop's next `get` raise `error`, at the latest when it has taken what waits."""
        self._error = error

    def get(self) -> Frame:
        """Return the next frame; wait for it.

        Raises
        ------
        CameraError
            No frame came within the time-out, or the camera's thread failed.
        """
        if self._error and self._queue.empty():
            raise self._error
        try:
            return self._queue.get(timeout=self._timeout_s)
        except queue.Empty:
            raise self._error or CameraError(
                f"the camera gave no new frame for {self._timeout_s:g} s; check its cable, then start again"
            ) from None

    def clear(self) -> None:
        """Drop what waits."""
        while not self._queue.empty():
            self._queue.get_nowait()

    def settle(self, n_frames: int) -> None:
        """Drop what waits and the next frames: a setting that was changed just now shows only after them."""
        self.clear()
        for _ in range(n_frames):
            self.get()
