"""How long a model takes in DeepLabCut-Live and in ONNX Runtime, and the CLMF loop around it: a part of `make bench`.

Everything is measured in one run, because machines differ and are noisy.  For each model a paced session with
recording, movie and real tracking is run as a whole process, which gives the time from a frame to its outputs, and how
much of it is not get_pose; then only get_pose is timed, on frames of that session.
"""

import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import tables

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rig.devices import realtime
from rig.devices.pose import open_pose
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import load
from sessions import CLMF, run_session
from timed_clmf import TIMES_FILE

ROOT = CLMF.parents[1]
TIMED = ROOT / "benchmarks" / "timed_clmf.py"
MODELS = {"dlclive": ROOT / "models" / "demo_mouse.pt", "onnx": ROOT / "models" / "demo_mouse.onnx"}
SETTINGS = {
    "pose": "dlclive", "total_trials": 4, "initial_rest_dur": 4, "max_trial_dur": 5, "success_rest_dur": 1,
    "fail_rest_dur": 1, "trial_start": "immediate", "speed_threshold": 8,
}  # fmt: skip


def time_get_pose(images: np.ndarray) -> dict[str, list[float]]:
    """Return median and 99th percentile of get_pose of each model, ms; they take turns, and meet the same load."""
    with ExitStack() as opened:
        opened.enter_context(realtime.loop_in_real_time(True))  # as a session does, where the system allows it
        poses = {name: opened.enter_context(open_pose(settings_for(model), False)) for name, model in MODELS.items()}
        times_ms: dict[str, list[float]] = {name: [] for name in poses}
        for image in images:
            for name, pose in poses.items():
                began_s = time.perf_counter()
                pose.get_pose(image)
                times_ms[name].append((time.perf_counter() - began_s) * 1e3)
            time.sleep(1 / 30)  # as in the session: the caches are cold again
    return {name: np.percentile(values[5:], [50, 99]).tolist() for name, values in times_ms.items()}


def settings_for(model: Path) -> ClmfSettings:
    """Return the shipped settings with this model."""
    values = {"vid_source": "SimCameraStream", "dlc_model_path": str(model), "outputs": "simulated"}
    return load(ClmfSettings, ROOT / "config.ini", ClmfSettings.section, values)[0]


def time_loop(model: Path) -> tuple[dict[str, list[float]], np.ndarray]:
    """Return what a session with this model took, and its first frames.

    Returns
    -------
    dict
        Median and 99th percentile, ms: frame → valve as loop_ms, and the part of it that is not get_pose as rest_ms.
    array (n, height, width, 3) uint8
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ[TIMES_FILE] = f"{folder}/get_pose_s.npy"
        stream = run_session(TIMED, folder, SETTINGS | {"dlc_model_path": model})
        with tables.open_file(str(stream)) as file:
            frames, images = file.root.frames[:], file.root.raw_images[:300]
        loop_ms = (frames["output_s"] - frames["captured_s"]) * 1e3
        rest_ms = loop_ms - np.load(os.environ[TIMES_FILE])[: len(loop_ms)] * 1e3
    took = {"loop_ms": loop_ms, "rest_ms": rest_ms}
    return {name: np.percentile(ms, [50, 99]).tolist() for name, ms in took.items()}, images


def main() -> None:
    """Print all as JSON, the last line."""
    loops = {name: time_loop(model) for name, model in MODELS.items()}
    get_pose_ms = time_get_pose(loops["onnx"][1])
    print(json.dumps({name: loops[name][0] | {"get_pose_ms": get_pose_ms[name]} for name in MODELS}))


if __name__ == "__main__":
    main()
