"""The report of a session: the command that makes it, and making it in a process of its own.

Nothing of `analysis/` is imported here: it needs libraries that a rig need not have.
"""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from rig.settings.fields import ROOT
from rig.terminal import console, terminal


def command_for(folder: Path) -> list[str]:
    """Return the command that makes the report of a session."""
    return [sys.executable, str(ROOT / "analysis" / "report.py"), str(folder)]


def in_words(folder: Path) -> str:
    """Return that command as it is typed."""
    return shlex.join(command_for(folder))


def make_reports(folders: Iterable[Path]) -> None:
    """Make the reports of sessions, in a process of their own; each says itself where it is, or what is wrong."""
    for folder in folders:
        subprocess.run(["nice", "-n", "10", *command_for(folder)], check=False, stdin=subprocess.DEVNULL)


def say_commands(folders: Iterable[Path]) -> None:
    """Say how the reports of sessions are made, unless the terminal takes no more text."""
    if terminal.is_stuck:
        return
    with contextlib.suppress(OSError):
        for folder in folders:
            console.print(f"  for its report: {in_words(folder)}", soft_wrap=True)
