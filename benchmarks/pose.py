"""How long the CLMF loop takes, and DeepLabCut-Live's own get_pose: a part of `make bench`, in its environment.

A paced session with recording, movie and real tracking is run as a whole process; then only DeepLabCut-Live is timed,
on frames of that session and in the same run, because machines differ and are noisy.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tables

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rig.devices.pose import import_dlclive, run_on_one_thread
from sessions import CLMF, run_session

SETTINGS = {
    "pose": "dlclive", "total_trials": 4, "initial_rest_dur": 4, "max_trial_dur": 5, "success_rest_dur": 1,
    "fail_rest_dur": 1, "trial_start": "immediate", "speed_threshold": 8,
}  # fmt: skip


def time_dlclive(images: np.ndarray, model: Path) -> np.ndarray:
    """Return how long DeepLabCut-Live's get_pose takes for each image, ms."""
    live_class, processor, _ = import_dlclive()
    run_on_one_thread()
    live = live_class(str(model), model_type="pytorch", processor=processor(), display=False, resize=0.5)
    live.init_inference(images[0])
    times_ms = []
    for image in images:
        began_s = time.perf_counter()
        live.get_pose(image)
        times_ms.append((time.perf_counter() - began_s) * 1e3)
        time.sleep(1 / 30)  # as in the session: the caches are cold again
    return np.array(times_ms[5:])


def main() -> None:
    """Print both as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        stream = run_session(CLMF, folder, SETTINGS)
        with tables.open_file(str(stream)) as file:
            frames, images = file.root.frames[:], file.root.raw_images[:300]
    loop_ms = (frames["output_s"] - frames["captured_s"]) * 1e3
    get_pose_ms = time_dlclive(images, CLMF.parents[1] / "models" / "demo_mouse.pt")
    medians_ms = {"loop_median_ms": np.median(loop_ms), "get_pose_median_ms": np.median(get_pose_ms)}
    print(json.dumps({name: float(ms) for name, ms in medians_ms.items()}))


if __name__ == "__main__":
    main()
