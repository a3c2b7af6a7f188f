"""/frames, /events and /sync: kept next to image_stream.hdf5 while it grows, and joined into it at the end.

A session that was cut short is joined afterwards: by the next session of the rig, or by hand with
`python -m rig.commands.finish FOLDER`.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rig.disk import append_whole, sync
from rig.events import Event, SyncPulse
from rig.files.owner import SILENT_AFTER_S, is_alive, this_process

# Time on the clock of the experiment; of capture (monotonic clock); age at decision; time of output (monotonic clock).
FRAME = np.dtype([("number", "i8"), ("time_s", "f8"), ("captured_s", "f8"), ("age_s", "f8"), ("output_s", "f8")])
# Text is UTF-8.
EVENT = np.dtype([("time_s", "f8"), ("frame", "i8"), ("device", "S16"), ("value", "f8"), ("detail", "S120")])
# Line; number of the frame, or the barcode; monotonic clock.
PULSE = np.dtype([("line", "S8"), ("value", "i8"), ("rose_s", "f8"), ("fell_s", "f8")])
FRAMES, EVENTS, PULSES, ABOUT = "frames.part", "events.part", "sync.part", "about.part"
TABLES = (("frames", FRAMES, FRAME), ("events", EVENTS, EVENT), ("sync", PULSES, PULSE))
"""Their names in the HDF5 file, the files that they grow in, and their types."""
SYNC_VERSION, SYNC_NOW = "sync_version", "1"
"""The attribute that says what a row of /sync means, and its value; sessions without such lines have neither."""
CUT_SHORT = "cut short; joined afterwards"


class GrowingTables:
    """The tables while the session runs: records appended to files next to the frames.

    Parameters
    ----------
    folder : Path
        The session's.
    stream_name : str
        Of the HDF5 file.
    attributes : dict
        What the finished file says about the session; with SYNC_VERSION among them there is a table of pulses.
    """

    def __init__(self, folder: Path, stream_name: str, attributes: dict[str, str]) -> None:
        attributes = attributes | {"ended_by": CUT_SHORT}
        about = {"stream": stream_name, "attributes": attributes, "owner": this_process()}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        sync(folder / ABOUT)
        names = (FRAMES, EVENTS, PULSES) if SYNC_VERSION in attributes else (FRAMES, EVENTS)
        self._files = [open_new(folder / name) for name in names]
        # Held as long as this process lives: nobody takes a running session for one that was cut short.
        with contextlib.suppress(OSError):  # a share without locks; there the beat tells
            fcntl.flock(self._files[0], fcntl.LOCK_EX)
        self._events_synced = self._pulses_synced = True

    def add_frame(self, record: tuple[float, ...]) -> None:
        """Append one record of FRAME."""
        append_whole(self._files[0], np.array(record, FRAME).tobytes())

    def add_events(self, events: Iterable[Event]) -> None:
        """Append events."""
        rows = [(e.time_s, e.frame, e.device.encode(), e.value, e.detail.encode()) for e in events]
        if rows:
            self._events_synced = False
            append_whole(self._files[1], np.array(rows, EVENT).tobytes())

    def add_pulses(self, pulses: Iterable[SyncPulse]) -> None:
        """Append pulses for other machines; there are none without their table."""
        rows = [(p.line.encode(), p.value, p.rose_s, p.fell_s) for p in pulses]
        if rows:
            self._pulses_synced = False
            append_whole(self._files[2], np.array(rows, PULSE).tobytes())

    def sync_frames(self) -> None:
        """Bring the records of the frames to disk."""
        os.fdatasync(self._files[0])

    def sync_events(self) -> None:
        """Bring the events to disk, if there are new ones."""
        if not self._events_synced:
            os.fdatasync(self._files[1])
            self._events_synced = True

    def sync_pulses(self) -> None:
        """Bring the pulses to disk, if there are new ones."""
        if not self._pulses_synced:
            os.fdatasync(self._files[2])
            self._pulses_synced = True

    def beat(self) -> None:
        """Show other computers that this session runs, also on a share where locks do not reach them."""
        os.utime(self._files[0])

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


def about_of(folder: Path) -> dict[str, Any]:
    """Return what a session that is not finished says about itself; ValueError where that cannot be read."""
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{ABOUT} is damaged and cannot be read") from None
    if not isinstance(about, dict) or not {"stream", "attributes"} <= about.keys():
        raise ValueError(f"{ABOUT} does not say what it should")
    return about


def is_running(folder: Path) -> bool:
    """Return whether a living process still writes this session, or is finishing it."""
    return is_locked(folder / FRAMES) or beats(folder)


def is_locked(path: Path) -> bool:
    """Return whether a living process holds the lock of a file."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False  # a share without locks
    return False


def beats(folder: Path) -> bool:
    """Return whether the process that began a session still writes it; one of another computer: whether it just did."""
    with contextlib.suppress(OSError, ValueError):
        return is_alive(about_of(folder).get("owner"), folder / FRAMES, SILENT_AFTER_S)
    return False


def was_cut_short(folder: Path) -> bool:
    """Return whether this is the folder of a session that has ended without its files being finished."""
    return (folder / ABOUT).exists() and not is_running(folder)


def cut_short(data_root: Path) -> Iterator[Path]:
    """Yield the folders of sessions that were cut short."""
    for about in sorted(data_root.glob(f"*/*/{ABOUT}")):
        if was_cut_short(about.parent):
            yield about.parent
