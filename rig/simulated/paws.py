"""The picture of a simulated head-fixed mouse from above, nose to the right: its nose and two forepaws move, and learn.

The paws tremble at rest and reach now and then.  While a tone is on, a mouse that has been rewarded for fast reaches
makes more and faster ones.  Now and then a paw is out of sight.  Each part has its own tint, by which
`rig.simulated.pose` finds it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from rig.settings.camera import CameraSettings
from rig.settings.loading import from_strings

PARTS = ("fl_l", "fl_r", "nose")
PAWS = ("fl_l", "fl_r")
# Where each part rests, as a share of width and height; the left paw lies in the shipped start circle.
HOMES = {"fl_l": (0.92, 0.345), "fl_r": (0.92, 0.655), "nose": (0.8, 0.5)}
SHOULDERS = {"fl_l": (0.68, 0.36), "fl_r": (0.68, 0.64)}
TINTS = {"fl_l": (110, 145, 235), "fl_r": (235, 145, 110), "nose": (110, 225, 120)}  # BGR
AXES = {"fl_l": (0.05, 0.037), "fl_r": (0.05, 0.037), "nose": (0.038, 0.03)}  # half, as a share of the height
FUR, EYE, WALL, BAR = (104, 104, 104), (18, 18, 18), (38, 38, 38), (80, 80, 80)
DESIGN_HEIGHT = 320  # px, for which distances are given

REST_RATE_HZ = 0.1  # reaches of a paw
TAUGHT_RATE_HZ = 0.6  # more at most, while a tone is on
LEARNING_RATE = 0.15
REACH_PX, REACH_S = (30.0, 60.0), (0.25, 0.5)
TREMOR_PX, RETURN = 0.08, 0.02
NOSE_PX = 0.3
HIDDEN_HZ, HIDDEN_S = 0.02, 0.5
NOISE_LEVELS, NOISE_FIELDS = 4, 8
SUBPIXEL_BITS = 4


class Part(NamedTuple):
    """Where a part is: x, y px, and whether it is in sight."""

    x: float
    y: float
    visible: bool


class Paw:
    """One forepaw: where it is, and the reach it makes.

    Parameters
    ----------
    home : array (2,)
        x, y px.
    random : Generator
    scale : float
        Pixels per pixel of an image 320 px high.
    """

    def __init__(self, home: np.ndarray, random: np.random.Generator, scale: float) -> None:
        self._home, self._random, self._scale = home, random, scale
        self._tremor, self._reach = np.zeros(2), np.zeros(2)
        self._lasts_s = self._since_s = self._hidden_s = 0.0

    def live(self, dt_s: float, rate_hz: float, vigour: float) -> Part:
        """Let `dt_s` pass; return the place.

        Parameters
        ----------
        dt_s : float
        rate_hz : float
            How often reaches begin.
        vigour : float
            0 to 1: longer and faster reaches.
        """
        self._tremor += self._random.normal(0, TREMOR_PX, 2) - RETURN * self._tremor
        self._since_s += dt_s
        if self._since_s >= self._lasts_s and self._random.random() < rate_hz * dt_s:
            self._begin_reach(vigour)
        self._hidden_s -= dt_s
        if self._hidden_s <= 0 and self._random.random() < HIDDEN_HZ * dt_s:
            self._hidden_s = HIDDEN_S
        x, y = self._home + self._scale * (self._tremor + self._reach * self._extension())
        return Part(float(x), float(y), self._hidden_s <= 0)

    def _begin_reach(self, vigour: float) -> None:
        angle = self._random.uniform(0, 2 * np.pi)
        distance = self._random.uniform(*REACH_PX) * (1 + 0.5 * vigour)
        self._reach = distance * np.array([0.6 * np.cos(angle), np.sin(angle)])
        self._lasts_s, self._since_s = self._random.uniform(*REACH_S) / (1 + 0.6 * vigour), 0.0

    def _extension(self) -> float:
        """Return how far the reach is, 0 to 1: out and back.

        Both ways are minimum-jerk moves (Flash & Hogan, J. Neurosci. 5, 1688, 1985).
        """
        if self._since_s >= self._lasts_s:
            return 0.0
        phase = 2 * self._since_s / self._lasts_s
        phase = min(phase, 2 - phase)
        return float(phase**3 * (10 - 15 * phase + 6 * phase**2))


class Scene:
    """The mouse, frame by frame.

    Parameters
    ----------
    settings : CameraSettings
    trained_part : str
        The part whose reaches are rewarded.

    Attributes
    ----------
    parts : dict
        {name: Part} in the newest frame.
    """

    def __init__(self, settings: CameraSettings, trained_part: str) -> None:
        self._dt_s, self._seed, self._trained = settings.frame_period_s(), settings.seed or 0, trained_part
        self._size = np.array(settings.resolution)
        random = np.random.default_rng(self._seed)
        self._background = self._paint_background(random)
        shape = (NOISE_FIELDS, *self._background.shape)
        self._noise = random.integers(-NOISE_LEVELS, NOISE_LEVELS + 1, shape, np.int16)
        self.restart()

    @classmethod
    def from_config(cls, cfgDict: Mapping[str, str]) -> "Scene":
        """Return the scene that the settings of a session ask for."""
        return cls(from_strings(CameraSettings, cfgDict, "SimCameraStream"), cfgDict.get("control_point", ""))

    def restart(self) -> None:
        """Begin with a mouse that has learned nothing."""
        self._random = np.random.default_rng(self._seed + 1)
        scale = self._size[1] / DESIGN_HEIGHT
        self._paws = {name: Paw(self.home(name), self._random, scale) for name in PAWS}
        self._skill = 0.0
        self.parts: dict[str, Part] = {}

    def render(self, _time_s: float, heard_hz: float, rewards: int) -> np.ndarray:
        """Let a frame pass and return it, (height, width, 3) uint8 BGR.

        Parameters
        ----------
        heard_hz : float
            Tone since the last frame, 0 for silence.
        rewards : int
            Rewards since the last frame.
        """
        self._skill += (1 - self._skill) * (1 - (1 - LEARNING_RATE) ** rewards)
        for name, paw in self._paws.items():
            taught = self._skill if heard_hz > 0 and name == self._trained else 0.0
            self.parts[name] = paw.live(self._dt_s, REST_RATE_HZ + TAUGHT_RATE_HZ * taught, self._skill)
        x, y = self.home("nose") + self._random.normal(0, NOSE_PX, 2)
        self.parts["nose"] = Part(float(x), float(y), True)
        return self.paint(self.parts, self._random)

    def home(self, name: str) -> np.ndarray:
        """Return where a part rests, x, y px."""
        place: np.ndarray = np.multiply(HOMES[name], self._size)
        return place

    def paint(self, parts: dict[str, Part], random: np.random.Generator) -> np.ndarray:
        """Return the picture with these parts, (height, width, 3) uint8 BGR."""
        image = self._background.copy()
        for name, part in parts.items():
            if name in SHOULDERS and part.visible:
                shoulder = self._to_subpixel(*(np.array(SHOULDERS[name]) * self._size))
                thickness = max(1, round(0.035 * self._size[1]))
                cv2.line(image, shoulder, self._to_subpixel(part.x, part.y), FUR, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
        for name, part in parts.items():
            if part.visible:
                centre, axes = (
                    self._to_subpixel(part.x, part.y),
                    self._to_subpixel(*(np.array(AXES[name]) * self._size[1])),
                )
                cv2.ellipse(image, centre, axes, 20, 0, 360, TINTS[name], -1, cv2.LINE_AA, SUBPIXEL_BITS)
        image = cv2.GaussianBlur(image, (3, 3), 0.8)
        noisy: np.ndarray = cv2.add(image, self._noise[random.integers(NOISE_FIELDS)], dtype=cv2.CV_8U)
        return noisy

    @staticmethod
    def _to_subpixel(x: float, y: float) -> tuple[int, int]:
        return round(x * 2**SUBPIXEL_BITS), round(y * 2**SUBPIXEL_BITS)

    def _paint_background(self, random: np.random.Generator) -> np.ndarray:
        """Return what does not move: a dark table, a bar for the paws, the body with its fur, the head and its eyes."""
        width, height = (int(v) for v in self._size)
        image = np.full((height, width, 3), WALL, np.uint8)

        def ellipse(x: float, y: float, half_w: float, half_h: float, color: tuple[int, int, int]) -> None:
            centre, axes = (round(x * width), round(y * height)), (round(half_w * width), round(half_h * height))
            cv2.ellipse(image, centre, axes, 0, 0, 360, color, -1, cv2.LINE_AA)

        image[:, round(0.955 * width) : round(0.98 * width)] = BAR
        ellipse(0.3, 0.5, 0.33, 0.36, FUR)
        ellipse(0.66, 0.5, 0.14, 0.22, FUR)
        ellipse(0.69, 0.4, 0.008, 0.016, EYE)
        ellipse(0.69, 0.6, 0.008, 0.016, EYE)
        fur = cv2.GaussianBlur(random.normal(0, 14, (height, width)), (0, 0), 1.2)
        painted: np.ndarray = cv2.convertScaleAbs(np.maximum(image + fur[..., None], 0))
        return painted
