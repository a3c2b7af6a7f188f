"""What the user asks of a running session: a note, a pause, its end.  Keys of the window, and lines of the terminal."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from typing import NamedTuple

ENTER, BACKSPACE, ESC, DELETE = (10, 13), 8, 27, 127
LONGEST_NOTE = 100
"""Letters; an event keeps 120 bytes."""


class Wish(NamedTuple):
    """What the user asks for.

    Attributes
    ----------
    what : str
        'note' or 'pause'.
    text : str
        Of the note.
    time_s : float
        When, monotonic clock.
    """

    what: str
    text: str
    time_s: float


class Keyboard:
    """The keys of the window, one at a time: `n` begins a note, `p` is for a pause, Esc ends the session.

    Parameters
    ----------
    wishes : deque
        Takes what the user asks for.

    Attributes
    ----------
    note : str or None
        As far as it is typed; None while no note is typed.
    stop : bool
        Esc was pressed, and not to drop a note.
    """

    def __init__(self, wishes: deque[Wish]) -> None:
        self._wishes = wishes
        self._began_s = 0.0
        self.note: str | None = None
        self.stop = False

    def press(self, key: int) -> None:
        """Take a key, by its code; 255 is none."""
        if self.note is not None:
            self._type(key, self.note)
        elif key == ESC:
            self.stop = True
        elif key == ord("n"):
            self.note, self._began_s = "", time.monotonic()
        elif key == ord("p"):
            self._wishes.append(Wish("pause", "", time.monotonic()))

    def _type(self, key: int, note: str) -> None:
        """Take a key of the note; it is stamped with the time at which it was begun."""
        if key in ENTER:
            self._wishes.append(Wish("note", note, self._began_s))
            self.note = None
        elif key == ESC:
            self.note = None
        elif key in (BACKSPACE, DELETE):
            self.note = note[:-1]
        elif 32 <= key < 127 and len(note) < LONGEST_NOTE:
            self.note = note + chr(key)

    def hint(self) -> str:
        """Say which keys there are now."""
        if self.note is None:
            return "Esc stops the session, n: a note, p: pause, or go on"
        return f"note: {self.note}_  (Enter keeps it, Esc drops it)"


class TypedLines:
    """The lines that are typed into the terminal while a session runs: notes; `p` by itself is for a pause.

    A thread waits for them, so that the loop never does.  It reads only what is there, and only in the foreground: a
    session in the background must not take what is typed for the shell.

    Parameters
    ----------
    wishes : deque
        Takes what the user asks for.
    """

    def __init__(self, wishes: deque[Wish]) -> None:
        self._wishes = wishes
        self._wake_fd, self._ends_fd = os.pipe()
        self._thread = threading.Thread(target=self._read_all, name="typed lines", daemon=True)

    def __enter__(self) -> "TypedLines":
        self._on_ttin = signal.getsignal(signal.SIGTTIN)
        if sys.stdin.isatty():
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # reading in the background fails, and stops nothing
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ends_fd)
        if self._thread.ident is not None:
            self._thread.join(1.0)
            signal.signal(signal.SIGTTIN, self._on_ttin or signal.SIG_DFL)
        os.close(self._wake_fd)

    def _read_all(self) -> None:
        fd = sys.stdin.fileno()
        with contextlib.suppress(OSError):  # the terminal is gone; the session goes on without it
            while self._wake_fd not in select.select([fd, self._wake_fd], [], [])[0]:
                if os.tcgetpgrp(fd) != os.getpgrp():
                    select.select([self._wake_fd], [], [], 1.0)
                    continue
                data = os.read(fd, 4096)
                if not data:
                    return  # Ctrl-D
                for line in data.decode("utf-8", errors="replace").splitlines():
                    self._take(line.strip())

    def _take(self, line: str) -> None:
        what = "pause" if line == "p" else "note"
        self._wishes.append(Wish(what, "" if what == "pause" else line, time.monotonic()))
