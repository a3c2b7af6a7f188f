"""Any camera that OpenCV opens: USB cameras by number, CSI and network cameras by pipeline or address.

`python OpenCVCameraStream.py` shows what it captures.
"""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import rig  # noqa: F401 - before OpenCV, which it keeps silent

# isort: split
import cv2
import numpy as np

from rig.devices import v4l2
from rig.devices.arrivals import Arrivals
from rig.devices.frames import Counting, Frame, FrameQueue, Numbering
from rig.errors import CameraError
from rig.settings.common import CameraSettings
from rig.settings.loading import from_strings

QUEUE_FRAMES = 64
FIRST_FRAMES = 5  # to see what kind of source it is


class OpenCVCameraStream:
    """A camera behind cv2.VideoCapture, read by a thread.

    Parameters
    ----------
    cfgDict : mapping of str to str
        `opencv_source` is the number of the camera, a pipeline or an address; `resolution` and `framerate` are
        asked for, and refused where the camera gives others.  With `crop` the camera gives the size that it likes, and
        `resolution` is cut out of it.  `shutter_speed` and `gain` are set where V4L2 has them.
    """

    stands_in: ClassVar[str] = ""
    can_be_fast: ClassVar[bool] = False
    replays: ClassVar[bool] = False
    gains_are_locked: ClassVar[bool | None] = None  # OpenCV cannot tell
    is_linear: ClassVar[bool | None] = None  # nor this: most cameras give photographs

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CameraSettings, cfgDict, "OpenCVCameraStream")
        self._queue = FrameQueue(QUEUE_FRAMES, self._settings.camera_timeout_s, self._settings.realtime)
        self._arrivals = Arrivals(self._settings.frame_period_s())
        self._running = False
        self._thread = threading.Thread(target=self._capture, name="OpenCV camera", daemon=True)

    def start(self) -> "OpenCVCameraStream":
        """Open the camera.

        Raises
        ------
        CameraError
            There is no such camera, or it gives another size or framerate.
        """
        source = self._settings.opencv_source
        self._camera = cv2.VideoCapture(int(source) if source.isdigit() else source)
        if not self._camera.isOpened():
            raise CameraError(
                f"opencv_source = {source}: OpenCV cannot open this camera; 'ls /dev/video*' lists yours, and "
                "OPENCV_LOG_LEVEL=INFO before the command shows what OpenCV says"
            )
        try:
            self._configure()
            self._see_first(source)
        except BaseException:
            self._camera.release()
            raise
        self._running = True
        self._thread.start()
        return self

    def _configure(self) -> None:
        if self._settings.crop is None:
            width, height = self._settings.resolution
            self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._camera.set(cv2.CAP_PROP_FPS, self._settings.framerate)
        v4l2.lock(self._camera, self._settings)

    def _see_first(self, source: str) -> None:
        """Take the first frames, to see what kind of source it is, and whether it gives what is needed."""
        began_s = time.monotonic()
        for _ in range(FIRST_FRAMES):
            good, image = self._camera.read()
        is_file = Path(source).is_file()
        self._arrivals.see_first(self._stamp_s(), began_s, time.monotonic(), FIRST_FRAMES, is_file)
        if not good:
            raise CameraError(f"opencv_source = {source}: the camera opens but gives no image")
        self._check_size(image)
        fps = self._camera.get(cv2.CAP_PROP_FPS)
        if fps > 0 and abs(fps / self._settings.framerate - 1) > 0.01:
            raise CameraError(
                f"framerate = {self._settings.framerate:g}: the camera gives {fps:g} frames/s; set framerate = {fps:g}"
            )

    def _check_size(self, image: np.ndarray) -> None:
        (width, height), crop = self._settings.resolution, self._settings.crop
        if self._cut(image).shape == (height, width, 3):
            return
        gives = f"the camera gives {image.shape[1]}, {image.shape[0]} px"
        if crop is None:
            raise CameraError(f"resolution = {width}, {height}: {gives}; set a resolution that it has, or crop")
        raise CameraError(
            f"crop = {crop[0]}, {crop[1]}: {gives}, and resolution = {width}, {height} from there does not fit into it"
        )

    def _cut(self, image: np.ndarray) -> np.ndarray:
        """Return `resolution` from an image (height, width, 3); all of it without `crop`."""
        if self._settings.crop is None:
            return image
        (x, y), (width, height) = self._settings.crop, self._settings.resolution
        return np.ascontiguousarray(image[y : y + height, x : x + width])

    def begin_session(self) -> None:
        """Forget the frames that wait."""
        self._queue.clear()

    def read(self) -> Frame:
        """Return the next frame; CameraError when the camera has stopped."""
        return self._queue.get()

    def stop(self) -> None:
        """Close the camera; harmless when repeated."""
        self._running = False
        if self._thread.is_alive():
            self._thread.join(self._settings.camera_timeout_s + 1)

    def _capture(self) -> None:
        numbering, counting = Numbering(self._settings.framerate), Counting(self._settings.framerate)
        while self._running:
            asked_s = time.monotonic()
            good, image = self._camera.read()
            captured_s = self._arrivals.captured_s(self._stamp_s(), asked_s, time.monotonic())
            if not good:
                self._queue.fail(CameraError("the camera stopped giving images; check its cable, then start again"))
                break
            if captured_s is None:  # nobody knows how old it is; its number is missing, so it counts as lost
                counting.leave_out()
                continue
            number = (numbering if self._arrivals.has_stamps else counting).number(captured_s)
            self._queue.put(Frame(number, captured_s, captured_s, self._cut(image)))
        self._camera.release()

    def _stamp_s(self) -> float:
        """Return when the newest image was captured, s, as the driver says."""
        return float(self._camera.get(cv2.CAP_PROP_POS_MSEC) / 1e3)


if __name__ == "__main__":
    from rig.commands.camera import bench

    bench(OpenCVCameraStream)
