"""Finish the files of sessions that were cut short: `python -m rig.commands.finish FOLDER`."""

import argparse
from pathlib import Path

from rig.ending import run
from rig.errors import LogError, SettingsError
from rig.files.finishing import finish
from rig.files.session_tables import ABOUT, cut_short
from rig.terminal import console


def main() -> int:
    """Finish what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m rig.commands.finish", description="Finish the files of sessions that were cut short."
    )
    parser.add_argument("folder", type=Path, help="data_root/MOUSE/YYYYMMDDHHMMSS, or data_root for all below it")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}")
    open_ones = [folder] if (folder / ABOUT).exists() else list(cut_short(folder))
    failed = 0
    for one in open_ones:
        try:
            finish(one)
        except (LogError, SettingsError) as error:
            if one == folder:
                raise
            failed = 1
            console.print(str(error), style="bold red", soft_wrap=True)
        else:
            print(f"{one}: finished")
    if not open_ones:
        print(f"{folder}: nothing to do, all files are finished")
    return failed


if __name__ == "__main__":
    run(main)
