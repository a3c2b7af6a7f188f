"""The line of the paw: an input that is high while the mouse moves, from the behaviour rig."""

from rig.devices.input_line import GpioInput, Input, NoInput, Watch, Words
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


def open_paw_line(settings: RigSettings, events: Events, replays: bool = False) -> Input:
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
        return NoInput()
    if settings.outputs == "simulated":
        from rig.simulated.paw_line import SimPawLine

        return SimPawLine(settings.framerate, events)
    return Watch(GpioInput(pin, settings.pin_numbering, PawLineError, "leave paw_pin empty"), events, WORDS)
