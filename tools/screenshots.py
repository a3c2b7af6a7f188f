"""Make the pictures in docs.

    .venv/bin/python tools/screenshots.py

Runs simulated sessions on a screen in memory (Xvfb) and photographs them.
"""

import os
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from virtual_screen import screen_in_memory

ROOT = Path(__file__).resolve().parents[1]


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


def photograph(
    python: Path, script: Path, settings: dict[str, object], names: tuple[str, str], starts_s: float
) -> None:
    """Run a session and photograph its preview, once it has started, and its trial."""
    with tempfile.TemporaryDirectory() as folder, screen_in_memory("-fbdir", folder) as display:
        env = os.environ | {"DISPLAY": display}
        options = ["--simulate", "--mouse-id", "demo", "--data-root", folder, "--seed", "4"]
        settings = {"initial_rest_dur": 5, "total_trials": 3, "success_rest_dur": 3} | settings
        for key, value in settings.items():
            options += ["--set", f"{key}={value}"]
        session = subprocess.Popen([python, script, *options], env=env, stdout=subprocess.DEVNULL)
        time.sleep(starts_s)
        cv2.imwrite(str(ROOT / "docs" / names[0]), crop_to_window(read_screen(folder)))
        window = subprocess.run(["xdotool", "search", "--name", "Closed loop"], env=env, capture_output=True, text=True)
        press = ["xdotool", "key", "--window", window.stdout.split()[0], "Escape"]
        subprocess.run(press, env=env, check=True)
        time.sleep(20)
        cv2.imwrite(str(ROOT / "docs" / names[1]), crop_to_window(read_screen(folder)))
        subprocess.run(press, env=env, check=True)
        session.wait()


def main() -> None:
    """Photograph both experiments."""
    cortex, paws = {"reward_threshold": 0.05}, {"pose": "dlclive", "speed_threshold": 8, "joint_history_sec": 3}
    clnf = ROOT / ".venv" / "bin" / "python", ROOT / "brain" / "cla_reward_punish_1roi.py"
    clmf = ROOT / ".venv-clmf" / "bin" / "python", ROOT / "behavior" / "cla_dlc_trials_speed.py"
    photograph(*clnf, cortex, ("preview.jpg", "session.jpg"), starts_s=12)
    photograph(*clmf, paws, ("preview_clmf.jpg", "session_clmf.jpg"), starts_s=25)


if __name__ == "__main__":
    main()
