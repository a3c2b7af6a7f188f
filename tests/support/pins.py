"""The real rpi-lgpio on a chip in memory, and what that chip saw."""

import importlib.util
from pathlib import Path

import pytest

from rig.simulated.pins import SimulatedPins
from support.places import FAKES

PINS = {"reward": 27, "fail": 12, "light": 21, "trigger": 17}
SYNC_PINS = {"frame": 5, "barcode": 6}
SYNC = {"frame_pin": 5, "barcode_pin": 6}
IS_MISSING, REASON = importlib.util.find_spec("RPi") is None, "rpi-lgpio is not installed"
needs_lgpio = pytest.mark.skipif(IS_MISSING, reason=REASON)


class RecordingPins(SimulatedPins):
    """Simulated pins that remember what they were told."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, pin, level):
        super().write(pin, level)
        self.writes.append((pin, level))

    def edges(self, pin):
        """Return the levels of a pin, without those that it had already."""
        levels = [level for each, level in self.writes if each == pin]
        return [level for level, before in zip(levels, [0, *levels], strict=False) if level != before]


def gpio_env(log, **more):
    """Return the environment in which the real rpi-lgpio drives a chip in memory; skip the test where it is missing."""
    if IS_MISSING:
        pytest.skip(REASON)
    folder = str(FAKES / "lgpio_memory")
    env = {"PYTHONPATH": folder, "RPI_LGPIO_REVISION": "c03114", "LGPIO_LOG": str(log)}
    return env | {"CLOPY_LOCK_DIR": str(Path(log).parent)} | more  # one rig a test


def read_edges(log):
    """Return [(seconds, gpio, level)] of what the chip in memory saw."""
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return [(float(t), int(gpio), int(level)) for t, gpio, level in (line.split() for line in lines)]


def levels(log):
    """Return {gpio: level} as they are now."""
    return {gpio: level for _, gpio, level in read_edges(log)}


def all_low(log):
    """Return whether all four pins were driven and are low now."""
    return levels(log) == dict.fromkeys(PINS.values(), 0)
