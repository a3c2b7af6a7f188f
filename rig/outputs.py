"""Reward, fail, light and trigger.  `python -m rig.outputs --help` tries them one by one."""

import argparse
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType

from rig.errors import OutputError, SettingsError
from rig.events import Events
from rig.settings import ROOT, OneRoiSettings, RigSettings, add_config_arguments, experiment_of, load, parse_overrides
from rig.valve_guard import GpioPins
from rig.water import CALIBRATION_FILE, calibrate

READY_WITHIN_S = 10.0
ANSWERS_WITHIN_S = 2.0
STUCK = "the guard of the output pins does not answer and was ended"
STOP_EDGE_S = 0.05
NAMES = ("reward", "fail", "light", "trigger")


class Output:
    """One output pin, driven by the guard.

    Attributes
    ----------
    count : int
        Pulses commanded so far.
    """

    def __init__(self, name: str, outputs: "Outputs") -> None:
        self.name, self.count = name, 0
        self._outputs = outputs

    def on(self) -> None:
        """Drive the pin high."""
        self._outputs.command(f"on {self.name}")
        self._outputs.events.add(self.name, 1, "commanded: on")

    def off(self) -> None:
        """Drive the pin low."""
        self._outputs.command(f"off {self.name}")
        self._outputs.events.add(self.name, 0, "commanded: off")

    def pulse(self, seconds: float) -> None:
        """Drive the pin high now and low after `seconds`, kept by the guard's clock."""
        self._outputs.command(f"pulse {self.name} {seconds:.6f}")
        self.count += 1
        self._outputs.events.add(self.name, 1, f"commanded: {seconds:g} s")

    def stop_edge(self) -> None:
        """Give a device that starts and stops on rising edges its last one: low, high, low."""
        self.off()
        time.sleep(STOP_EDGE_S)
        self.on()
        time.sleep(STOP_EDGE_S)
        self.off()


