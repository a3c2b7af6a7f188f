"""A drawn mouse on a computer whose wall clock is set while the session runs."""

import time

from SimCameraStream import SimCameraStream

AN_HOUR_LATER_FROM, A_DAY_EARLIER_FROM = 40, 80  # frame numbers


class JumpingClockStream(SimCameraStream):
    """From frame 40 the wall clock is an hour fast, from frame 80 it is a day slow."""

    def read(self):
        frame = super().read()
        shift_s = 0
        if frame.number >= AN_HOUR_LATER_FROM:
            shift_s = 3600
        if frame.number >= A_DAY_EARLIER_FROM:
            shift_s = -86400
        time.time = lambda: wall_clock() + shift_s
        return frame


wall_clock = time.time
