"""One session in a format of others: what `analysis/export.py` does with each, also in a process of its own."""

import importlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rig.errors import RigError
from rig.files.reader import read_session

FORMATS = ("nwb", "wfield", "dlc", "alf")
MISSING = "--to {to} needs more Python packages ({error}); run 'make setup-analysis'"


class Wanted(NamedTuple):
    """How a session is to be exported.

    Attributes
    ----------
    to : str
        One of FORMATS: the name of its module in `analysis.exports`.
    out : Path or None
        Where to; None for the folder of the session.
    incomplete : bool
        NWB: although metadata are missing.
    utc_offset : timedelta or None
        NWB: of sessions that do not say it.
    """

    to: str
    out: Path | None = None
    incomplete: bool = False
    utc_offset: timedelta | None = None


class Exported(NamedTuple):
    """What was written, and what there is to know about it."""

    files: list[Path]
    said: list[str]


def export_session(folder: Path, wanted: Wanted, progress: Callable[[float], None] = lambda _share: None) -> Exported:
    """Export one session; its files are there as a whole, or not at all, and a second time they are written anew.

    Parameters
    ----------
    folder : Path
    wanted : Wanted
    progress : callable
        Is given the share that has been done, 0 to 1.

    Raises
    ------
    RigError
        It cannot be exported.
    """
    write, session = writer_of(wanted.to), read_session(folder)
    said: list[str] = []
    of_nwb: dict[str, Any] = {
        "incomplete": wanted.incomplete, "utc_offset": wanted.utc_offset, "say": said.append
    } if wanted.to == "nwb" else {}  # fmt: skip
    return Exported(write(session, session.folder if wanted.out is None else wanted.out, progress, **of_nwb), said)


def writer_of(to: str) -> Callable[..., list[Path]]:
    """Return what writes a format.

    Raises
    ------
    RigError
        A package that it needs is not installed.
    """
    try:
        write: Callable[..., list[Path]] = importlib.import_module(f"analysis.exports.{to}").write
    except ImportError as error:
        raise RigError(MISSING.format(to=to, error=error)) from None
    return write
