"""A camera whose driver takes a whole core after 20 frames and never returns; the session has only that core."""

import os
import time
from pathlib import Path

from SimCameraStream import SimCameraStream

SPINS_AT = 20


class SpinningStream(SimCameraStream):
    """Writes into the file SPINS_SINCE when it begins to spin, monotonic clock, s."""

    def __init__(self, cfgDict):
        super().__init__(cfgDict)
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])  # what is started from here inherits it: the guard, too

    def read(self):
        """Return the next frame, or never."""
        frame = super().read()
        if frame.number == SPINS_AT:
            Path(os.environ["SPINS_SINCE"]).write_text(f"{time.monotonic()} {os.sched_getscheduler(0)}")
            while True:
                pass
        return frame
