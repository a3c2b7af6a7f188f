"""A drawn mouse behind a camera that goes wrong after a while, in the way that the variable GOES_WRONG names."""

import os

import numpy as np

from SimCameraStream import SimCameraStream

FROM = 60  # the number of the first frame that is not as it should be
SLOW = 15 / 4  # 4 of 15 frames/s


class OddCameraStream(SimCameraStream):
    """Frozen, slow, or in another form."""

    def __init__(self, cfgDict):
        super().__init__(cfgDict)
        self._how, self._last = os.environ["GOES_WRONG"], None

    def read(self):
        """Return the next frame."""
        frame = super().read()
        if frame.number < FROM:
            self._last = frame
            return frame
        image, time_s, since = frame.image, frame.time_s, frame.number - FROM
        if self._how == "frozen":
            image = self._last.image.copy()
        elif self._how == "slow":
            time_s = self._last.time_s + (since + 1) / self._settings.framerate * SLOW
        elif self._how == "grey":
            image = np.ascontiguousarray(image[..., 1])
        elif self._how == "four":
            image = np.dstack([image, image[..., 0]])
        elif self._how == "deep":
            image = image.astype(np.uint16)
        elif self._how == "small":
            image = image[:-1]
        return frame._replace(image=image, time_s=time_s)
