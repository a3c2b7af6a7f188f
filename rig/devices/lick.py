"""Licks: an MPR121 capacitive sensor, a GPIO input, none, or simulated.

`python -m rig.commands.lick` shows what the sensor feels.
"""

from typing import Any

from rig.devices.input_line import GpioInput, Input, NoInput, Watch, Words
from rig.errors import LickError
from rig.events import Events
from rig.protocol.tally import Tally
from rig.settings.common import RigSettings

WORDS = Words(
    event="lick",
    device="lick sensor",
    unseen="licks are not seen",
    hangs_after_s=10.0,  # no mouse touches the spout for so long without a pause
    hangs="has felt a touch for {} s: dry the spout, check wires and thresholds",
)

MISSING_MPR121 = "the library of the MPR121 is not installed; run 'make setup', or set lick = none"


def open_i2c_bus(number: int) -> Any:
    """Return the I2C bus /dev/i2c-NUMBER."""
    try:
        from adafruit_extended_bus import ExtendedI2C
    except ImportError as error:
        raise LickError(f"{MISSING_MPR121} ({error})") from None
    try:
        return ExtendedI2C(number)
    except (OSError, ValueError, RuntimeError) as error:
        raise LickError(
            f"lick_i2c_bus = {number}: the bus cannot be opened ({error}); on a Raspberry Pi enable it with "
            "'sudo raspi-config', Interface Options"
        ) from None


class Mpr121:
    """One electrode of an MPR121 on an I2C bus.

    Parameters
    ----------
    bus : I2C bus
        As `open_i2c_bus` returns it.
    address, channel : int

    Raises
    ------
    LickError
        The sensor does not answer.
    """

    def __init__(self, bus: Any, address: int, channel: int) -> None:
        try:
            from adafruit_mpr121 import MPR121
        except ImportError as error:
            raise LickError(f"{MISSING_MPR121} ({error})") from None
        try:
            self._electrode = MPR121(bus, address=address)[channel]
        except (OSError, ValueError, RuntimeError) as error:
            raise LickError(
                f"no MPR121 answers at I2C address {address:#x} ({error}); check its wires, or set lick = none"
            ) from None

    def read(self) -> bool:
        return bool(self._electrode.value)

    def close(self) -> None:
        """Leave the sensor as it is; nothing of it is held."""


def open_gpio_lick(pin: int, numbering: str) -> GpioInput:
    """Return the input of a lick detector with a digital output, high while the tongue touches."""
    return GpioInput(pin, numbering, LickError, "set lick = none")


def open_lick(settings: RigSettings, events: Events, tally: Tally) -> Input:
    """Open the sensor that the setting `lick` names.

    Parameters
    ----------
    settings : RigSettings
    events : Events
        Every touch and release is noted here.
    tally : Tally
        A simulated mouse licks after each of its rewards.

    Raises
    ------
    LickError
        The sensor or its library is missing.
    """
    if settings.lick == "mpr121":
        bus = open_i2c_bus(settings.lick_i2c_bus)
        return Watch(Mpr121(bus, settings.lick_i2c_address, settings.lick_channel), events, WORDS)
    if settings.lick == "gpio":
        return Watch(open_gpio_lick(settings.lick_pin, settings.pin_numbering), events, WORDS)
    if settings.lick == "simulated":
        from rig.simulated.lick import SimLick

        return SimLick(settings.framerate, events, tally)
    return NoInput()
