"""The terminal: where everything is printed, and whether it still takes text."""

from collections.abc import Mapping

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

console = Console(highlight=False, markup=False)


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
