"""Make the pictures in docs.

    .venv/bin/python tools/screenshots.py

Runs simulated sessions on a screen in memory (Xvfb) and photographs them; in the preview something is dragged first.
"""

import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from virtual_screen import screen_in_memory

ROOT = Path(__file__).resolve().parents[1]
Point = tuple[int, int]


def read_screen(folder: str) -> np.ndarray:
    """Return what the screen shows, (height, width, 3) BGR, from the XWD file that Xvfb keeps."""
    data = Path(folder, "Xvfb_screen0").read_bytes()
    header = struct.unpack(">25I", data[:100])  # XWDFileHeader, X11/XWDFile.h
    width, height, bytes_per_line, n_colors = header[4], header[5], header[12], header[19]
    start = header[0] + 12 * n_colors
    pixels = np.frombuffer(data, np.uint8, height * bytes_per_line, start)
    return pixels.reshape(height, bytes_per_line // 4, 4)[:, :width, :3].copy()


def crop_to_window(image: np.ndarray) -> np.ndarray:
    """Cut the black part of the screen off."""
    rows, columns = np.flatnonzero(image.max(axis=(1, 2))), np.flatnonzero(image.max(axis=(0, 2)))
    return image[: rows[-1] + 8, : columns[-1] + 8]


def xdotool(env: dict[str, str], *words: object) -> str:
    """Let xdotool do something on the screen; return what it prints."""
    return subprocess.run(["xdotool", *map(str, words)], env=env, capture_output=True, text=True).stdout


def find_window(env: dict[str, str], folder: str, session: subprocess.Popen[bytes]) -> str:
    """Wait until the window of the session shows a picture; return its id."""
    while not (found := xdotool(env, "search", "--name", "Closed loop").split()) or not is_lit(folder):
        if session.poll() is not None:
            raise RuntimeError(f"the session ended with status {session.returncode} before its window showed")
        time.sleep(0.5)
    return found[0]


def is_lit(folder: str) -> bool:
    """Return whether the screen shows more than a pointer."""
    return float(read_screen(folder)[:300, :500].mean()) > 10


def drag(env: dict[str, str], window: str, start: Point, stop: Point) -> None:
    """Drag with the pointer from start to stop, px of the window."""
    middle = (start[0] + stop[0]) // 2, (start[1] + stop[1]) // 2
    move = "mousemove", "--window", window
    for words in ((*move, *start), ("mousedown", 1), (*move, *middle), (*move, *stop), ("mouseup", 1)):
        xdotool(env, *words, "sleep", 0.3)


def save(name: str, picture: np.ndarray) -> None:
    """Save a picture in docs, small enough to be loaded from a page."""
    cv2.imwrite(str(ROOT / "docs" / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 80])


def photograph(
    python: Path, script: Path, settings: dict[str, object], names: tuple[str, str], dragged: tuple[Point, Point]
) -> None:
    """Run a session and photograph its preview, once something is dragged in it, and its trial."""
    with tempfile.TemporaryDirectory() as folder, screen_in_memory("-fbdir", folder) as display:
        env = os.environ | {"DISPLAY": display}
        config = Path(folder, "config.ini")  # a copy: the preview writes into it
        shutil.copy(ROOT / "config.ini", config)
        options = ["--simulate", "--mouse-id", "demo", "--data-root", folder, "--seed", "4", "--config", config]
        settings = {"initial_rest_dur": 5, "total_trials": 3, "success_rest_dur": 3} | settings
        for key, value in settings.items():
            options += ["--set", f"{key}={value}"]
        session = subprocess.Popen([python, script, *options], env=env, stdout=subprocess.DEVNULL)
        window = find_window(env, folder, session)
        time.sleep(8)  # until there is a map, or a trace
        drag(env, window, *dragged)
        time.sleep(1)
        save(names[0], crop_to_window(read_screen(folder)))
        xdotool(env, "key", "--window", window, "Escape")
        xdotool(env, "mousemove", "--window", window, 20, 20)  # out of the way
        time.sleep(20)
        save(names[1], crop_to_window(read_screen(folder)))
        xdotool(env, "key", "--window", window, "Escape")
        session.wait()


def main() -> None:
    """Photograph both experiments."""
    cortex, paws = {"reward_threshold": 0.05}, {"pose": "dlclive", "speed_threshold": 8, "joint_history_sec": 3}
    clnf = ROOT / ".venv" / "bin" / "python", ROOT / "brain" / "cla_reward_punish_1roi.py"
    clmf = ROOT / ".venv-clmf" / "bin" / "python", ROOT / "behavior" / "cla_dlc_trials_speed.py"
    photograph(*clnf, cortex, ("preview.jpg", "session.jpg"), ((140, 210), (176, 256)))  # draws M1_L
    photograph(*clmf, paws, ("preview_clmf.jpg", "session_clmf.jpg"), ((1180, 220), (1130, 260)))  # moves the circle


if __name__ == "__main__":
    main()
