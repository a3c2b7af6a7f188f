"""New files that appear under their names only when all of them are whole."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from rig.disk import sync
from rig.errors import RigError
from rig.files.reader import Session

PART = ".part"


class Files:
    """New files of a folder, each under a name of its own until all of them are whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[Path, Path] = {}

    def part(self, name: str) -> Path:
        """Return the path to write a file to; `name` may lead into a folder below, which is made."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._parts[path] = path.with_name(path.name + PART)
        return self._parts[path]

    @property
    def written(self) -> list[Path]:
        """The files under their own names."""
        return list(self._parts)

    def finish(self) -> None:
        """Bring all to disk, then give them their names; what had these names before is replaced."""
        for part in self._parts.values():
            sync(part)
        for path, part in self._parts.items():
            os.replace(part, path)

    def remove_parts(self) -> None:
        """Remove what did not become a file."""
        for part in self._parts.values():
            part.unlink(missing_ok=True)


@contextmanager
def whole_files(folder: Path) -> Iterator[Files]:
    """Lend names to write to; on leaving, all files are there, or none and no folder that was made for them.

    Parameters
    ----------
    folder : Path
        Made where it is missing.

    Raises
    ------
    RigError
        They cannot be written.
    """
    files = Files(folder)
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield files
        files.finish()
    except OSError as error:
        raise RigError(f"{folder}: the export cannot be written ({error.strerror or error})") from None
    finally:
        files.remove_parts()
        remove_empty([*{path.parent: None for path in files.written if path.parent != folder}, *missing])


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those of these folders that hold nothing, the inner ones first."""
    for folder in folders:
        with suppress(OSError):  # it holds something, or was never made
            folder.rmdir()


def folder_of(session: Session, out: Path, name: str) -> Path:
    """Return the folder for the files of an export.

    Parameters
    ----------
    session : Session
    out : Path
        The folder of the session itself, or one for many sessions, where each has MOUSE/SESSION of its own.
    name : str
        Of the format.
    """
    own, out = session.folder.resolve(), out.resolve()
    return (out if out == own else out / own.parent.name / own.name) / name


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array in numpy's format; unlike `np.save`, without adding to the name."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
