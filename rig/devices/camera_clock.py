"""The count and the clock of a camera that has its own: frames numbered by its ids, and timed on the monotonic clock.

A camera whose count or clock jumps has restarted, and then nobody knows its exposure and gain: that is an error.
"""

from collections import deque

import numpy as np

from rig.errors import CameraError

LAST_OF_16_BITS = 65535  # GigE Vision leaves out 0: 1 comes next
SPARE = 1.5  # by the clock of the camera: an external trigger may be this much faster than framerate
BLOCK_S = 1.0  # the frame that came fastest in each is kept
BLOCKS = 60
BLOCKS_FOR_A_LINE = 10
STEEPEST = 500e-6  # clocks of cameras are off by less than this share
JUMP_S = 0.5
LEAST_S = 1e-6  # between two frames
RESTARTED = "it has restarted, and nobody knows its exposure and gain now; start again"


class FrameIds:
    """Numbers frames by the ids that the camera gives them: a gap is a loss.

    USB3 Vision and GigE Vision 2 count in 64 bits, GigE Vision 1 from 1 to 65535 and then from 1 again.

    Parameters
    ----------
    framerate : float
    """

    def __init__(self, framerate: float) -> None:
        self._framerate = framerate
        self._previous: tuple[int, int] | None = None
        self._number = 0

    def number(self, frame_id: int, stamp_ns: int) -> int:
        """Return the number of a frame, from 0.

        Parameters
        ----------
        frame_id : int
            As the camera counts.
        stamp_ns : int
            On the clock of the camera.

        Raises
        ------
        CameraError
            The count jumped.
        """
        if self._previous is not None:
            self._number += self._step(frame_id, stamp_ns, *self._previous)
        self._previous = frame_id, stamp_ns
        return self._number

    def _step(self, frame_id: int, stamp_ns: int, previous_id: int, previous_ns: int) -> int:
        step = frame_id - previous_id
        if step < 0 and previous_id <= LAST_OF_16_BITS:
            step += LAST_OF_16_BITS
        most = 2 + SPARE * self._framerate * (stamp_ns - previous_ns) / 1e9
        if not 0 < step <= most:
            raise CameraError(f"the camera gave its frame {frame_id} after {previous_id}: {RESTARTED}")
        return step


class CameraClock:
    """Says on the monotonic clock when a frame was captured.

    A frame arrives after its capture, by the time of its transfer and whatever held it up.  The fastest of many show
    where the two clocks lie, and a line through the fastest of each second how they drift.  So a time is late by
    the time of the fastest transfer, the same for all frames, and not by what holds up a single one.

    Attributes
    ----------
    drift : float
        How much faster the monotonic clock runs, as a share; 0 until there are frames of ten seconds.
    """

    def __init__(self) -> None:
        self.drift = 0.0
        self._first_ns: int | None = None
        self._previous_ns = 0
        self._latest_s = -np.inf
        self._offset_s = np.inf
        self._fastest: deque[tuple[float, float]] = deque(maxlen=BLOCKS)
        self._block: tuple[float, float] = 0.0, np.inf

    def captured_s(self, stamp_ns: int, arrived_s: float) -> float:
        """Return when a frame was captured, s, at the latest when it arrived.

        Parameters
        ----------
        stamp_ns : int
            On the clock of the camera.
        arrived_s : float
            On the monotonic clock.

        Raises
        ------
        CameraError
            The clock of the camera jumped.
        """
        if self._first_ns is None:
            self._first_ns = stamp_ns
        elif stamp_ns <= self._previous_ns:
            raise CameraError(f"the clock of the camera went from {self._previous_ns} to {stamp_ns} ns: {RESTARTED}")
        self._previous_ns = stamp_ns
        elapsed_s = (stamp_ns - self._first_ns) / 1e9
        self._see(elapsed_s, arrived_s - elapsed_s)
        # The first frames may be held up, and then one seems to be captured before the one before it.
        self._latest_s = max(elapsed_s * (1 + self.drift) + self._offset_s, self._latest_s + LEAST_S)
        return self._latest_s

    def _see(self, elapsed_s: float, apart_s: float) -> None:
        """Learn from a frame how far the clocks are apart."""
        if elapsed_s - self._block[0] >= BLOCK_S and self._block[1] < np.inf:
            self._fastest.append(self._block)
            self._fit()
            self._block = elapsed_s, np.inf
        self._block = min(self._block, (elapsed_s, apart_s), key=lambda frame: frame[1])
        offset_s = apart_s - self.drift * elapsed_s
        if self._knows_drift() and offset_s < self._offset_s - JUMP_S:
            raise CameraError(f"the clock of the camera jumped by {self._offset_s - offset_s:.1f} s: {RESTARTED}")
        self._offset_s = min(self._offset_s, offset_s)

    def _knows_drift(self) -> bool:
        return len(self._fastest) >= BLOCKS_FOR_A_LINE

    def _fit(self) -> None:
        """Lay a line through the fastest frames, then below all of them."""
        elapsed_s, apart_s = np.array(self._fastest).T
        if self._knows_drift():
            self.drift = float(np.clip(np.polyfit(elapsed_s, apart_s, 1)[0], -STEEPEST, STEEPEST))
        self._offset_s = float((apart_s - self.drift * elapsed_s).min())
