"""Show what a camera gives: `python PiCameraStream.py` and its siblings, or `python -m rig.commands.camera`."""

import argparse
from itertools import islice, pairwise

import numpy as np
from rich.table import Table

from CameraFactory import CameraFactory, Driver
from rig.devices.frames import COLOURS
from rig.devices.linearity import STEPS, Row, measure, verdict
from rig.ending import run
from rig.settings.loading import add_config_arguments, load_from_arguments
from rig.settings.one_roi import OneRoiSettings
from rig.terminal import console


def main(vid_source: str = "") -> int:
    """Take frames from a camera, and report on them; return the exit status.

    Parameters
    ----------
    vid_source : str
        The driver; '' for that of config.ini.
    """
    parser = argparse.ArgumentParser(
        prog=None if vid_source else "python -m rig.commands.camera",
        description=f"Show what {vid_source or 'the camera of config.ini'} captures.",
    )
    parser.add_argument("--frames", type=int, default=60, help="how many (default 60)")
    parser.add_argument(
        "--linearity",
        action="store_true",
        help="see whether the picture follows the light: a still scene, light on, at 1/4, 1/2 and all of shutter_speed",
    )
    add_config_arguments(parser, OneRoiSettings.section)
    args = parser.parse_args()
    forced = {"vid_source": vid_source} if vid_source else {}
    settings = load_from_arguments(args.config, args.section, args.set, forced)
    with CameraFactory.open(settings) as camera:
        if args.linearity:
            return show_linearity(measure(camera, settings.shutter_speed, settings.light_rois()))
        print(report(camera, args.frames))
    return 0


def bench(driver: type[Driver]) -> None:
    """Run this program for one driver."""
    run(lambda: main(driver.__name__))


def report(camera: CameraFactory, n_frames: int) -> str:
    """Return a few lines on the next `n_frames` frames: size, rate, jitter, losses, brightness."""
    frames = [
        (frame.time_s, frame.image.shape, frame.image.mean(axis=(0, 1)), frame.image.max(axis=(0, 1)))
        for frame in islice(camera, n_frames)
    ]
    if len(frames) < 2:
        return f"frames: {len(frames)}, too few to say more"
    periods_ms = np.array([later[0] - earlier[0] for earlier, later in pairwise(frames)]) * 1e3
    height, width, _ = frames[-1][1]
    means, peaks = np.mean([f[2] for f in frames], axis=0), np.max([f[3] for f in frames], axis=0)
    colours = COLOURS[len(means)]
    return "\n".join(
        [
            f"frames      {len(frames)} of {width} x {height} px, {camera.lost} lost",
            f"rate        {1e3 / periods_ms.mean():.2f} frames/s, "
            f"periods {periods_ms.min():.1f} to {periods_ms.max():.1f} ms",
            f"mean        {', '.join(f'{name} {mean:.1f}' for name, mean in zip(colours, means, strict=True))} of 255",
            f"brightest   {', '.join(f'{name} {peak}' for name, peak in zip(colours, peaks, strict=True))} of 255",
        ]
    )


def show_linearity(rows: list[Row]) -> int:
    """Print the table and the verdict; return 1 where the picture does not follow the light."""
    exposures = (f"{step} t" for step in STEPS)
    table = Table("place", "colour", "dark", *exposures, "ratio", "worst", title="light above the dark, of 255")
    for row in rows:
        light = (f"{value:.2f}" for value in row.light)
        ratios = " : ".join(f"{ratio:.2f}" for ratio in row.ratios)
        table.add_row(
            row.place, row.colour, f"{row.dark:.1f}", *light, ratios, row.unfit or f"{100 * row.deviation:.2f} %"
        )
    console.print(table)
    follows, sentence = verdict(rows)
    console.print(sentence, style="green" if follows else "bold red", soft_wrap=True)
    return int(not follows)


if __name__ == "__main__":
    run(main)
