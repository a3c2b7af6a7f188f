"""A growing image_stream.hdf5 that is a whole, closed HDF5 file at every moment.

PyTables' own flush is not crash-consistent: killed inside it, the file may not open again.  So the frames lie
contiguously behind one page with the HDF5 header, and only a few numbers of that page change: the count of
frames, their size, and the end of the file.  The frames are synced to disk before the header counts them.
The result is an ordinary HDF5 file: `tables.open_file(path).root.raw_images[:]` reads it, also while it grows.
"""

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tables

from rig.disk import sync
from rig.errors import LogError

PAGE = 4096
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
            title = "frames of the camera (n, height, width, 3) BGR"
            file.create_array(file.root, "raw_images", frames, title, track_times=False)
            file.flush()
            image = file.get_file_image()
    start = len(image) - frames.size
    if image[start:] != frames.tobytes() or start > PAGE:
        raise LogError(UNKNOWN_LAYOUT)
    return bytearray(image[:start]), start


class Header:
    """The page before the frames, for any number of frames.

    Parameters
    ----------
    frame_shape : tuple
        (height, width, 3).

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
        # Two headers that differ only in the number of frames show where the numbers stand.
        self._count_at = [i for i in differing if one[i] == 1 and two[i] == 2 and U64.unpack_from(one, i)[0] == 1]
        sizes = [
            i
            for i in range(END_OF_FILE_AT + 8, start - 7)
            if U64.unpack_from(one, i)[0] == self.frame_bytes and U64.unpack_from(two, i)[0] == 2 * self.frame_bytes
        ]
        known = set(range(END_OF_FILE_AT, END_OF_FILE_AT + 8)).union(
            *(range(at, at + 8) for at in (*self._count_at, *sizes))
        )
        if start != start_two or len(self._count_at) != 2 or len(sizes) != 1 or not set(differing) <= known:
            raise LogError(UNKNOWN_LAYOUT)
        self._size_at = sizes[0]
        self._address_at = self._size_at - 8
        if U64.unpack_from(one, self._address_at)[0] != start:
            raise LogError(UNKNOWN_LAYOUT)
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


def repair(path: Path) -> bool:
    """Take a file whose extension was cut short back to its frames; return whether that was needed."""
    kept = kept_header(path)
    if not kept.exists():
        return False
    page = kept.read_bytes()
    if len(page) == PAGE:  # a shorter one was cut short itself, before the file was touched
        with path.open("r+b") as file:
            file.write(page)
            file.truncate(U64.unpack_from(page, END_OF_FILE_AT)[0])
        sync(path)
    kept.unlink()
    return True


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
        self._published = -1
        started = path.with_name(path.name + ".starting")
        self._fd = os.open(started, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self.publish()
        os.rename(started, path)

    def append(self, image: np.ndarray) -> None:
        """Write one frame; it counts after the next `publish`."""
        shape = self._header.frame_shape
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(f"the file holds frames {shape} uint8; this one is {image.shape} {image.dtype}")
        rest = np.ascontiguousarray(image).data.cast("B")
        at = PAGE + self.n * self._header.frame_bytes
        while rest:
            written = os.pwrite(self._fd, rest, at)
            rest, at = rest[written:], at + written
        self.n += 1

    def publish(self) -> None:
        """Bring the frames to disk, then let the header count them."""
        if self.n == self._published:
            return
        page = self._header.page(self.n)
        os.fdatasync(self._fd)
        os.pwrite(self._fd, page[:512], 0)  # a larger end of file first: harmless while the count is old
        os.fdatasync(self._fd)
        os.pwrite(self._fd, page, 0)
        os.fdatasync(self._fd)
        self._published = self.n

    def close(self) -> None:
        """Publish and close; harmless when repeated."""
        if self._fd < 0:
            return
        try:
            self.publish()
        finally:
            os.close(self._fd)
            self._fd = -1
