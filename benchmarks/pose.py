"""How long a model takes in DeepLabCut-Live and in ONNX Runtime, and the CLMF loop around it: a part of `make bench`.

Everything is measured in one run, because machines differ and are noisy.  For each model a paced session with
recording, movie and real tracking is run as a whole process, which gives the time from a frame to its outputs; then
only get_pose is timed, on frames of that session.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tables

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rig.devices.pose import open_pose
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import load
from sessions import CLMF, run_session

ROOT = CLMF.parents[1]
MODELS = {"dlclive": ROOT / "models" / "demo_mouse.pt", "onnx": ROOT / "models" / "demo_mouse.onnx"}
SETTINGS = {
    "pose": "dlclive", "total_trials": 4, "initial_rest_dur": 4, "max_trial_dur": 5, "success_rest_dur": 1,
    "fail_rest_dur": 1, "trial_start": "immediate", "speed_threshold": 8,
}  # fmt: skip


def time_get_pose(model: Path, images: np.ndarray) -> np.ndarray:
    """Return how long get_pose takes for each image, ms."""
    values = {"vid_source": "SimCameraStream", "dlc_model_path": str(model), "outputs": "simulated"}
    settings, _ = load(ClmfSettings, ROOT / "config.ini", ClmfSettings.section, values)
    times_ms = []
    with open_pose(settings, sees_a_mouse=False) as pose:
        for image in images:
            began_s = time.perf_counter()
            pose.get_pose(image)
            times_ms.append((time.perf_counter() - began_s) * 1e3)
            time.sleep(1 / 30)  # as in the session: the caches are cold again
    return np.array(times_ms[5:])


def measure(model: Path) -> dict[str, list[float]]:
    """Return median and 99th percentile of get_pose and of frame → valve, ms."""
    with tempfile.TemporaryDirectory() as folder:
        stream = run_session(CLMF, folder, SETTINGS | {"dlc_model_path": model})
        with tables.open_file(str(stream)) as file:
            frames, images = file.root.frames[:], file.root.raw_images[:300]
    loop_ms = (frames["output_s"] - frames["captured_s"]) * 1e3
    times_ms = {"get_pose_ms": time_get_pose(model, images), "loop_ms": loop_ms}
    return {name: np.percentile(values, [50, 99]).tolist() for name, values in times_ms.items()}


def main() -> None:
    """Print all as JSON, the last line."""
    print(json.dumps({name: measure(model) for name, model in MODELS.items()}))


if __name__ == "__main__":
    main()
