"""The lock of the output pins: one process at a time may hold them."""

import errno
import fcntl
import os
import stat
import sys
from datetime import datetime
from pathlib import Path

from rig.errors import OutputError

LOCK_FOLDERS = (Path("/run/lock"), Path("/var/lock"))


class PinLock:
    """One process at a time may hold the pins of this computer; the second gets an error that names the first.

    The lock lies in the same place for everybody, whatever TMPDIR says, and a link in its place is not followed.

    Raises
    ------
    OutputError
        Another process holds them, or the lock cannot be had.
    """

    def __init__(self) -> None:
        path = lock_folder() / "clopy_pins.lock"
        try:
            self._file = os.fdopen(open_lock(path), "r+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise OutputError(
                f"the lock of the output pins cannot be taken ({error.strerror}); remove {path} if no rig is running"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = self._file.read().strip()
            self._file.close()
            raise OutputError(f"the output pins are held by {holder}; end that first") from None
        self._file.truncate(0)
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]).encode("utf-8", "replace").decode()
        self._file.write(f"process {os.getpid()} since {datetime.now():%H:%M:%S}: {command}\n")
        self._file.flush()

    def close(self) -> None:
        """Let others have the pins; harmless when repeated."""
        self._file.close()


def lock_folder() -> Path:
    """Return where the lock of the pins lies: CLOPY_LOCK_DIR, else /run/lock, else /var/lock.

    CLOPY_LOCK_DIR is for computers with several sets of pins, as the tests have: one rig for each folder.
    """
    if named := os.environ.get("CLOPY_LOCK_DIR"):
        return Path(named)
    for folder in LOCK_FOLDERS:
        if folder.is_dir():
            return folder
    raise OutputError(
        f"there is no folder for the lock of the output pins, neither {' nor '.join(map(str, LOCK_FOLDERS))}; make one"
    )


def open_lock(path: Path) -> int:
    """Open the lock, made if need be, so that the next user of this computer can take it, too.

    Raises
    ------
    OSError
        It is a link or no plain file, and could lead to a file of somebody else; or it cannot be opened.
    """
    try:
        # The system refuses to open files of others with O_CREAT in a folder that all may write to.
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        os.fchmod(fd, 0o666)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a plain file")
    return fd
