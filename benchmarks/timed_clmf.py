"""The CLMF script with a clock around get_pose, so that a session says how long its loop took besides the network.

Within a session get_pose takes longer than by itself: the threads that store the frames want the same processor.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from behavior import cla_dlc_trials_speed as script
from rig.devices.pose import Pose
from rig.ending import run

TIMES_FILE = "GET_POSE_TIMES"
"""Environment variable: the .npy file that the times, s, of all calls are written to."""


class TimedPose:
    """A finder of body parts, and how long each of its answers took, s."""

    def __init__(self, dlc: Pose) -> None:
        self._dlc, self.body_parts, self.runs_on = dlc, dlc.body_parts, dlc.runs_on
        self.times_s: list[float] = []

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        """Return the pose."""
        began_s = time.perf_counter()
        pose = self._dlc.get_pose(image)
        self.times_s.append(time.perf_counter() - began_s)
        return pose


def main() -> int:
    """Run the session of the script, and keep the times."""
    loop = script.run_session

    def timed(cfg, rig, dlc, *others):
        pose = TimedPose(dlc)
        loop(cfg, rig, pose, *others)
        np.save(os.environ[TIMES_FILE], pose.times_s)

    script.run_session = timed
    return script.main()


if __name__ == "__main__":
    run(main)
