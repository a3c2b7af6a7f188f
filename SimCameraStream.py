"""A synthetic cortex in place of a camera: something to try the rig on without hardware or animal.

Green shows GCaMP at the sites of `seeds_mm`, blood in both colours, vessels, and shot noise.  The mouse hears the
tone and tastes the reward, and learns (`rig.sim_mouse`).  The same seed gives the same mouse.
"""

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from rig.errors import CameraError
from rig.frames import Frame
from rig.pacing import Pacer
from rig.settings import CortexSettings, from_strings
from rig.sim_mouse import SimMouse

BLUE_LEVEL, GREEN_LEVEL, RED_LEVEL = 110.0, 150.0, 25.0  # brightness of the resting cortex, of 255
SITE_SIGMA_MM = 0.35
HEART_HZ, BREATH_HZ = 9.1, 1.7
NOISE_FIELDS = 16


class SimCameraStream:
    """A synthetic cortex.

    Parameters
    ----------
    cfgDict : mapping of str to str
        As for a camera, with bregma, ppmm, seeds_mm and seed.  `sim_camera_fails_at_s` > 0 lets it stop giving
        frames then.  `fast` = 1 does not wait for the time of a frame.
    """

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CortexSettings, cfgDict, "SimCameraStream")
        self._pacer = Pacer(cfgDict.get("fast") == "1")
        self._tone: Any = None
        self._reward: Any = None
        self._rewards_seen = 0

    def start(self) -> "SimCameraStream":
        """Paint the resting cortex."""
        self._seed = self._settings.seed or 0
        random = np.random.default_rng(self._seed)
        self._rest = self._resting_image(random)
        self._sites = self._site_footprints()
        # Shot noise grows with the square root of the light; a few fields, shifted at random, serve all frames.
        shape = (NOISE_FIELDS, *self._rest.shape)
        self._noise = (random.standard_normal(shape, np.float32) * np.sqrt(self._rest) * 0.35).astype(np.float32)
        self.begin_session()
        return self

    def begin_session(self) -> None:
        """Start from the first frame, with a mouse that has learned nothing."""
        self._number = 0
        self._mouse = SimMouse(len(self._sites), self._settings.frame_period_s(), self._seed)
        self._random = np.random.default_rng(self._seed + 1)
        self._pacer.restart()

    def let_sense(self, tone: Any, reward: Any) -> None:
        """Let the mouse hear `tone` (its `hz`) and taste `reward` (its `count` of pulses)."""
        self._tone, self._reward = tone, reward
        self._rewards_seen = reward.count

    def read(self) -> Frame:
        """Return the next frame when it is due."""
        time_s = self._number / self._settings.framerate
        fails_at_s = self._settings.sim_camera_fails_at_s
        if fails_at_s and time_s >= fails_at_s:
            timeout_s = self._settings.camera_timeout_s
            self._pacer.wait_for(time_s + timeout_s)
            raise CameraError(f"the camera gave no new frame for {timeout_s:g} s; check its cable, then start again")
        image = self._render(time_s)
        self._number += 1
        return Frame(self._number - 1, time_s, self._pacer.wait_for(time_s), image)

    def stop(self) -> None:
        """End; harmless when repeated."""

    def _render(self, time_s: float) -> np.ndarray:
        heard_hz, rewards = 0.0, 0
        if self._reward is not None:
            heard_hz, rewards = self._tone.hz, self._reward.count - self._rewards_seen
            self._rewards_seen += rewards
        activity = self._mouse.live(heard_hz, rewards).astype(np.float32)
        blood = 0.004 * math.sin(2 * math.pi * HEART_HZ * time_s) + 0.006 * math.sin(2 * math.pi * BREATH_HZ * time_s)
        image = self._rest * np.float32(1 + blood)
        image[..., 1] *= 1 + np.tensordot(activity, self._sites, 1)
        image += self._noise[self._random.integers(NOISE_FIELDS)]
        # Rounds, and holds at 0 and 255.
        return cv2.convertScaleAbs(np.maximum(image, 0, out=image))

    def _resting_image(self, random: np.random.Generator) -> np.ndarray:
        """Return the cortex without activity (height, width, 3) float32 BGR: bright brain, dark vessels."""
        width, height = self._settings.resolution
        row, col = self._settings.bregma
        y, x = np.mgrid[:height, :width].astype(np.float32)
        mm_x, mm_y = (x - col) / self._settings.ppmm, (y - row) / self._settings.ppmm
        radius = np.sqrt((mm_x / 4.8) ** 2 + ((mm_y - 0.2) / 5.0) ** 2)
        brain = np.clip((1.05 - radius) * 8, 0.1, 1) * (1 - 0.3 * np.clip(radius, 0, 1) ** 2)
        vessels = np.exp(-((mm_x / 0.12) ** 2)) * 0.9  # the midline sinus
        for _ in range(10):
            start, slope, bend, phase = random.normal(0, (3, 0.4, 0.25, 3))
            path = start + slope * mm_y + bend * np.sin(1.3 * mm_y + phase)
            vessels += np.exp(-(((mm_x - path) / 0.06) ** 2)) * random.uniform(0.3, 0.8)
        light = np.clip(brain * (1 - 0.35 * np.clip(vessels, 0, 1)), 0.05, 1)
        return np.stack([BLUE_LEVEL * light, GREEN_LEVEL * light, RED_LEVEL * light], axis=-1).astype(np.float32)

    def _site_footprints(self) -> np.ndarray:
        """Return how much of each site's activity every pixel shows: (n_sites, height, width) float32."""
        width, height = self._settings.resolution
        y, x = np.mgrid[:height, :width].astype(np.float32)
        sigma_px = SITE_SIGMA_MM * self._settings.ppmm
        footprints = [
            np.exp(-((x - site["ML"]) ** 2 + (y - site["AP"]) ** 2) / (2 * sigma_px**2))
            for site in self._settings.seeds().values()
        ]
        return np.array(footprints, np.float32).reshape(-1, height, width)


if __name__ == "__main__":
    from rig.camera_bench import bench

    bench(SimCameraStream)
