"""Measure how much water the valve gives, with a balance.

The valve opens many times at each of a few durations.  You weigh the water of each duration; the line that fits is
stored next to config.ini.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rig.devices.calibration import CALIBRATION_FILE, Calibration, fit, pin_of, read_calibrations, save_calibration
from rig.devices.outputs import Outputs
from rig.devices.water import Valve
from rig.ending import run
from rig.errors import SettingsError
from rig.events import Events
from rig.settings.common import RigSettings
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings

PAUSE_S = 0.2  # between two pulses


def main() -> int:
    """Calibrate the valve, and show how good the line is."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.calibrate", description=__doc__)
    parser.add_argument("--pulses", type=int, default=50, help="pulses of each duration (default 50)")
    parser.add_argument("--durations", default="0.05,0.1,0.2,0.4", help="in s (default %(default)s)")
    parser.add_argument("--simulate", action="store_true", help="without pins")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    simulated = {"outputs": "simulated"} if args.simulate else {}
    settings = load_from_arguments(args.config, args.section, args.set, simulated)
    seconds = durations_of(args.durations, args.pulses, settings.max_valve_open_s)
    path = Path(args.config).expanduser().with_name(CALIBRATION_FILE)
    if settings.outputs == "simulated" and path.exists():
        raise SettingsError(
            f"{path} is the calibration of a valve; a simulated one must not replace it: "
            "name another configuration with --config FILE, in another folder"
        )
    try:
        with Outputs(settings, Events()) as outputs:
            found = calibrate(settings, outputs.reward, path, seconds, args.pulses)
    except EOFError:
        raise SettingsError("the masses are missing: answer at the prompt; nothing was stored") from None
    for duration, ul, residual in zip(found.seconds, found.ul, found.residuals_ul, strict=True):
        print(f"{duration:7.3f} s  {ul:8.3f} µl a pulse, {residual:+.3f} µl off the line")
    print(f"{found.ul_per_s:.2f} µl per s of opening, {found.ul_at_0:+.3f} µl at 0 s; stored in {path}")
    return 0


def durations_of(text: str, pulses: int, max_valve_open_s: float) -> list[float]:
    """Return the durations that the command line gives, s, in order; SettingsError where they cannot be used."""
    try:
        seconds = sorted({float(part) for part in text.split(",")})
    except ValueError:
        seconds = []
    if len(seconds) < 2 or not 0 < seconds[0] <= seconds[-1] <= max_valve_open_s or not 1 <= pulses <= 1000:
        raise SettingsError(
            f"--durations {text} --pulses {pulses}: expected two or more durations, each more than 0 and at most "
            f"max_valve_open_s, {max_valve_open_s:g} s, and 1 to 1000 pulses"
        )
    return seconds


def calibrate(
    settings: RigSettings,
    reward: Valve,
    path: Path,
    seconds: Iterable[float],
    pulses: int,
    ask: Callable[[str], str] = input,
    wait: Callable[[float], None] = time.sleep,
) -> Calibration:
    """Open the valve `pulses` times at each duration, ask for the weighed water, fit, store.

    Parameters
    ----------
    settings : RigSettings
    reward : Valve
    path : Path
        Where the calibration is stored.
    seconds : iterable of float
        Durations.
    pulses : int
    ask, wait : callable
        In place of terminal and clock.
    """
    read_calibrations(path)  # a file that is damaged, or not ours, is reported before anybody weighs
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SettingsError(f"{path}: the calibration cannot be stored there; make the folder yours")
    durations, masses_g = sorted(seconds), []
    for duration in durations:
        ask(f"{pulses} pulses of {duration:g} s: put an empty, weighed cup under the spout, then press Enter ")
        for _ in range(pulses):
            reward.pulse(duration)
            wait(duration + PAUSE_S)
        masses_g.append(ask_mass(ask))
    calibration = fit(pin_of(settings), pulses, durations, masses_g)
    save_calibration(path, calibration)
    return calibration


def ask_mass(ask: Callable[[str], str]) -> float:
    """Ask for a mass in g until a valid one is given."""
    while True:
        answer = ask("mass of the water, g: ").strip().replace(",", ".")
        try:
            mass_g = float(answer)
        except ValueError:
            mass_g = float("nan")
        if 0 < mass_g < 1000:
            return mass_g
        print(f"{answer!r}: expected a mass in g, more than 0 and less than 1000, as in 0.512")


if __name__ == "__main__":
    run(main)
