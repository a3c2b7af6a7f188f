"""Writing to disk so that a file is whole at every moment, also after a kill, a full disk or a power cut."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def append_whole(fd: int, data: bytes) -> None:
    """Append bytes to an open file: all of them, or none.

    Raises
    ------
    OSError
        They do not fit; the file is as long as before.
    """
    size = os.fstat(fd).st_size
    try:
        written = os.write(fd, data)
        if written < len(data) and os.write(fd, data[written:]) < len(data) - written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(fd, size)
        raise


def append_rows(path: Path, header: str, rows: list[str]) -> None:
    """Append whole rows to a text file that other programs append to as well, and sync it; all of them, or none.

    Parameters
    ----------
    path : Path
        A new file gets the header first.
    header : str
        Without the end of its line.
    rows : list of str
        Each with the end of its line.
    """
    with locked(path) as fd:
        size = os.fstat(fd).st_size
        is_torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"  # a power cut may have left half a row
        text = (f"{header}\n" if size == 0 else "\n" if is_torn else "") + "".join(rows)
        append_whole(fd, text.encode("utf-8"))
        try:
            os.fsync(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Open a file to read and append, made if need be, while no other program does so by this function."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.path.exists(path) and os.path.samestat(os.fstat(fd), os.stat(path)):
                yield fd
                return
        finally:
            os.close(fd)  # else it was replaced while we waited: open the new one


def replace_file(path: Path, data: bytes) -> None:
    """Write a file next to `path`, sync it, and rename it to `path`: old or new, the file is whole at every moment."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_bytes(data)
        if path.exists():
            shutil.copymode(path, beside)
        sync(beside)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
