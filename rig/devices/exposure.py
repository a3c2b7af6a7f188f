"""What holds for the exposure of any camera."""

from rig.errors import SettingsError
from rig.settings.camera import CameraSettings


def must_fit(settings: CameraSettings) -> None:
    """Raise SettingsError where the exposure does not fit into a frame."""
    period_us = settings.frame_period_s() * 1e6
    if settings.shutter_speed > period_us:
        raise SettingsError(
            f"shutter_speed = {settings.shutter_speed}: the exposure does not fit into a frame of "
            f"{period_us:.0f} µs (framerate = {settings.framerate:g}); shorten one of them"
        )
