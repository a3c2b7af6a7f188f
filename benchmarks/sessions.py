"""Whole sessions as processes of their own, for the measurements."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLNF = ROOT / "brain" / "cla_reward_punish_1roi.py"
CLMF = ROOT / "behavior" / "cla_dlc_trials_speed.py"
THREADED_CAMERA = "BenchCameraStream"
"""A camera driver of this folder that gives frames from its own thread, as real cameras do."""


def command(script: Path, folder: str, settings: dict[str, object], *options: str) -> list[str]:
    """Return the command line of a simulated session below the folder."""
    words = [sys.executable, str(script), "--simulate", "--mouse-id", "bench", "--data-root", folder, "--seed", "1"]
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"]
    return [*words, *options]


def run_session(script: Path, folder: str, settings: dict[str, object], *options: str) -> Path:
    """Run a session without window to its end; return its HDF5 file."""
    words = command(script, folder, settings, "--no-window", *options)
    subprocess.run(words, check=True, capture_output=True)
    return newest_stream(folder)


def newest_stream(folder: str) -> Path:
    """Return the HDF5 file of the newest session below the folder."""
    return max(Path(folder).glob("bench/*/image_stream.hdf5"))


def run_in_window(
    script: Path, settings: dict[str, object], env: dict[str, str], folder: str
) -> tuple[Path, float, float]:
    """Run a paced session with its window open; return its file, the s until the preview showed, and the CPU share.

    The share is that of one core over the session, with all processes of the rig.  Camera drivers of this folder are
    found.
    """
    env = env | {"PYTHONPATH": str(ROOT / "benchmarks")}
    began_s = time.monotonic()
    session = subprocess.Popen(command(script, folder, settings), env=env, stdout=subprocess.DEVNULL)
    window = ""
    while not window:
        found = subprocess.run(["xdotool", "search", "--name", "Closed loop"], env=env, capture_output=True, text=True)
        window = found.stdout.split()[0] if found.stdout.strip() else ""
        if session.poll() is not None:
            raise RuntimeError("the session has ended before its window showed")
    shown_s = time.monotonic() - began_s
    press = ["xdotool", "key", "--window", window, "Escape"]
    time.sleep(1)
    before_s, at_s = cpu_s(session.pid), time.monotonic()
    while not list(Path(folder).glob("bench/*/VideoTimestamp.txt")):
        subprocess.run(press, env=env, check=True, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
    used_s, session_s = before_s, 1.0
    while session.poll() is None:
        used_s, session_s = cpu_s(session.pid) or used_s, time.monotonic() - at_s
        time.sleep(0.25)
    if session.returncode:
        raise RuntimeError(f"the session ended with status {session.returncode}")
    return newest_stream(folder), shown_s, (used_s - before_s) / session_s


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its living children, s; 0 when it is gone."""
    ticks = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (str(pid), *children):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")
