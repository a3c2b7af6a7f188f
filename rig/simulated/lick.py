"""The tongue of the simulated mouse."""

import random

from rig.events import Events
from rig.protocol.tally import Tally


class SimLick:
    """A mouse that licks after each reward, and sometimes without.

    Parameters
    ----------
    framerate : float
        `touched` is asked once a frame.
    events : Events
    tally : Tally
        Its `rewards` are what the mouse tastes.
    """

    LICKS_HZ, FOR_S, SPONTANEOUS_HZ = 6.0, 1.5, 0.02

    def __init__(self, framerate: float, events: Events, tally: Tally) -> None:
        self._framerate, self._events, self._tally = framerate, events, tally
        # Always the same mouse, so that two runs of a replay give the same log.
        self._random = random.Random(0)
        self._seen = tally.rewards
        self._drinks_for = 0.0

    def touched(self) -> bool:
        """Return whether the mouse licks in this frame."""
        if self._tally.rewards != self._seen:
            self._seen, self._drinks_for = self._tally.rewards, self.FOR_S
        rate = self.LICKS_HZ if self._drinks_for > 0 else self.SPONTANEOUS_HZ
        self._drinks_for -= 1 / self._framerate
        licks = self._random.random() < rate / self._framerate
        if licks:
            self._events.add("lick", 1)
        return licks

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing is open."""
