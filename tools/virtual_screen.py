"""A screen in memory (Xvfb), for tests, benchmarks and the pictures in docs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def screen_in_memory(*options: str) -> Iterator[str]:
    """Yield the DISPLAY of a screen of 1400 x 900 px.

    Parameters
    ----------
    *options : str
        More of Xvfb's, such as '-fbdir', FOLDER to keep the pixels in a file.
    """
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-noreset", "-nolisten", "tcp", *options],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
