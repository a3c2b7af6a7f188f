"""The tone without sound."""

from types import TracebackType

from rig.events import Events


class SimTone:
    """A loudspeaker that makes no sound; the simulated mouse hears it all the same."""

    def __init__(self, events: Events) -> None:
        self.hz, self.device = 0.0, ""
        self.underflows = 0
        self._events = events

    def play(self, hz: float) -> None:
        if hz != self.hz:
            self.hz = hz
            self._events.add("tone", hz)

    def beat(self) -> None:
        """Nobody hears it in any case."""

    def rest(self) -> None:
        """Nobody hears it in any case."""

    def trouble(self) -> str:
        return ""

    def stop(self) -> None:
        self.play(0.0)

    def __enter__(self) -> "SimTone":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
