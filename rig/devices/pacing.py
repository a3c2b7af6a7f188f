"""When a simulated or replayed frame is due."""

import math
import time


class Pacer:
    """Releases frames at their time, or at once when the session is run fast.

    Parameters
    ----------
    fast : bool
    longest_wait_s : float
        A longer gap between two frames is not waited for: nobody sits out the pause of an hour in a recording.
    """

    def __init__(self, fast: bool, longest_wait_s: float = math.inf) -> None:
        self.fast = fast
        self._longest_wait_s = longest_wait_s
        self._offset_s: float | None = None
        self._previous_s = 0.0

    def restart(self) -> None:
        """Let the next frame be due at once."""
        self._offset_s = None

    def wait_for(self, time_s: float) -> float:
        """Wait until the frame of `time_s` is due; return when it was captured, on the monotonic clock.

        A loop that is late finds the frame waiting, and its age says how late it is.
        """
        now = time.monotonic()
        if self.fast:
            return now
        if self._offset_s is None:
            self._offset_s = now - time_s
        elif (gap_s := time_s - self._previous_s) > self._longest_wait_s:
            self._offset_s -= gap_s
        self._previous_s = time_s
        due_s = time_s + self._offset_s
        if due_s > now:
            time.sleep(due_s - now)
        return due_s
