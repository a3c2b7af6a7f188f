"""The library RPi.GPIO, or what stands in for it on this computer, and pins driven by it.

The guard of the valve stands on this: it imports next to nothing.
"""

import contextlib
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

MISSING_GPIO = (
    "the library RPi.GPIO does not work here ({reason}); on a Raspberry Pi install it with "
    "'sudo apt install python3-rpi-lgpio', or try without outputs: --set outputs=simulated"
)
NOT_ALLOWED = (
    "this user may not use the pins ({reason}); on a Jetson join the group gpio and install its udev rule "
    "(docs/jetson.md, step 1), then log in again"
)
ORIGINAL = (
    "this is the original RPi.GPIO, with which no kernel releases a pin: a killed guard would leave the valve open; "
    "remove {prefix} and run 'make setup', which installs rpi-lgpio instead"
)
WRONG_PINMUX = (
    "pin {pin} does not {verb}, because this Jetson's pinmux has it as an {kind}; until the next start "
    "'{command}' mends that, and a pinmux overlay does for good (docs/jetson.md, step 2)"
)
UNKNOWN_PINMUX = (
    "it is unknown whether the pins drive, because this Jetson's pinmux could not be read ({reason}); "
    "see with a meter that each rises to 3.3 V, or run 'python -m rig.commands.outputs' once as root"
)


class WrongLibraryError(RuntimeError):
    """A library that would drive the pins, but not safely."""


@contextlib.contextmanager
def staying_here() -> Iterator[None]:
    """Come back to the working folder: lgpio leaves it when it is imported, and relative paths with it."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        here = ""
    try:
        yield
    finally:
        if here:
            os.chdir(here)


def import_gpio() -> Any:
    """Return the module RPi.GPIO, or what stands in for it on this computer; it may raise anything."""
    os.environ.setdefault("LG_WD", tempfile.gettempdir())  # lgpio leaves a FIFO in its working directory
    with staying_here():
        from RPi import GPIO

    if "RPi._GPIO" in sys.modules:  # the part in C that only the original has
        raise WrongLibraryError(ORIGINAL.format(prefix=sys.prefix))
    GPIO.setwarnings(is_jetson())  # without warnings it does not look at the pinmux at all
    return GPIO


def is_jetson() -> bool:
    """Return whether the imported RPi.GPIO is that of a Jetson."""
    return "Jetson.GPIO" in sys.modules


def why_no_gpio(error: Exception) -> str:
    """Return why there are no pins, and the cure, in a sentence."""
    if isinstance(error, WrongLibraryError):
        return str(error)
    if "does not have permissions" in str(error):  # so says Jetson.GPIO
        return NOT_ALLOWED.format(reason=f"{error}".partition(".")[0])
    return MISSING_GPIO.format(reason=error)


def mending(warning: str) -> str:
    """Return the command with which Jetson.GPIO would mend the pinmux, nothing where it warns of something else."""
    found = re.search(r"sudo busybox devmem \S+ w \S+", warning)
    return found[0] if found else ""


class GpioPins:
    """Pins of a Raspberry Pi (rpi-lgpio) or a Jetson (Jetson.GPIO), both by the API of RPi.GPIO."""

    def __init__(self, numbering: str) -> None:
        self.dead: list[str] = []
        self.doubts: list[str] = []
        try:
            self._gpio = import_gpio()
        except Exception as error:
            raise RuntimeError(why_no_gpio(error)) from error
        self._gpio.setmode(getattr(self._gpio, numbering))

    def claim(self, pin: int) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._gpio.setup(pin, self._gpio.OUT, initial=self._gpio.LOW)
        for each in caught:
            self._note(pin, str(each.message))

    def _note(self, pin: int, warning: str) -> None:
        """Keep what a warning of Jetson.GPIO says about the pinmux, in our words."""
        if command := mending(warning):
            self.dead.append(WRONG_PINMUX.format(pin=pin, verb="drive", kind="input", command=command))
        elif "pinmux" in warning and not self.doubts:
            reason = "only root may read /dev/mem" if "/dev/mem" in warning else warning.strip().rstrip(".")
            self.doubts.append(UNKNOWN_PINMUX.format(reason=reason))

    def write(self, pin: int, level: int) -> None:
        self._gpio.output(pin, level)
