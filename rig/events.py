"""What happened when: edges, licks, trials, tones, troubles.  Devices report here; the session log stores it."""

import time
from collections import deque
from typing import NamedTuple

PAUSE_ASKED, PAUSE_BEGINS, PAUSE_ENDS = "asked for", "begins", "goes on"
"""The details of a `pause`: the user wants one, the session has none of its trials running, the user goes on."""


class Event(NamedTuple):
    """One thing that happened.

    Attributes
    ----------
    time_s : float
        Monotonic clock of this machine.
    frame : int
        The newest frame then; -1 before the session.
    device : str
        reward, fail, light, trigger, tone, lick, trial, ...
    value : float
        Level 0 or 1, frequency in Hz, number of the trial.
    detail : str
        The reason, where there is one.
    """

    time_s: float
    frame: int
    device: str
    value: float
    detail: str


class SyncPulse(NamedTuple):
    """A pulse for other machines, as it was driven.

    Attributes
    ----------
    line : str
        frame, trigger or barcode.
    value : int
        Number of the frame; the whole barcode that this pulse is a part of.
    rose_s, fell_s : float
        Monotonic clock of this machine.
    """

    line: str
    value: int
    rose_s: float
    fell_s: float


class Events:
    """What every thread may add to.

    Attributes
    ----------
    frame : int
        The newest one; -1 before the session.
    pulses : deque of SyncPulse
        In order of their end; there are too many of them to keep, so whoever stores them takes them away.
    """

    def __init__(self) -> None:
        self.frame = -1
        self._events: list[Event] = []
        self.pulses: deque[SyncPulse] = deque()

    def add(self, device: str, value: float, detail: str = "", time_s: float | None = None) -> None:
        """Note that something happened now, or at `time_s` of the monotonic clock."""
        when_s = time.monotonic() if time_s is None else time_s
        self._events.append(Event(when_s, self.frame, device, value, detail))

    def since(self, n: int) -> list[Event]:
        """Return the events after the first n, as they came."""
        return self._events[n:]

    def take_pulses(self) -> list[SyncPulse]:
        """Return the pulses that have come, and forget them."""
        return [self.pulses.popleft() for _ in range(len(self.pulses))]
