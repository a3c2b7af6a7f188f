"""Show what the lick sensor feels: `python -m rig.commands.lick`."""

import argparse
import time
from contextlib import closing
from typing import NoReturn

from rig.devices.input_line import Input
from rig.devices.lick import open_lick
from rig.ending import run
from rig.errors import LickError, RigError
from rig.events import Events
from rig.protocol.tally import Tally
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings


def main() -> int:
    """Print a word for each lick, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.lick", description="Show every lick; Ctrl-C ends.")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    settings = load_from_arguments(args.config, args.section, args.set, {})
    if settings.lick not in ("mpr121", "gpio"):
        raise LickError(f"lick = {settings.lick}: there is no sensor to try; add --set lick=mpr121 or --set lick=gpio")
    with closing(open_lick(settings, Events(), Tally())) as lick:
        print("touch the spout; Ctrl-C ends", flush=True)
        show(lick, "lick", LickError)


def show(device: Input, word: str, error: type[RigError]) -> NoReturn:
    """Print the word each time that an input was high, else a dot, until Ctrl-C; raise the error where it fails."""
    while not (trouble := device.trouble()):
        print(word if device.touched() else ".", end=" ", flush=True)
        time.sleep(0.2)
    raise error(trouble)


if __name__ == "__main__":
    run(main)
