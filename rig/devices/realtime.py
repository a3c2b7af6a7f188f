"""Real-time scheduling: other programs cannot delay guard, camera and loop, where the system allows it.

Linux schedules threads.  A thread under SCHED_FIFO runs before all normal ones, and before those of a lower number, for
as long as it has something to do.  The guard has the highest number of the three, as has the thread that watches it: it
ends a pulse, and takes all pins low, even while a loop that hangs takes a core for itself.  The kernel keeps 5 % of
each core for normal threads, so such a loop does not lock the computer.

The other threads of the script get a lower number than the loop, and not none: each of them may hold Python's lock, and
while other programs keep it from running with that, the loop waits.  Measured with four busy programs on two cores, p99
from frame to command is 0.8 ms with them and 8 ms without.

The guard imports this module, so it imports next to nothing.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

GUARD, CAPTURE, LOOP, REST = 12, 11, 10, 5  # of 1 to 99; threads of the kernel that serve hardware have 50
NORMAL = 0
OFF = "real-time scheduling is off (realtime = 0)"
IN_FORCE = f"real-time scheduling is in force: guard {GUARD}, camera {CAPTURE}, loop {LOOP}"
HOW_TO = "'make setup' offers the file that allows it"


def ask(priority: int, thread: int = 0) -> str:
    """Let this thread run before all normal ones; return why the system refuses, nothing where it does not.

    Threads and processes that are started from here later are normal ones.

    Parameters
    ----------
    priority : int
        GUARD, CAPTURE, LOOP or REST; NORMAL goes back.
    thread : int
        Number of another thread.
    """
    try:
        policy = os.SCHED_FIFO if priority else os.SCHED_OTHER
        os.sched_setscheduler(thread, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return error.strerror or str(error)
    except AttributeError:
        return "only Linux has it"
    return ""


def is_in_force(pid: int) -> bool:
    """Return whether a process, or a thread by its number, is under real-time scheduling."""
    try:
        return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
    except (OSError, AttributeError):
        return False


@contextmanager
def loop_in_real_time(wanted: bool) -> Iterator[str]:
    """Ask for real-time scheduling of the loop, this thread, within a `with` block.

    Yields in words whether it is in force.

    Parameters
    ----------
    wanted : bool
        Else nothing is changed.
    """
    if not wanted:
        yield OFF
        return
    refused = ask(LOOP)
    rest = [] if refused else normal_threads()
    for thread in rest:
        ask(REST, thread)
    try:
        yield describe(refused)
    finally:
        for thread in rest:
            ask(NORMAL, thread)
        if not refused:
            ask(NORMAL)


def normal_threads() -> list[int]:
    """Return the numbers of the threads of this script that are not under real-time scheduling."""
    numbers = [thread.native_id for thread in threading.enumerate()]
    return [number for number in numbers if number is not None and not is_in_force(number)]


def describe(refused: str) -> str:
    """Return in words whether it is in force."""
    if refused:
        return f"real-time scheduling is not allowed here ({refused}): other programs can delay the loop"
    return IN_FORCE
