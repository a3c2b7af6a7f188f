"""The folder of a session: made for this session only, and read back when it has ended."""

import time
from datetime import datetime
from pathlib import Path

import tables

from rig.errors import LogError
from rig.files.matroska import frames_in, is_lossless
from rig.files.movie import count_frames
from rig.files.rows import ROWS_FILE, count_rows
from rig.settings.common import RigSettings


def make_folder(data_root: Path, mouse_id: str) -> tuple[Path, datetime]:
    """Make data_root/mouse_id/YYYYMMDDHHMMSS; never share a folder with another session.

    Returns
    -------
    folder : Path
    began : datetime
        What the name says.

    Raises
    ------
    LogError
        It cannot be made.
    """
    while True:
        began = datetime.now()
        folder = data_root / mouse_id / f"{began:%Y%m%d%H%M%S}"
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            if not folder.is_dir():
                raise LogError(f"the folder {folder} cannot be made: {error.strerror}") from None
            time.sleep(0.1)  # another session of this mouse has begun in this second
        else:
            return folder, began


def kept_in(stream: Path) -> str:
    """Say how many frames are safe in an HDF5 file or a lossless movie, having opened it."""
    if not stream.exists():
        return f"and its frames are gone, with {stream.name}"
    if is_lossless(stream):
        return f"{len(frames_in(stream))} frames are safe in {stream.parent}"
    try:
        with tables.open_file(str(stream)) as file:
            return f"{len(file.root.raw_images)} frames are safe in {stream.parent}"
    except (tables.HDF5ExtError, tables.NodeError, OSError):
        return f"but {stream} does not open"


def read_back(folder: Path, settings: RigSettings, n_frames: int) -> None:
    """See that all files of a finished session hold the same frames.

    Parameters
    ----------
    folder : Path
    settings : RigSettings
        They say which files there are.
    n_frames : int
        That were stored.

    Raises
    ------
    LogError
        They do not agree.
    """
    counts = {"rows": count_rows(folder / ROWS_FILE)}
    with tables.open_file(str(folder / settings.raw_image_file)) as file:
        counts |= {"frames": len(file.root.raw_images)} if settings.has_hdf5_frames() else {}
        counts["rows of /frames"] = len(file.root.frames)
    if settings.has_movie():
        counts["frames of the movie"] = count_frames(folder / settings.video_file)
    if len({*counts.values(), n_frames}) > 1:
        found = ", ".join(f"{count} {what}" for what, count in counts.items())
        raise LogError(f"the files in {folder} do not agree with {n_frames} frames: {found}")
