"""The programs of rig/commands, and the processes that a script has started."""

import os
import subprocess
import sys
from pathlib import Path

from support.places import ROOT


def command(name, *arguments, env=None):
    """Run `python -m rig.commands.NAME` to its end; return the finished process, with its output."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", f"rig.commands.{name}", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def child_of(pid, module):
    """Return the number of the child of process `pid` that runs this module, as in "rig.devices.valve_guard"."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    numbers = [int(number) for each in lists for number in each.read_text().split()]
    running = [number for number in numbers if module in words_of(number)]
    assert len(running) == 1, f"children of {pid} that run {module}: {running} of {numbers}"
    return running[0]


def words_of(pid):
    """Return the words with which a process was started; none if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def has_ended(pid):
    """Return whether a process has ended, also one whose parent has not asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
