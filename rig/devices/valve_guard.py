"""The guard: a separate process, the only one that owns the output pins, so that no valve stays open.

It ends every pulse by its own clock, and takes all pins low when its input ends, which happens when the
script dies, whatever killed it.  `rig.devices.outputs` starts it and speaks to it, one line a command:

    pulse NAME SECONDS      high now, low after this time
    on NAME / off NAME
    all_off                 every pin low, pulses included, and no beat is expected; answers `low`
    beat                    the loop is alive; from the first one on, all pins go low when none comes for a while
    rest                    no beat is expected for now
    frame NUMBER            a pulse on every line that marks frames
    barcodes                from now on a barcode every few seconds, until its pin is taken low
    ping                    answers `pong`

It answers `dead SENTENCE` for every pin that does not drive, `doubt SENTENCE` where it cannot know, and `ready`.  Then
`edge NAME LEVEL TIME` for every edge that it drove (monotonic clock, s), `silent TIME` when it took all pins low
because no beat came, or `error SENTENCE` before it takes all pins low and ends.  Pulses for other machines, of `frame`
and `barcodes`, are not edges: there is one `synced NAME VALUE ROSE FELL` for each when it has ended.
"""

import argparse
import contextlib
import math
import os
import select
import signal
import sys
import time
from typing import Protocol

from rig.devices import realtime
from rig.devices.gpio import GpioPins
from rig.devices.sync_lines import Barcodes, FrameLine, Wire

BARCODE = "barcode"
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Pins(Protocol):
    """What drives the levels.

    Attributes
    ----------
    dead : list of str
        A sentence for every claimed pin that does not drive.
    doubts : list of str
        Why nobody knows whether they drive.
    """

    dead: list[str]
    doubts: list[str]

    def claim(self, pin: int) -> None:
        """Make the pin an output and take it low."""

    def write(self, pin: int, level: int) -> None:
        """Drive the pin."""


class Guard:
    """Keeps levels and the ends of pulses.

    Parameters
    ----------
    pins : Pins
    names : dict
        {output name: pin}.
    max_open_s : dict
        {output name: s}: an output named here, the valve, goes low this long after it went high, whatever is asked for.
    max_silence_s : float
        All pins go low when no beat has come for this time.
    frame_pulses_s : dict, optional
        {output name: s}: the lines that mark frames, and the length of their pulses.
    """

    def __init__(
        self,
        pins: Pins,
        names: dict[str, int],
        max_open_s: dict[str, float],
        max_silence_s: float = math.inf,
        frame_pulses_s: dict[str, float] | None = None,
    ) -> None:
        self._pins, self._names, self._max_open_s = pins, names, max_open_s
        self._rose_s: dict[str, float] = {}
        self._ends_s: dict[str, float] = {}
        self._levels = dict.fromkeys(names, 0)
        self._max_silence_s, self._silent_at_s = max_silence_s, math.inf
        self._frames = {name: FrameLine(self._wire(name), pulse_s) for name, pulse_s in (frame_pulses_s or {}).items()}
        self._barcodes = {BARCODE: Barcodes(self._wire(BARCODE))} if BARCODE in names else {}
        self._synced: dict[str, FrameLine | Barcodes] = {**self._frames, **self._barcodes}
        for pin in names.values():
            pins.claim(pin)

    def command(self, line: str) -> None:
        """Carry out one line."""
        verb, *arguments = line.split()
        if verb == "all_off":
            self._silent_at_s = math.inf
            self.all_low()
            say("low")
            return
        if verb == "ping":
            say("pong")
            return
        if verb in ("beat", "rest"):
            self._silent_at_s = time.monotonic() + self._max_silence_s if verb == "beat" else math.inf
            return
        if verb == "frame":
            for line_of_frames in self._frames.values():
                line_of_frames.mark(int(arguments[0]))
            return
        if verb == "barcodes":
            for barcodes in self._barcodes.values():
                barcodes.begin(time.monotonic())
            return
        name = arguments[0]
        if verb == "off":
            self._lower(name)
        else:
            self._raise(name, float(arguments[1]) if verb == "pulse" else math.inf)

    def end_due_pulses(self) -> float | None:
        """Close what is due; return the seconds until something is due again, None where nothing is."""
        now = time.monotonic()
        if self._silent_at_s <= now:
            self._silent_at_s = math.inf
            self.all_low()
            say(f"silent {now:.6f}")
        for name in [name for name, end_s in self._ends_s.items() if end_s <= now]:
            self._lower(name)
        for synced in self._synced.values():
            synced.drive_due(now)
        dues_s = [synced.due_s() for synced in self._synced.values()]
        next_s = min(*self._ends_s.values(), *dues_s, self._silent_at_s, math.inf)
        return max(0.0, next_s - now) if next_s < math.inf else None

    def all_low(self) -> None:
        """Take every pin low; a pin that fails must not keep the others high."""
        for name in self._names:
            try:
                self._lower(name)
            except Exception as error:
                say(f"error {name} could not be taken low: {error}")

    def _raise(self, name: str, seconds: float) -> None:
        """Drive a pin high; a pulse that comes while it is high lengthens it, but not beyond the maximum."""
        self._drive(name, 1)
        now = time.monotonic()
        rose_s = self._rose_s.setdefault(name, now)
        ends_s = max(now + seconds, self._ends_s.get(name, 0.0))
        ends_s = min(ends_s, rose_s + self._max_open_s.get(name, math.inf))
        self._ends_s[name] = ends_s

    def _lower(self, name: str) -> None:
        self._ends_s.pop(name, None)
        self._rose_s.pop(name, None)
        if name in self._synced:
            self._synced[name].cancel()
        self._drive(name, 0)

    def _drive(self, name: str, level: int) -> None:
        self._pins.write(self._names[name], level)
        if level != self._levels[name]:
            self._levels[name] = level
            say(f"edge {name} {level} {time.monotonic():.6f}")

    def _wire(self, name: str) -> Wire:
        """Return a pin whose pulses are for other machines."""

        def report(value: int, rose_s: float, fell_s: float) -> None:
            say(f"synced {name} {value} {rose_s:.6f} {fell_s:.6f}")

        return Wire(lambda level: self._pins.write(self._names[name], level), report)


