"""Bench test of a camera: `python PiCameraStream.py` and its siblings show what the camera gives."""

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from CameraFactory import CameraFactory
from rig.cli import run
from rig.settings import OneRoiSettings, add_config_arguments, experiment_of, load, parse_overrides, to_strings


def report(camera: CameraFactory, n_frames: int) -> str:
    """Return a few lines on the next `n_frames` frames: size, rate, jitter, losses, brightness."""
    frames = []
    for frame in camera:
        frames.append((frame.time_s, frame.image.shape, frame.image.mean(axis=(0, 1)), frame.image.max(axis=(0, 1))))
        if len(frames) == n_frames:
            break
    if len(frames) < 2:
        return f"{len(frames)} frame: too few to say more"
    periods_ms = np.array([later[0] - earlier[0] for earlier, later in pairwise(frames)]) * 1e3
    height, width, _ = frames[-1][1]
    means, peaks = np.mean([f[2] for f in frames], axis=0), np.max([f[3] for f in frames], axis=0)
    return "\n".join(
        [
            f"frames      {len(frames)} of {width} x {height} px, {camera.lost} lost",
            f"rate        {1e3 / periods_ms.mean():.2f} frames/s, "
            f"periods {periods_ms.min():.1f} to {periods_ms.max():.1f} ms",
            "mean        blue {:.1f}, green {:.1f}, red {:.1f} of 255".format(*means),
            "brightest   blue {}, green {}, red {} of 255".format(*peaks),
        ]
    )


def bench(driver: Callable[[dict[str, str]], Any]) -> None:
    """Run the bench test of one driver from the command line."""

    def main() -> int:
        parser = argparse.ArgumentParser(description=f"Show what {driver.__name__} captures.")
        parser.add_argument("--frames", type=int, default=60, help="how many (default 60)")
        add_config_arguments(parser, OneRoiSettings.section)
        args = parser.parse_args()
        config = Path(args.config)
        settings, _ = load(experiment_of(config, args.section), config, args.section, parse_overrides(args.set))
        with CameraFactory(driver(to_strings(settings)).start()) as camera:
            print(report(camera, args.frames))
        return 0

    run(main)
