"""The line of the paw: an input that is high while the mouse moves, from the behaviour rig."""

from typing import Protocol

from rig.devices.input_line import GpioInput, Watch, Words
from rig.errors import PawLineError
from rig.events import Events
from rig.settings.common import RigSettings

PAW = "paw"
WORDS = Words(
    event=PAW,
    device="paw line",
    unseen="movements are not seen",
    hangs_after_s=60.0,  # no mouse runs for so long without a pause
    hangs="has been high for {} s: check its wire, and what drives it",
)


class PawLine(Protocol):
    """What notices that the mouse moves."""

    def touched(self) -> bool:
        """Return whether the line was high since the last call."""

    def trouble(self) -> str:
        """Return what is wrong with the line, nothing when all is well."""

    def close(self) -> None:
        """End, and give the pin back; harmless when repeated."""


class NoPawLine:
    """No line: nobody says whether the mouse moves."""

    def touched(self) -> bool:
        return False

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing is open."""


def open_paw_line(settings: RigSettings, events: Events, replays: bool = False) -> PawLine:
    """Open the line that `paw_pin` names: a pin where the outputs are pins, its simulated twin where they are.

    Parameters
    ----------
    settings : RigSettings
    events : Events
        Every rise and fall is noted here.
    replays : bool
        The frames say themselves whether the paw moved.

    Raises
    ------
    PawLineError
        The pin cannot be read.
    """
    pin = settings.input_pins().get(PAW)
    if pin is None or replays:
        return NoPawLine()
    if settings.outputs == "simulated":
        from rig.simulated.paw_line import SimPawLine

        return SimPawLine(settings.framerate, events)
    return Watch(GpioInput(pin, settings.pin_numbering, PawLineError, "leave paw_pin empty"), events, WORDS)
