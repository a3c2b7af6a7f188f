"""Waiting, ending processes, and skipping what this machine lacks."""

import fcntl
import os
import shutil
import signal
import termios
import time

import pytest


def wait_until(condition, timeout_s=60.0):
    """Wait until the condition holds; fail when it never does."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.02)


def end(process):
    """End a process that a test has started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(20)


def at_the_terminal(fd):
    """Let this process be the one in the foreground of a terminal."""
    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def needs(*programs):
    """Skip a test where a program is missing; `make setup` installs them all."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
