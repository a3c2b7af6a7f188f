"""The terminal: where everything is printed, and whether it still takes text."""

import errno
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text


class Printer(Console):
    """A console that does not end a program when standard output takes no more text, as a log on a full disk.

    Attributes
    ----------
    refused : str
        Why it takes no more text; '' while it does.
    """

    refused = ""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print; a pipe that nobody reads any more still ends the program, as with `... | head`."""
        try:
            super().print(*objects, **how)
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            self.quiet, self.refused = True, str(error.strerror)  # `ending.leave` says it


console = Printer(highlight=False, markup=False)


class Terminal:
    """What is known about the terminal.

    Attributes
    ----------
    is_stuck : bool
        It takes no more text, as after Ctrl-S; whoever writes to it would wait forever.
    """

    is_stuck = False


terminal = Terminal()


def clock(seconds: float) -> str:
    """Return minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def print_banner(simulated: Mapping[str, str]) -> None:
    """Show in a box which devices are not real, {device: what stands in for it}."""
    if simulated:
        lines = "\n".join(f"{device:8} {what}" for device, what in simulated.items())
        title = Text("SIMULATED: no animal may be on this rig", style="bold")
        console.print(Panel(lines, title=title, border_style="bold yellow", expand=False, padding=(1, 4)))
