"""A simulated mouse in place of a camera: something to try the rig on without hardware or animal.

For CLNF it shows a cortex (`rig.sim_cortex`), for CLMF two forepaws and a nose (`rig.sim_paw`).  The mouse hears the
tone and tastes the reward, and learns.  The same seed gives the same mouse.
"""

from collections.abc import Mapping
from typing import Any

from rig.errors import CameraError, SettingsError
from rig.frames import Frame
from rig.pacing import Pacer
from rig.settings import CameraSettings, CortexSettings, from_strings
from rig.sim_cortex import CortexScene
from rig.sim_paw import PawScene

MOST_PIXELS = 2**21  # the fields of noise take 200 bytes of memory for each


class SimCameraStream:
    """A simulated mouse: its paws where a `control_point` is named, else its cortex.

    Parameters
    ----------
    cfgDict : mapping of str to str
        As for a camera, with seed; for the cortex also bregma, ppmm and seeds_mm.  `sim_camera_fails_at_s` > 0 lets
        it stop giving frames then.  `fast` = 1 does not wait for the time of a frame.
    """

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._shows_paws = "control_point" in cfgDict
        model = CameraSettings if self._shows_paws else CortexSettings
        self._settings = from_strings(model, cfgDict, "SimCameraStream")
        self._control_point = cfgDict.get("control_point", "")
        self._pacer = Pacer(cfgDict.get("fast") == "1")
        self._tone: Any = None
        self._reward: Any = None
        self._rewards_seen = 0

    def start(self) -> "SimCameraStream":
        """Paint what stays the same in every frame."""
        width, height = self._settings.resolution
        if width * height > MOST_PIXELS:
            raise SettingsError(
                f"resolution = {width}, {height}: SimCameraStream draws at most {MOST_PIXELS} pixels; lower it"
            )
        self._scene: PawScene | CortexScene
        if isinstance(self._settings, CortexSettings):
            self._scene = CortexScene(self._settings)
        else:
            self._scene = PawScene(self._settings, self._control_point)
        self.begin_session()
        return self

    def begin_session(self) -> None:
        """Start from the first frame, with a mouse that has learned nothing."""
        self._number = 0
        self._scene.restart()
        self._pacer.restart()

    def let_sense(self, tone: Any, reward: Any) -> None:
        """Let the mouse hear `tone` (its `hz`) and taste `reward` (its `count` of pulses)."""
        self._tone, self._reward = tone, reward
        self._rewards_seen = reward.count

    def read(self) -> Frame:
        """Return the next frame when it is due."""
        time_s = self._number / self._settings.framerate
        fails_at_s = self._settings.sim_camera_fails_at_s
        if fails_at_s and time_s >= fails_at_s:
            timeout_s = self._settings.camera_timeout_s
            self._pacer.wait_for(time_s + timeout_s)
            raise CameraError(f"the camera gave no new frame for {timeout_s:g} s; check its cable, then start again")
        heard_hz, rewards = self._sense()
        image = self._scene.render(time_s, heard_hz, rewards)
        self._number += 1
        known_age_s = 0.0 if self._pacer.fast else None
        return Frame(self._number - 1, time_s, self._pacer.wait_for(time_s), image, known_age_s)

    def stop(self) -> None:
        """End; harmless when repeated."""

    def _sense(self) -> tuple[float, int]:
        """Return the tone (Hz) and the rewards since the last frame."""
        if self._reward is None:
            return 0.0, 0
        rewards = self._reward.count - self._rewards_seen
        self._rewards_seen += rewards
        return self._tone.hz, rewards


if __name__ == "__main__":
    from rig.camera_bench import bench

    bench(SimCameraStream)
