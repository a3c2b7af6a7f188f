"""The outputs and the lines for other machines.  `python -m rig.commands.outputs` tries them one by one."""

import contextlib
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rig.devices import realtime
from rig.devices.gpio import GpioPins, import_gpio
from rig.devices.pin_lock import PinLock
from rig.devices.pulse_watch import PulseWatch
from rig.errors import OutputError
from rig.events import Events, SyncPulse
from rig.settings.common import RigSettings, is_i2s
from rig.settings.fields import ROOT

READY_WITHIN_S = 10.0
ANSWERS_WITHIN_S = 2.0
STUCK = "the guard of the output pins does not answer and was ended"
VALVE_STUCK = "the valve did not close in time, so the guard of the output pins was ended"
CATCH_UP_S = 0.05  # for edges that were driven in time, and read late because this process was stopped
HEARD_AFTER_S = 0.02  # from reading an edge to taking note of it, when all threads wake at once
STOP_EDGE_S = 0.05
IDLE_S = 1.0  # between two looks of the valve watch while no pulse is under way
NAMES = ("reward", "fail", "light", "trigger")


class Output:
    """One output pin, driven by the guard.

    Attributes
    ----------
    is_on : bool
        It was switched on for good, and not off since.
    """

    def __init__(self, name: str, outputs: "Outputs") -> None:
        self.name, self.is_on = name, False
        self._outputs = outputs

    def on(self) -> None:
        """Drive the pin high."""
        self._command("on", 1, "commanded: on")
        self.is_on = True

    def off(self) -> None:
        """Drive the pin low."""
        self._command("off", 0, "commanded: off")
        self.is_on = False

    def pulse(self, seconds: float) -> None:
        """Drive the pin high now and low after `seconds`, kept by the guard's clock."""
        at_s = time.monotonic()
        self._outputs.pulse(self.name, seconds)
        self._outputs.events.add(self.name, 1, f"commanded: {seconds:g} s", at_s)

    def _command(self, verb: str, level: int, detail: str) -> None:
        at_s = time.monotonic()  # before: the guard may drive the pin before this process goes on
        self._outputs.command(f"{verb} {self.name}")
        self._outputs.events.add(self.name, level, detail, at_s)

    def stop_edge(self) -> None:
        """Give a device that starts and stops on rising edges its last one: low, high, low."""
        self.off()
        time.sleep(STOP_EDGE_S)
        self.on()
        time.sleep(STOP_EDGE_S)
        self.off()


def shared_with_sound(settings: RigSettings, cards: Path = Path("/proc/asound/cards")) -> str:
    """Return which outputs have pins that an I2S sound card uses, and the cure; nothing where none has."""
    try:
        lines = cards.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    i2s = next((line.partition("- ")[2] for line in lines if is_i2s(line)), "")
    taken = [f"{name}_pin = {pin}" for name, pin in settings.pins().items() if pin in settings.i2s_pins()]
    if not i2s or not taken:
        return ""
    return (
        f"{' and '.join(taken)}: the sound card {i2s} of this computer uses {settings.describe_i2s_pins()} (I2S); "
        "choose other pins, and wire them"
    )


