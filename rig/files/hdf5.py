"""Opening HDF5 files of others: nothing in them is run.

PyTables unpickles attributes as it opens a file, and a pickle may run any code.  So recordings are read with h5py,
which never does, and a file that holds such an attribute is refused, because another program might open it next.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rig.errors import SettingsError

FAILURES = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError)
"""What h5py raises on a file that is damaged, or none at all."""


@contextmanager
def opened(path: Path, is_known: bool = False) -> Iterator[h5py.File]:
    """Open a file for reading.

    Parameters
    ----------
    path : Path
    is_known : bool
        It was looked through before; that takes longer than to read some frames.

    Raises
    ------
    SettingsError
        It is no HDF5 file, or is damaged, or an attribute may hold a Python object.
    """
    try:
        try:
            file = opened_once(path, is_known)
        except FAILURES:
            file = opened_once(path, is_known)  # a running session may have grown while its header was read
    except FAILURES as error:
        raise SettingsError(f"{path} cannot be opened as HDF5 ({said_by(error)})") from None
    with file:
        try:
            yield file
        except FAILURES as error:
            raise SettingsError(f"{path} is damaged and cannot be read ({said_by(error)})") from None


def opened_once(path: Path, is_known: bool) -> h5py.File:
    """Open a file and look at everything in it; the caller closes it."""
    file = h5py.File(path, "r")
    try:
        if not is_known:
            refuse_objects(path, file)
    except BaseException:
        file.close()
        raise
    return file


def refuse_objects(path: Path, file: h5py.File) -> None:
    """Raise SettingsError if any attribute of a file may be a pickle."""

    def look(name: str, node: Any) -> None:
        for attribute in node.attrs:
            if may_be_pickle(node, attribute):
                raise SettingsError(
                    f"{path}: the attribute {attribute!r} of /{name} holds a Python object, which could run code on "
                    "this computer when it is opened; the file is not read: ask who gave it to you"
                )

    look("", file)
    file.visititems(look)


def refuse_file(path: Path) -> None:
    """Raise SettingsError if a file, which PyTables is to open next, cannot be read or may hold a pickle."""
    with opened(path):
        pass


def may_be_pickle(node: Any, name: str) -> bool:
    """Return whether PyTables would unpickle an attribute, and that could run code.

    It unpickles text that is not marked as UTF-8 and ends with a full stop.  To name what is to be run, a pickle needs
    a line break or a byte that is not ASCII.
    """
    attribute = h5py.h5a.open(node.id, name.encode("utf-8", "surrogateescape"))
    kind = attribute.get_type()
    is_text = isinstance(kind, h5py.h5t.TypeStringID) and attribute.shape is not None  # None: it holds nothing
    if not is_text or kind.get_cset() == h5py.h5t.CSET_UTF8:
        return False
    if kind.is_variable_str():
        return any(is_pickle(in_bytes(piece)) for piece in np.ravel(node.attrs[name]).tolist())
    stored = np.zeros(attribute.shape, f"V{kind.get_size()}")  # as it stands there: as text it might end at a NUL
    attribute.read(stored, mtype=kind)
    return any(is_pickle(piece.tobytes()) for piece in stored.ravel())


def is_pickle(data: bytes) -> bool:
    """Return whether these bytes could be a pickle that runs code."""
    return data.rstrip(b"\0").endswith(b".") and (b"\n" in data or not data.isascii())


def in_bytes(value: object) -> bytes:
    """Return text as it stands in the file."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""


def plain_attributes(node: Any) -> dict[str, Any]:
    """Return {name: value} of the attributes that are text or numbers, without those of PyTables itself."""
    found = {name: plain(node.attrs[name]) for name in node.attrs if not is_of_pytables(name)}
    return {name: value for name, value in found.items() if value is not None}


def is_of_pytables(name: str) -> bool:
    """Return whether PyTables uses an attribute for itself."""
    return name in {"CLASS", "TITLE", "VERSION", "FILTERS", "FLAVOR"} or name.startswith("PYTABLES")


def plain(value: object) -> Any:
    """Return text or a number, None for anything else."""
    if isinstance(value, h5py.Empty):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str | int | float | np.number | np.bool_) else None


def dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return what lies in this very file under a name; None where there is none: links to other files do not count."""
    link = file.get(name, getlink=True)
    node = file[name] if isinstance(link, h5py.HardLink) else None
    return node if isinstance(node, h5py.Dataset) else None


def said_by(error: Exception) -> str:
    """Return what an error says, in one line and without the back trace of a library."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
