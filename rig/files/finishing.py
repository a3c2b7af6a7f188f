"""Finishing a session: tables and attributes go into the HDF5 file, and the files next to it go away.

HDF5 does not report every write that fails, as at a file-size limit.  So nothing is believed here: HDF5 writes into a
scratch file, whose bytes are then written by us; they are synced, read back and compared with the parts.  Only then are
the parts removed.  On any doubt the file is as it was, and everything is kept.
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tables

import helper
from rig.disk import largest_file, write_at
from rig.errors import LogError
from rig.files.frame_file import (
    END_OF_FILE_AT,
    PAGE,
    U64,
    Contents,
    Header,
    NoHeaderError,
    contents_in,
    end_in,
    extended,
    first_page,
    kept_header,
    repair,
    scratch_file,
)
from rig.files.hdf5 import refuse_file, said_by
from rig.files.images import frames_file
from rig.files.matroska import frames_in, is_lossless
from rig.files.owner import is_alive, this_process
from rig.files.reader import read_settings, refuse_foreign_file
from rig.files.rows import ROWS_FILE, count_rows
from rig.files.session_tables import (
    ABOUT,
    EVENT,
    EVENTS,
    FRAME,
    FRAMES,
    PULSE,
    PULSES,
    SYNC_VERSION,
    about_of,
    beats,
    whole_records,
)

CLAIM = "finishing"  # while a program finishes a session
ABANDONED_AFTER_S = 60.0  # a claim of another computer; finishing takes less
WAIT_S = 3.0  # for another program that is about to be done
TABLES_OVERHEAD = 2**17  # bytes, of HDF5
HOW_TO_REPAIR = "everything is kept; when that is mended, run `python -m rig.commands.finish {folder}`"


class Parts(NamedTuple):
    """What is to go into the HDF5 file.

    Attributes
    ----------
    frames, events : structured array
        /frames, one for each frame; /events in order of time.
    attributes : dict
    counted : int
        Frames of which there are both a row and a record.  Of a session that was cut short there may be less frames.
    pulses : structured array or None
        /sync; None in a session without lines for other machines.
    """

    frames: np.ndarray
    events: np.ndarray
    attributes: dict[str, Any]
    counted: int
    pulses: np.ndarray | None = None


def finish(folder: Path) -> None:
    """Finish the files of a session that was cut short.

    Raises
    ------
    LogError
        The session is still running, or its files cannot be finished: everything is kept.
    """
    refuse_foreign_file(folder)
    if beats(folder):  # before we open a file of it ourselves
        raise LogError(f"{folder}: the session is still running")
    with locked(folder / FRAMES):
        if (folder / ABOUT).exists():  # else somebody else has just finished it
            join(folder, {})


def join(folder: Path, more_attributes: dict[str, Any]) -> None:
    """Put /frames, /events, /sync and the attributes into the HDF5 file, and remove the files next to it.

    Whoever calls holds the lock of the session.

    Raises
    ------
    LogError
        Something failed or does not agree: the frames are as they were, and everything is kept.
    """
    try:
        with claimed(folder):
            about = about_of(folder)
            stream = folder / about["stream"]
            if (folder / FRAMES).exists():
                join_parts(folder, stream, about["attributes"] | more_attributes)
            elif kept_header(stream).exists() or not is_joined(stream):
                raise LogError(f"{FRAMES} is missing")
            for name in (FRAMES, EVENTS, PULSES, ABOUT):
                (folder / name).unlink(missing_ok=True)
    except (OSError, ValueError, tables.HDF5ExtError, tables.NodeError, LogError) as error:
        raise LogError(f"{folder}: the files cannot be finished: {reason(error)}; {how_to_repair(folder)}") from None


def how_to_repair(folder: Path) -> str:
    """Say in words what to do about a session that could not be finished."""
    return HOW_TO_REPAIR.format(folder=folder)


def reason(error: Exception) -> str:
    """Return what an error says, in one line; of the system's errors only the reason, and the name of the file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (f" ({Path(error.filename).name})" if error.filename else "")
    return said_by(error)


