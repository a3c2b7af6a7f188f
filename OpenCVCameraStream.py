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
from rig.settings.camera import CameraSettings
from rig.settings.loading import from_strings
from rig.terminal import console

QUEUE_FRAMES = 64
FIRST_FRAMES = 5  # to see what kind of source it is
SAMPLED = 8  # px from one pixel to the next whose colours are compared
ROUNDING = 2  # of 255: the three colours of a grey pixel differ by this when they come from a compressed picture
GREEN = 1
NO_COLOUR = "its three colours are equal; with mono = 1 a session needs a third of the disk"


class OpenCVCameraStream:
    """A camera behind cv2.VideoCapture, read by a thread.

    Parameters
    ----------
    cfgDict : mapping of str to str
        `opencv_source` is the number of the camera, a pipeline or an address; `resolution` and `framerate` are
        asked for, and refused where the camera gives others.  With `crop` the camera gives the size that it likes, and
        `resolution` is cut out of it.  `shutter_speed` and `gain` are set where V4L2 has them.  `mono` = 1 keeps one
        channel of a camera without colours.
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
        self.channels = 1 if self._settings.mono else 3
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
        image = self._in_channels(image)
        if self.channels == 3 and image.any() and has_no_colour(image):
            console.print(f"opencv_source = {source}: {NO_COLOUR}", style="yellow", soft_wrap=True)
        fps = self._camera.get(cv2.CAP_PROP_FPS)
        if fps > 0 and abs(fps / self._settings.framerate - 1) > 0.01:
            raise CameraError(
                f"framerate = {self._settings.framerate:g}: the camera gives {fps:g} frames/s; set framerate = {fps:g}"
            )

    def _check_size(self, image: np.ndarray) -> None:
        (width, height), crop = self._settings.resolution, self._settings.crop
        if self._cut(image).shape[:2] == (height, width):
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

    def _in_channels(self, image: np.ndarray) -> np.ndarray:
        """Return an image with the channels that it should have; CameraError where it has colours and should not."""
        if self.channels == 3:
            return image
        grey = image if image.ndim == 2 else image[..., GREEN]
        if not has_no_colour(image):
            raise CameraError("mono = 1: the camera gives colours; set mono = 0")
        return np.ascontiguousarray(grey)[..., None]

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
            try:
                self._queue.put(Frame(number, captured_s, captured_s, self._in_channels(self._cut(image))))
            except CameraError as error:
                self._queue.fail(error)
                break
        self._camera.release()

    def _stamp_s(self) -> float:
        """Return when the newest image was captured, s, as the driver says."""
        return float(self._camera.get(cv2.CAP_PROP_POS_MSEC) / 1e3)


def has_no_colour(image: np.ndarray) -> bool:
    """Return whether the colours of an image, (height, width[, 3]), are equal, as a sample of its pixels shows."""
    if image.ndim == 2:
        return True
    sample = image[::SAMPLED, ::SAMPLED].astype(np.int16)
    return bool((np.ptp(sample, axis=2) <= ROUNDING).all())


if __name__ == "__main__":
    from rig.commands.camera import bench

    bench(OpenCVCameraStream)
