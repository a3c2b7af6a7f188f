"""Say which body parts the model of config.ini knows, and how fast it is: `python -m rig.commands.pose`."""

import argparse
import time
from pathlib import Path

import numpy as np

from CameraFactory import CameraFactory
from rig.devices.pose import open_pose
from rig.ending import run
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import add_config_arguments, choose_section, load, parse_overrides


def main() -> int:
    """Load the model and time it on random images."""
    parser = argparse.ArgumentParser(prog="python -m rig.commands.pose", description="Try the model of config.ini.")
    parser.add_argument("--frames", type=int, default=100, help="how many to time (default 100)")
    add_config_arguments(parser, ClmfSettings.section)
    args = parser.parse_args()
    config = Path(args.config).expanduser()
    section, _ = choose_section(ClmfSettings, config, args.section)
    settings, _ = load(ClmfSettings, config, section, parse_overrides(args.set))
    width, height = settings.resolution
    images = np.random.default_rng(0).integers(0, 256, (8, height, width, 3), np.uint8)
    times_ms = []
    with open_pose(settings, not CameraFactory.driver(settings.vid_source).stands_in) as pose:
        for i in range(max(1, args.frames)):
            began_s = time.perf_counter()
            pose.get_pose(images[i % len(images)])
            times_ms.append((time.perf_counter() - began_s) * 1e3)
    median, p99 = np.percentile(times_ms, [50, 99])
    print(f"body parts  {', '.join(pose.body_parts)}; the control point is {settings.control_point}")
    print(f"runs on     {pose.runs_on}")
    print(f"a frame     {width} x {height} px takes {median:.1f} ms (median), {p99:.1f} ms (99th percentile)")
    print(f"            at {settings.framerate:g} frames/s it may take {1e3 / settings.framerate:.1f} ms")
    return 0


if __name__ == "__main__":
    run(main)