class PinLock:
    """One process at a time may hold the pins of this computer; the second is told who does.

    Raises
    ------
    OutputError
        Another process holds them.
    """

    def __init__(self) -> None:
        path = Path(tempfile.gettempdir(), "clopy_pins.lock")
        if not path.exists():
            path.touch()
            path.chmod(0o666)  # the next user of this computer must be able to take it
        try:
            self._file = path.open("r+", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"the lock of the output pins cannot be taken ({error}); remove {path}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = self._file.read().strip()
            self._file.close()
            raise OutputError(f"the output pins are held by {holder}; end that first") from None
        self._file.truncate(0)
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        self._file.write(f"process {os.getpid()} since {datetime.now():%H:%M:%S}: {command}\n")
        self._file.flush()

    def close(self) -> None:
        """Let others have the pins; harmless when repeated."""
        self._file.close()


class Outputs:
    """The output pins of a rig.

    The pins belong to the guard, a process of its own (see `rig.valve_guard`), real or simulated
    alike: it ends the pulses and takes all pins low when this process ends, in whatever way.

    Parameters
    ----------
    settings : RigSettings
    events : Events
        Every command is noted here, and every edge with the time at which the guard drove it.

    Attributes
    ----------
    reward, fail, light, trigger : Output

    Raises
    ------
    OutputError
        The pins cannot be had; later, from any command, the guard has died.
    """

    def __init__(self, settings: RigSettings, events: Events) -> None:
        self.reward, self.fail, self.light, self.trigger = (Output(name, self) for name in NAMES)
        self.events, self._settings = events, settings
        self._lock = PinLock() if settings.outputs == "gpio" else None
        self._error = ""
        self._ready, self._low = threading.Event(), threading.Event()
        self._closing = False
        self._pinged_s = 0.0  # 0 when no answer is awaited
        command = [sys.executable, "-m", "rig.valve_guard", "--numbering", settings.pin_numbering]
        command += ["--max-open", f"reward={settings.max_valve_open_s}"]
        command += ["--simulated"] if settings.outputs == "simulated" else []
        command += [f"{name}={pin}" for name, pin in settings.pins().items()]
        # A session of its own: Ctrl-C in the terminal must reach the script, not the guard.
        self._guard = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        self._listener = threading.Thread(target=self._listen, name="guard listener", daemon=True)
        self._listener.start()
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

    def all_off(self) -> None:
        """Drive every pin low, pulses included, and wait until it is done; OutputError if the guard cannot."""
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

    def _give_up(self) -> None:
        """End a guard that does not answer; its pins are released by that."""
        self._error = self._error or STUCK
        self._guard.kill()

    def _listen(self) -> None:
        assert self._guard.stdout is not None
        for line in iter(self._guard.stdout.readline, b""):
            kind, _, rest = line.decode().strip().partition(" ")
            if kind == "edge":
                name, level, when_s = rest.split()
                self.events.add(name, int(level), "driven", float(when_s))
            elif kind == "error":
                self._error = f"the output pins failed: {rest}"
            elif kind == "pong":
                self._pinged_s = 0.0
            elif kind == "low":
                self._low.set()
            else:
                self._ready.set()
        if self._guard.wait() != 0 or not self._closing:
            lowered = self._lower_myself()
            self._error = self._error or f"the guard of the output pins has died; {lowered}"
        self._ready.set()
        self._low.set()

    def _lower_myself(self) -> str:
        """Take every pin low from this process: what a dead guard drove may have stayed high.  Return how it went."""
        if self._settings.outputs != "gpio":
            return "its simulated pins are gone with it"
        try:
            pins = GpioPins(self._settings.pin_numbering)
            for name, pin in self._settings.pins().items():
                pins.claim(pin)
                self.events.add(name, 0, "driven by the script")
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


def main(arguments: list[str] | None = None) -> int:
    """Pulse outputs by name, to check wires and water."""
    parser = argparse.ArgumentParser(
        prog="python -m rig.outputs", description="Pulse each output by name: check the wires before an animal is on."
    )
    parser.add_argument("names", nargs="*", help=f"which ones, in order; all without a name ({', '.join(NAMES)})")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a pulse (default 0.3)")
    parser.add_argument("--simulate", action="store_true", help="without pins")
    calibration = parser.add_argument_group("calibration of the valve, stored beside the configuration")
    calibration.add_argument("--calibrate", action="store_true", help="measure how much water a pulse gives")
    calibration.add_argument("--pulses", type=int, default=50, help="pulses of each duration (default 50)")
    calibration.add_argument("--durations", default="0.05,0.1,0.2,0.4", help="in s (default %(default)s)")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args(arguments)
    overrides = ({"outputs": "simulated"} if args.simulate else {}) | parse_overrides(args.set)
    config = Path(args.config)
    settings, _ = load(experiment_of(config, args.section), config, args.section, overrides)
    if args.calibrate:
        return calibrate_valve(settings, config, args.durations, args.pulses)
    unknown = [name for name in args.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no output {unknown[0]}; known are {', '.join(NAMES)}")
    if not 0 < args.seconds <= settings.max_valve_open_s:
        parser.error(
            f"--seconds {args.seconds:g}: more than 0, at most max_valve_open_s, {settings.max_valve_open_s:g} s"
        )
    try_outputs(settings, args.names or list(NAMES), args.seconds)
    return 0


def try_outputs(settings: RigSettings, names: list[str], seconds: float) -> None:
    """Pulse outputs one after the other."""
    with Outputs(settings, Events()) as outputs:
        for name in names:
            pin = f"pin {settings.pins()[name]} ({settings.pin_numbering})"
            print(f"{name:8} {pin}: high for {seconds:g} s", flush=True)
            getattr(outputs, name).pulse(seconds)
            time.sleep(seconds + 0.3)
        outputs.check()


def calibrate_valve(settings: RigSettings, config: Path, durations: str, pulses: int) -> int:
    """Calibrate the valve, and show how good the line is."""
    try:
        seconds = sorted({float(part) for part in durations.split(",")})
    except ValueError:
        seconds = []
    if len(seconds) < 2 or not 0 < seconds[0] <= seconds[-1] <= settings.max_valve_open_s or not 1 <= pulses <= 1000:
        raise SettingsError(
            f"--durations {durations} --pulses {pulses}: expected two or more durations, each more than 0 and at most "
            f"max_valve_open_s, {settings.max_valve_open_s:g} s, and 1 to 1000 pulses"
        )
    path = config.with_name(CALIBRATION_FILE)
    if settings.outputs == "simulated" and path.exists():
        raise SettingsError(
            f"{path} is the calibration of a valve; a simulated one must not replace it: "
            "name another configuration with --config FILE, in a folder of its own"
        )
    try:
        with Outputs(settings, Events()) as outputs:
            found = calibrate(settings, outputs.reward, path, seconds, pulses)
    except EOFError:
        raise SettingsError("the masses are missing: answer at the prompt; nothing was stored") from None
    for duration, ul, residual in zip(found.seconds, found.ul, found.residuals_ul, strict=True):
        print(f"{duration:7.3f} s  {ul:8.3f} µl a pulse, {residual:+.3f} µl off the line")
    print(f"{found.ul_per_s:.2f} µl per s of opening, {found.ul_at_0:+.3f} µl at 0 s; stored in {path}")
    return 0


if __name__ == "__main__":
    from rig.cli import run

    run(main)
