"""Writing to disk so that a file is whole at every moment, also after a kill, a full disk or a power cut."""

import errno
import fcntl
import os
import re
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NETWORK = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph-fuse", "fuse.cifs", "fuse.davfs2",
        "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "fuse.vmhgfs-fuse",
        "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs", "vboxsf",
    }
)  # fmt: skip
"""Types of file systems on which another computer may write, and locks and syncs may be empty promises."""
FAT32 = frozenset({"vfat", "msdos"})
LARGEST_OF_FAT32 = 2**32 - 1  # bytes of a file
MOUNTS = Path("/proc/mounts")


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system that holds a path, as "ext4" or "nfs4"; "" if the system does not say."""
    try:
        lines = mounts.read_bytes().decode("utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    found, length = "", -1
    for _, point, kind, *_ in (line.split(" ") for line in lines if line.count(" ") > 2):
        where = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point))  # a blank is written \040
        if Path(os.path.realpath(path)).is_relative_to(where) and len(where.parts) >= length:
            found, length = kind, len(where.parts)  # of two at one place the later one is on top
    return found


def largest_file(path: Path, mounts: Path = MOUNTS) -> tuple[float, str]:
    """Return how large a file may become there, bytes, and what limits it; infinity and "" without a limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    of_shell = float("inf") if limit == resource.RLIM_INFINITY else float(limit)
    of_fat = LARGEST_OF_FAT32 if file_system(path, mounts) in FAT32 else float("inf")
    if of_shell < of_fat:
        return of_shell, "the file-size limit of this shell (ulimit -f)"
    return of_fat, "FAT32, the file system there," if of_fat < of_shell else ""


def sync_times_s(folder: Path, n: int = 3) -> list[float]:
    """Return how long it takes to bring a little to disk, s, n times."""
    path, times_s = folder / f".sync-{os.getpid()}", []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for _ in range(n):
            os.write(fd, b"x" * 4096)
            began_s = time.perf_counter()
            os.fdatasync(fd)
            times_s.append(time.perf_counter() - began_s)
    finally:
        os.close(fd)
        path.unlink()
    return times_s


def write_at(fd: int, data: bytes | memoryview, at: int) -> None:
    """Write all bytes at a place of an open file."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written


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
    """Write a file next to `path`, sync it, and rename it to `path`: old or new, the file is whole at every moment.

    Where `path` is a link, the file that it points to is replaced, and the link stays.
    """
    path = Path(os.path.realpath(path))
    renewed = path.with_name(path.name + ".new")
    try:
        renewed.write_bytes(data)
        if path.exists():
            shutil.copymode(path, renewed)
        sync(renewed)
        os.replace(renewed, path)
    except OSError:
        renewed.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
