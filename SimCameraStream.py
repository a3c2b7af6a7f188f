"""A simulated mouse in place of a camera: something to try the rig on without hardware or animal.

What it shows is a scene of `rig.simulated`: for CLNF a cortex, for CLMF two forepaws and a nose.  The mouse hears the
tone and tastes the reward, and learns.  The same seed gives the same mouse.
"""

import importlib
from collections.abc import Mapping
from typing import ClassVar, Protocol

import cv2
import numpy as np

from rig.devices.frames import Frame
from rig.devices.pacing import Pacer
from rig.devices.tone_player import Tone
from rig.errors import CameraError, SettingsError
from rig.protocol.tally import Tally
from rig.settings.camera import CameraSettings
from rig.settings.loading import from_strings

MOST_PIXELS = 2**21  # the fields of noise take 200 bytes of memory for each


class Scene(Protocol):
    """What is drawn."""

    def restart(self) -> None:
        """Begin with a mouse that has learned nothing."""

    def render(self, time_s: float, heard_hz: float, rewards: int) -> np.ndarray:
        """Let a frame pass and return it, (height, width, 3) uint8 BGR.

        Parameters
        ----------
        time_s : float
            Time of the frame.
        heard_hz : float
            Tone since the last frame, 0 for silence.
        rewards : int
            Rewards since the last frame.
        """


class SimCameraStream:
    """A simulated mouse.

    Parameters
    ----------
    cfgDict : mapping of str to str
        As for a camera, with seed; `scene` names the module of `rig.simulated` that draws, and what that needs, as
        bregma, ppmm and seeds_mm for the cortex.  `sim_camera_fails_at_s` > 0 lets it stop giving frames then.
        `fast` = 1 does not wait for the time of a frame.  `mono` = 1 gives what a camera without colours sees.
    """

    stands_in: ClassVar[str] = "a drawn mouse"
    can_be_fast: ClassVar[bool] = True
    replays: ClassVar[bool] = False
    gains_are_locked: ClassVar[bool | None] = True
    is_linear: ClassVar[bool | None] = True

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CameraSettings, cfgDict, "SimCameraStream")
        self._config = cfgDict
        self._pacer = Pacer(cfgDict.get("fast") == "1")
        self._tone: Tone | None = None
        self._tally = Tally()
        self._rewards_seen = 0
        self._brightness = 1.0  # at the exposure of the settings
        self.channels = 1 if self._settings.mono else 3

    def start(self) -> "SimCameraStream":
        """Paint what stays the same in every frame."""
        width, height = self._settings.resolution
        if width * height > MOST_PIXELS:
            raise SettingsError(
                f"resolution = {width}, {height}: SimCameraStream draws at most {MOST_PIXELS} pixels; lower it"
            )
        module = importlib.import_module(f"rig.simulated.{self._config.get('scene', 'cortex')}")
        self._scene: Scene = module.Scene.from_config(self._config)
        self.begin_session()
        return self

    def begin_session(self) -> None:
        """Start from the first frame, with a mouse that has learned nothing, at the exposure of the settings."""
        self._number, self._brightness = 0, 1.0
        self._scene.restart()
        self._pacer.restart()

    def let_sense(self, tone: Tone, tally: Tally) -> None:
        """Let the mouse hear the tone, and taste the rewards that the tally counts."""
        self._tone, self._tally = tone, tally
        self._rewards_seen = tally.rewards

    def expose(self, exposure_us: int) -> float:
        """Make what is drawn as bright as this exposure; the mouse does again what it did, for a still scene."""
        self._brightness = exposure_us / self._settings.shutter_speed
        self._scene.restart()
        return float(exposure_us)

    def read(self) -> Frame:
        """Return the next frame when it is due."""
        time_s = self._number / self._settings.framerate
        fails_at_s = self._settings.sim_camera_fails_at_s
        if fails_at_s and time_s >= fails_at_s:
            timeout_s = self._settings.camera_timeout_s
            self._pacer.wait_for(time_s + timeout_s)
            raise CameraError(f"the camera gave no new frame for {timeout_s:g} s; check its cable, then start again")
        rewards = self._tally.rewards - self._rewards_seen
        self._rewards_seen += rewards
        image = self._scene.render(time_s, self._tone.hz if self._tone else 0.0, rewards)
        if self._brightness != 1.0:
            image = cv2.convertScaleAbs(image, alpha=self._brightness)
        if self.channels == 1:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]
        self._number += 1
        known_age_s = 0.0 if self._pacer.fast else None
        return Frame(self._number - 1, time_s, self._pacer.wait_for(time_s), image, known_age_s)

    def stop(self) -> None:
        """End; harmless when repeated."""


if __name__ == "__main__":
    from rig.commands.camera import bench

    bench(SimCameraStream)
