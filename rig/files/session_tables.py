"""/frames and /events: kept next to image_stream.hdf5 while it grows, and joined into it at the end.

A session that was cut short is joined afterwards: by the next session of the rig, or by hand with
`python -m rig.commands.finish FOLDER`.
"""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tables

from rig.events import Event
from rig.files.frame_file import extended, repair

# Time on the clock of the experiment; of capture (monotonic clock); age at decision; time of output (monotonic clock).
FRAME = np.dtype([("number", "i8"), ("time_s", "f8"), ("captured_s", "f8"), ("age_s", "f8"), ("output_s", "f8")])
# Text is UTF-8.
EVENT = np.dtype([("time_s", "f8"), ("frame", "i8"), ("device", "S16"), ("value", "f8"), ("detail", "S120")])
FRAMES, EVENTS, ABOUT = "frames.part", "events.part", "about.part"
CUT_SHORT = "cut short; joined afterwards"


class GrowingTables:
    """The two tables while the session runs: records appended to two files next to the frames.

    Parameters
    ----------
    folder : Path
        The session's.
    stream_name : str
        Of the HDF5 file.
    attributes : dict
        What the finished file says about the session.
    """

    def __init__(self, folder: Path, stream_name: str, attributes: dict[str, str]) -> None:
        about = {"stream": stream_name, "attributes": attributes | {"ended_by": CUT_SHORT}}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        self._files = [open_new(folder / name) for name in (FRAMES, EVENTS)]
        # Held as long as this process lives: nobody takes a running session for one that was cut short.
        fcntl.flock(self._files[0], fcntl.LOCK_EX)

    def add_frame(self, record: tuple[float, ...]) -> None:
        """Append one record of FRAME."""
        os.write(self._files[0], np.array(record, FRAME).tobytes())

    def add_events(self, events: Iterable[Event]) -> None:
        """Append events."""
        rows = [(e.time_s, e.frame, e.device.encode(), e.value, e.detail.encode()) for e in events]
        if rows:
            os.write(self._files[1], np.array(rows, EVENT).tobytes())

    def sync(self) -> None:
        """Bring all records to disk."""
        for file in self._files:
            os.fdatasync(file)

    def close(self) -> None:
        """Close the files; harmless when repeated."""
        while self._files:
            os.close(self._files.pop())


def open_new(path: Path) -> int:
    """Open a new file to append to."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)


def whole_records(path: Path, dtype: np.dtype[Any]) -> np.ndarray:
    """Return the records of a file; one that was cut short at its end is left out."""
    data = path.read_bytes()
    return np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)


def join(folder: Path, more_attributes: dict[str, Any]) -> None:
    """Put /frames, /events and the attributes into the HDF5 file, and remove the files next to it.

    Raises
    ------
    OSError
        There is no space: nothing was changed.
    """
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    stream = folder / about["stream"]
    repair(stream)
    frames, events = whole_records(folder / FRAMES, FRAME), whole_records(folder / EVENTS, EVENT)
    if shutil.disk_usage(folder).free < frames.nbytes + events.nbytes + 2**20:
        # PyTables reports no error on a full disk, and would leave a broken file.
        raise OSError(errno.ENOSPC, "no space for /frames and /events")
    if not is_joined(stream):
        with extended(stream), tables.open_file(str(stream), "a") as file:
            stored = len(file.root.raw_images)  # records may be ahead of the frames
            file.create_table("/", "frames", frames[:stored], "one row per frame (s)")
            file.create_table("/", "events", np.sort(events, order="time_s", kind="stable"), "what happened when (s)")
            for name, value in (about["attributes"] | more_attributes).items():
                file.root._v_attrs[name] = value
    for name in (FRAMES, EVENTS, ABOUT):
        (folder / name).unlink()


def is_joined(stream: Path) -> bool:
    """Return whether the tables are in the file already: only removing the files next to it was cut short."""
    with tables.open_file(str(stream)) as file:
        return "/frames" in file and "/events" in file


def is_running(folder: Path) -> bool:
    """Return whether a living process still writes this session."""
    with (folder / FRAMES).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def was_cut_short(folder: Path) -> bool:
    """Return whether this is the folder of a session that has ended without its files being finished."""
    return all((folder / name).exists() for name in (FRAMES, EVENTS, ABOUT)) and not is_running(folder)


def cut_short(data_root: Path) -> Iterator[Path]:
    """Yield the folders of sessions that were cut short."""
    for about in sorted(data_root.glob(f"*/*/{ABOUT}")):
        if was_cut_short(about.parent):
            yield about.parent
