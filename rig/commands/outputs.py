"""Pulse outputs by name, to check the wires before an animal is on the rig: `python -m rig.commands.outputs`."""

import argparse
import time

from rig.devices.outputs import Outputs
from rig.ending import run
from rig.events import Events
from rig.settings.common import RigSettings
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings

OUTPUTS = "reward, fail, light, trigger; frame and barcode, if they have a pin"
PAUSE_S = 0.3  # after a pulse


def main() -> int:
    """Pulse the outputs that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m rig.commands.outputs",
        description="Pulse each output by name: check the wires before an animal is on the rig.",
    )
    parser.add_argument(
        "names", nargs="*", help=f"which ones, in order; all that have a pin if none is named ({OUTPUTS})"
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a pulse (default 0.3)")
    parser.add_argument("--simulate", action="store_true", help="without pins")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    simulated = {"outputs": "simulated"} if args.simulate else {}
    settings = load_from_arguments(args.config, args.section, args.set, simulated)
    known = list(settings.pins())
    unknown = [name for name in args.names if name not in known]
    if unknown:
        parser.error(f"there is no output {unknown[0]}; known are {', '.join(known)}")
    if not 0 < args.seconds <= settings.max_valve_open_s:
        parser.error(
            f"--seconds {args.seconds:g}: more than 0, at most max_valve_open_s, {settings.max_valve_open_s:g} s"
        )
    pulse(settings, args.names or known, args.seconds)
    return 0


def pulse(settings: RigSettings, names: list[str], seconds: float) -> None:
    """Pulse outputs one after the other."""
    with Outputs(settings, Events()) as outputs:
        for sentence in outputs.dead + outputs.doubts:
            print(sentence, flush=True)
        for name in names:
            pin = f"pin {settings.pins()[name]} ({settings.pin_numbering})"
            print(f"{name:8} {pin}: high for {seconds:g} s", flush=True)
            outputs.by_name[name].pulse(seconds)
            time.sleep(seconds + PAUSE_S)
        outputs.check()


if __name__ == "__main__":
    run(main)
