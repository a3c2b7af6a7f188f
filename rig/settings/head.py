"""How the head lies in the image: pixels to mm from bregma and back."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from helper import Position, generate_seeds

LARGEST_ANGLE = 45.0  # degrees; what is turned further has its nose in another direction
ANTERIOR = {"u": (0, -1), "d": (0, 1), "l": (-1, 0), "r": (1, 0)}
"""Column, row that a step towards the nose goes."""


class Head(NamedTuple):
    """How the head lies in the image.

    Attributes
    ----------
    bregma : tuple of float
        Row, col px.
    ppmm : float
        px/mm.
    nose : str
        Where the nose points: u, d, l, r.
    angle : float
        How far the head is turned from there, clockwise in the image, degrees.
    """

    bregma: tuple[float, float]
    ppmm: float
    nose: str
    angle: float

    def seeds(self, sites_mm: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, int]]:
        """Return {'SITE_L': {'ML': column, 'AP': row}, ...} in px of sites in mm, as `generate_seeds` has it."""
        turned = {}
        for name, site in sites_mm.items():
            for side, sign in (("L", 1), ("R", -1)):
                left, anterior = self._turn(sign * site["ML"], site["AP"], self.angle)
                turned[f"{name}_{side}"] = {"ML": left, "AP": anterior}
        seeds = generate_seeds(Position(*self.bregma), turned, self.ppmm, self.nose)
        return {name: seeds[f"{name}_L"] for name in turned}

    def to_mm(self, x: float, y: float) -> tuple[float, float]:
        """Return how far the pixel x, y lies left and anterior of bregma, mm."""
        dx, dy = (x - self.bregma[1]) / self.ppmm, (y - self.bregma[0]) / self.ppmm
        a_x, a_y = ANTERIOR[self.nose]
        return self._turn(dx * a_y - dy * a_x, dx * a_x + dy * a_y, -self.angle)

    def to_px(self, left: float, anterior: float) -> tuple[float, float]:
        """Return x, y (px) of a place in mm left and anterior of bregma."""
        left, anterior = self._turn(left, anterior, self.angle)
        a_x, a_y = ANTERIOR[self.nose]
        x, y = left * a_y + anterior * a_x, -left * a_x + anterior * a_y
        return self.bregma[1] + x * self.ppmm, self.bregma[0] + y * self.ppmm

    def angle_by(self, x: float, y: float) -> float:
        """Return the angle, degrees, with which the pixel x, y lies straight behind bregma."""
        left, anterior = self._replace(angle=0.0).to_mm(x, y)
        return math.degrees(math.atan2(left, -anterior))

    @staticmethod
    def _turn(left: float, anterior: float, degrees: float) -> tuple[float, float]:
        """Return a place in mm after a turn clockwise in the image."""
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        return left * cosine - anterior * sine, left * sine + anterior * cosine


def in_words(left: float, anterior: float) -> str:
    """Return a place in mm from bregma, as in 'ML 1.86 L, AP +0.64 mm'."""
    side = "L" if left > 0 else "R" if left < 0 else ""
    return f"ML {abs(left):.2f} {side}".rstrip() + f", AP {anterior:+.2f} mm"
