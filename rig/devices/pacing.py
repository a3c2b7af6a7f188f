"""When a simulated or replayed frame is due."""

import time


class Pacer:
    """Releases frames at their time, or at once when the session is run fast.

    Parameters
    ----------
    fast : bool
    """

    def __init__(self, fast: bool) -> None:
        self.fast = fast
        self._offset_s: float | None = None

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
        due_s = time_s + self._offset_s
        if due_s > now:
            time.sleep(due_s - now)
        return due_s
