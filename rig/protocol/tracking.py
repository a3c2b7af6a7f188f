"""A tracked body part: how fast it is, whether that can be trusted, and whether it has been still."""

import math
from collections import deque

from rig.protocol.delays import Interval


class Motion:
    """Says how far a point has moved since the frame before, and how fast that is.

    Parameters
    ----------
    ppmm : float
        px/mm.
    """

    def __init__(self, ppmm: float) -> None:
        self._ppmm = ppmm
        self._before: tuple[float, float, float] | None = None  # time, s; x, y, px

    def push(self, time_s: float, x: float, y: float) -> tuple[float, float]:
        """Take where the point is now; return its speed in px/frame and in mm/s.

        The second follows from the time between the two frames: neither another rate nor a lost frame changes it.
        Both are 0 at the first frame, and the second between two frames of the same time.
        """
        before_s, before_x, before_y = self._before or (time_s, x, y)
        self._before = time_s, x, y
        moved_px, lasted_s = math.dist((x, y), (before_x, before_y)), time_s - before_s
        return moved_px, moved_px / self._ppmm / lasted_s if lasted_s > 0 else 0.0


class Tracking:
    """Trusts a speed if the control point was seen in both frames, and has not jumped.

    If a frame was lost between the two, a speed per frame is not trusted: the distance moved in two periods would count
    as that of one.  A speed per second is.

    Parameters
    ----------
    min_likelihood : float
        0 to 1.
    max_jump_px : float
        px/frame.
    per_second : bool
        The speed is one per second.

    Attributes
    ----------
    untracked_frames : int
        Frames whose speed could not be trusted.
    """

    def __init__(self, min_likelihood: float, max_jump_px: float, per_second: bool = False) -> None:
        self._least, self._max_jump_px, self._most_periods = min_likelihood, max_jump_px, math.inf if per_second else 1
        self.untracked_frames = 0
        self._before: tuple[int, bool] | None = None  # the frame before, and whether it showed the control point

    def trusts(self, frame_number: int, likelihood: float, moved_px: float) -> bool:
        """Take the next frame, and how far the control point has moved; return whether its speed can be trusted."""
        before, seen_before = self._before or (frame_number - 1, True)
        seen, periods = likelihood >= self._least, frame_number - before
        self._before = frame_number, seen
        follows = seen_before and periods <= self._most_periods
        trusted = follows and seen and moved_px <= self._max_jump_px * periods
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
