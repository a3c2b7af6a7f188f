"""Licks: an MPR121 capacitive sensor, a GPIO input, none, or simulated.

`python -m rig.commands.lick` shows what the sensor feels.
"""

import threading
import time
import warnings
from typing import Any, Protocol

from rig.devices.gpio import WRONG_PINMUX, WrongLibraryError, import_gpio, is_jetson, mending
from rig.errors import LickError
from rig.events import Events
from rig.protocol.tally import Tally
from rig.settings.common import RigSettings

POLL_S = 0.005
CLOSED_WITHIN_S = 2.0
HANGS_AFTER_S = 10.0  # no mouse touches the spout for so long without a pause

MISSING_MPR121 = "the library of the MPR121 is not installed; run 'make setup', or set lick = none"
MISSING_GPIO = "RPi.GPIO does not work here ({}); run 'sudo apt install python3-rpi-lgpio', or set lick = none"


class Lick(Protocol):
    """What notices licks."""

    def touched(self) -> bool:
        """Return whether the spout was touched since the last call."""

    def trouble(self) -> str:
        """Return what is wrong with the sensor, nothing when all is well."""

    def close(self) -> None:
        """End, and give the sensor back; harmless when repeated."""


class Sensor(Protocol):
    """What feels the tongue."""

    def read(self) -> bool:
        """Return whether the spout is touched now; OSError when the sensor does not answer."""

    def close(self) -> None:
        """Give the sensor back; harmless when repeated."""


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


class GpioLick:
    """A lick detector with a digital output, high while the tongue touches."""

    def __init__(self, pin: int, numbering: str) -> None:
        try:
            gpio = import_gpio()
            gpio.setmode(getattr(gpio, numbering))
            # On a Jetson a program cannot switch a pull-down on: there it takes a resistor.
            pull = {} if is_jetson() else {"pull_up_down": gpio.PUD_DOWN}
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                gpio.setup(pin, gpio.IN, **pull)
        except WrongLibraryError as error:
            raise LickError(str(error)) from None
        except Exception as error:
            raise LickError(MISSING_GPIO.format(error)) from None
        for command in filter(None, (mending(str(each.message)) for each in caught)):
            raise LickError(WRONG_PINMUX.format(pin=pin, verb="feel", kind="output", command=command))
        self._gpio, self._pin = gpio, pin
        self._open = True

    def read(self) -> bool:
        return bool(self._gpio.input(self._pin))

    def close(self) -> None:
        if self._open:
            self._open = False
            self._gpio.cleanup(self._pin)


class LickDetector:
    """Polls a sensor 200 times a second in a thread, so that no lick between two frames is missed.

    Parameters
    ----------
    sensor : Sensor
    events : Events
        Every touch and release is noted here.
    """

    def __init__(self, sensor: Sensor, events: Events) -> None:
        self._sensor, self._events = sensor, events
        self._trouble = ""
        self._latched = self._down = False
        self._down_since_s = 0.0
        self._running = True
        self._thread = threading.Thread(target=self._watch, name="lick", daemon=True)
        self._thread.start()

    def touched(self) -> bool:
        latched, self._latched = self._latched, self._down
        return latched

    def trouble(self) -> str:
        touched_s = time.monotonic() - self._down_since_s if self._down else 0.0
        if touched_s > HANGS_AFTER_S:
            return f"the lick sensor has felt a touch for {touched_s:.0f} s: dry the spout, check wires and thresholds"
        return self._trouble

    def close(self) -> None:
        self._running = False
        self._thread.join(CLOSED_WITHIN_S)  # a bus that hangs must not keep the rig from closing
        self._sensor.close()

    def _watch(self) -> None:
        while self._running:
            try:
                down = self._sensor.read()
            except Exception as error:
                self._note_trouble(f"the lick sensor does not answer ({error}); licks are not seen")
                down = False
            else:
                self._note_trouble("")
            if down != self._down:
                self._down_since_s = time.monotonic()
                self._events.add("lick", int(down))
            self._down = down
            self._latched = self._latched or down
            time.sleep(POLL_S)

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._events.add("lick sensor", 0 if trouble else 1, trouble or "answers again")
            self._trouble = trouble


class NoLick:
    """No sensor: never touched."""

    def touched(self) -> bool:
        return False

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing is open."""


def open_lick(settings: RigSettings, events: Events, tally: Tally) -> Lick:
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
        return LickDetector(
            Mpr121(open_i2c_bus(settings.lick_i2c_bus), settings.lick_i2c_address, settings.lick_channel), events
        )
    if settings.lick == "gpio":
        return LickDetector(GpioLick(settings.lick_pin, settings.pin_numbering), events)
    if settings.lick == "simulated":
        from rig.simulated.lick import SimLick

        return SimLick(settings.framerate, events, tally)
    return NoLick()