def open_pins(simulated: bool, numbering: str) -> Pins:
    """Return the pins of this computer, or simulated ones."""
    if simulated:
        from rig.simulated.pins import SimulatedPins

        return SimulatedPins()
    return GpioPins(numbering)


def say(line: str) -> None:
    """Answer the script; it may be gone already, which must not stop the guard from closing."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), (line + "\n").encode())


def serve(guard: Guard) -> None:
    """Carry out commands until the input ends."""
    stdin, rest, wait_s = sys.stdin.fileno(), b"", None
    while True:
        ready, _, _ = select.select([stdin], [], [], wait_s)
        if ready:
            data = os.read(stdin, 4096)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                guard.command(line.decode())
        wait_s = guard.end_due_pulses()  # after the commands: a beat may have waited in the pipe


def end(number: int, _: object) -> None:
    """End on the first signal; no other one may interrupt the closing."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def seconds_of(pairs: list[str]) -> dict[str, float]:
    """Return {name: s} of NAME=SECONDS."""
    return {name: float(seconds) for name, seconds in (pair.split("=") for pair in pairs)}


def main() -> int:
    """Own the pins until the input or a signal ends it."""
    parser = argparse.ArgumentParser(description="Owns the output pins; started by rig.devices.outputs.")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--numbering", default="BCM")
    parser.add_argument("--max-open", action="append", default=[], metavar="NAME=SECONDS")
    parser.add_argument("--frame-pulse", action="append", default=[], metavar="NAME=SECONDS")
    parser.add_argument("--max-silence", type=float, default=math.inf, metavar="SECONDS")
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("pins", nargs="+", metavar="NAME=PIN")
    args = parser.parse_args()
    names = {name: int(pin) for name, pin in (pair.split("=") for pair in args.pins)}
    max_open_s, frame_pulses_s = seconds_of(args.max_open), seconds_of(args.frame_pulse)
    for number in ENDING:
        signal.signal(number, end)
    if args.realtime:
        realtime.ask(realtime.GUARD)
    try:
        pins = open_pins(args.simulated, args.numbering)
        guard = Guard(pins, names, max_open_s, args.max_silence, frame_pulses_s)
    except Exception as error:
        say(f"error {error}")
        return 1
    try:
        for sentence in pins.dead:
            say(f"dead {sentence}")
        for sentence in pins.doubts:
            say(f"doubt {sentence}")
        say("ready")
        serve(guard)
    except Exception as error:
        say(f"error {type(error).__name__}: {error}")
        return 1
    finally:
        guard.all_low()
    return 0


if __name__ == "__main__":
    sys.exit(main())
