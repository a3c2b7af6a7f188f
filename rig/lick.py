"""Licks: an MPR121 capacitive sensor, a GPIO input, none, or simulated.

`python -m rig.lick` shows what the sensor feels.
"""

import argparse
import random
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from rig.errors import LickError
from rig.events import Events
from rig.settings import OneRoiSettings, RigSettings, add_config_arguments, experiment_of, load, parse_overrides
from rig.valve_guard import import_gpio

POLL_S = 0.005
CLOSED_WITHIN_S = 2.0

MISSING_MPR121 = "the library of the MPR121 is not installed; run 'make setup', or set lick = none"
MISSING_GPIO = "RPi.GPIO does not work here ({}); run 'sudo apt install python3-rpi-lgpio', or set lick = none"


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
        """Return whether the spout is touched now."""
        return bool(self._electrode.value)

    def close(self) -> None:
        """Leave the sensor as it is."""


class GpioLick:
    """A lick detector with a digital output, high while the tongue touches."""

    def __init__(self, pin: int, numbering: str) -> None:
        try:
            gpio = import_gpio()
            gpio.setmode(getattr(gpio, numbering))
            gpio.setup(pin, gpio.IN, pull_up_down=gpio.PUD_DOWN)
        except Exception as error:
            raise LickError(MISSING_GPIO.format(error)) from None
        self._gpio, self._pin = gpio, pin
        self._open = True

    def read(self) -> bool:
        """Return whether the spout is touched now."""
        return bool(self._gpio.input(self._pin))

    def close(self) -> None:
        """Give the pin back."""
        if self._open:
            self._open = False
            self._gpio.cleanup(self._pin)


class NoLick:
    """No sensor: never touched."""

    def touched(self) -> bool:
        """Return False."""
        return False

    def trouble(self) -> str:
        """Return nothing: all is well."""
        return ""

    def let_sense(self, reward: Any) -> None:
        """There is nobody to taste anything."""

    def close(self) -> None:
        """Nothing to close."""


class SimLick(NoLick):
    """A mouse that licks after each reward, and sometimes without.

    Parameters
    ----------
    framerate : float
        `touched` is asked once a frame.
    """

    LICKS_HZ, FOR_S, SPONTANEOUS_HZ = 6.0, 1.5, 0.02

    def __init__(self, framerate: float, events: Events) -> None:
        self._framerate, self._events = framerate, events
        # Always the same mouse, so that two runs of a replay give the same log.
        self._random = random.Random(0)
        self._reward: Any = None
        self._seen = 0
        self._drinks_for = 0.0

    def let_sense(self, reward: Any) -> None:
        """Let the mouse taste `reward` (its `count` of pulses)."""
        self._reward, self._seen = reward, reward.count

    def touched(self) -> bool:
        """Return whether the mouse licks in this frame."""
        if self._reward is not None and self._reward.count != self._seen:
            self._seen, self._drinks_for = self._reward.count, self.FOR_S
        rate = self.LICKS_HZ if self._drinks_for > 0 else self.SPONTANEOUS_HZ
        self._drinks_for -= 1 / self._framerate
        licks = self._random.random() < rate / self._framerate
        if licks:
            self._events.add("lick", 1)
        return licks


class LickDetector:
    """Asks a sensor 200 times a second in a thread, so that no lick between two frames is missed.

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
        self._running = True
        self._thread = threading.Thread(target=self._watch, name="lick", daemon=True)
        self._thread.start()

    def let_sense(self, reward: Any) -> None:
        """A real mouse tastes by itself."""

    def touched(self) -> bool:
        """Return whether the spout was touched since the last call."""
        latched, self._latched = self._latched, self._down
        return latched

    def trouble(self) -> str:
        """Return what is wrong with the sensor, nothing when all is well."""
        return self._trouble

    def close(self) -> None:
        """End the thread and give the sensor back; harmless when repeated."""
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
                self._events.add("lick", int(down))
            self._down = down
            self._latched = self._latched or down
            time.sleep(POLL_S)

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._events.add("lick sensor", 0 if trouble else 1, trouble or "answers again")
            self._trouble = trouble


def open_lick(settings: RigSettings, events: Events) -> NoLick | LickDetector:
    """Open the sensor that the setting `lick` names.

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
        return SimLick(settings.framerate, events)
    return NoLick()


def main() -> int:
    """Show what the sensor feels."""
    parser = argparse.ArgumentParser(prog="python -m rig.lick", description="Show every lick; Ctrl-C ends.")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    config = Path(args.config)
    settings, _ = load(experiment_of(config, args.section), config, args.section, parse_overrides(args.set))
    if settings.lick not in ("mpr121", "gpio"):
        raise LickError(f"lick = {settings.lick}: there is no sensor to try; add --set lick=mpr121 or --set lick=gpio")
    with closing(open_lick(settings, Events())) as lick:
        print("touch the spout; Ctrl-C ends", flush=True)
        while True:
            if lick.trouble():
                raise LickError(lick.trouble())
            print("lick" if lick.touched() else ".", end=" ", flush=True)
            time.sleep(0.2)


if __name__ == "__main__":
    from rig.cli import run

    run(main)
