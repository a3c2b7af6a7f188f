"""What is wrong with an image: nothing can be measured in one that is black or saturated."""

import cv2
import numpy as np

BLACK_BELOW = 10  # of 255, the brightest pixel
SATURATED = 255


def image_trouble(image: np.ndarray, max_saturated: float) -> str:
    """Return a sentence on an image (height, width, 3) uint8 that is black or saturated, nothing on a good one.

    Parameters
    ----------
    image : array
    max_saturated : float
        Share of pixels, 0 to 1, that may be at 255 in any colour.
    """
    brightest = int(image.max())
    if brightest < BLACK_BELOW:
        return f"the image is black (brightest value {brightest} of 255): check light, lens cap and cable"
    if brightest < SATURATED:
        return ""
    share = cv2.countNonZero(cv2.inRange(image.max(axis=2), SATURATED, SATURATED)) / image[..., 0].size
    if share <= max_saturated:
        return ""
    return (
        f"the image is saturated ({100 * share:.1f} % of the pixels at 255, max_saturated = {max_saturated:g}): "
        "lower light, shutter_speed or iso"
    )