def join_parts(folder: Path, stream: Path, attributes: dict[str, Any]) -> None:
    """Put the parts into the HDF5 file, and see that they are there."""
    frames, events = whole_records(folder / FRAMES, FRAME), whole_records(folder / EVENTS, EVENT)
    counted = min(len(frames), count_rows(folder / ROWS_FILE))
    order = np.argsort(events["time_s"], kind="stable")  # np.sort would order those of the same time by their words
    pulses = whole_records(folder / PULSES, PULSE) if SYNC_VERSION in attributes else None
    parts = Parts(frames, events[order], attributes, counted, pulses)
    contents = contents_to_trust(folder, stream, counted)
    refuse_file(stream)  # PyTables opens it next
    holder = frames_file(folder, stream, read_settings(folder / "config.ini"))
    n = contents.n if holder == stream else n_in_movie(holder)
    if n > counted:
        rows = count_rows(folder / ROWS_FILE)
        raise LogError(f"{holder.name} holds {n} frames, {FRAMES} {len(frames)} and {ROWS_FILE} {rows}")
    parts = parts._replace(frames=frames[:n])
    if is_joined(stream):  # only removing the files next to it was cut short; its attributes may say more
        parts = parts._replace(attributes={})
    else:
        add_tables(stream, contents, parts)
    check(stream, contents.n, parts)


def n_in_movie(path: Path) -> int:
    """Return how many frames a lossless movie holds; LogError where it is none."""
    if not is_lossless(path):
        raise LogError(f"{path.name}, which holds the frames, is missing or damaged")
    return len(frames_in(path))


def contents_to_trust(folder: Path, stream: Path, counted: int) -> Contents:
    """Put the header of the HDF5 file right where that is needed, and return what it says."""
    try:
        repair(stream, counted)
    except NoHeaderError:
        return write_new_header(folder, stream, counted)
    if end_in(first_page(stream)) == 0:
        return write_new_header(folder, stream, counted)
    found = contents_in(stream)
    if found is None:
        raise LogError(f"{stream.name} does not open")
    return found


def write_new_header(folder: Path, stream: Path, counted: int) -> Contents:
    """Write a header for the frames that a file without one holds, as far as rows and records count them."""
    width, height = (int(side) for side in helper.GetConfigValues(folder)["resolution"].split(","))
    header = Header((height, width, int(about_of(folder)["attributes"].get("channels", 3))))
    in_file = (stream.stat().st_size - PAGE) // header.frame_bytes
    page = header.page(min(counted, max(0, in_file)))
    damaged = first_page(stream)
    stream.with_name(stream.name + ".damaged").write_bytes(damaged)  # nothing is thrown away
    with stream.open("r+b") as file:
        write_at(file.fileno(), page, 0)
        os.fsync(file.fileno())
    kept_header(stream).unlink(missing_ok=True)
    found = contents_in(stream)
    if found is None:
        raise LogError(f"{stream.name} is shorter than a header")
    return found


def is_joined(stream: Path) -> bool:
    """Return whether the tables are in the file already."""
    with tables.open_file(str(stream)) as file:
        return "/frames" in file and "/events" in file


def add_tables(stream: Path, contents: Contents, parts: Parts) -> None:
    """Write the tables behind the frames; the file is as it was if that fails."""
    size, page = stream.stat().st_size, bytearray(first_page(stream))
    # Frames that are not counted yet may lie behind the others: they stay.
    at = max(contents.end, contents.end_of_frames(size, parts.counted))
    needed = at + parts.frames.nbytes + parts.events.nbytes + nbytes_of(parts.pulses) + TABLES_OVERHEAD
    limit, name = largest_file(stream.parent)
    if needed > limit:
        raise OSError(errno.EFBIG, f"the file would be larger than {name} allows")
    U64.pack_into(page, END_OF_FILE_AT, at)
    new_page, tail = with_tables(bytes(page), at, contents.n, parts)
    try:
        with extended(stream), stream.open("r+b") as file:
            write_at(file.fileno(), tail, at)
            os.fsync(file.fileno())
            write_at(file.fileno(), new_page, 0)
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # so that the check reads the disk
            check(stream, contents.n, parts)
    except BaseException:
        repair(stream, parts.counted)
        raise


