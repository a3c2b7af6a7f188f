"""The command line that all experiments share, and how they end."""

import argparse
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Generic, NamedTuple, NoReturn, TypeVar

from tables import HDF5ExtError

from rig.errors import RigError, SettingsError
from rig.session_log import check_data_root
from rig.session_tables import cut_short, join
from rig.settings import ClnfSettings, RigSettings, add_config_arguments, load, parse_overrides
from rig.status import console, print_banner, terminal
from rig.water import Dose, dose_of, had_today_ul

SIMULATED = {"vid_source": "SimCameraStream"} | dict.fromkeys(("outputs", "tone", "lick", "pose"), "simulated")
CAN_BE_FAST = ("SimCameraStream", "VideoStream")
MOUSE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

BASELINE_EXAMPLE = (
    "  %(prog)s --baseline 300                     before the first day: where would the threshold lie?\n"
)
EPILOG = f"""examples
  %(prog)s                                    the rig as config.ini sets it up
  %(prog)s --check                            before the animal comes: does everything work?
  %(prog)s --simulate                         a simulated mouse, on any computer
  %(prog)s --set total_trials=10 --set audio=0.5
{BASELINE_EXAMPLE}  %(prog)s --simulate --fast --no-window --set vid_source=VideoStream --set vid_root=SESSION
                                              replay a recorded session

exit status: 0 finished, or stopped with Esc; 1 the rig failed; 2 bad settings or arguments; 130 Ctrl-C; 143 SIGTERM"""

S = TypeVar("S", bound=RigSettings)


class Options(NamedTuple, Generic[S]):
    """What the command line and the configuration say.

    Attributes
    ----------
    settings : RigSettings
    config : Path
        The file that placed ROIs are written back to.
    window, fast : bool
    baseline_s : float or None
        Record so long without trials.
    dose : Dose
        One reward.
    mouse_id : str
    today_ul : float
        What the mouse has had today, µl.
    check : bool
        Try every device, and run no session.
    """

    settings: S
    config: Path
    section: str
    window: bool
    fast: bool
    baseline_s: float | None
    dose: Dose
    mouse_id: str
    today_ul: float
    check: bool


def prepare(model: type[S], doc: str | None, arguments: list[str] | None = None) -> Options[S]:
    """Read command line and configuration, check everything, and ask for the mouse.

    Parameters
    ----------
    model : type
        Settings class of the experiment.
    doc : str
        The script's docstring: its first line, and the protocol, are shown by --help.
    arguments : list of str, optional
        Instead of those of the process.

    Raises
    ------
    SettingsError
        With one sentence per complaint.
    """
    args = parse(model, doc, arguments)
    simulated = {key: value for key, value in SIMULATED.items() if args.simulate and key in model.model_fields}
    overrides = simulated | parse_overrides(args.set)
    if args.data_root is not None:
        overrides["data_root"] = args.data_root
    if args.seed is not None:
        overrides["seed"] = args.seed
    if args.baseline is not None:
        overrides["adaptive_threshold"] = "0"  # nothing can be earned
    config = Path(args.config).expanduser()
    settings, unused = load(model, config, args.section, overrides)
    if args.fast and settings.vid_source not in CAN_BE_FAST:
        raise SettingsError(
            f"--fast: vid_source = {settings.vid_source} gives frames at its own pace; "
            f"only {' and '.join(CAN_BE_FAST)} can be run faster"
        )
    print_banner(simulated_devices(settings))
    if unused:
        console.print(f"not used by this experiment: {', '.join(unused)}", soft_wrap=True)
    dose = dose_of(settings, config)
    known = (settings, config, args.section, not args.no_window, args.fast, args.baseline, dose)
    if args.check:
        return Options(*known, "", 0.0, check=True)
    check_data_root(settings, args.baseline)
    finish_sessions_cut_short(settings)
    mouse_id = check_mouse_id(ask_mouse_id() if args.mouse_id is None else args.mouse_id)
    return Options(*known, mouse_id, had_today_ul(settings.data_root, mouse_id, dose), check=False)


def finish_sessions_cut_short(settings: RigSettings) -> None:
    """Finish the files of sessions below data_root that a kill or a power cut has left open, and say so."""
    for folder in cut_short(settings.data_root):
        try:
            join(folder, {})
        except (OSError, ValueError, HDF5ExtError) as error:
            console.print(
                f"{folder}: this session was cut short, and its files cannot be finished ({error})", soft_wrap=True
            )
        else:
            console.print(f"{folder}: this session was cut short; its files are finished now", soft_wrap=True)


