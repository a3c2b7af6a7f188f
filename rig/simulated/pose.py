"""The pose of the drawn mouse, found by its colours."""

import math

import cv2
import numpy as np

from rig.simulated.paws import AXES, PARTS, TINTS

TINT_TOLERANCE = 45


class SimPose:
    """Finds the parts of the simulated mouse by their colours, without a network.

    Parameters
    ----------
    height : int
        Of the image, px.
    """

    body_parts = PARTS

    def __init__(self, height: int) -> None:
        self._full_areas = [math.pi * AXES[name][0] * AXES[name][1] * height**2 for name in PARTS]
        tints = [np.array(TINTS[name]) for name in PARTS]
        self._ranges = [(tint - TINT_TOLERANCE, tint + TINT_TOLERANCE) for tint in tints]

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        """Return x, y (px) and likelihood of each body part, (n, 3), of an image (height, width, 3) uint8 BGR."""
        height, width = image.shape[:2]
        pose = np.empty((len(PARTS), 3))
        for i, ((low, high), full_area) in enumerate(zip(self._ranges, self._full_areas, strict=True)):
            found = cv2.moments(cv2.inRange(image, low, high), binaryImage=True)
            area = found["m00"]
            x, y = (found["m10"] / area, found["m01"] / area) if area else (width / 2, height / 2)
            pose[i] = x, y, min(1.0, area / (0.7 * full_area))
        return pose

    def close(self) -> None:
        """Nothing is open."""
