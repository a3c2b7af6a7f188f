"""Show the water that each mouse has had on this rig, day by day: `python -m rig.commands.ledger`."""

import argparse
from collections import Counter
from pathlib import Path

from rich.table import Table

from rig.devices.calibration import CALIBRATION_FILE, pin_of, read_calibrations
from rig.ending import run
from rig.files.ledger import LEDGER_FILE, read_ledger, sums_by_day
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings
from rig.terminal import console


def main() -> int:
    """Print a row for each mouse and day."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.ledger", description=__doc__)
    parser.add_argument("mouse", nargs="?", help="only this mouse")
    parser.add_argument("--data-root", metavar="DIR", help="instead of that of config.ini")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    settings = load_from_arguments(args.config, args.section, args.set, {})
    data_root = Path(args.data_root).expanduser() if args.data_root else settings.data_root
    entries = [entry for entry in read_ledger(data_root) if args.mouse in (None, entry.mouse_id)]
    if not entries:
        console.print(f"{data_root / LEDGER_FILE}: no reward of {args.mouse or 'any mouse'} yet", soft_wrap=True)
        return 0
    calibration = read_calibrations(Path(args.config).expanduser().with_name(CALIBRATION_FILE)).get(pin_of(settings))
    sums_ul, rewards = sums_by_day(entries, calibration), Counter((entry.mouse_id, entry.day) for entry in entries)
    unknown = Counter((e.mouse_id, e.day) for e in entries if e.volume_ul(calibration) is None)
    table = Table("mouse", "day", "rewards", "µl", "without a calibration")
    for mouse, day in sorted(rewards):
        row = mouse, day
        table.add_row(mouse, day, str(rewards[row]), f"{sums_ul[row]:.1f}", str(unknown[row] or ""))
    console.print(table)
    return 0


if __name__ == "__main__":
    run(main)
