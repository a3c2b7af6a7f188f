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

from rig.errors import OutputError
from rig.events import Events
from rig.settings import ROOT, OneRoiSettings, RigSettings, add_config_arguments, experiment_of, load, parse_overrides

READY_WITHIN_S = 10.0
ANSWERS_WITHIN_S = 2.0
STUCK = "the guard of the output pins does not answer and was ended; check that the valve is shut"
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
        self.events = events
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
            raise OutputError(self._error or "the guard of the output pins has died; all pins are low") from None

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
        if not self._closing and not self._error:
            self._error = "the guard of the output pins has died; start again, and check that the valve is shut"
        self._ready.set()
        self._low.set()

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
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args(arguments)
    unknown = [name for name in args.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no output {unknown[0]}; known are {', '.join(NAMES)}")
    overrides = ({"outputs": "simulated"} if args.simulate else {}) | parse_overrides(args.set)
    config = Path(args.config)
    settings, _ = load(experiment_of(config, args.section), config, args.section, overrides)
    if not 0 < args.seconds <= settings.max_valve_open_s:
        parser.error(
            f"--seconds {args.seconds:g}: more than 0, at most max_valve_open_s, {settings.max_valve_open_s:g} s"
        )
    events = Events()
    with Outputs(settings, events) as outputs:
        for name in args.names or NAMES:
            pin = f"pin {settings.pins()[name]} ({settings.pin_numbering})"
            print(f"{name:8} {pin}: high for {args.seconds:g} s", flush=True)
            getattr(outputs, name).pulse(args.seconds)
            time.sleep(args.seconds + 0.3)
        outputs.check()
    return 0


if __name__ == "__main__":
    from rig.cli import run

    run(main)
