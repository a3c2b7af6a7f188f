"""A drawn mouse under a light that flickers, in a picture that is knocked, through a lens that is dazzled."""

import cv2
import numpy as np

from SimCameraStream import SimCameraStream

EVERY, FROM = 45, 60
"""Frames between two artefacts, and the number of the first; they take turns."""


class FlickeringStream(SimCameraStream):
    """Each artefact lasts one frame, and makes green rise against blue by about a tenth at its end."""

    def read(self):
        frame = super().read()
        turn = (frame.number - FROM) // EVERY % 3
        if frame.number < FROM or (frame.number - FROM) % EVERY:
            return frame
        image = frame.image.copy()
        if turn == 0:  # green flares up
            image[..., 1] = cv2.convertScaleAbs(image[..., 1], alpha=1.1)
        elif turn == 1:  # everything lies 2 px lower, and green is brighter in the ROIs, so that it counts
            image = np.roll(image, 2, axis=0)
            image[40:80, :, 1] = cv2.convertScaleAbs(image[40:80, :, 1], alpha=1.1)
        else:  # dazzled, in the middle
            image[30:90, 30:90, 1] = 255
        return frame._replace(image=image)
