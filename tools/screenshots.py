"""Make the pictures of the README: docs/preview.jpg and docs/session.jpg.

    .venv/bin/python tools/screenshots.py

Runs a simulated session on a screen in memory (Xvfb) and photographs it.
"""

import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def screen_in_memory(folder: str) -> Iterator[str]:
    """Yield the DISPLAY of a screen whose pixels are kept in a file of the folder."""
    read, write = os.pipe()
    server = subprocess.Popen(
        [
            "Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-noreset", "-nolisten", "tcp",
            "-fbdir", folder,
        ],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


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


def main() -> None:
    """Run a session and photograph its preview and its trial."""
    with tempfile.TemporaryDirectory() as folder, screen_in_memory(folder) as display:
        env = os.environ | {"DISPLAY": display}
        options = ["--simulate", "--mouse-id", "demo", "--data-root", folder, "--seed", "4"]
        settings = {"initial_rest_dur": 5, "total_trials": 3, "success_rest_dur": 3, "reward_threshold": 0.05}
        for key, value in settings.items():
            options += ["--set", f"{key}={value}"]
        script = ROOT / "brain" / "cla_reward_punish_1roi.py"
        session = subprocess.Popen([sys.executable, script, *options], env=env, stdout=subprocess.DEVNULL)
        time.sleep(12)
        cv2.imwrite(str(ROOT / "docs" / "preview.jpg"), crop_to_window(read_screen(folder)))
        window = subprocess.run(["xdotool", "search", "--name", "Closed loop"], env=env, capture_output=True, text=True)
        press = ["xdotool", "key", "--window", window.stdout.split()[0], "Escape"]
        subprocess.run(press, env=env, check=True)
        time.sleep(20)
        cv2.imwrite(str(ROOT / "docs" / "session.jpg"), crop_to_window(read_screen(folder)))
        subprocess.run(press, env=env, check=True)
        session.wait()


if __name__ == "__main__":
    main()
