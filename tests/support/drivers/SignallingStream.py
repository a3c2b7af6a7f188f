"""A drawn mouse on a computer that is told to stop: Ctrl-C and SIGTERM arrive at a chosen moment.

The environment variable SIGNALS_COME says when:

- `reading`: while the camera reads frame 20;
- `closing`: SIGNALS_AFTER_S seconds after the recording has ended with frame 20;
- `joining`: after that end, while the tables are joined into the HDF5 file, as the header kept next to it tells;
- `joined`: when that is done, and the files are read back.
"""

import os
import signal
import threading
import time
from pathlib import Path

from SimCameraStream import SimCameraStream

FRAME = 20
KEPT_HEADER, PARTS = "*/*/*.header", "*/*/*.part"


def send():
    """Send Ctrl-C and SIGTERM to this process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)


def send_when(condition):
    """Send them in a thread as soon as the condition holds."""

    def watch():
        while not condition():
            time.sleep(0)  # a longer sleep would not be as exact
        send()

    threading.Thread(target=watch, daemon=True).start()


class SignallingStream(SimCameraStream):
    """The signals come once; where they come later than frame 20, that is the last frame."""

    def __init__(self, cfgDict):
        super().__init__(cfgDict)
        self._data = Path(cfgDict["data_root"])
        self._when = os.environ["SIGNALS_COME"]
        self._after_s = float(os.environ.get("SIGNALS_AFTER_S", "0"))

    def read(self):
        frame = super().read()
        if self._when == "reading":
            if frame.number == FRAME:
                send()
            return frame
        if frame.number <= FRAME:
            return frame
        self._send_later()
        return None

    def _send_later(self):
        at_s = time.monotonic() + self._after_s
        send_when(
            {
                "closing": lambda: time.monotonic() >= at_s,
                "joining": lambda: any(self._data.glob(KEPT_HEADER)),
                "joined": lambda: not any(self._data.glob(PARTS)),
            }[self._when]
        )
