"""Finish the files of sessions that were cut short: `python -m rig.commands.finish FOLDER`."""

import argparse
from pathlib import Path

from rig.ending import run
from rig.errors import LogError, SettingsError
from rig.files.reader import refuse_to_finish
from rig.files.session_tables import ABOUT, EVENTS, FRAMES, cut_short, is_running, join


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
    for one in open_ones:
        refuse_if_incomplete(one)
        if is_running(one):
            raise LogError(f"{one}: the session is still running")
        refuse_to_finish(one)
        join(one, {})
        print(f"{one}: finished")
    if not open_ones:
        print(f"{folder}: nothing to do, all files are finished")
    return 0


def refuse_if_incomplete(folder: Path) -> None:
    """Raise LogError if a file of the session is missing without which it cannot be finished."""
    missing = [name for name in (FRAMES, EVENTS) if not (folder / name).exists()]
    if missing:
        raise LogError(
            f"{folder}: {' and '.join(missing)} is missing, so the session cannot be finished; put it back if you have "
            "it. What is there can be read with rig.files.reader.read_session"
        )


if __name__ == "__main__":
    run(main)
