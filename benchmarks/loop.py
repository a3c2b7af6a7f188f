"""How fast the loop is: `make bench`.

Every number stands beside a reference measured in the same run, because machines differ and are noisy:
the ΔF/F beside the formula computed directly from the stored frames.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tables
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rig.dff import RoiHistory, average_dff


def median_us(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call, µs."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e6


def direct_dff(crop: np.ndarray, before: np.ndarray) -> float:
    """ΔF/F as the formula is written: the mean of all frames before, anew for each frame."""
    f0 = before.mean(axis=0)
    dff = np.divide(crop - f0, f0, out=np.zeros(crop.shape), where=f0 > 0)
    return float((dff[..., 1] - dff[..., 0]).mean())


def measure_dff(side_px: int, n_frames: int) -> tuple[float, float]:
    """Return the median time of ours and of the direct formula, µs."""
    crops = np.random.default_rng(0).integers(1, 256, (n_frames, side_px, side_px, 3), dtype=np.uint8)
    history = RoiHistory(n_frames)
    for crop in crops:
        history.append(crop)
    ours = median_us(lambda: average_dff(crops[0], history), 3000)
    return ours, median_us(lambda: direct_dff(crops[0], crops), 300)


def run_session(script: Path, folder: str, settings: dict[str, object]) -> Path:
    """Run a paced, simulated session without window as a process of its own; return its HDF5 file."""
    command = [sys.executable, script, "--simulate", "--no-window", "--mouse-id", "bench", "--data-root", folder]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run([*command, "--seed", "1"], check=True, capture_output=True)
    return next(Path(folder).glob("bench/*/image_stream.hdf5"))


def measure_session(framerate: int, seconds: float) -> dict[str, float]:
    """Run a paced session without window; return latencies (ms) and losses."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"framerate": framerate, "initial_rest_dur": 2, "max_trial_dur": 2, "fail_rest_dur": 1}
        settings |= {"total_trials": max(1, round((seconds - 2) / 3)), "reward_threshold": 0.03, "success_rest_dur": 1}
        stream = run_session(ROOT / "brain" / "cla_reward_punish_1roi.py", folder, settings)
        with tables.open_file(str(stream)) as file:
            frames = file.root.frames[:]
    latency_ms = (frames["output_s"] - frames["captured_s"]) * 1e3
    return {
        "median_ms": float(np.median(latency_ms)),
        "p99_ms": float(np.percentile(latency_ms, 99)),
        "lost": float(frames["number"][-1] + 1 - len(frames)),
    }


def main() -> None:
    """Print both tables."""
    console = Console()
    table = Table("ROI", "history", "ours", "direct formula", "ratio", title="ΔF/F of one ROI, median")
    for side_px, n_frames in ((8, 90), (8, 600), (26, 90), (26, 600)):
        ours, direct = measure_dff(side_px, n_frames)
        roi, history = f"{side_px} x {side_px} px", f"{n_frames} frames"
        table.add_row(roi, history, f"{ours:.1f} µs", f"{direct:.0f} µs", f"1 : {direct / ours:.0f}")
    console.print(table)
    table = Table("frames/s", "median", "p99", "lost", title="frame to output, 256 x 256 px, simulated, recording")
    for framerate in (15, 60, 100):
        result = measure_session(framerate, 20)
        cells = (f"{result['median_ms']:.2f} ms", f"{result['p99_ms']:.2f} ms", f"{result['lost']:.0f}")
        table.add_row(str(framerate), *cells)
    console.print(table)


if __name__ == "__main__":
    main()
