"""VideoTimestamp.txt: a text file that ends in a whole row at every moment."""

import os
from pathlib import Path

from rig.disk import append_whole

ROWS_FILE = "VideoTimestamp.txt"


class RowFile:
    """A new text file that takes a row at a time.

    Parameters
    ----------
    path : Path
    columns : list of str
        Its first row.
    """

    def __init__(self, path: Path, columns: list[str]) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self.append("\t".join(columns) + "\n")

    def append(self, row: str) -> None:
        """Write a row with the end of its line, all of it or nothing; OSError if it does not fit."""
        append_whole(self._fd, row.encode("utf-8"))

    def sync(self) -> None:
        """Bring all rows to disk."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            os.close(self._fd)


def count_rows(path: Path) -> int:
    """Return how many whole rows such a file has below its header."""
    with path.open("rb") as file:
        return max(0, sum(line.endswith(b"\n") for line in file) - 1)
