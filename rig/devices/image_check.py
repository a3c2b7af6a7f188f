"""What is wrong with an image: nothing can be measured in one, or in an ROI of it, that is black or saturated."""

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from rig.protocol.artefacts import LEAST_LEVEL
from roi_manager import Circle, Rect

BLACK_BELOW = 10  # of 255, the brightest pixel
SATURATED = 255
MEASURED = {"blue": 0, "green": 1}  # the colours of ΔF/F, and where they are in a pixel


def image_trouble(image: np.ndarray, max_saturated: float, rois: Iterable[Rect | Circle] = ()) -> str:
    """Return a sentence on an image (height, width, 3) uint8 that is black or saturated, nothing on a good one.

    Parameters
    ----------
    image : array
    max_saturated : float
        Share of pixels, 0 to 1, that may be at 255 in any colour.
    rois : iterable of Rect or Circle
        Where the light is measured: looked at one by one, because a bright image may have a black ROI.
    """
    brightest = int(image.max())
    if brightest < BLACK_BELOW:
        return f"the image is black (brightest value {brightest} of 255): check light, lens cap and cable"
    if brightest == SATURATED:
        share = cv2.countNonZero(cv2.inRange(image.max(axis=2), SATURATED, SATURATED)) / image[..., 0].size
        if share > max_saturated:
            return (
                f"the image is saturated ({100 * share:.1f} % of the pixels at 255, max_saturated = "
                f"{max_saturated:g}): lower light, shutter_speed or iso"
            )
    return next(filter(None, (roi_trouble(image, roi, max_saturated) for roi in rois)), "")


def roi_trouble(image: np.ndarray, roi: Rect | Circle, max_saturated: float) -> str:
    """Return a sentence on an ROI that is black or saturated in blue or green, nothing on a good one."""
    for name, level in levels(image, roi).items():
        if level.mean < LEAST_LEVEL:
            return (
                f"{roi.name} is black in {name} (mean {level.mean:.1f} of 255, needed are {LEAST_LEVEL}): "
                "check the light of this colour, its filter, and the place of the ROI"
            )
        if level.saturated > max_saturated:
            return (
                f"{roi.name} is saturated in {name} ({100 * level.saturated:.1f} % of its pixels at 255, "
                f"max_saturated = {max_saturated:g}): lower light, shutter_speed or iso"
            )
    return ""


class Level(NamedTuple):
    """How bright a colour is in an ROI: mean of 255, and the share of pixels, 0 to 1, at 255."""

    mean: float
    saturated: float


def levels(image: np.ndarray, roi: Rect | Circle) -> dict[str, Level]:
    """Return {'blue': Level, 'green': Level} of an ROI."""
    pixels = roi.crop(image)
    return {
        name: Level(float(pixels[..., i].mean()), float((pixels[..., i] == SATURATED).mean()))
        for name, i in MEASURED.items()
    }
