"""How every program of the rig ends: signals, errors in a sentence, exit status."""

import contextlib
import errno
import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from rig.errors import NoSession, RigError
from rig.terminal import console, terminal

AT_ONCE_AFTER_S = 3.0  # a second signal this long after the first does not wait any more


class Stopped(BaseException):
    """A signal ends the script."""

    def __init__(self, number: int) -> None:
        super().__init__("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        self.exit_status = 128 + number


class Signals:
    """Ctrl-C, SIGTERM and SIGHUP: they unwind the script once, so that every device is closed in order.

    While a session runs they wait for a safe point of the loop, between two frames, and while it is closed, until it
    is closed: no row is half-written, and no impatient second Ctrl-C can interrupt the closing.  A second one 3 s after
    the first acts at once, wherever the script hangs: guard and tone process lose their script and go low and silent,
    and the next session finishes the files.
    """

    HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._asked: Stopped | None = None
        self._waiting = False

    def install(self) -> None:
        """Take the signals over."""
        for each in self.HANDLED:
            if not (each == signal.SIGHUP and signal.getsignal(each) == signal.SIG_IGN):  # nohup means it
                signal.signal(each, self._stop)
        # Python calls handlers only between two of its own steps, which a script that hangs in a library never reaches.
        # The number of each signal comes through this pair at once, whatever the main thread does.
        listening, told = socket.socketpair()
        told.setblocking(False)
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        self._wakeup = told  # kept open
        threading.Thread(target=self._listen, args=(listening,), name="signals", daemon=True).start()

    def _listen(self, listening: socket.socket) -> None:
        """End the process at the second signal, if it comes late enough; a thread."""
        first_s: float | None = None
        while number := listening.recv(1):
            now_s = time.monotonic()
            if signal.Signals(number[0]) not in self.HANDLED or signal.getsignal(number[0]) == signal.SIG_IGN:
                continue
            if first_s is not None and now_s - first_s >= AT_ONCE_AFTER_S:
                with contextlib.suppress(OSError):
                    os.write(2, b"\nended at once: outputs are low, and the next session finishes the files\n")
                os._exit(128 + number[0])
            first_s = now_s if first_s is None else first_s

    @contextmanager
    def at_safe_points(self) -> Iterator[None]:
        """Let signals wait for `stop_if_asked`, or for the end of this block."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
        self.stop_if_asked()

    def stop_if_asked(self) -> None:
        """Raise Stopped if a signal has come."""
        if self._asked is not None:
            raise self._asked

    def _stop(self, number: int, _: FrameType | None) -> None:
        already, self._asked = self._asked, self._asked or Stopped(number)
        if not (already or self._waiting):
            raise self._asked


signals = Signals()


def run(main: Callable[[], int]) -> NoReturn:
    """Run a program, report a mistake of the user or a failure of a device in a sentence, and exit with its status."""
    mend_streams()
    signals.install()
    sys.setswitchinterval(0.001)  # s; the default of 5 ms lets a busy loop starve the threads that write and listen
    try:
        status = main()
    except NoSession as reason:
        status = 0
        say(str(reason))
    except RigError as error:
        status = error.exit_status
        complain(str(error))
    except Stopped as stopped:
        status = stopped.exit_status
    except SystemExit as end:  # of argparse, which has said why
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        status = 128 + signal.SIGPIPE  # as with `... | head`: nobody reads any more
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        status = 1
        complain(f"{error.filename or 'standard output'}: {error.strerror}")
    leave(status)


def mend_streams() -> None:
    """Let the program run where standard input, output or error is closed, or takes only some letters.

    A closed one is connected to nothing: else the next file that is opened would get its number, and what a library
    prints would be written into that file.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name, fd in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(fd, "r" if fd == 0 else "w", closefd=False, encoding="utf-8"))  # noqa: SIM115
        elif fd and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(sentence: str, style: str = "") -> None:
    """Print a sentence, unless the terminal takes no more text."""
    if not terminal.is_stuck:
        console.print(sentence, style=style, soft_wrap=True)


def complain(sentence: str) -> None:
    """Print what went wrong, on standard error."""
    console.file, console.quiet = sys.stderr, False
    say(sentence, style="bold red")


def leave(status: int) -> NoReturn:
    """Exit, whatever has become of the terminal."""
    if terminal.is_stuck:
        os._exit(status)  # all is closed, and Python would wait for the terminal
    try:
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            console.refused = str(error.strerror)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would complain at its end
    if console.refused:
        print(f"standard output takes no more text ({console.refused}); nothing else is lost", file=sys.stderr)
    sys.exit(status)
