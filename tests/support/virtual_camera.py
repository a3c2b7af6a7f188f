"""What tests/test_picamera2.py runs on libcamera's virtual camera, in the environment that has picamera2.

It must not import pytest, which that environment lacks.
"""

import json
import os
import signal
import subprocess
import time

import numpy as np

from CameraFactory import CameraFactory
from PiCameraStream import BUFFERS, PiCameraStream
from rig.errors import CameraError

SETTINGS = {
    "vid_source": "PiCameraStream", "resolution": "640, 480", "framerate": "30", "shutter_speed": "10000", "iso": "100",
    "awb_mode": "off", "sensor_mode": "0", "linear": "0",  # it processes nothing, and so has no tuning file
}  # fmt: skip


class Camera(PiCameraStream):
    """Keeps what the sensor itself said of each frame, {captured_s: (count, metadata)}."""

    def __init__(self, **changes):
        super().__init__(SETTINGS | changes)
        self.said = {}

    def _take(self, request):
        buffer = next(iter(request.request.buffers.values()))
        metadata = request.get_metadata()
        self.said[metadata["SensorTimestamp"] / 1e9] = (buffer.metadata.sequence, metadata)
        super()._take(request)


def watch(camera, n):
    """Return what there is to say of the next n frames.

    Their numbers and times, the age of the newest, the column where the bars begin, the count of the sensor, the times
    of all frames that picamera2 completed, the forms of the images, the settings that the camera reports, the losses.
    """
    with CameraFactory(camera.start()) as factory:
        frames = [factory.read() for _ in range(n)]
        ages = [time.monotonic() - frames[-1].captured_s]
    rows = [f.image[240].astype(int).sum(axis=1) for f in frames]
    said = [camera.said[f.captured_s] for f in frames]
    forms = {(*f.image.shape, str(f.image.dtype), f.image.flags.c_contiguous) for f in frames}
    settings = {(m["ExposureTime"], m["AnalogueGain"], m["FrameDuration"], *m["ColourGains"]) for _, m in said}
    return {
        "numbers": [f.number for f in frames],
        "times": [f.time_s for f in frames],
        "ages": ages,
        "places": [int((row - np.roll(row, 1)).argmax()) for row in rows],
        "sequence": [count for count, _ in said],
        "completed": sorted(camera.said),
        "shapes": list(forms),
        "reported": list(settings),
        "lost": factory.lost,
    }


def hold_all(camera):
    """Take all buffers away from the library."""
    return [camera._camera.capture_request(wait=5) for _ in range(BUFFERS)]


def suspend(seconds):
    """Stop this process for a while, threads of the library and all."""
    subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)


def read_until_error(camera):
    """Return the sentence with which the camera stops."""
    try:
        while True:
            camera.read()
    except CameraError as error:
        return str(error)


def refused(make=Camera, **changes):
    """Return the sentence with which a camera is refused; None when it starts."""
    try:
        make(**changes).start()
    except CameraError as error:
        return str(error)


def answer(**values):
    """Hand values to the test."""
    print(json.dumps(values))
