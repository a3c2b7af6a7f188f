"""The picture of a simulated cortex: GCaMP in green at the sites of `seeds_mm`, blood in both colours, shot noise."""

import math
from collections.abc import Mapping

import cv2
import numpy as np

from rig.protocol.registration import Move
from rig.settings.clnf import CortexSettings
from rig.settings.loading import from_strings
from rig.settings.moved import moved_head, simulated_move
from rig.simulated.mouse import SimMouse

BLUE_LEVEL, GREEN_LEVEL, RED_LEVEL = 110.0, 150.0, 25.0  # brightness of the resting cortex, of 255
SITE_SIGMA_MM = 0.35
HEART_HZ, BREATH_HZ = 9.1, 1.7
NOISE_FIELDS = 16


class Scene:
    """A widefield view of a cortex that lives and learns (`rig.simulated.mouse`).

    Parameters
    ----------
    settings : CortexSettings
    """

    def __init__(self, settings: CortexSettings) -> None:
        self._settings = settings
        self._seed = settings.seed or 0
        random = np.random.default_rng(self._seed)
        self._rest = self._resting_image(random)
        self._rows, self._columns = self._site_footprints()
        # Shot noise grows with the square root of the light; a few fields, shifted at random, serve all frames.
        shape = (NOISE_FIELDS, *self._rest.shape)
        self._noise = (random.standard_normal(shape, np.float32) * np.sqrt(self._rest) * 0.35).astype(np.float32)
        self.restart()

    @classmethod
    def from_config(cls, cfgDict: Mapping[str, str]) -> "Scene":
        """Return the scene that the settings of a session ask for."""
        return cls(from_strings(CortexSettings, cfgDict, "SimCameraStream"))

    def restart(self) -> None:
        """Begin with a mouse that has learned nothing."""
        self._mouse = SimMouse(len(self._rows), self._settings.frame_period_s(), self._seed)
        self._random = np.random.default_rng(self._seed + 1)

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
        activity = self._mouse.live(heard_hz, rewards).astype(np.float32)
        blood = 0.004 * math.sin(2 * math.pi * HEART_HZ * time_s) + 0.006 * math.sin(2 * math.pi * BREATH_HZ * time_s)
        image = self._rest * np.float32(1 + blood)
        image[..., 1] *= 1 + (self._rows.T * activity) @ self._columns
        image += self._noise[self._random.integers(NOISE_FIELDS)]
        rounded: np.ndarray = cv2.convertScaleAbs(np.maximum(image, 0, out=image))  # holds at 0 and 255
        return rounded

    def _resting_image(self, random: np.random.Generator) -> np.ndarray:
        """Return the cortex without activity (height, width, 3) float32 BGR: bright brain, dark vessels."""
        light = resting_light(self._settings, random)
        return np.stack([BLUE_LEVEL * light, GREEN_LEVEL * light, RED_LEVEL * light], axis=-1).astype(np.float32)

    def _site_footprints(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the profiles of all sites along the rows (n_sites, height) and the columns (n_sites, width), float32.

        A site is a round Gaussian, the product of both; so the activity of all sites is one product of two matrices.
        """
        width, height = self._settings.resolution
        head = moved_head(self._settings, simulated_move(self._settings))
        sigma_px = SITE_SIGMA_MM * head.ppmm
        sites_mm = {name: {"ML": site.ML, "AP": site.AP} for name, site in self._settings.seeds_mm.items()}
        seeds = head.seeds(sites_mm).values()
        rows = np.array([site["AP"] for site in seeds], np.float32).reshape(-1, 1)
        columns = np.array([site["ML"] for site in seeds], np.float32).reshape(-1, 1)
        profiles = [
            np.exp(-((np.arange(n) - at) ** 2) / (2 * sigma_px**2)) for n, at in ((height, rows), (width, columns))
        ]
        return profiles[0].astype(np.float32), profiles[1].astype(np.float32)


def resting_light(settings: CortexSettings, random: np.random.Generator) -> np.ndarray:
    """Return the light of a cortex without activity, (height, width), 0 to 1; the generator decides on its vessels."""
    width, height = settings.resolution
    row, col = settings.bregma
    y, x = before_the_move(settings, *np.mgrid[:height, :width].astype(np.float32))
    mm_x, mm_y = (x - col) / settings.ppmm, (y - row) / settings.ppmm
    radius = np.sqrt((mm_x / 4.8) ** 2 + ((mm_y - 0.2) / 5.0) ** 2)
    brain = np.clip((1.05 - radius) * 8, 0.1, 1) * (1 - 0.3 * np.clip(radius, 0, 1) ** 2)
    vessels = np.exp(-((mm_x / 0.12) ** 2)) * 0.9  # the midline sinus
    for _ in range(10):
        start, slope, bend, phase = random.normal(0, (3, 0.4, 0.25, 3))
        path = start + slope * mm_y + bend * np.sin(1.3 * mm_y + phase)
        vessels += np.exp(-(((mm_x - path) / 0.06) ** 2)) * random.uniform(0.3, 0.8)
    light: np.ndarray = np.clip(brain * (1 - 0.35 * np.clip(vessels, 0, 1)), 0.05, 1)
    return light


def before_the_move(settings: CortexSettings, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the pixels y, x lay before the head was moved."""
    move = simulated_move(settings)
    if move == Move():
        return y, x
    to_x, to_y = cv2.invertAffineTransform(move.matrix(x.shape, settings.ppmm)).astype(np.float32)
    return to_y[0] * x + to_y[1] * y + to_y[2], to_x[0] * x + to_x[1] * y + to_x[2]
