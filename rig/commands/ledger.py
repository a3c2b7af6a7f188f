"""Show the water that each mouse has had on this rig, day by day, and repair rows that cannot be read."""

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from rig.devices.calibration import CALIBRATION_FILE, Calibration, pin_of, read_calibrations
from rig.ending import run
from rig.errors import SettingsError
from rig.files.ledger import LEDGER_FILE, Entry, Unreadable, entry_of, read_ledger, repair, sums_by_day
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings
from rig.terminal import console


def main() -> int:
    """Print a row for each mouse and day."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.ledger", description=__doc__)
    parser.add_argument("mouse", nargs="?", help="only this mouse")
    parser.add_argument("--data-root", metavar="DIR", help="instead of that of config.ini")
    parser.add_argument("--repair", action="store_true", help="ask what the rows that cannot be read should say")
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    settings = load_from_arguments(args.config, args.section, args.set, {})
    data_root = Path(args.data_root).expanduser() if args.data_root else settings.data_root
    entries, unreadable = read_ledger(data_root)
    if unreadable and args.repair:
        kept = repair(data_root, ask_for(unreadable))
        console.print(f"repaired; the ledger as it was is {kept}", soft_wrap=True)
        entries, unreadable = read_ledger(data_root)
    for row in unreadable:
        console.print(f"line {row.line} cannot be read: {row.reason}\n    {row.text}", style="bold red", soft_wrap=True)
    entries = [entry for entry in entries if args.mouse in (None, entry.mouse_id)]
    calibration = read_calibrations(Path(args.config).expanduser().with_name(CALIBRATION_FILE)).get(pin_of(settings))
    if entries:
        show(entries, calibration)
    else:
        console.print(f"{data_root / LEDGER_FILE}: no reward of {args.mouse or 'any mouse'} yet", soft_wrap=True)
    return int(bool(unreadable))


def show(entries: list[Entry], calibration: Calibration | None) -> None:
    """Print the water of each mouse and day."""
    sums_ul = sums_by_day(entries, calibration)
    rewards = Counter((entry.mouse_id.lower(), entry.day) for entry in entries)
    unknown = Counter((e.mouse_id.lower(), e.day) for e in entries if e.volume_ul(calibration) is None)
    table = Table("mouse", "day", "rewards", "µl", "rewards of unknown volume")
    for row in sorted(rewards):
        table.add_row(*row, str(rewards[row]), f"{sums_ul[row]:.1f}", str(unknown[row] or ""))
    console.print(table)


def ask_for(unreadable: list[Unreadable], ask: Callable[[str], str] = input) -> dict[int, str]:
    """Ask what should stand in place of each row that cannot be read; return {line: row, '' for none}."""
    answers = {}
    for row in unreadable:
        console.print(f"line {row.line}: {row.reason}\n    {row.text}", soft_wrap=True)
        while True:
            try:
                answer = ask("the row (time,mouse_id,session,seconds,ul), or - to remove it: ").strip()
            except EOFError:
                raise SettingsError("an answer is missing; nothing was repaired") from None
            if answer == "-":
                answers[row.line] = ""
                break
            try:
                entry_of(answer)
            except ValueError as error:
                console.print(f"that cannot be read either: {error}", soft_wrap=True)
            else:
                answers[row.line] = answer
                break
    return answers


if __name__ == "__main__":
    run(main)
