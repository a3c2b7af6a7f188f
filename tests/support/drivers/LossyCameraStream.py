"""A drawn mouse behind a camera that loses every fifth frame."""

from SimCameraStream import SimCameraStream


class LossyCameraStream(SimCameraStream):
    """Frames 4, 9, 14 ... never arrive; the numbers of the others say so."""

    def read(self):
        frame = super().read()
        return super().read() if frame.number % 5 == 4 else frame
