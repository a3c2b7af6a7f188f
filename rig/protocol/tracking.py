"""A tracked body part: whether its speed can be trusted, and whether it has been still."""

import math
from collections import deque

from rig.protocol.delays import Interval


class Tracking:
    """Trusts a speed if the control point was seen in both frames, has not jumped, and no frame was lost between.

    Parameters
    ----------
    min_likelihood : float
        0 to 1.
    max_jump_px : float
        px/frame.

    Attributes
    ----------
    untracked_frames : int
        Frames whose speed could not be trusted.
    """

    def __init__(self, min_likelihood: float, max_jump_px: float) -> None:
        self._least, self._max_jump_px = min_likelihood, max_jump_px
        self.untracked_frames = 0
        self._seen_in: int | None = None  # the newest frame in which the control point was seen
        self._is_first = True

    def trusts(self, frame_number: int, likelihood: float, speed: float) -> bool:
        """Take the next frame; return whether its speed (px/frame) can be trusted.

        After a lost frame it cannot: the distance moved in two periods would count as that of one.
        """
        seen_before, self._is_first = self._is_first or self._seen_in == frame_number - 1, False
        if likelihood >= self._least:
            self._seen_in = frame_number
        trusted = seen_before and likelihood >= self._least and speed <= self._max_jump_px
        self.untracked_frames += not trusted
        return trusted


class Stillness:
    """Says whether something has been still for a while.

    Parameters
    ----------
    window_s : float
        How long.
    limit : float
        The mean speed over the window must be below this.
    frame_period_s : float
    """

    def __init__(self, window_s: float, limit: float, frame_period_s: float) -> None:
        self._window_s, self._limit = window_s, limit
        self._interval = Interval(frame_period_s)
        self._speeds: deque[tuple[float, float]] = deque()

    def push(self, time_s: float, speed: float) -> bool:
        """Take the speed of now; return whether it is still. Never before the window is full."""
        self._speeds.append((time_s, speed))
        is_full = self._interval.over(self._speeds[0][0], self._window_s, time_s)
        while len(self._speeds) > 1 and self._interval.over(self._speeds[0][0], self._window_s, time_s):
            self._speeds.popleft()
        return is_full and math.fsum(speed for _, speed in self._speeds) < self._limit * len(self._speeds)
