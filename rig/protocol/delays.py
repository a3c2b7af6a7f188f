"""Signals and intervals in the time of the frames: nothing here reads a clock."""

import math
from collections import deque


class Interval:
    """Says when an interval is over: at the frame nearest to its end, whatever the jitter of the camera."""

    def __init__(self, frame_period_s: float) -> None:
        self._tolerance_s = frame_period_s / 2

    def over(self, since_s: float, duration_s: float, now_s: float) -> bool:
        """Return whether `duration_s` has passed between `since_s` and `now_s`."""
        return now_s - since_s > duration_s - self._tolerance_s


class PausingClock:
    """The time of the frames, standing still while the session pauses."""

    def __init__(self) -> None:
        self._paused_s = 0.0
        self._newest_s: float | None = None

    def at(self, time_s: float) -> float:
        """Return what the clock shows at a frame from which on it runs, s."""
        return time_s - self._paused_s

    def tick(self, time_s: float, stands_still: bool) -> float:
        """Take the next frame; return what the clock shows then, s."""
        if stands_still and self._newest_s is not None:
            self._paused_s += time_s - self._newest_s
        self._newest_s = time_s
        return self.at(time_s)


class DelayLine:
    """Gives back the signal of some time ago.

    Parameters
    ----------
    delay_s : float
        How long ago.
    frame_period_s : float
        The signal of the frame nearest in time is given back, if it is at most one period off.
    """

    def __init__(self, delay_s: float, frame_period_s: float) -> None:
        self._delay_s = delay_s
        self._interval = Interval(frame_period_s)
        self._farthest_s = frame_period_s * (1 + 1e-6)
        self._waiting: deque[tuple[float, float]] = deque()
        self._newest = -math.inf, 0.0  # of those that are old enough: time, signal

    def push(self, time_s: float, value: float) -> float:
        """Take the signal of now, and return the signal of `delay_s` ago; 0 where there was none, as across a gap."""
        self._waiting.append((time_s, value))
        return self.at(time_s)

    def at(self, time_s: float) -> float:
        """Return the signal of `delay_s` before this time, which is not before the newest one that was asked for."""
        while self._waiting and self._interval.over(self._waiting[0][0], self._delay_s, time_s):
            self._newest = self._waiting.popleft()
        is_of_then = abs(time_s - self._delay_s - self._newest[0]) <= self._farthest_s
        return self._newest[1] if is_of_then else 0.0
