"""Show what the line of the paw says: `python -m rig.commands.paw`."""

import argparse
from contextlib import closing

from rig.commands.lick import show
from rig.devices.paw_line import PAW, open_paw_line
from rig.ending import run
from rig.errors import PawLineError
from rig.events import Events
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings


def main() -> int:
    """Print a word for each time that the line was high, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.paw", description="Show every movement; Ctrl-C ends.")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    settings = load_from_arguments(args.config, args.section, args.set, {})
    if PAW not in settings.input_pins():
        raise PawLineError("paw_pin is empty: there is no line to try; add --set paw_pin=NUMBER")
    with closing(open_paw_line(settings, Events())) as paw:
        print("move the paw; Ctrl-C ends", flush=True)
        show(paw, "moves", PawLineError)


if __name__ == "__main__":
    run(main)
