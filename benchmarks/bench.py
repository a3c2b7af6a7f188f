"""How fast the rig is, next to what it must reach: `make bench` prints one table and writes benchmarks/results.json.

Whole processes are measured, with the window open on a screen in memory and recording on, unless a row says otherwise.
Machines differ and are noisy, so next to each latency stands a reference of the same run (benchmarks/usual_loop.py).
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tables
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tools")]

from busy_computer import busy_computer
from rig.protocol.dff import RoiHistory
from sessions import CLNF, THREADED_CAMERA, command, newest_stream, run_in_window, run_session
from virtual_screen import screen_in_memory

RESULTS = ROOT / "benchmarks" / "results.json"
FAST_TRIALS = {
    "initial_rest_dur": 1,
    "max_trial_dur": 2,
    "success_rest_dur": 1,
    "fail_rest_dur": 1,
    "reward_threshold": 0.01,
}


class Row(NamedTuple):
    """One measurement.

    Attributes
    ----------
    what, measured, must, reference : str
    reached : bool
    """

    what: str
    measured: str
    must: str
    reached: bool
    reference: str = ""


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


def dff_rows() -> list[Row]:
    """Measure ΔF/F of one ROI, next to the direct formula."""
    rows = []
    for side_px, n_frames in ((8, 90), (8, 600), (26, 90), (26, 600)):
        crops = np.random.default_rng(0).integers(1, 256, (n_frames, side_px, side_px, 3), dtype=np.uint8)
        history = RoiHistory(n_frames)
        for crop in crops:
            history.append(crop)
        again = itertools.cycle(crops)
        ours = median_us(lambda again=again, history=history: history.dff(next(again)), 3000)
        direct = median_us(lambda crops=crops: direct_dff(crops[0], crops), 300)
        what = f"ROI ΔF/F, {side_px}x{side_px} px, history {n_frames} frames"
        must, good = ("≤ 10 µs", ours <= 10) if side_px == 8 else ("the same for both histories", True)
        rows.append(Row(what, f"{ours:.1f} µs", must, good, f"direct formula {direct:.0f} µs"))
    return rows


def latency_rows(env: dict[str, str], seconds: float) -> list[Row]:
    """Measure frame → reward and frame → tone at several rates, and the CPU of it all."""
    rows = []
    for framerate in (15, 60, 100):
        # The signal of this camera goes round with its eight images; one of them is above the threshold.
        settings = FAST_TRIALS | {"success_rest_dur": 0.5, "reward_delay": 0.2, "reward_threshold": 0.08}
        settings |= {"framerate": framerate, "total_trials": round(seconds), "vid_source": THREADED_CAMERA}
        with tempfile.TemporaryDirectory() as folder:
            stream, _, cpu = run_in_window(CLNF, settings, env, folder)
            found = latencies(stream)
        usual = usual_loop(framerate, seconds)
        reference = f"usual loop {usual['median_ms']:.1f}, {usual['p99_ms']:.1f} ms"
        for name in ("reward", "tone"):
            median, p99 = np.percentile(found[name], [50, 99])
            what = f"frame → {name} commanded, {framerate} frames/s ({len(found[name])} of them)"
            good = median <= 1 and p99 <= 3
            rows.append(Row(what, f"{median:.2f}, p99 {p99:.2f} ms", "≤ 1, p99 ≤ 3 ms", good, reference))
        if framerate == 15:
            rows.append(Row("CPU of the whole rig, 15 frames/s", f"{100 * cpu:.0f} %", "≤ 25 % of a core", cpu <= 0.25))
    return rows


BUSY_LOOPS = 4


def busy_rows(env: dict[str, str], seconds: float) -> list[Row]:
    """Measure frame → edge of the reward pin while four other programs want the cores, with and without real time."""
    rows = []
    settings = FAST_TRIALS | {"success_rest_dur": 0.5, "reward_delay": 0.2, "reward_threshold": 0.08}
    settings |= {"framerate": 60, "total_trials": round(seconds), "vid_source": THREADED_CAMERA}
    for wanted in (0, 1):
        with busy_computer(BUSY_LOOPS), tempfile.TemporaryDirectory() as folder:
            stream, _, _ = run_in_window(CLNF, settings | {"realtime": wanted}, env, folder)
            edges_ms, granted = edge_latencies(stream)
        in_force = "with" if granted else "without"
        median, p95, worst = *np.percentile(edges_ms, [50, 95]), max(edges_ms)
        what = f"frame → edge of the reward, four busy loops, {in_force} real time ({len(edges_ms)} of them)"
        measured = f"{median:.2f}, p95 {p95:.2f}, worst {worst:.2f} ms"
        rows.append(Row(what, measured, "p95 ≤ 3 ms with it", not granted or bool(p95 <= 3)))
    return rows


LINES = {"frame_pin": 5, "barcode_pin": 6}


def lines_row(env: dict[str, str], seconds: float) -> Row:
    """Compare frame → edge of the reward pin with a pulse for each frame and barcodes, and without; runs take turns."""
    settings = FAST_TRIALS | {"success_rest_dur": 0.5, "reward_delay": 0.2, "reward_threshold": 0.08}
    settings |= {"framerate": 60, "total_trials": round(seconds / 2), "vid_source": THREADED_CAMERA}
    found_ms: dict[bool, list[float]] = {False: [], True: []}
    for has_lines in (False, True, False, True):
        with tempfile.TemporaryDirectory() as folder:
            stream, _, _ = run_in_window(CLNF, settings | (LINES if has_lines else {}), env, folder)
            found_ms[has_lines] += edge_latencies(stream)[0]
    without, p99_without = np.percentile(found_ms[False], [50, 99])
    median, p99 = np.percentile(found_ms[True], [50, 99])
    what = f"frame → edge of the reward, with frame pulses and barcodes ({len(found_ms[True])} of them)"
    measured = f"{median:.2f}, p99 {p99:.2f} ms: {median / without:.2f} times as long"
    reference = f"without {without:.2f}, p99 {p99_without:.2f} ms"
    return Row(what, measured, "≤ 1.1 times", bool(median <= 1.1 * without), reference)


def edge_latencies(stream: Path) -> tuple[list[float], bool]:
    """Return the ms from a frame to the rising edge of its reward, and whether real-time scheduling was in force."""
    with tables.open_file(str(stream)) as file:
        frames, events = file.root.frames[:], file.root.events[:]
    captured_s = dict(zip(frames["number"].tolist(), frames["captured_s"].tolist(), strict=True))
    rose = [e for e in events if (e["device"], e["detail"], e["value"]) == (b"reward", b"driven", 1)]
    found = [(float(e["time_s"]) - captured_s[int(e["frame"])]) * 1e3 for e in rose if int(e["frame"]) in captured_s]
    return found, any(e["device"] == b"realtime" and e["value"] == 1 for e in events)


def start_row(env: dict[str, str]) -> Row:
    """Measure the start of the script, simulated, to the preview window; the median of five."""
    shown = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            brief = FAST_TRIALS | {"total_trials": 1, "max_trial_dur": 1}
            shown.append(run_in_window(CLNF, brief, env, folder)[1])
    median_s = float(np.median(shown))
    return Row("start → preview window, simulated", f"{median_s:.2f} s", "≤ 2 s", median_s <= 2)


def latencies(stream: Path) -> dict[str, list[float]]:
    """Return the ms from a frame to the reward, and to the tone, that were commanded on it."""
    with tables.open_file(str(stream)) as file:
        frames, events = file.root.frames[:], file.root.events[:]
    captured_s = dict(zip(frames["number"].tolist(), frames["captured_s"].tolist(), strict=True))
    found: dict[str, list[float]] = {"reward": [], "tone": []}
    for event in events:
        device, frame = event["device"].decode(), int(event["frame"])
        is_command = device == "tone" or (device == "reward" and event["detail"].startswith(b"commanded: 0"))
        if device in found and is_command and frame in captured_s and event["time_s"] >= captured_s[frame]:
            found[device].append((float(event["time_s"]) - captured_s[frame]) * 1e3)
    return found


def usual_loop(framerate: float, seconds: float) -> dict[str, Any]:
    """Run the reference."""
    words = [
        sys.executable,
        str(ROOT / "benchmarks" / "usual_loop.py"),
        "--framerate",
        str(framerate),
        "--seconds",
        str(seconds),
    ]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def loss_rows(env: dict[str, str], seconds: float) -> list[Row]:
    """Count frames lost and doubled."""
    rows = []
    for framerate in (15, 60, 100, 200):
        settings = FAST_TRIALS | {"framerate": framerate, "total_trials": max(1, round((seconds - 1) / 3))}
        settings |= {"vid_source": THREADED_CAMERA, "reward_threshold": 1, "shutter_speed": 4000}
        with tempfile.TemporaryDirectory() as folder:
            stream, _, _ = run_in_window(CLNF, settings, env, folder)
            with tables.open_file(str(stream)) as file:
                numbers = file.root.frames.col("number")
        lost, doubled = int(numbers[-1] + 1 - len(set(numbers.tolist()))), int((np.diff(numbers) == 0).sum())
        usual = usual_loop(framerate, min(seconds, 20))
        what = f"frames lost, doubled at {framerate} frames/s ({len(numbers)} frames)"
        reference = f"usual loop {usual['lost']}, {usual['doubled']}"
        rows.append(Row(what, f"{lost}, {doubled}", "0", lost == doubled == 0, reference))
    return rows


def replay_row() -> Row:
    """Measure a replay with recording, as fast as it can, without window."""
    with tempfile.TemporaryDirectory() as folder:
        settings = FAST_TRIALS | {"total_trials": 40, "max_trial_dur": 2}
        source = run_session(CLNF, folder, settings, "--fast").parent
        replay = settings | {"vid_source": "VideoStream", "vid_root": source}
        stream = run_session(CLNF, folder, replay, "--fast")
        with tables.open_file(str(stream)) as file:
            output_s = file.root.frames.col("output_s")
    rate = (len(output_s) - 1) / (output_s[-1] - output_s[0])
    return Row(
        f"replay with recording, --fast, no window ({len(output_s)} frames)",
        f"{rate:.0f} frames/s",
        "≥ 500",
        rate >= 500,
    )


def memory_row(minutes: float) -> Row:
    """Compare the memory of the script after one and after many minutes of frames, run fast, under a small image."""
    small = {
        "resolution": "64, 64",
        "bregma": "34, 32",
        "ppmm": 6.4,
        "roi_size": "1, 1",
        "total_trials": 1,
        "max_trial_dur": 10,
    }
    settings = small | {"initial_rest_dur": 60 * minutes}
    with tempfile.TemporaryDirectory() as folder:
        words = command(CLNF, folder, settings, "--no-window", "--fast")
        session = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        early = late = 0
        while session.poll() is None:
            late = resident_bytes(session.pid) or late
            if not early and size_of_rows(folder) > 900 * 60:
                early = late
            time.sleep(0.05)
        with tables.open_file(str(newest_stream(folder))) as file:
            n = len(file.root.frames)
    growth = late / early - 1
    measured = f"{early / 1e6:.0f} → {late / 1e6:.0f} MB, {100 * growth:+.1f} %"
    return Row(f"memory after 1 and {minutes:g} minutes ({n} frames)", measured, "≤ 5 % more", growth <= 0.05)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


def size_of_rows(folder: str) -> int:
    """Return the size of the log of the running session, bytes."""
    return sum(path.stat().st_size for path in Path(folder).glob("bench/*/VideoTimestamp.txt"))


def pose_rows() -> list[Row]:
    """Measure a model in DeepLabCut-Live and in ONNX Runtime, and what the CLMF loop adds to them."""
    python = ROOT / ".venv-clmf" / "bin" / "python"
    if not python.exists():
        return [Row("CLMF: get_pose, frame → valve", "not measured: no .venv-clmf", "ONNX ≥ 3 times as fast", False)]
    done = subprocess.run([python, ROOT / "benchmarks" / "pose.py"], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    (torch_ms, torch_p99), (onnx_ms, onnx_p99) = (found[name]["get_pose_ms"] for name in ("dlclive", "onnx"))
    faster = torch_ms / onnx_ms
    rows = [
        Row(
            "get_pose of the shipped model, ONNX Runtime",
            f"{onnx_ms:.2f}, p99 {onnx_p99:.2f} ms, {faster:.1f} times as fast",
            "≥ 3 times as fast",
            faster >= 3,
            f"DeepLabCut-Live {torch_ms:.2f}, p99 {torch_p99:.2f} ms",
        )
    ]
    for name, title, most_ms in (("onnx", "ONNX Runtime", 0.5), ("dlclive", "DeepLabCut-Live", 2)):
        (median_ms, p99_ms), (rest_ms, rest_p99) = found[name]["loop_ms"], found[name]["rest_ms"]
        measured = f"{median_ms:.2f}, p99 {p99_ms:.2f} ms; beyond get_pose {rest_ms:.2f}, p99 {rest_p99:.2f} ms"
        good = rest_ms <= most_ms
        rows.append(Row(f"CLMF frame → valve, {title}", measured, f"beyond get_pose ≤ {most_ms:g} ms", good))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brief", action="store_true", help="shorter sessions: numbers to look at, not to report")
    brief = parser.parse_args().brief
    rows = dff_rows()
    with screen_in_memory() as display:
        env = os.environ | {"DISPLAY": display}
        rows.append(start_row(env))
        rows += latency_rows(env, 10 if brief else 40)
        rows += busy_rows(env, 10 if brief else 40)
        rows.append(lines_row(env, 10 if brief else 40))
        rows += loss_rows(env, 10 if brief else 60)
    rows += [replay_row(), memory_row(3 if brief else 60), *pose_rows()]
    table = Table(
        "what", "measured", "must reach", "", "reference, same run", title="two cores of whatever machine this is"
    )
    for row in rows:
        style = "green" if row.reached else "bold red"
        table.add_row(row.what, row.measured, row.must, "yes" if row.reached else "NO", row.reference, style=style)
    Console(width=150).print(table)
    RESULTS.write_text(
        json.dumps([row._asdict() | {"reached": bool(row.reached)} for row in rows], indent=2, ensure_ascii=False)
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
