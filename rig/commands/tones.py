"""Play all tones of the experiment, one after the other: `python -m rig.commands.tones`."""

import argparse
import time

from helper import get_freqs
from rig.devices.tone_player import TonePlayer, list_devices
from rig.ending import run
from rig.errors import ToneError
from rig.events import Events
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings

TONE_S = 0.4


def main() -> int:
    """Play the tones."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.tones", description="Play all tones.")
    parser.add_argument("--n-tones", type=int, default=18, help="how many (default 18)")
    parser.add_argument("--volume", type=float, default=0.5, help="0 to 1 (default 0.5)")
    parser.add_argument("--check", action="store_true", help="only see whether sound can be played")
    parser.add_argument("--list", action="store_true", help="only list the sound devices that can play")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    if args.list:
        print(list_devices(), end="")
        return 0
    settings = load_from_arguments(args.config, args.section, args.set, {})
    with TonePlayer(args.volume, Events(), device=settings.tone_device) as tone:
        print(tone.device + ("" if settings.tone_device else " (the default)"), flush=True)
        for hz in [] if args.check else get_freqs(args.n_tones).values():
            print(f"{hz:7.0f} Hz", flush=True)
            tone.play(hz)
            time.sleep(TONE_S)
        if tone.trouble():
            raise ToneError(tone.trouble())
        print(f"sound works, {tone.underflows} underflows")
    return 0


if __name__ == "__main__":
    run(main)
