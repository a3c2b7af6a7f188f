"""Tables as CSV files: UTF-8, numbers unrounded, nothing where there is no number."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rig.disk import replace_file
from rig.errors import RigError

Rows = Iterable[Sequence[object]]


def write_csv(path: Path, columns: Sequence[str], rows: Rows) -> Path:
    """Write a table, as a whole or not at all; return its path.  What is no file, as /dev/stdout, is written to.

    Raises
    ------
    RigError
        The file cannot be written.
    """
    write = replace_file if path.is_file() or not path.exists() else Path.write_bytes
    try:
        write(path, as_csv(columns, rows))
    except OSError as error:
        raise RigError(f"{path}: it cannot be written ({error.strerror})") from None
    return path


def as_csv(columns: Sequence[str], rows: Rows, delimiter: str = ",") -> bytes:
    """Return a table as the bytes of a file."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def exact(value: float) -> str:
    """Return a number unrounded, nothing for NaN."""
    return "" if np.isnan(value) else repr(float(value)).removesuffix(".0")
