"""The settings of a cortex that lies otherwise in the image: moved, turned, scaled."""

import cmath
import math
from typing import TypeVar

from rig.protocol.registration import Move
from rig.settings.clnf import ClnfSettings, CortexSettings
from rig.settings.head import Head
from roi_manager import Circle, Rect

S = TypeVar("S", bound=ClnfSettings)
PLACE_DIGITS, SCALE_DIGITS, ANGLE_DIGITS = 2, 4, 2  # px, px/mm, degrees: less than a thousandth of a mm
LEAST_SIDE_PX = 1


def simulated_move(settings: CortexSettings) -> Move:
    """Return how a simulated head lies otherwise than the settings say."""
    right_mm, down_mm, degrees, scale = settings.sim_head_moved
    return Move(cmath.rect(scale, math.radians(degrees)), complex(right_mm, down_mm))


def moved_head(settings: CortexSettings, move: Move) -> Head:
    """Return how the head lies after a move of the whole picture."""
    (width, height), (row, column), head = settings.resolution, settings.bregma, settings.head()
    x, y = move.to_today(column, row, (height, width), head.ppmm)
    bregma = round(y, PLACE_DIGITS), round(x, PLACE_DIGITS)
    angle = round(head.angle + move.degrees, ANGLE_DIGITS)
    return Head(bregma, round(head.ppmm * move.scale, SCALE_DIGITS), head.nose, angle)


def moved(settings: S, move: Move) -> S:
    """Return the settings with bregma, scale, angle and all placed ROIs moved.

    A rectangle stays parallel to the edges of the image, whatever the turn: its centre moves, and its sides are scaled.
    """
    (width, height), head = settings.resolution, moved_head(settings, move)
    rois = [moved_roi(settings.make_roi(name), move, (height, width), settings.ppmm) for name in placed_names(settings)]
    update = {"bregma": head.bregma, "ppmm": head.ppmm, "head_angle": head.angle}
    return settings.with_places(rois).model_copy(update=update)


def placed_names(settings: ClnfSettings) -> list[str]:
    """Return the ROIs that are shown and were placed; the others lie at their sites, which move by themselves."""
    return [name for name in settings.shown_rois() if name.lower() in settings.placed]


def moved_roi(roi: Rect | Circle, move: Move, shape: tuple[int, int], ppmm: float) -> Rect | Circle:
    """Return an ROI moved and scaled, on whole pixels of a picture (height, width)."""
    x, y = move.to_today(*roi.centre(), shape, ppmm)
    if isinstance(roi, Circle):
        return Circle(roi.name, round(x), round(y), round(roi.r * move.scale), roi.color)
    w, h = (max(LEAST_SIDE_PX, round(side * move.scale)) for side in (roi.w, roi.h))
    return Rect(roi.name, round(x - (w - 1) / 2), round(y - (h - 1) / 2), w, h, roi.color)
