"""Tasks for many sessions; in a module of their own, so that the workers can import them."""

import os
import signal

from rig.errors import SettingsError
from rig.files.reader import read_session


def count_rows(folder):
    """Return how many rows a session has."""
    return len(read_session(folder))


def refuse_second(folder):
    """Refuse one session as a user's mistake, and another one by a mistake of the program."""
    if folder.name == "b":
        raise SettingsError(f"{folder}: no")
    if folder.name == "c":
        raise ZeroDivisionError("it is zero")
    return folder.name


def note_and_count(folder):
    """Note which process had the session, and return how many rows it has."""
    with (folder / "worked_on_by").open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(read_session(folder))


def die_the_first_time(folder):
    """Kill the own process when session `c` comes for the first time; else as `note_and_count`."""
    rows = note_and_count(folder)
    if folder.name == "c" and (folder / "worked_on_by").read_text().count("\n") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return rows


def die_always(folder):
    """Kill the own process when session `c` comes; else return the name."""
    if folder.name == "c":
        os.kill(os.getpid(), signal.SIGKILL)
    return folder.name
