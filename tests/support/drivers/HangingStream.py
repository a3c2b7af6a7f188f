"""A camera whose driver never returns after 20 frames, as a library that waits for a device that is gone."""

import ctypes

from SimCameraStream import SimCameraStream

HANGS_AT = 20


class HangingStream(SimCameraStream):
    """Hangs in C, where Python's own handlers of signals are not called."""

    def read(self):
        """Return the next frame, or never."""
        frame = super().read()
        if frame.number == HANGS_AT:
            ctypes.CDLL(None).pthread_cond_wait(ctypes.create_string_buffer(48), ctypes.create_string_buffer(40))
        return frame
