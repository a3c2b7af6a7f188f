"""Which sessions are meant: a session's folder, that of a mouse with all of its sessions, or that of all mice."""

from pathlib import Path
from typing import NamedTuple

from CameraFactory import CameraFactory
from rig.errors import CameraError, SettingsError
from rig.files.reader import STREAM_FILE, Session, read_session
from rig.files.rows import ROWS_FILE

REAL = "no"  # of the attribute `simulated`


class LeftOut(NamedTuple):
    """A folder that is not used, and why."""

    folder: Path
    reason: str


def is_session(folder: Path) -> bool:
    """Return whether this is the folder of a session, of this rig or of the original."""
    return any((folder / name).is_file() for name in (ROWS_FILE, STREAM_FILE))


def sessions_of_mouse(folder: Path) -> list[Path]:
    """Return the folders of the sessions in a mouse's folder, oldest first."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and is_session(path))


def mice_of(data_root: Path) -> list[Path]:
    """Return the folders of the mice in a data root, those with sessions; none where it is no such folder."""
    if not data_root.is_dir() or is_session(data_root) or sessions_of_mouse(data_root):
        return []
    return sorted(path for path in data_root.iterdir() if path.is_dir() and sessions_of_mouse(path))


def folders_of(path: Path) -> list[Path]:
    """Return the sessions that a path of the command line means: itself, those of a mouse, or those of all mice.

    Raises
    ------
    SettingsError
        There is none.
    """
    if path.is_file() or is_session(path):
        return [path]
    if not path.is_dir():
        raise SettingsError(f"{path}: there is no such folder; name a session, or the folder of a mouse")
    found = sessions_of_mouse(path) or [session for mouse in mice_of(path) for session in sessions_of_mouse(mouse)]
    if not found:
        raise SettingsError(f"{path}: there is no session here; name the folder of a session, or that of a mouse")
    return found


def stands_in(session: Session) -> str:
    """Return what was not real in a session, in words; '' for a session of a mouse.

    A session says it itself (`simulated`); what was stored before sessions did is known by its camera and its outputs.
    """
    if replayed := session.attributes.get("replay_of"):
        return f"a replay of {replayed}"
    if said := str(session.attributes.get("simulated", "")):
        return "" if said == REAL else f"simulated: {said}"
    camera = stands_in_for_camera(session.settings.get("vid_source", ""))
    return camera or ("simulated outputs" if session.settings.get("outputs") == "simulated" else "")


def stands_in_for_camera(vid_source: str) -> str:
    """Return what a camera driver shows instead of an animal; '' for a camera, and for a driver that is not here."""
    if not vid_source:
        return ""
    try:
        return CameraFactory.driver(vid_source).stands_in
    except CameraError:
        return ""


def read_all(folders: list[Path]) -> tuple[list[Session], list[LeftOut]]:
    """Return the sessions that can be read, and those that cannot."""
    sessions, left_out = [], []
    for folder in folders:
        try:
            sessions.append(read_session(folder))
        except SettingsError as error:
            left_out.append(LeftOut(folder, str(error)))
    return sessions, left_out
