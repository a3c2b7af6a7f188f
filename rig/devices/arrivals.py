"""When a frame was captured, for cameras behind a driver that may keep frames waiting.

While the process is stopped or starved, the driver collects old frames and hands them over in a burst afterwards.  A
frame whose age nobody knows must not be taken for a fresh one: an animal would earn water for the past.
"""

from collections import deque
from statistics import median

LIVE = 0.75  # a camera takes at least this share of its periods for its first frames, a file is faster
RECENT = 15  # waits that make up the usual one
STAMP_WITHIN_S = 1.0  # a stamp on the monotonic clock is this near to now when the camera has just been opened


class Arrivals:
    """Says when frames were captured, on the monotonic clock.

    Parameters
    ----------
    period_s : float
        Time between two frames.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._has_stamps: bool | None = None  # on the monotonic clock; not known before the first frame
        self._is_live = False
        self._waits_s: deque[float] = deque([period_s] * (RECENT // 3), maxlen=RECENT)
        self._returned_s: float | None = None
        self._catching_up = False

    def see_first(self, stamp_s: float, began_s: float, now_s: float, n_frames: int, is_file: bool = False) -> None:
        """Learn from the first frames what kind of source this is.

        Parameters
        ----------
        stamp_s : float
            Of the last of them, as the driver gives it.
        began_s, now_s : float
            Before and after they were read.
        n_frames : int
            A file gives as many as one likes at once, a camera does not.
        is_file : bool
            The source is certainly a file.  What only reads one, as a pipeline may, is known by its speed.
        """
        self._has_stamps = now_s - STAMP_WITHIN_S < stamp_s <= now_s
        self._is_live = not is_file and now_s - began_s >= LIVE * (n_frames - 1) * self._period_s
        self._returned_s = now_s

    @property
    def has_stamps(self) -> bool:
        """Return whether the driver says when a frame was captured."""
        return bool(self._has_stamps)

    def captured_s(self, stamp_s: float, asked_s: float, now_s: float) -> float | None:
        """Return when a frame was captured, s; None where nobody knows, and the frame must be left out.

        Parameters
        ----------
        stamp_s : float
            What the driver says.
        asked_s, now_s : float
            When the driver was asked for a frame, and when it gave this one.
        """
        away_s, waited_s = asked_s - (self._returned_s or asked_s), now_s - asked_s
        self._returned_s = now_s
        if self._has_stamps:
            return min(stamp_s, now_s)  # however old it is
        if not self._is_live:
            return now_s
        usual_s = max(self._period_s, median(self._waits_s))
        if away_s > usual_s or waited_s > 2 * usual_s:
            # Nobody was there to take frames, or the process stood still: this one may be old, and others behind it.
            self._catching_up = True
            self._waits_s.append(waited_s)
            return None
        if self._catching_up and waited_s < usual_s / 2:
            return None  # it was there already
        self._catching_up = False
        self._waits_s.append(waited_s)
        return now_s