def nbytes_of(table: np.ndarray | None) -> int:
    """Return the size of a table, bytes."""
    return 0 if table is None else table.nbytes


def with_tables(page: bytes, end: int, n: int, parts: Parts) -> tuple[bytes, bytes]:
    """Let HDF5 add the tables to a file with this first page and no frames; return its new page, and what it appended.

    Parameters
    ----------
    page : bytes
    end : int
        Of the file.
    n : int
        Frames in it.
    parts : Parts
    """
    with scratch_file(page, end) as scratch:
        with tables.open_file(str(scratch), "a") as file:
            file.create_table("/", "frames", parts.frames, "one row per frame (s)")
            file.create_table("/", "events", parts.events, "what happened when (s)")
            if parts.pulses is not None:
                file.create_table("/", "sync", parts.pulses, "pulses for other machines (s)")
            for name, value in parts.attributes.items():
                file.root._v_attrs[name] = value
        check(scratch, n, parts)
        with scratch.open("rb") as made:
            new_page = made.read(PAGE)
            made.seek(end)
            return new_page, made.read()


def check(path: Path, n: int, parts: Parts) -> None:
    """See that an HDF5 file holds n frames, and what was put into it.

    Raises
    ------
    LogError
        It does not, or cannot be opened.
    """
    try:
        with tables.open_file(str(path)) as file:
            root = file.root
            found = {
                "frames": len(root.raw_images) == n,
                "/frames": root.frames[:].tobytes() == parts.frames.tobytes(),
                "/events": root.events[:].tobytes() == parts.events.tobytes(),
                "/sync": parts.pulses is None or root.sync[:].tobytes() == parts.pulses.tobytes(),
                "attributes": all(str(root._v_attrs[name]) == str(value) for name, value in parts.attributes.items()),
            }
    except (tables.HDF5ExtError, tables.NodeError, KeyError, AttributeError, ValueError, OSError) as error:
        raise LogError(f"{path.name} cannot be read back ({reason(error)})") from None
    wrong = [what for what, is_right in found.items() if not is_right]
    if wrong:
        raise LogError(f"{path.name} does not hold what was written: {', '.join(wrong)}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a session; wait a little for a program that is about to be done with it."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(FileNotFoundError):
            file = held.enter_context(path.open("rb"))
            until_s = time.monotonic() + WAIT_S
            while not try_lock(file.fileno()):
                if time.monotonic() > until_s:
                    raise LogError(f"{path.parent}: the session is still running, or another program finishes it")
                time.sleep(0.05)
        yield


def try_lock(fd: int) -> bool:
    """Lock a file; return False if another process holds it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a share without locks; there the claim tells
    return True


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other programs from finishing a session at the same time, also on a share without locks."""
    path = folder / CLAIM
    if path.exists() and is_abandoned(path):
        path.unlink(missing_ok=True)
    owner = json.dumps(this_process()).encode()  # before: a claim is without its owner for as short a time as can be
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise LogError("another program is finishing them") from None
    try:
        with contextlib.suppress(OSError):  # of a full disk; the name is enough
            os.write(fd, owner)
        yield
    finally:
        os.close(fd)
        path.unlink(missing_ok=True)


def is_abandoned(claim: Path) -> bool:
    """Return whether the program that has claimed a session has died."""
    try:
        owner = json.loads(claim.read_text(encoding="utf-8"))
    except ValueError:
        owner = None
    except OSError:
        return False
    return not is_alive(owner, claim, ABANDONED_AFTER_S)
