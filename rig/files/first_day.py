"""What is kept of a mouse's first day, data_root/MOUSE/first_day.npz, so that later days can be moved to it.

The session keeps both pictures, its own and that of the first day, in registration.npz, for its report.
"""

import io
import json
import os
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from rig.devices.same_place import HEAD, FirstDay, SamePlace
from rig.disk import replace_file
from rig.errors import SettingsError
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.settings.ini import to_text

FIRST_DAY_FILE = "first_day.npz"
REGISTRATION_FILE = "registration.npz"
MUST_STAY = ("nose", "resolution")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
ANEW = "--set registration=new makes today the first day"


def open_same_place(settings: RigSettings, folder: Path, camera: str) -> SamePlace | None:
    """Return the registration of a session, None where none is wanted.

    Parameters
    ----------
    settings : RigSettings
    folder : Path
        Of the mouse.
    camera : str
        What stands in for a camera; "" for a real one.

    Raises
    ------
    SettingsError
        The first day cannot be read, or today's pictures cannot be compared with it.
    """
    if not isinstance(settings, ClnfSettings) or settings.registration == "0":
        return None
    first = None if settings.registration == "new" else read_first_day(folder / FIRST_DAY_FILE)
    if first is not None and (trouble := why_not(first, settings, camera)):
        raise SettingsError(f"{folder / FIRST_DAY_FILE}: {trouble}; {ANEW}")
    return SamePlace(first, settings.max_registration_mm)


def why_not(first: FirstDay, settings: ClnfSettings, camera: str) -> str:
    """Return why today cannot be compared with the first day, in words; nothing where it can."""
    for key in MUST_STAY:
        if first.head[key] != getattr(settings, key):
            was, now = (to_text(value) for value in (first.head[key], getattr(settings, key)))
            return f"on the first day {key} was {was}, and it is {now}"
    if first.camera != camera:
        was, now = (each or "a camera" for each in (first.camera, camera))
        return f"the first day was seen by {was}, and today by {now}"
    return ""


def read_first_day(path: Path) -> FirstDay | None:
    """Return the first day of a mouse, None where it has none yet.

    Raises
    ------
    SettingsError
        The file cannot be read; it is never written over then.
    """
    try:
        with np.load(path) as kept:
            said, picture = json.loads(str(kept["said"])), kept["picture"]
        return first_day(said, picture)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"{path}: the first day of this mouse cannot be read ({reason}); repair or rename it"
        ) from None


def first_day(said: Mapping[str, Any], picture: np.ndarray) -> FirstDay:
    """Return a first day from what the file says; ValueError or KeyError where that does not fit."""
    head = {key: tuple(said[key]) if isinstance(said[key], list) else said[key] for key in HEAD}
    width, height = head["resolution"]
    if picture.shape != (height, width):
        raise ValueError(f"its picture is {picture.shape[1]} x {picture.shape[0]} px, not {width} x {height}")
    places = {name: tuple(int(number) for number in place) for name, place in said["places"].items()}
    return FirstDay(str(said["date"]), str(said["camera"]), picture.astype(np.float32), head, places)


def keep_first_day(path: Path, settings: ClnfSettings, picture: np.ndarray, camera: str) -> None:
    """Keep today as the first day; one that was there keeps its file, with a date in its name.

    Raises
    ------
    OSError
        It cannot be written.
    """
    date = f"{datetime.now():{TIME_FORMAT}}"
    said = {"date": date, "camera": camera} | {key: getattr(settings, key) for key in HEAD}
    said["places"] = dict(settings.placed)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        os.replace(path, path.with_name(f"{path.stem}_until_{date[:10]}_{date[11:].replace(':', '')}{path.suffix}"))
    replace_file(path, as_npz(said=np.array(json.dumps(said)), picture=picture))


def as_npz(**arrays: np.ndarray) -> bytes:
    """Return arrays as the bytes of an .npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def save_registration(folder: Path, same_place: SamePlace | None) -> dict[str, int | float | str]:
    """Store both pictures in the folder of a session; return what its attributes say."""
    if same_place is None or same_place.today is None:
        return {}
    pictures = {"today": same_place.today}
    if same_place.first is not None and same_place.found is not None:
        move = same_place.found.move
        pictures |= {
            "first": same_place.first.picture,
            "turn_and_shift": np.array([move.turn, move.shift]),  # complex; mm, see rig/protocol/registration.py
            "ppmm_of_first": np.array(same_place.first.head["ppmm"]),
        }
    (folder / REGISTRATION_FILE).write_bytes(as_npz(**pictures))
    return same_place.notes()
