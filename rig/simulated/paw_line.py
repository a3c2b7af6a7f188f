"""The line of the paw of a simulated mouse, which moves now and then."""

import random

from rig.events import Events


class SimPawLine:
    """A mouse that moves about every 20 s, for a second on average.

    Parameters
    ----------
    framerate : float
        `touched` is asked once a frame.
    events : Events
        Every rise and fall is noted here.
    """

    STARTS_HZ, STOPS_HZ = 0.05, 1.0

    def __init__(self, framerate: float, events: Events) -> None:
        self._framerate, self._events = framerate, events
        self._random = random.Random(0)  # always the same mouse, as with the tongue
        self._moves = False

    def touched(self) -> bool:
        """Return whether the mouse moves in this frame."""
        rate = self.STOPS_HZ if self._moves else self.STARTS_HZ
        if self._random.random() < rate / self._framerate:
            self._moves = not self._moves
            self._events.add("paw", int(self._moves))
        return self._moves

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing is open."""
