"""The devices of a session that is run again in memory: nothing is heard, opened or shown."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from rig.devices.frames import Frame


class RecordedCamera:
    """The frames of a recording, with the times and ages that they had; see `CameraFactory.Driver`.

    Parameters
    ----------
    frames : iterator of Frame

    Attributes
    ----------
    row : int
        Of the frame that was read last, from 0.
    """

    stands_in: ClassVar[str] = "a recording"
    can_be_fast: ClassVar[bool] = True
    replays: ClassVar[bool] = True
    gains_are_locked: ClassVar[bool | None] = True
    is_linear: ClassVar[bool | None] = None
    channels: ClassVar[int] = 3

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.row = -1

    def start(self) -> "RecordedCamera":
        return self

    def begin_session(self) -> None:
        """It begins with its first frame in any case."""

    def read(self) -> Frame | None:
        self.row += 1
        return next(self._frames, None)

    def stop(self) -> None:
        """Nothing is open."""


class RecordedLick:
    """The licks of the recording, frame by frame; see `rig.devices.input_line.Input`.

    Parameters
    ----------
    camera : RecordedCamera
    licks : array (n_frames,) int
    """

    def __init__(self, camera: RecordedCamera, licks: np.ndarray) -> None:
        self._camera, self._licks = camera, licks.astype(bool)

    def touched(self) -> bool:
        return bool(self._licks[self._camera.row])

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        """Nothing is open."""


class RecordedPose:
    """The pose of the recording, frame by frame; see `rig.devices.pose.Pose`.

    Parameters
    ----------
    camera : RecordedCamera
    body_parts : tuple of str
    poses : array (n_frames, n_parts, 3)
        x, y (px) and likelihood.
    """

    def __init__(self, camera: RecordedCamera, body_parts: tuple[str, ...], poses: np.ndarray) -> None:
        self._camera, self._poses = camera, poses
        self.body_parts = body_parts
        self.runs_on = "the recording"

    def get_pose(self, _image: np.ndarray) -> np.ndarray:
        pose: np.ndarray = self._poses[self._camera.row]
        return pose

    def close(self) -> None:
        """Nothing is open."""


class NoOutput:
    """An output without a pin."""

    def on(self) -> None:
        """Switch nothing."""

    def off(self) -> None:
        """Switch nothing."""

    def pulse(self, _seconds: float) -> None:
        """Open nothing."""


class NoOutputs:
    """Outputs without pins, and without the guard that keeps real ones safe; see `rig.devices.outputs.Outputs`."""

    def __init__(self) -> None:
        self.reward = self.fail = self.light = self.trigger = NoOutput()

    def mark(self, _number: int) -> None:
        """Give no pulse: the frames of a recording were never now."""

    def beat(self) -> float:
        """Return 0: nothing has gone low."""
        return 0.0

    def rest(self) -> None:
        """Nobody waits for a beat."""
