"""How much the CLMF loop adds to DeepLabCut-Live's own get_pose: `make bench`.

A paced session with recording, movie and real tracking is run as a whole process; then DeepLabCut-Live alone is timed
on frames of that session, in the same run, because machines differ and are noisy.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tables
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loop import run_session
from rig.pose import import_dlclive, run_on_one_thread

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
    """Print the table."""
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        stream = run_session(root / "behavior" / "cla_dlc_trials_speed.py", folder, SETTINGS)
        with tables.open_file(str(stream)) as file:
            frames, images = file.root.frames[:], file.root.raw_images[:300]
    loop_ms = (frames["output_s"] - frames["captured_s"]) * 1e3
    alone_ms = time_dlclive(images, root / "models" / "demo_mouse.pt")
    table = Table("", "median", "p99", title="CLMF, 640 x 320 px, 30 frames/s, recording, movie")
    for name, times_ms in (("frame to output", loop_ms), ("get_pose of DeepLabCut-Live alone", alone_ms)):
        table.add_row(name, f"{np.median(times_ms):.2f} ms", f"{np.percentile(times_ms, 99):.2f} ms")
    table.add_row("the loop adds", f"{np.median(loop_ms) - np.median(alone_ms):.2f} ms", "")
    Console().print(table)
    print(f"{len(frames)} frames, {frames['number'][-1] + 1 - len(frames)} lost")


if __name__ == "__main__":
    main()
