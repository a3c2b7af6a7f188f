"""For whoever keeps arms.csv, and not for the experimenter: check it, and show the arm of each mouse today."""

import argparse
from datetime import date

from rig.ending import run
from rig.errors import SettingsError
from rig.files.arms import ARMS_FILE, Line, in_arm, read_arms
from rig.files.yokes import This
from rig.settings.common import RigSettings
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings
from rig.terminal import console


def main() -> int:
    """Say of each mouse with a line for today which arm it is in; return 1 if one of them could have no session."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.arms", description=__doc__)
    parser.add_argument("--day", metavar="YYYY-MM-DD", type=date.fromisoformat, default=date.today(), help="not today")
    parser.add_argument("--simulate", action="store_true", help="for simulated sessions, which may be yoked to such")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    settings = load_from_arguments(args.config, args.section, args.set, {})
    lines = [line for line in read_arms(settings.data_root / ARMS_FILE) if line.first <= args.day <= line.last]
    verdicts = [verdict_of(settings, line, args.simulate) for line in lines]
    for line, (_, words) in zip(lines, verdicts, strict=True):
        console.print(f"line {line.number}: {line.mouse} is {line.session_type.name}; {words}", soft_wrap=True)
    console.print(f"{len(lines)} mice have a line for {args.day}", soft_wrap=True)
    return 0 if all(is_good for is_good, _ in verdicts) else 1


def verdict_of(settings: RigSettings, line: Line, is_simulated: bool) -> tuple[bool, str]:
    """Say whether a mouse can have a session in the arm of a line, and what it is yoked to, or why it cannot."""
    try:
        _, yoke = in_arm(This(settings, line.mouse, is_simulated), settings, line)
    except SettingsError as error:
        return False, str(error)
    return True, "can be run" if yoke is None else yoke.describe()


if __name__ == "__main__":
    run(main)
