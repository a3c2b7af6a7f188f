"""A growing image_stream.hdf5 that is a whole, closed HDF5 file at every moment.

PyTables' own flush is not crash-consistent: killed inside it, the file may not open again.  So the frames lie
contiguously behind one page with the HDF5 header, and only a few numbers of that page change: the count of
frames, their size, and the end of the file.  The frames are synced to disk before the header counts them.
The result is an ordinary HDF5 file: `tables.open_file(path).root.raw_images[:]` reads it, also while it grows.
"""

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tables

from rig.disk import sync, write_at
from rig.errors import LogError
from rig.files.hdf5 import FAILURES

PAGE = 4096
SIGNATURE = b"\x89HDF\r\n\x1a\n"
END_OF_FILE_AT = 40  # in the HDF5 superblock, version 0 (HDF5 file format specification, II.A)
NO_ADDRESS = 2**64 - 1  # of data without any
UNKNOWN_LAYOUT = (
    "this version of HDF5 lays out files in another way than rig/files/frame_file.py knows; "
    "install the version of tables that requirements.txt names"
)
U64 = struct.Struct("<Q")


def header_of(n: int, frame_shape: tuple[int, int, int]) -> tuple[bytearray, int]:
    """Return the header that PyTables writes before n frames, and its length; LogError where it is unknown."""
    frames = np.zeros((n, *frame_shape), np.uint8)
    frames.reshape(-1)[:] = np.arange(frames.size) % 251
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "header.hdf5")
        with tables.open_file(name, "w", driver="H5FD_CORE", driver_core_backing_store=0) as file:
            title = (
                f"frames of the camera (n, height, width, {frame_shape[2]}) {'BGR' if frame_shape[2] == 3 else 'grey'}"
            )
            file.create_array(file.root, "raw_images", frames, title, track_times=False)
            file.flush()
            image = file.get_file_image()
    start = len(image) - frames.size
    if image[start:] != frames.tobytes() or start > PAGE:
        raise LogError(UNKNOWN_LAYOUT)
    return bytearray(image[:start]), start


class NoHeaderError(LogError):
    """A file has no header that can be read, and none is kept next to it."""


class Header:
    """The page before the frames, for any number of frames.

    Parameters
    ----------
    frame_shape : tuple
        (height, width, channels).

    Raises
    ------
    LogError
        This HDF5 lays files out in another way.
    """

    def __init__(self, frame_shape: tuple[int, int, int]) -> None:
        self.frame_shape = frame_shape
        self.frame_bytes = int(np.prod(frame_shape))
        one, start = header_of(1, frame_shape)
        two, start_two = header_of(2, frame_shape)
        differing = [i for i in range(start) if one[i] != two[i]]
        # Two headers that differ only in the number of frames show where the numbers stand.  The size of the frames has
        # their address before it; one of 65536 bytes holds a count where it is read from its third byte on.
        sizes = [
            i
            for i in range(END_OF_FILE_AT + 8, start - 7)
            if U64.unpack_from(one, i)[0] == self.frame_bytes and U64.unpack_from(two, i)[0] == 2 * self.frame_bytes
            if U64.unpack_from(one, i - 8)[0] == start
        ]
        in_size = {at + byte for at in sizes for byte in range(8)}
        self._count_at = [
            i for i in differing if one[i] == 1 and two[i] == 2 and U64.unpack_from(one, i)[0] == 1 and i not in in_size
        ]
        known = set(range(END_OF_FILE_AT, END_OF_FILE_AT + 8)).union(
            *(range(at, at + 8) for at in (*self._count_at, *sizes))
        )
        if start != start_two or len(self._count_at) != 2 or len(sizes) != 1 or not set(differing) <= known:
            raise LogError(UNKNOWN_LAYOUT)
        self._size_at = sizes[0]
        self._address_at = self._size_at - 8
        self._page = one.ljust(PAGE, b"\0")

    def page(self, n: int) -> bytes:
        """Return the page that counts n frames."""
        page = bytearray(self._page)
        for at in self._count_at:
            U64.pack_into(page, at, n)
        U64.pack_into(page, self._address_at, PAGE if n else NO_ADDRESS)
        U64.pack_into(page, self._size_at, n * self.frame_bytes)
        U64.pack_into(page, END_OF_FILE_AT, PAGE + n * self.frame_bytes)
        return bytes(page)


@contextmanager
def extended(path: Path) -> Iterator[None]:
    """Let other nodes be added to a finished file; if that is cut short, `repair` takes it back to only the frames.

    PyTables writes in place and not crash-consistently, so the header is kept next to the file until all is on disk.
    """
    kept = kept_header(path)
    with path.open("rb") as file:
        kept.write_bytes(file.read(PAGE))
    sync(kept)
    sync(path.parent)
    yield
    sync(path)
    kept.unlink()
    sync(path.parent)  # the header is gone for good before anything else may rely on the new nodes


def repair(path: Path, counted: int = 0) -> bool:
    """Take a file whose extension was cut short back to its frames; return whether that was needed.

    Parameters
    ----------
    path : Path
    counted : int
        Frames that other files of the session count; the file is never made shorter than those of them that it holds.

    Raises
    ------
    LogError
        The kept header cannot be the one of this file, or there is none at all: nothing was changed.
    """
    kept = kept_header(path)
    if not kept.exists():
        return False
    page, size = kept.read_bytes(), path.stat().st_size
    before, now = contents_of(page, size), contents_from_outside(path)
    if before is None and now is None:
        raise NoHeaderError(f"neither {path.name} nor {kept.name} holds a header that can be read")
    if before is not None and now is not None and now.n > before.n:
        raise LogError(
            f"{kept.name} counts {before.n} frames, {path.name} {now.n}; if {path.name} is right, remove {kept.name}"
        )
    if before is not None:  # else it was cut short itself, before the file was touched
        with path.open("r+b") as file:
            write_at(file.fileno(), page, 0)
            file.truncate(min(size, max(before.end, before.end_of_frames(size, counted))))
        sync(path)
    kept.unlink()
    return True


