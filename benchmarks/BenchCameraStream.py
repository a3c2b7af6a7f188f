"""A camera that gives frames from its own thread, as real cameras do: for the measurements.

A session finds it where this folder is on PYTHONPATH; `sessions.run_in_window` sees to that.
"""

import threading
import time
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from rig.devices.frames import Frame, FrameQueue
from rig.settings.camera import CameraSettings
from rig.settings.loading import from_strings

QUEUE_FRAMES = 64
N_IMAGES = 8
ENDS_WITHIN_S = 2.0


class BenchCameraStream:
    """Eight images of noise that come round and round, at the pace of a camera.

    Parameters
    ----------
    cfgDict : mapping of str to str
        `resolution` and `framerate`.
    """

    stands_in: ClassVar[str] = "images of noise"
    can_be_fast: ClassVar[bool] = False
    replays: ClassVar[bool] = False
    gains_are_locked: ClassVar[bool | None] = True
    is_linear: ClassVar[bool | None] = None  # noise has no light

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CameraSettings, cfgDict, "BenchCameraStream")
        self._queue = FrameQueue(QUEUE_FRAMES, self._settings.camera_timeout_s, self._settings.realtime)
        width, height = self._settings.resolution
        self._images = np.random.default_rng(0).integers(60, 200, (N_IMAGES, height, width, 3), np.uint8)
        self._running = True
        self._thread = threading.Thread(target=self._capture, name="camera", daemon=True)

    def start(self) -> "BenchCameraStream":
        """Let the thread run."""
        self._thread.start()
        return self

    def begin_session(self) -> None:
        """Forget the frames that wait."""
        self._queue.clear()

    def read(self) -> Frame:
        """Return the next frame."""
        return self._queue.get()

    def stop(self) -> None:
        """End the thread; harmless when repeated."""
        self._running = False
        if self._thread.is_alive():
            self._thread.join(ENDS_WITHIN_S)

    def _capture(self) -> None:
        began_s, n = time.monotonic(), 0
        while self._running:
            due_s = began_s + n / self._settings.framerate
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._queue.put(Frame(n, due_s, time.monotonic(), self._images[n % N_IMAGES].copy()))
            n += 1
