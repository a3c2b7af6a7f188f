"""A drawn mouse whose blood is weaker in green than in blue, and comes there later, as the environment says."""

import math
import os

import cv2
import numpy as np

from rig.simulated.cortex import Scene
from SimCameraStream import SimCameraStream

WAVES = ((0.1, 0.012), (0.23, 0.012), (0.41, 0.012), (1.7, 0.012))
"""Hz and ΔF/F, in blue."""


class BloodScene(Scene):
    """The cortex, with BLOOD_IN_GREEN of the blood of blue in green, BLOOD_DELAY_S later."""

    def render(self, time_s, heard_hz, rewards):
        activity = self._mouse.live(heard_hz, rewards).astype(np.float32)
        share, delay_s = float(os.environ["BLOOD_IN_GREEN"]), float(os.environ.get("BLOOD_DELAY_S", "0"))
        light = np.array([1 + blood(time_s), 1 + share * blood(time_s - delay_s), 1], np.float32)
        image = self._rest * light
        image[..., 1] *= 1 + (self._rows.T * activity) @ self._columns
        image += self._noise[self._random.integers(len(self._noise))]
        return cv2.convertScaleAbs(np.maximum(image, 0))


def blood(time_s):
    """Return the ΔF/F of blood in blue."""
    return sum(amplitude * math.sin(2 * math.pi * hz * time_s + 7 * hz) for hz, amplitude in WAVES)


class BloodStream(SimCameraStream):
    """Shows that cortex."""

    def start(self):
        super().start()
        self._scene = BloodScene.from_config(self._config)
        self.begin_session()
        return self
