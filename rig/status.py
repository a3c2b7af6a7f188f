"""What the terminal shows: the banner of simulated devices, the status line, the summary."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rig.session_log import SessionLog

REFRESH_S = 0.25
FPS_OVER = 0.2  # share of the newest interval in the shown frame rate

console = Console(highlight=False, markup=False)


class Terminal:
    """What is known of the terminal.

    Attributes
    ----------
    is_stuck : bool
        It takes no more text, as after Ctrl-S; who writes to it would wait for ever.
    """

    is_stuck = False


terminal = Terminal()


def clock(seconds: float) -> str:
    """Return minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class StatusLine:
    """One line that is rewritten a few times a second; on no terminal, one line at the end of each trial.

    It is printed by a thread: a terminal that is slow, stopped or gone must not hold the loop.

    Parameters
    ----------
    unit : str
        Of signal and threshold, as in 'ΔF/F'.
    log : SessionLog
    """

    def __init__(self, unit: str, log: SessionLog) -> None:
        self._unit, self._log = unit, log
        self._next_s = 0.0
        self._trials_told = 0
        self._fps, self._seen, self._seen_s = 0.0, 0, time.monotonic()
        self._texts: queue.SimpleQueue[Text | None] = queue.SimpleQueue()
        self._printer = threading.Thread(target=self._print_all, name="status line", daemon=True)

    def due(self, now_s: float) -> bool:
        """Return whether it is time to show something new."""
        return now_s >= self._next_s or self._log.trials != self._trials_told

    def show(self, state: str, signal: float, threshold: float, seconds_left: float, trouble: str) -> None:
        """Show where the session stands."""
        now_s = time.monotonic()
        self._next_s = now_s + REFRESH_S
        text = self._text(now_s, state, signal, threshold, seconds_left, trouble)
        if console.is_terminal or self._log.trials != self._trials_told:
            self._texts.put(Text(text, style="bold red" if trouble else ""))
        self._trials_told = self._log.trials

    def _print_all(self) -> None:
        # OSError: the terminal is gone, as with `... | head`; the session goes on without it.
        with contextlib.suppress(OSError):
            if console.is_terminal:
                with Live(console=console, auto_refresh=False) as live:
                    while (text := self._texts.get()) is not None:
                        live.update(text, refresh=True)
            else:
                while (text := self._texts.get()) is not None:
                    console.print(text, soft_wrap=True)

    def _text(
        self, now_s: float, state: str, signal: float, threshold: float, seconds_left: float, trouble: str
    ) -> str:
        log = self._log
        frames = log.frames + log.unsaved
        if now_s > self._seen_s:
            rate = (frames - self._seen) / (now_s - self._seen_s)
            self._fps += (rate - self._fps) * (FPS_OVER if self._fps else 1.0)
            self._seen, self._seen_s = frames, now_s
        success = f"{100 * (1 - log.fails / log.trials):.0f} %" if log.trials else "-"
        parts = [
            state,
            f"{log.rewards} rewards",
            f"success {success}",
            f"{self._unit} {signal:.3f} / {threshold:.3f}",
            f"{self._fps:.1f} fps",
            f"{log.lost} lost, {log.stale} late",
            f"at most {clock(seconds_left)} left",
        ]
        return " | ".join(parts + ([trouble] if trouble else []))

    def __enter__(self) -> "StatusLine":
        self._printer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._texts.put(None)
        self._printer.join(1.0)
        terminal.is_stuck = self._printer.is_alive()


def print_banner(simulated: dict[str, str]) -> None:
    """Say in a box which devices are not real."""
    if simulated:
        lines = "\n".join(f"{device:8} {what}" for device, what in simulated.items())
        title = Text("SIMULATED: no animal may be on this rig", style="bold")
        console.print(Panel(lines, title=title, border_style="bold yellow", expand=False, padding=(1, 4)))


def print_summaries(logs: Iterable[SessionLog]) -> None:
    """Show how sessions went, where anybody still reads."""
    if terminal.is_stuck:
        return
    with contextlib.suppress(OSError):
        for log in logs:
            print_table(log.summary(), log.notes)


def water_in_words(values: Mapping[str, object]) -> str:
    """Return what the mouse has had, and what was withheld."""
    withheld = f"; {values['withheld_rewards']} not paid" if values["withheld_rewards"] else ""
    if values["water_ul"] == "uncalibrated":
        return f"uncalibrated, {values['reward_s']} s each{withheld}"
    return f"{values['water_ul']} µl, today {values['water_day_ul']} µl{withheld}"


def print_table(values: Mapping[str, object], notes: Mapping[str, object]) -> None:
    """Print the summary as a table."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    success = f"{100 * float(str(values['success_rate'])):.0f} %" if values["success_rate"] else "no trial ended"
    for name, value in (
        ("ended by", values["ended_by"]),
        ("trials", values["trials"]),
        ("rewards", values["rewards"]),
        ("water", water_in_words(values)),
        ("success rate", success),
        ("frames", f"{values['frames']}, {values['lost_frames']} lost, {values['unsaved_frames']} not stored"),
        ("decided late", f"{values['stale_frames']} frames, on which nothing was paid"),
        ("latency", f"frame to output: median {values['latency_median_ms']} ms, p99 {values['latency_p99_ms']} ms"),
        ("", f"in the first 200 frames: {values['latency_of_first_frames_ms']} ms"),
        ("session type", values["session_type"]),
        *((name.replace("_", " "), str(value)) for name, value in notes.items()),
    ):
        table.add_row(name, str(value))
    console.print(table)
    console.print(f"  session folder: {values['data_path']}", soft_wrap=True)  # in one piece, to be copied
