"""An input that is high or low, a lick sensor or a line from another machine, and the thread that watches it."""

import threading
import time
import warnings
from typing import NamedTuple, Protocol

from rig.devices.gpio import WRONG_PINMUX, WrongLibraryError, import_gpio, is_jetson, mending
from rig.errors import RigError
from rig.events import Events

POLL_S = 0.005
CLOSED_WITHIN_S = 2.0

MISSING_GPIO = "RPi.GPIO does not work here ({}); run 'sudo apt install python3-rpi-lgpio', or {}"


class Sensor(Protocol):
    """What is high or low."""

    def read(self) -> bool:
        """Return whether it is high now; OSError when it does not answer."""

    def close(self) -> None:
        """Give it back; harmless when repeated."""


class Input(Protocol):
    """What notices that an input was high, whatever its device; see `Watch`."""

    def touched(self) -> bool:
        """Return whether it was high since the last call."""

    def trouble(self) -> str:
        """Return what is wrong with it, nothing when all is well."""

    def close(self) -> None:
        """End, and give the device back; harmless when repeated."""


class NoInput:
    """No device: never high."""

    def touched(self) -> bool:
        return False

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing is open."""


class Words(NamedTuple):
    """How an input is spoken of.

    Attributes
    ----------
    event : str
        Device of the events that note each rise and fall.
    device : str
        The device, in a trouble.
    unseen : str
        What is not seen while it does not answer.
    hangs_after_s : float
        High for longer, something is wrong.
    hangs : str
        What to say then, with a place for the seconds.
    """

    event: str
    device: str
    unseen: str
    hangs_after_s: float
    hangs: str


class GpioInput:
    """A pin that is an input, low where nothing drives it.

    Parameters
    ----------
    pin : int
    numbering : str
        BCM or BOARD.
    error : type
        Of RigError: what is raised.
    otherwise : str
        What the user can do without it, as in 'set lick = none'.

    Raises
    ------
    RigError
        The library is missing, or the pin cannot be an input.
    """

    def __init__(self, pin: int, numbering: str, error: type[RigError], otherwise: str) -> None:
        try:
            gpio = import_gpio()
            gpio.setmode(getattr(gpio, numbering))
            # On a Jetson a program cannot switch a pull-down on: there it takes a resistor.
            pull = {} if is_jetson() else {"pull_up_down": gpio.PUD_DOWN}
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                gpio.setup(pin, gpio.IN, **pull)
        except WrongLibraryError as wrong:
            raise error(str(wrong)) from None
        except Exception as missing:
            raise error(MISSING_GPIO.format(missing, otherwise)) from None
        for command in filter(None, (mending(str(each.message)) for each in caught)):
            raise error(WRONG_PINMUX.format(pin=pin, verb="feel", kind="output", command=command))
        self._gpio, self._pin = gpio, pin
        self._open = True

    def read(self) -> bool:
        return bool(self._gpio.input(self._pin))

    def close(self) -> None:
        if self._open:
            self._open = False
            self._gpio.cleanup(self._pin)


class Watch:
    """Polls a sensor 200 times a second in a thread, so that nothing between two frames is missed.

    Parameters
    ----------
    sensor : Sensor
    events : Events
        Every rise and fall is noted here.
    words : Words
    """

    def __init__(self, sensor: Sensor, events: Events, words: Words) -> None:
        self._sensor, self._events, self._words = sensor, events, words
        self._trouble = ""
        self._latched = self._down = False
        self._down_since_s = 0.0
        self._running = True
        self._thread = threading.Thread(target=self._watch, name=words.event, daemon=True)
        self._thread.start()

    def touched(self) -> bool:
        latched, self._latched = self._latched, self._down
        return latched

    def trouble(self) -> str:
        high_s = time.monotonic() - self._down_since_s if self._down else 0.0
        if high_s > self._words.hangs_after_s:
            return f"the {self._words.device} {self._words.hangs.format(f'{high_s:.0f}')}"
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
                self._note_trouble(f"the {self._words.device} does not answer ({error}); {self._words.unseen}")
                down = False
            else:
                self._note_trouble("")
            if down != self._down:
                self._down_since_s = time.monotonic()
                self._events.add(self._words.event, int(down))
            self._down = down
            self._latched = self._latched or down
            time.sleep(POLL_S)

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._events.add(self._words.device, 0 if trouble else 1, trouble or "answers again")
            self._trouble = trouble
