"""The status line of a running session."""

import contextlib
import queue
import threading
import time

from rich.live import Live
from rich.text import Text

from rig.protocol.tally import Tally
from rig.settings.told import Told
from rig.terminal import clock, console, terminal

REFRESH_S = 0.25
FPS_OVER = 0.2  # share of the newest interval in the shown frame rate


class StatusLine:
    """One line that is rewritten a few times a second; on no terminal, one line at the end of each trial.

    It is printed by a thread: a terminal that is slow, stopped or gone must not hold the loop.

    Parameters
    ----------
    unit : str
        Of signal and threshold, as in 'ΔF/F'.
    tally : Tally
    told : Told
        What the user may see.
    """

    def __init__(self, unit: str, tally: Tally, told: Told) -> None:
        self._unit, self._tally, self._told = unit, tally, told
        self._next_s = 0.0
        self._trials_shown = 0
        self._fps, self._seen, self._seen_s = 0.0, 0, time.monotonic()
        self._texts: queue.SimpleQueue[Text | None] = queue.SimpleQueue()
        self._printer = threading.Thread(target=self._print_all, name="status line", daemon=True)

    def due(self, now_s: float) -> bool:
        """Return whether it is time to show something new."""
        return now_s >= self._next_s or self._tally.trials != self._trials_shown

    def show(
        self, state: str, signal: float, threshold: float, seconds_left: float, trouble: str, unsynced_s: float
    ) -> None:
        """Show where the session stands; `unsynced_s` is the most that was ever not on disk, s."""
        now_s = time.monotonic()
        self._next_s = now_s + REFRESH_S
        text = self._text(now_s, state, signal, threshold, seconds_left, trouble, unsynced_s)
        if console.is_terminal or self._tally.trials != self._trials_shown:
            self._texts.put(Text(text, style="bold red" if trouble else ""))
        self._trials_shown = self._tally.trials

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
        self,
        now_s: float,
        state: str,
        signal: float,
        threshold: float,
        seconds_left: float,
        trouble: str,
        unsynced_s: float,
    ) -> str:
        tally = self._tally
        frames = tally.frames + tally.unsaved
        if now_s > self._seen_s:
            rate = (frames - self._seen) / (now_s - self._seen_s)
            self._fps += (rate - self._fps) * (FPS_OVER if self._fps else 1.0)
            self._seen, self._seen_s = frames, now_s
        success = "-" if tally.success_rate is None else f"{100 * tally.success_rate:.0f} %"
        chance = filter(None, [tally.chance.describe()])
        parts = [
            state,
            *self._told.if_open(f"rewards {tally.rewards}", f"success {success}", *chance),
            f"{self._unit} {self._told.signal(signal, threshold)}",
            f"{self._fps:.1f} fps",
            f"{tally.lost} lost, {tally.stale} late",
            f"{unsynced_s:.1f} s to disk",
            *self._told.if_open(f"at most {clock(seconds_left)} left"),
        ]
        parts += self._told.if_open(f"{tally.vetoed} vetoed") if tally.vetoed else ()
        return " | ".join(parts + ([trouble] if trouble else []))

    def __enter__(self) -> "StatusLine":
        self._printer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._texts.put(None)
        self._printer.join(1.0)
        terminal.is_stuck = self._printer.is_alive()
