"""A computer that other programs keep busy, for tests and benchmarks."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy_computer(n_programs: int) -> Iterator[None]:
    """Let this many programs compute for nothing, as fast as they can."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n_programs)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
