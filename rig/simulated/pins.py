"""Output pins that exist only in memory.  The guard imports this, so it imports nothing itself."""


class SimulatedPins:
    """Pins that exist only here."""

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}
        self.dead: list[str] = []
        self.doubts: list[str] = []

    def claim(self, pin: int) -> None:
        self.levels[pin] = 0

    def write(self, pin: int, level: int) -> None:
        if pin not in self.levels:
            raise RuntimeError(f"pin {pin} was not claimed")
        self.levels[pin] = level