def parse(model: type[RigSettings], doc: str | None, arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=doc,
        epilog=EPILOG.replace(BASELINE_EXAMPLE, BASELINE_EXAMPLE if issubclass(model, ClnfSettings) else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_config_arguments(parser, model.section)
    parser.add_argument("--mouse-id", metavar="ID", help="asked for without it")
    parser.add_argument("--data-root", metavar="DIR", help="the same as --set data_root=DIR")
    parser.add_argument("--simulate", action="store_true", help="simulate every device that --set does not name")
    parser.add_argument("--no-window", action="store_true", help="start at once, without preview and window")
    parser.add_argument("--fast", action="store_true", help="do not wait for the time of simulated or replayed frames")
    parser.add_argument("--seed", metavar="N", help="the same order of silent trials, the same simulated mouse")
    parser.add_argument(
        "--check", action="store_true", help="try every device, say what works and what to do; no session"
    )
    parser.set_defaults(baseline=None)
    if issubclass(model, ClnfSettings):
        parser.add_argument(
            "--baseline",
            metavar="SECONDS",
            type=positive_seconds,
            help="record without trials, tone and water; print how often the signal crosses which threshold by itself",
        )
    return parser.parse_args(arguments)


def positive_seconds(text: str) -> float:
    """Return the number of seconds that the command line gives."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text}: expected a number of seconds, more than 0 and at most a day")
    return seconds


def simulated_devices(settings: RigSettings) -> dict[str, str]:
    """Return {device: what stands in for it}."""
    stand_ins = {"SimCameraStream": "a drawn mouse", "VideoStream": f"a recording, {settings.vid_root}"}
    devices = {"camera": stand_ins.get(settings.vid_source, "")}
    for device in ("outputs", "tone", "lick", "pose"):
        devices[device] = "simulated" if getattr(settings, device, "") == "simulated" else ""
    return {device: what for device, what in devices.items() if what}


def ask_mouse_id() -> str:
    """Ask at the terminal."""
    try:
        return input("Please enter mouse ID: ").strip()
    except EOFError:
        raise SettingsError("the mouse ID is missing: type it at the prompt, or add --mouse-id ID") from None


def check_mouse_id(mouse_id: str) -> str:
    """Return the ID if it can name a folder."""
    if not MOUSE_ID.fullmatch(mouse_id):
        raise SettingsError(
            f"mouse ID {mouse_id!r}: letters, digits, '_', '-' and '.' only, beginning with a letter or digit; "
            "it names a folder"
        )
    return mouse_id


class Stopped(BaseException):
    """A signal ends the script."""

    def __init__(self, number: int) -> None:
        super().__init__("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        self.exit_status = 128 + number


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP: they unwind the script once, so that every device is closed in order.

    While a session is recorded they wait for a safe point of the loop, between two frames, and while it is closed,
    until it is closed: no row is half-written, and no second Ctrl-C can interrupt the closing.
    """

    def __init__(self) -> None:
        self._asked: Stopped | None = None
        self._waiting = False

    def install(self) -> None:
        """Take the signals over."""
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if not (each == signal.SIGHUP and signal.getsignal(each) == signal.SIG_IGN):  # nohup means it
                signal.signal(each, self._stop)

    @contextmanager
    def at_safe_points(self) -> Iterator[None]:
        """Let signals wait for `stop_if_asked`, or for the end of this block."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
        self.stop_if_asked()

    def stop_if_asked(self) -> None:
        """Raise Stopped if a signal has come."""
        if self._asked is not None:
            raise self._asked

    def _stop(self, number: int, _: FrameType | None) -> None:
        already, self._asked = self._asked, self._asked or Stopped(number)
        if not (already or self._waiting):
            raise self._asked


signals = Signals()


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script, tell a user's or a device's mistake in a sentence, and end with the exit status."""
    signals.install()
    sys.setswitchinterval(0.001)  # s; the default of 5 ms lets a busy loop starve the threads that write and listen
    try:
        status = main()
    except RigError as error:
        status = error.exit_status
        if not terminal.is_stuck:
            console.file = sys.stderr
            console.print(str(error), style="bold red", soft_wrap=True)
    except Stopped as stopped:
        status = stopped.exit_status
    except BrokenPipeError:
        status = 128 + signal.SIGPIPE  # as with `... | head`: nobody reads any more
    if terminal.is_stuck:
        os._exit(status)  # all is closed, and Python would wait for the terminal
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nobody reads any more; Python would complain at its end
    sys.exit(status)
