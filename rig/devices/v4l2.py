"""Exposure and gain of a camera that OpenCV reads through V4L2: set, read back, and automatic exposure off."""

import cv2

from rig.devices.exposure import must_fit
from rig.errors import CameraError
from rig.settings.camera import CameraSettings

BACKEND = "V4L2"
LACKING = -1  # what OpenCV gives for a control that the camera does not have
MANUAL = 1  # V4L2_EXPOSURE_MANUAL
UNIT_US = 100  # V4L2 counts exposures in steps of 100 µs
TOLERANCE = 0.05


def lock(camera: cv2.VideoCapture, settings: CameraSettings) -> None:
    """Set exposure and gain, where the camera is one of V4L2 and has them.

    Raises
    ------
    SettingsError
        The exposure is longer than a frame.
    CameraError
        The camera keeps exposing by itself, or takes other values.
    """
    if camera.getBackendName() != BACKEND:
        return
    if camera.get(cv2.CAP_PROP_AUTO_EXPOSURE) != LACKING:
        camera.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL)
        mode = camera.get(cv2.CAP_PROP_AUTO_EXPOSURE)
        if mode != MANUAL:
            raise CameraError(
                f"the camera keeps its automatic exposure (auto_exposure = {mode:g}, needed is {MANUAL}), so "
                "brightness means nothing; use a camera with fixed exposure, or switch it off with v4l2-ctl"
            )
    if camera.get(cv2.CAP_PROP_EXPOSURE) != LACKING:
        set_exposure(camera, settings)
    if settings.gain is not None:
        set_gain(camera, settings.gain)


def set_exposure(camera: cv2.VideoCapture, settings: CameraSettings) -> None:
    """Set the exposure time, and compare."""
    must_fit(settings)
    wanted_us = settings.shutter_speed
    camera.set(cv2.CAP_PROP_EXPOSURE, max(1, round(wanted_us / UNIT_US)))
    got_us = camera.get(cv2.CAP_PROP_EXPOSURE) * UNIT_US
    if abs(got_us - wanted_us) > max(UNIT_US, TOLERANCE * wanted_us):
        raise CameraError(
            f"shutter_speed = {wanted_us}: the camera exposes for {got_us:g} µs; set a time that it can do "
            "('v4l2-ctl --list-ctrls' shows the limits, in steps of 100 µs)"
        )


def set_gain(camera: cv2.VideoCapture, gain: float) -> None:
    """Set the gain, and compare."""
    if camera.get(cv2.CAP_PROP_GAIN) == LACKING:
        raise CameraError(f"gain = {gain:g}: the camera has no gain to set; leave this setting empty")
    camera.set(cv2.CAP_PROP_GAIN, gain)
    got = camera.get(cv2.CAP_PROP_GAIN)
    if abs(got - gain) > TOLERANCE * max(1, abs(gain)):
        raise CameraError(f"gain = {gain:g}: the camera has {got:g}; 'v4l2-ctl --list-ctrls' shows the limits")
