"""Which process writes a file, and whether it still lives: what locks cannot tell on a share without them."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

SILENT_AFTER_S = 10.0  # a process of another computer that has written nothing for so long has ended


def this_process() -> dict[str, Any]:
    """Return what names this process among all of all computers; it can be written as JSON."""
    return {"machine": this_machine(), "pid": os.getpid(), "started": started(os.getpid())}


def this_machine() -> str:
    """Return what names this computer since it was switched on, and which of its numbers of processes we see."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() + os.readlink(
        "/proc/self/ns/pid"
    )


def started(pid: int) -> str:
    """Return when a process began, in ticks since the computer was switched on; "" if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def is_alive(owner: Any, path: Path, silent_after_s: float) -> bool:
    """Return whether the owner of a file still has it open.

    Parameters
    ----------
    owner : dict
        What `this_process` returned there.  What names no process of this computer is judged by the file's time.
    path : Path
        The file; its owner touches it again and again.
    silent_after_s : float
    """
    if isinstance(owner, dict) and owner.get("machine") == this_machine():
        pid = int(owner["pid"])
        return bool(owner.get("started")) and started(pid) == owner["started"] and has_open(pid, path)
    return abs(time.time() - path.stat().st_mtime) < silent_after_s


def has_open(pid: int, path: Path) -> bool:
    """Return whether a process has a file open; True also where we may not know."""
    wanted = path.stat()
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:
        return True
    except FileNotFoundError:
        return False
    for file in files:
        with contextlib.suppress(OSError):  # closed in the meantime
            if os.path.samestat(file.stat(), wanted):
                return True
    return False