class Contents(NamedTuple):
    """What the header of a file says.

    Attributes
    ----------
    n, frame_bytes : int
        Frames, and the size of one.
    end : int
        Of the file.
    """

    n: int
    frame_bytes: int
    end: int

    def end_of_frames(self, size: int, counted: int) -> int:
        """Return where the frames end that a file of this size holds: those of the header, and whole ones behind them.

        Parameters
        ----------
        size : int
        counted : int
            Frames that other files of the session count.
        """
        in_file = (size - PAGE) // self.frame_bytes
        return PAGE + max(self.n, min(counted, in_file)) * self.frame_bytes


def contents_of(page: bytes, size: int) -> Contents | None:
    """Return what a header without tables says; None where it is none, or not the one of a file of this size."""
    end = end_in(page)
    if not PAGE <= end <= size:
        return None
    with scratch_file(page, end) as scratch:
        return contents_in(scratch)


def contents_in(path: Path) -> Contents | None:
    """Return what the header of a file says; None where it is none, or not the one of a file of this size."""
    end = end_in(first_page(path))
    if not PAGE <= end <= path.stat().st_size:
        return None
    try:
        with h5py.File(path, "r") as file:  # not PyTables, which may run code that stands in a file of others
            n, *shape = (int(length) for length in file["raw_images"].shape)
    except FAILURES:
        return None
    found = Contents(n, int(np.prod(shape)), end)
    return found if PAGE + n * found.frame_bytes <= end else None


def contents_from_outside(path: Path) -> Contents | None:
    """Return `contents_in` as another process finds it: a damaged file cannot always be closed again."""
    look = [sys.executable, "-m", "rig.files.frame_file", str(path.absolute())]
    top = Path(__file__).parents[2]
    done = subprocess.run(look, cwd=top, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    numbers = done.stdout.split()
    return Contents(*map(int, numbers)) if done.returncode == 0 and len(numbers) == len(Contents._fields) else None


def end_in(page: bytes) -> int:
    """Return where a header says that its file ends; 0 where it is no header."""
    if len(page) < PAGE or not page.startswith(SIGNATURE):
        return 0
    return int(U64.unpack_from(page, END_OF_FILE_AT)[0])


def first_page(path: Path) -> bytes:
    """Return the page with the header."""
    with path.open("rb") as file:
        return file.read(PAGE)


@contextmanager
def scratch_file(page: bytes, end: int) -> Iterator[Path]:
    """Make a file with this first page, and nothing but a hole up to its end: what HDF5 does to it costs no space."""
    memory = "/dev/shm"  # any file system can hold the hole, but some only as zeros
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        path = Path(folder, "scratch.hdf5")
        path.write_bytes(page)
        os.truncate(path, end)
        yield path


def kept_header(path: Path) -> Path:
    """Return where the header is kept while a file is extended."""
    return path.with_name(path.name + ".header")


class FrameFile:
    """image_stream.hdf5 while it grows.

    Parameters
    ----------
    path : Path
    header : Header
        For frames of this shape.

    Attributes
    ----------
    n : int
        Frames written.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._header = header
        self.n = 0
        self._on_disk = self._published = -1
        self._count_synced = True
        self._closed_at: Path | None = None
        started = path.with_name(path.name + ".starting")
        self._fd = os.open(started, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self.publish()
        os.rename(started, path)

    def append(self, image: np.ndarray) -> None:
        """Write one frame; it counts after the next `publish`."""
        shape = self._header.frame_shape
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(f"the file holds frames {shape} uint8; this one is {image.shape} {image.dtype}")
        at = PAGE + self.n * self._header.frame_bytes
        write_at(self._fd, np.ascontiguousarray(image).data.cast("B"), at)
        self.n += 1

    def sync(self) -> None:
        """Bring the frames and the last count to disk; `publish` counts these frames without doing so again."""
        n = self.n
        if self._on_disk < n or not self._count_synced:
            os.fdatasync(self._fd)
            self._on_disk, self._count_synced = n, True

    def publish(self) -> None:
        """Let the header count the frames, once they are on disk.

        The count itself comes to disk with the next sync: until then a power cut takes back what is newer.
        """
        self.sync()
        if self.n == self._published:
            return
        page = self._header.page(self.n)
        write_at(self._fd, page[:512], 0)  # a larger end of file first: harmless while the count is old
        os.fdatasync(self._fd)
        write_at(self._fd, page, 0)
        self._published, self._count_synced = self.n, False

    def is_linked(self) -> bool:
        """Return whether the file still has a name."""
        return os.fstat(self._fd).st_nlink > 0

    def path(self) -> Path:
        """Return where the file is now, or was when it was closed; its folder may have been renamed."""
        return self._closed_at or Path(os.readlink(f"/proc/self/fd/{self._fd}"))

    def close(self) -> None:
        """Publish and close; harmless when repeated."""
        if self._fd < 0:
            return
        try:
            self.publish()
            self.sync()
        finally:
            self._closed_at = self.path()
            os.close(self._fd)
            self._fd = -1


if __name__ == "__main__":
    print(*(contents_in(Path(sys.argv[1])) or ()))
