"""The pose of the drawn mouse, found by its colours, or by its greys where the camera has no colours."""

import math

import cv2
import numpy as np

from rig.simulated.paws import AXES, PARTS, TINTS

TINT_TOLERANCE = 45
GREY_TOLERANCE = 8
RIM = np.ones((3, 3), np.uint8)  # px; the rim of a bright part is as grey as another part


class SimPose:
    """Finds the parts of the simulated mouse without a network.

    Parameters
    ----------
    height : int
        Of the image, px.
    """

    body_parts = PARTS
    runs_on = "simulated"

    def __init__(self, height: int) -> None:
        self._full_areas = [math.pi * AXES[name][0] * AXES[name][1] * height**2 for name in PARTS]
        tints = [np.array(TINTS[name]) for name in PARTS]
        self._ranges = [(tint - TINT_TOLERANCE, tint + TINT_TOLERANCE) for tint in tints]
        greys = cv2.cvtColor(np.array([[TINTS[name] for name in PARTS]], np.uint8), cv2.COLOR_BGR2GRAY)
        self._greys = [int(grey) for grey in greys[0]]

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        """Return x, y (px) and likelihood of each body part, (n, 3), of an image (height, width, channels) uint8."""
        height, width = image.shape[:2]
        pose = np.empty((len(PARTS), 3))
        for i, full_area in enumerate(self._full_areas):
            found = cv2.moments(self._mask(image, i), binaryImage=True)
            area = found["m00"]
            x, y = (found["m10"] / area, found["m01"] / area) if area else (width / 2, height / 2)
            pose[i] = x, y, min(1.0, area / (0.7 * full_area))
        return pose

    def _mask(self, image: np.ndarray, i: int) -> np.ndarray:
        """Return where part i is, (height, width) uint8."""
        if image.shape[2] == 3:
            return cv2.inRange(image, *self._ranges[i])
        grey = self._greys[i]
        return cv2.morphologyEx(cv2.inRange(image, grey - GREY_TOLERANCE, grey + GREY_TOLERANCE), cv2.MORPH_OPEN, RIM)

    def close(self) -> None:
        """Nothing is open."""
