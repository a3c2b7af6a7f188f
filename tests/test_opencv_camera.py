"""OpenCVCameraStream on a stand-in for a camera of V4L2: its exposure, its gain, and a picture that is cut out."""

import time

import cv2
import numpy as np
import pytest

from CameraFactory import CameraFactory
from OpenCVCameraStream import OpenCVCameraStream
from rig.errors import CameraError, RigError
from rig.settings.ini import to_strings

WIDTH, HEIGHT, RATE = 64, 48, 200
APERTURE_PRIORITY, MANUAL = 3, 1
SMALL = {"resolution": "32, 24", "bregma": "12, 16", "ppmm": 3, "framerate": RATE, "shutter_speed": 4000}


class Camera:
    """What cv2.VideoCapture offers of a camera: controls that it has, and how it takes what is set.

    Parameters
    ----------
    controls : dict of int to float
        By the number that OpenCV gives them; others are not there, which OpenCV says as -1.
    takes : callable, optional
        Returns what becomes of a (control, value) that is set.
    """

    def __init__(self, controls, takes=lambda control, value: value, backend="V4L2"):
        self.controls, self._takes, self._backend = controls, takes, backend
        self.is_open, self.n = True, 0

    def isOpened(self):  # noqa: N802 - as OpenCV calls it
        return True

    def getBackendName(self):  # noqa: N802
        return self._backend

    def set(self, control, value):
        if control in self.controls:
            self.controls[control] = self._takes(control, value)

    def get(self, control):
        return self.controls.get(control, -1)

    def read(self):
        time.sleep(1 / RATE)
        self.n += 1
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        image[..., 0], image[..., 1], image[..., 2] = np.arange(WIDTH), np.arange(HEIGHT)[:, None], self.n % 256
        return True, image

    def release(self):
        self.is_open = False


def automatic():
    return {cv2.CAP_PROP_AUTO_EXPOSURE: APERTURE_PRIORITY, cv2.CAP_PROP_EXPOSURE: 157, cv2.CAP_PROP_GAIN: 5}


@pytest.fixture
def opened(settings, monkeypatch):
    """Start the driver on a stand-in."""

    def start(camera, **changes):
        monkeypatch.setattr(cv2, "VideoCapture", lambda source: camera)
        values = SMALL | {"crop": "20, 10", "vid_source": "OpenCVCameraStream"} | changes
        return OpenCVCameraStream(to_strings(settings(**values))).start()

    return start


def test_resolution_is_cut_out_of_what_the_camera_gives(opened):
    camera = Camera(automatic())
    with CameraFactory(opened(camera), (32, 24)) as factory:
        image = factory.read().image
    assert (image[0, 0, :2].tolist(), image[-1, -1, :2].tolist()) == ([20, 10], [51, 33])
    assert image.flags.c_contiguous
    assert not camera.is_open


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"crop": "33, 10"}, "crop = 33, 10: the camera gives 64, 48 px, and resolution = 32, 24 from there"),
        ({"crop": ""}, "resolution = 32, 24: the camera gives 64, 48 px; set a resolution that it has, or crop"),
    ],
)
def test_a_picture_that_does_not_fit_is_refused(opened, changes, sentence):
    camera = Camera(automatic())
    with pytest.raises(CameraError) as caught:
        opened(camera, **changes)
    assert sentence in str(caught.value)
    assert not camera.is_open


def test_exposure_and_gain_are_set_and_automatic_exposure_is_off(opened):
    camera = Camera(automatic())
    opened(camera, gain=7).stop()
    assert camera.controls == {
        cv2.CAP_PROP_AUTO_EXPOSURE: MANUAL, cv2.CAP_PROP_EXPOSURE: 40, cv2.CAP_PROP_GAIN: 7,
    }  # fmt: skip


def test_a_gain_that_is_not_asked_for_is_left_as_it_is(opened):
    camera = Camera(automatic())
    opened(camera).stop()
    assert camera.controls[cv2.CAP_PROP_GAIN] == 5


@pytest.mark.parametrize("camera", [Camera({}), Camera(automatic(), backend="GSTREAMER")])
def test_a_camera_without_these_controls_is_used_as_it_is(opened, camera):
    before = dict(camera.controls)
    opened(camera, shutter_speed=60000).stop()
    assert camera.controls == before


def keeps(control, found):
    """Whatever is set, this control stays as it is."""
    return lambda which, value: found if which == control else value


@pytest.mark.parametrize(
    ("takes", "changes", "sentence"),
    [
        (
            keeps(cv2.CAP_PROP_AUTO_EXPOSURE, APERTURE_PRIORITY),
            {},
            "the camera keeps its automatic exposure (auto_exposure = 3, needed is 1)",
        ),
        (keeps(cv2.CAP_PROP_EXPOSURE, 30), {}, "shutter_speed = 4000: the camera exposes for 3000 µs"),
        (keeps(cv2.CAP_PROP_GAIN, 5), {"gain": 7}, "gain = 7: the camera has 5"),
        (None, {"shutter_speed": 60000}, "does not fit into a frame of 5000 µs (framerate = 200)"),
    ],
)
def test_what_the_camera_does_not_take_is_refused(opened, takes, changes, sentence):
    camera = Camera(automatic(), *filter(None, [takes]))
    with pytest.raises(RigError) as caught:
        opened(camera, **changes)
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not camera.is_open


def test_a_gain_that_the_camera_does_not_have_is_refused(opened):
    with pytest.raises(CameraError, match="gain = 7: the camera has no gain to set"):
        opened(Camera({cv2.CAP_PROP_AUTO_EXPOSURE: MANUAL}), gain=7)
