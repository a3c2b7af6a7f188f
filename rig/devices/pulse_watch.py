"""Compares what the valve was told with what it did: when a pulse must end, how long it was driven, what is late."""

import threading
from collections.abc import Callable
from typing import NamedTuple

LATE_S = 0.05  # a falling edge later than this is a trouble
STUCK_S = 0.2  # a falling edge that has not come by then never will


class Pulse(NamedTuple):
    """A pulse that was commanded: when (monotonic clock, s), and for how long."""

    commanded_s: float
    seconds: float


class PulseWatch:
    """Knows when the valve must be closed again.

    Commands come from the loop, edges from the thread that listens to the guard.

    Parameters
    ----------
    max_open_s : float
        The guard closes the valve this long after it opened, whatever was asked for.
    driven : callable
        Is called with the seconds that the valve was open, and the number of pulses that this was commanded by.
    """

    def __init__(self, max_open_s: float, driven: Callable[[float, int], None]) -> None:
        self._max_open_s, self._driven = max_open_s, driven
        self._lock = threading.Lock()
        self._pulses: list[Pulse] = []
        self._rose_s: float | None = None
        self.trouble = ""

    def command(self, now_s: float, seconds: float) -> None:
        """Note a pulse that was commanded now."""
        with self._lock:
            self._pulses.append(Pulse(now_s, seconds))

    def edge(self, level: int, at_s: float) -> None:
        """Note an edge that the guard, or the script in its place, drove at `at_s`."""
        with self._lock:
            if level:
                self._rose_s = at_s
                return
            rose_s, self._rose_s = self._rose_s, None
            late_s = at_s - self._must_end_s()
            done = [pulse for pulse in self._pulses if pulse.commanded_s <= at_s]
            self._pulses = self._pulses[len(done) :]
        if done and late_s > LATE_S:
            self.trouble = f"the valve closed {late_s * 1e3:.0f} ms too late"
        if rose_s is not None:
            self._driven(at_s - rose_s, len(done))
        elif done:  # nobody saw it open: count what was commanded
            self._driven(sum(pulse.seconds for pulse in done), len(done))

    def stuck_at_s(self) -> float | None:
        """Return when the valve is taken for stuck, monotonic clock, s; None where no pulse is under way."""
        with self._lock:
            return self._must_end_s() + STUCK_S if self._pulses else None

    def _must_end_s(self) -> float:
        """Return when the pulses under way must have ended, as the guard computes it."""
        ends_s = max((pulse.commanded_s + pulse.seconds for pulse in self._pulses), default=float("inf"))
        began_s = min((pulse.commanded_s for pulse in self._pulses), default=float("inf"))
        return min(ends_s, (began_s if self._rose_s is None else self._rose_s) + self._max_open_s)
