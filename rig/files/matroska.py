"""Where the frames of a Matroska file lie: by the outline of the file, which also one has that was cut short.

A Matroska file is made of elements: an id, a size, and the data (RFC 8794, RFC 9559).  Only their heads are read here.
What was not written whole, at the end of a file that was cut short, is left out.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

EBML, SEGMENT, CLUSTER, CHECKSUM, SIMPLE_BLOCK = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xBF, 0xA3
LONGEST_HEAD = 12  # bytes: an id of 4, a size of 8
BLOCK_HEAD = 4  # bytes before the frame: number of the track, time, flags
READ_AT_ONCE = 64  # bytes: the heads within a cluster of one frame
FFV1, LONGEST_PREFACE = b"FFV1", 8192  # V_FFV1, or the name by which Windows knows it: both are in use


class Element(NamedTuple):
    """A part of a file: its id, and where its data begin and end."""

    id: int
    begin: int
    end: int


class Heads:
    """Reads the heads of elements, some at once: those within a cluster lie close together.

    Parameters
    ----------
    fd : int
        An open file.
    """

    def __init__(self, fd: int) -> None:
        self._fd, self._at, self._bytes = fd, 0, b""

    def elements(self, at: int, end: int) -> Iterator[Element]:
        """Yield the elements from one place of the file to another, as far as they are whole."""
        while at < end:
            element = self._element(at, end)
            if element is None or element.end > end:
                return
            yield element
            at = element.end

    def _element(self, at: int, end: int) -> Element | None:
        """Return the element that begins here; None where there is none.  The size of a segment may be unknown yet."""
        head = self._read(at)
        if not head or head[0] < 0x10:
            return None
        id_length = 9 - head[0].bit_length()
        rest = head[id_length:]
        length = 9 - rest[0].bit_length() if rest and rest[0] else 0
        if not length or len(rest) < length:
            return None
        mask = (1 << 7 * length) - 1
        size = int.from_bytes(rest[:length], "big") & mask
        begin, kind = at + id_length + length, int.from_bytes(head[:id_length], "big")
        if kind == SEGMENT and (size == mask or begin + size > end):
            size = end - begin
        return Element(kind, begin, begin + size)

    def _read(self, at: int) -> bytes:
        inside = at - self._at
        if not 0 <= inside <= len(self._bytes) - LONGEST_HEAD:
            self._at, self._bytes, inside = at, os.pread(self._fd, READ_AT_ONCE, at), 0
        return self._bytes[inside : inside + LONGEST_HEAD]


class Place(NamedTuple):
    """Where a frame lies in a file, in bytes.

    Attributes
    ----------
    begin, end : int
    checked_from : int
        From here to `end` the checksum counts.
    checksum : int or None
        CRC-32; None where there is none for this frame.
    """

    begin: int
    end: int
    checked_from: int
    checksum: int | None

    def read(self, fd: int) -> bytes:
        """Return the bytes of the frame; ValueError where they do not fit to the checksum."""
        data = os.pread(fd, self.end - self.checked_from, self.checked_from)
        if self.checksum is not None and zlib.crc32(data) != self.checksum:
            raise ValueError("a frame does not fit to its checksum")
        return data[self.begin - self.checked_from :]


def frames_in(path: Path) -> list[Place]:
    """Return where the frames of a file lie; OSError if it cannot be read."""
    fd = os.open(path, os.O_RDONLY)
    try:
        heads = Heads(fd)
        return [
            place
            for segment in heads.elements(0, os.fstat(fd).st_size)
            if segment.id == SEGMENT
            for cluster in heads.elements(segment.begin, segment.end)
            if cluster.id == CLUSTER
            for place in places_in(cluster, list(heads.elements(cluster.begin, cluster.end)), fd)
        ]
    finally:
        os.close(fd)


def places_in(cluster: Element, parts: list[Element], fd: int) -> Iterator[Place]:
    """Yield the frames of a cluster; the checksum is used where there is one frame, as in our files."""
    blocks = [part for part in parts if part.id == SIMPLE_BLOCK]
    is_checked = len(blocks) == 1 and parts[0].id == CHECKSUM and blocks[0].end == cluster.end
    for block in blocks:
        begin = block.begin + BLOCK_HEAD
        if is_checked:
            checksum = os.pread(fd, 4, parts[0].begin)
            yield Place(begin, block.end, parts[0].end, int.from_bytes(checksum, "little"))
        else:
            yield Place(begin, block.end, begin, None)


def is_lossless(path: Path) -> bool:
    """Return whether this is a Matroska file with an FFV1 movie, as `store = movie` makes it."""
    try:
        with path.open("rb") as file:
            preface = file.read(LONGEST_PREFACE)
    except OSError:
        return False
    return preface.startswith(EBML.to_bytes(4, "big")) and FFV1 in preface