class Outputs:
    """The output pins of a rig.

    The pins belong to the guard, a separate process (see `rig.devices.valve_guard`), real and simulated ones
    alike: it ends the pulses and takes all pins low when this process ends, in whatever way.

    Parameters
    ----------
    settings : RigSettings
    events : Events
        Every command is noted here, and every edge with the time at which the guard drove it.
    marks_frames : bool
        The frames come at their own pace, so frame pulses and barcodes mean something; not so in a replay.

    Attributes
    ----------
    reward, fail, light, trigger : Output
    by_name : dict of str to Output
        All outputs that have a pin.
    on_driven : callable
        Is called, by another thread, with the seconds that the valve was open, and by how many pulses; replace it.
    dead, doubts : list of str
        A sentence for every pin that does not drive, and why nobody knows whether they do.

    Raises
    ------
    OutputError
        The pins cannot be had; later, from any command, the guard has died.
    """

    def __init__(self, settings: RigSettings, events: Events, marks_frames: bool = True) -> None:
        self.by_name = {name: Output(name, self) for name in settings.pins()}
        self.reward, self.fail, self.light, self.trigger = (self.by_name[name] for name in NAMES)
        self.events, self._settings = events, settings
        self._has_frame_lines = marks_frames and bool(settings.frame_lines())
        self._has_barcodes = marks_frames and settings.barcode_pin is not None
        self._sends_barcodes = False
        self.dead: list[str] = []
        self.doubts: list[str] = []
        if settings.outputs == "gpio" and (trouble := shared_with_sound(settings)):
            raise OutputError(trouble)
        self._lock = PinLock() if settings.outputs == "gpio" else None
        self._error = ""
        self._ready, self._low = threading.Event(), threading.Event()
        self._closing = False
        self._pinged_s = 0.0  # 0 when no answer is awaited
        self._fell_silent_s = 0.0  # 0 while the guard hears from the loop
        self.on_driven: Callable[[float, int], None] = lambda _seconds, _pulses: None
        self._watch = PulseWatch(settings.max_valve_open_s, lambda seconds, n: self.on_driven(seconds, n))
        self._pulsed = threading.Event()
        self._lowering, self._lowered = threading.Lock(), ""
        if settings.outputs == "gpio":
            with contextlib.suppress(Exception):  # the guard reports it; here only the time of a later import is saved
                import_gpio()
        command = [sys.executable, "-m", "rig.devices.valve_guard", "--numbering", settings.pin_numbering]
        command += [
            "--max-open",
            f"reward={settings.max_valve_open_s}",
            "--max-silence",
            str(settings.silence_limit_s()),
        ]
        for name in settings.frame_lines():
            command += ["--frame-pulse", f"{name}={settings.frame_pulse_s()}"]
        command += ["--realtime"] if settings.realtime else []
        command += ["--simulated"] if settings.outputs == "simulated" else []
        command += [f"{name}={pin}" for name, pin in settings.pins().items()]
        # In another session of processes: Ctrl-C in the terminal must reach the script, not the guard.
        self._guard = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        self._listener = threading.Thread(target=self._listen, name="guard listener", daemon=True)
        self._listener.start()
        self._watcher = threading.Thread(target=self._watch_the_valve, name="valve watch", daemon=True)
        self._watcher.start()
        if not self._ready.wait(READY_WITHIN_S) or self._error:
            self.close()
            raise OutputError(self._error or "the guard of the output pins did not start")

    def command(self, line: str) -> None:
        """Send one command to the guard."""
        if self._error or self._closing:
            raise OutputError(self._error or "the output pins are closed")
        assert self._guard.stdin is not None
        try:
            self._guard.stdin.write(line.encode() + b"\n")
        except OSError:
            self._listener.join(ANSWERS_WITHIN_S)  # it takes the pins low
            raise OutputError(self._error or "the guard of the output pins has died") from None

    def pulse(self, name: str, seconds: float) -> None:
        """Command a pulse; that of the valve is watched until it has ended."""
        if name == "reward":
            self._watch.command(time.monotonic(), seconds)
            self._pulsed.set()
        self.command(f"pulse {name} {seconds:.6f}")

    def begin_session(self) -> None:
        """Tell other machines that a session begins: by the trigger, unless that marks frames, and by barcodes."""
        if self._settings.trigger_mode == "level":
            self.trigger.on()
        self._sends_barcodes = self._has_barcodes
        self._send_barcodes()

    def mark(self, number: int) -> None:
        """Give a frame its pulse on the lines that have one for every frame."""
        if self._has_frame_lines:
            self.command(f"frame {number}")

    def _send_barcodes(self) -> None:
        if self._sends_barcodes:
            self.command("barcodes")

    def beat(self) -> float:
        """Say that the loop is alive: once a frame.  Without it for `max_silence_s` the guard takes all pins low.

        Returns
        -------
        float
            How long the outputs were low because nobody said so, s; they are as before now.  0 where all is well.
        """
        self.command("beat")
        if not self._fell_silent_s:
            return 0.0
        silent_s, self._fell_silent_s = time.monotonic() - self._fell_silent_s, 0.0
        for output in (self.light, self.trigger):
            if output.is_on:
                output.on()
        self._send_barcodes()
        return silent_s

    def rest(self) -> None:
        """Say that there is no loop for now, so that the guard expects no beat."""
        self.command("rest")

    @property
    def guard_is_in_real_time(self) -> bool:
        """Return whether the guard is under real-time scheduling."""
        return realtime.is_in_force(self._guard.pid)

    def trouble(self) -> str:
        """Return what was wrong with the valve or is wrong with a pin, nothing where all is well."""
        return "; ".join(filter(None, [self._watch.trouble, *self.dead]))

    def all_off(self) -> None:
        """Drive every pin low, pulses included, and wait until it is done; OutputError if the guard cannot."""
        for output in self.by_name.values():
            output.is_on = False
        self._sends_barcodes = False
        self._low.clear()
        self.command("all_off")
        if not self._low.wait(ANSWERS_WITHIN_S):
            self._give_up()
        if self._error:
            raise OutputError(self._error)

    def check(self) -> None:
        """Raise OutputError if the guard has died or does not answer; called a few times a second."""
        if self._pinged_s and time.monotonic() - self._pinged_s > ANSWERS_WITHIN_S:
            self._give_up()
        if self._error:
            raise OutputError(self._error)
        if not self._pinged_s:
            self._pinged_s = time.monotonic()
            self.command("ping")

    def _give_up(self, why: str = STUCK) -> None:
        """End a guard that does not answer; the listener sees that, and takes the pins low."""
        self._error = self._error or why
        self._guard.kill()

    def _watch_the_valve(self) -> None:
        """End a guard that does not close the valve in time, whatever the loop is waiting for; a thread."""
        if self._settings.realtime:
            realtime.ask(realtime.GUARD)  # it stands in for the guard; where it is refused, --check has said so
        while self._guard.poll() is None:
            stuck_at_s = self._watch.stuck_at_s()
            wait_s = None if stuck_at_s is None else max(0.0, stuck_at_s - time.monotonic())
            if self._pulsed.wait(IDLE_S if wait_s is None else wait_s):
                self._pulsed.clear()
                continue
            if stuck_at_s is None:
                continue
            self._let_the_listener_catch_up()
            if self._watch.stuck_at_s() == stuck_at_s:
                self._give_up(VALVE_STUCK)
                self._note_the_death()  # here, too: the listener may get its turn later
                return

    def _let_the_listener_catch_up(self) -> None:
        """Wait for edges that the guard has reported and nobody has read, because this process stood still."""
        assert self._guard.stdout is not None
        give_up_s = time.monotonic() + CATCH_UP_S
        while time.monotonic() < give_up_s and select.select([self._guard.stdout], [], [], 0)[0]:
            time.sleep(0.001)
        time.sleep(HEARD_AFTER_S)

    def _listen(self) -> None:
        assert self._guard.stdout is not None
        for line in iter(self._guard.stdout.readline, b""):
            self._hear(*line.decode().strip().split(" ", 1))
        self._note_the_death()
        self._ready.set()
        self._low.set()

    def _note_the_death(self) -> None:
        """When the guard has ended, and nobody asked it to, take the pins low from this process."""
        if self._guard.wait() == 0 and self._closing:
            return
        with self._lowering:
            self._lowered = self._lowered or self._lower_myself()
            self._error = self._error or f"the guard of the output pins has died; {self._lowered}"

    def _hear(self, kind: str, rest: str = "") -> None:
        """Take one answer of the guard."""
        if kind == "edge":
            name, level, when_s = rest.split()
            self.events.add(name, int(level), "driven", float(when_s))
            if name == "reward":
                self._watch.edge(int(level), float(when_s))
        elif kind == "synced":
            name, value, rose_s, fell_s = rest.split()
            self.events.pulses.append(SyncPulse(name, int(value), float(rose_s), float(fell_s)))
        elif kind in ("dead", "doubt"):
            (self.dead if kind == "dead" else self.doubts).append(rest)
            self.events.add("pins", 0, rest)
        elif kind == "error":
            self._error = f"the output pins failed: {rest}"
        elif kind == "silent":
            self._fell_silent_s = float(rest)
            self.events.add("stall", 1, "nothing was heard from the loop: all outputs went low", float(rest))
        elif kind == "pong":
            self._pinged_s = 0.0
        elif kind in ("low", "ready"):
            (self._low if kind == "low" else self._ready).set()

    def _lower_myself(self) -> str:
        """Take every pin low from this process: what a dead guard drove may have stayed high.  Return how it went."""
        if self._settings.outputs != "gpio":
            return "its simulated pins are gone with it"
        try:
            pins = GpioPins(self._settings.pin_numbering)
            for name, pin in self._settings.pins().items():
                pins.claim(pin)
                self.events.add(name, 0, "driven by the script")
                if name == "reward":
                    self._watch.edge(0, time.monotonic())
        except Exception as error:
            return f"its pins could not be taken low ({error}): shut the valve by hand"
        return "the script has taken all pins low"

    def close(self) -> None:
        """Take all pins low and end the guard; harmless when repeated."""
        self._closing = True
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        try:
            self._guard.wait(ANSWERS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._give_up()
            self._guard.wait(READY_WITHIN_S)
        self._listener.join(READY_WITHIN_S)
        self._pulsed.set()
        self._watcher.join(READY_WITHIN_S)
        assert self._guard.stdout is not None
        self._guard.stdout.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
        if kind is None and self._error:
            raise OutputError(self._error)
