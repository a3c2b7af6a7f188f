"""What each way to store frames takes: GB an hour, and the share of one core.

    python benchmarks/store.py [RECORDING ...]

Measured on frames of the simulated mice and, where they are named, of recordings (a session or a movie, cut to the size
of CLMF or CLNF).  The files are written as a session does, as fast as this computer can.
"""

import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2

from CameraFactory import CameraFactory
from rig.files.frame_file import FrameFile, Header
from rig.files.log import PUBLISH_EVERY_S
from rig.files.movie import Movie
from rig.files.reader import read_frames
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings
from VideoStream import holds_frames

N_FRAMES = 150
CHOICES = {
    "hdf5": [("frames.hdf5", "")],
    "both, h264": [("frames.hdf5", ""), ("frames.mp4", "h264")],
    "both, ffv1": [("frames.hdf5", ""), ("frames.mkv", "ffv1")],
    "movie, ffv1": [("frames.mkv", "ffv1")],
}


def simulated(model: Any) -> tuple[np.ndarray, float]:
    """Return frames of a simulated mouse (n, height, width, 3), and their rate per second."""
    settings = load(model, ROOT / "config.ini", model.section, {"seed": "1", "vid_source": "SimCameraStream"})[0]
    with CameraFactory.open(settings, fast=True) as camera:
        return np.array([frame.image for frame in islice(camera, N_FRAMES)]), settings.framerate


def recorded(path: Path) -> np.ndarray:
    """Return frames of a recording (n, height, width, channels), 640 x 320 px or less of each."""
    if path.is_dir() or holds_frames(path):
        images = read_frames(path)
        return np.zeros((0, 1, 1, 3), np.uint8) if images is None else images[:N_FRAMES, :320, :640]
    movie = cv2.VideoCapture(str(path))
    return np.array([image[:320, :640] for good, image in (movie.read() for _ in range(N_FRAMES)) if good])


def store(images: np.ndarray, framerate: float, files: list[tuple[str, str]]) -> tuple[float, float]:
    """Write frames into these files (name, codec); return bytes and seconds of this processor for each."""
    shape: Any = images.shape[1:]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name, _ in files]
        writers = [
            Movie(path, shape, framerate, codec) if codec else FrameFile(path, Header(shape))
            for path, (_, codec) in zip(paths, files, strict=True)
        ]
        began_s = time.process_time()
        for i, image in enumerate(images):
            for writer in writers:
                writer.append(image)
                if i % round(PUBLISH_EVERY_S * framerate) == 0:
                    writer.publish()
        for writer in writers:
            writer.close()
        took_s = time.process_time() - began_s
        return sum(path.stat().st_size for path in paths) / len(images), took_s / len(images)


def grey(images: np.ndarray) -> np.ndarray:
    """Return the frames as a camera without colours gives them, (n, height, width, 1)."""
    return np.array([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images])[..., None]


def add_rows(table: Table, what: str, images: np.ndarray, framerate: float) -> None:
    """Measure every choice, in colours as they are and in grey."""
    kinds = {"colours": images, "mono": grey(images)} if images.shape[3] == 3 else {"mono": images}
    for kind, frames in kinds.items():
        for choice, files in CHOICES.items():
            size, took_s = store(frames, framerate, files)
            hourly = f"{size * framerate * 3600 / 1e9:.1f}"
            table.add_row(what, kind, choice, hourly, f"{100 * took_s * framerate:.0f} %", f"{took_s * 1e3:.1f}")


def main() -> None:
    """Print the table."""
    table = Table("frames", "camera", "store, movie_codec", "GB an hour", "of one core", "ms a frame")
    for name, model in (("CLMF, simulated", ClmfSettings), ("CLNF, simulated", OneRoiSettings)):
        add_rows(table, name, *simulated(model))
    for path in map(Path, sys.argv[1:]):
        images = recorded(path)
        add_rows(table, path.name, images, 30 if images.shape[2] > 256 else 15)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
