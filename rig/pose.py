"""DeepLabCut-Live behind one small contract: where the body parts are in a frame.

`python -m rig.pose` says which body parts the model of config.ini knows, and how long a frame takes.
"""

import argparse
import importlib
import math
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from rig.errors import PoseError, SettingsError
from rig.settings import ClmfSettings, add_config_arguments, load, parse_overrides
from rig.sim_paw import AXES, PARTS, TINTS
from rig.status import console

WARM_UP_FRAMES = 5  # the first ones allocate memory and choose kernels
TINT_TOLERANCE = 45
NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

MISSING = (
    "DeepLabCut-Live is not installed ({error}); run 'make setup', "
    "or add --set pose=simulated to try without it on the simulated mouse"
)


class Pose(Protocol):
    """What finds the body parts."""

    body_parts: tuple[str, ...]

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        """Return x, y (px) and likelihood of each body part, (n, 3) float64, of an image (height, width, 3) uint8 BGR.

        Raises
        ------
        PoseError
            The result cannot be used.
        """

    def close(self) -> None:
        """Give everything back; harmless when repeated."""


class DlcPose:
    """A trained network, run by DeepLabCut-Live.

    It is warmed up here on frames of the real size, so that the first frame of a session is as fast as the others.

    Parameters
    ----------
    settings : ClmfSettings

    Attributes
    ----------
    body_parts : tuple of str

    Raises
    ------
    PoseError
        DeepLabCut-Live is missing, or gives something else than a pose.
    SettingsError
        The model cannot be loaded, does not know the control point, or is a synthetic one before a real camera.
    """

    def __init__(self, settings: ClmfSettings) -> None:
        live, processor, engine = import_dlclive()
        path = Path(settings.dlc_model_path)
        width, height = settings.resolution
        black = np.zeros((height, width, 3), np.uint8)
        console.print(f"loading the model {path.name} ...")
        try:
            is_pytorch = engine.from_model_path(path) == engine.PYTORCH
            if is_pytorch:
                run_on_one_thread()
            self._live = live(
                str(path),
                model_type="pytorch" if is_pytorch else "base",
                processor=processor(),  # the plain one: it moves no pose and fires nothing
                display=False,
                resize=settings.dlc_resize,
                device=settings.dlc_device if is_pytorch else None,
            )
            self._live.init_inference(black)
            self.body_parts, is_synthetic = self._about(is_pytorch)
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise SettingsError(f"dlc_model_path = {path}: DeepLabCut-Live cannot load this model ({reason})") from None
        if is_synthetic and settings.vid_source not in ("SimCameraStream", "VideoStream"):
            raise SettingsError(
                f"dlc_model_path = {path}: this model knows the drawn mouse of SimCameraStream alone, not a real one; "
                "name a model that was trained on your camera, or add --simulate"
            )
        check_control_point(settings, self.body_parts)
        for _ in range(WARM_UP_FRAMES):
            self.get_pose(black)

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        """Return x, y, likelihood of each body part (n, 3); see `Pose`."""
        try:
            pose = np.array(self._live.get_pose(image), float)
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise PoseError(
                f"DeepLabCut-Live found no pose ({type(error).__name__}: {reason}); check model and GPU"
            ) from None
        if pose.shape != (len(self.body_parts), 3) or not np.isfinite(pose).all():
            raise PoseError(
                f"DeepLabCut-Live gave a pose of shape {pose.shape}, finite: {np.isfinite(pose).all()}, where finite "
                f"x, y and likelihood of {len(self.body_parts)} body parts are needed; check the model"
            )
        return pose

    def close(self) -> None:
        """Give the network back; harmless when repeated."""
        self._live.close()

    def _about(self, is_pytorch: bool) -> tuple[tuple[str, ...], bool]:
        """Return the body parts of the model, and whether it knows drawn mice alone."""
        if not is_pytorch:
            return tuple(self._live.cfg["all_joints_names"]), False
        metadata = self._live.read_config()["metadata"]
        return tuple(metadata["bodyparts"]), bool(metadata.get("synthetic"))


class SimPose:
    """Finds the parts of the simulated mouse by their colours, without a network."""

    body_parts = PARTS

    def __init__(self, settings: ClmfSettings) -> None:
        check_control_point(settings, self.body_parts)
        height = settings.resolution[1]
        self._full_areas = [math.pi * AXES[name][0] * AXES[name][1] * height**2 for name in PARTS]
        tints = [np.array(TINTS[name]) for name in PARTS]
        self._ranges = [(tint - TINT_TOLERANCE, tint + TINT_TOLERANCE) for tint in tints]

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        """Return x, y, likelihood of each body part (n, 3); see `Pose`."""
        height, width = image.shape[:2]
        pose = np.empty((len(PARTS), 3))
        for i, ((low, high), full_area) in enumerate(zip(self._ranges, self._full_areas, strict=True)):
            found = cv2.moments(cv2.inRange(image, low, high), binaryImage=True)
            area = found["m00"]
            x, y = (found["m10"] / area, found["m01"] / area) if area else (width / 2, height / 2)
            pose[i] = x, y, min(1.0, area / (0.7 * full_area))
        return pose

    def close(self) -> None:
        """Nothing to give back."""


@contextmanager
def open_pose(settings: ClmfSettings) -> Iterator[DlcPose | SimPose]:
    """Open what the setting `pose` names; closed on leaving."""
    pose = DlcPose(settings) if settings.pose == "dlclive" else SimPose(settings)
    try:
        yield pose
    finally:
        pose.close()


class Tracking:
    """Tells whether a speed can be trusted: the control point was seen in both frames, and has not jumped.

    Parameters
    ----------
    min_likelihood : float
        0 to 1.
    max_jump_px : float
        px/frame.
    notes : dict
        `untracked_frames` there counts the frames whose speed could not be trusted.
    """

    def __init__(self, min_likelihood: float, max_jump_px: float, notes: MutableMapping[str, Any]) -> None:
        self._least, self._max_jump_px, self._notes = min_likelihood, max_jump_px, notes
        notes["untracked_frames"] = 0
        self._seen_in: int | None = None  # the newest frame in which the control point was seen
        self._is_first = True

    def trusts(self, frame_number: int, likelihood: float, speed: float) -> bool:
        """Take the next frame; return whether its speed (px/frame) can be trusted.

        After a lost frame it cannot: the way of two frames would count as that of one.
        """
        seen_before, self._is_first = self._is_first or self._seen_in == frame_number - 1, False
        if likelihood >= self._least:
            self._seen_in = frame_number
        trusted = seen_before and likelihood >= self._least and speed <= self._max_jump_px
        self._notes["untracked_frames"] += not trusted
        return trusted


def check_control_point(settings: ClmfSettings, body_parts: tuple[str, ...]) -> None:
    """Raise SettingsError if the model does not know the body part that is trained."""
    if settings.control_point not in body_parts:
        raise SettingsError(
            f"control_point = {settings.control_point}: the model has no such body part; it has {', '.join(body_parts)}"
        )


def import_dlclive() -> tuple[Any, Any, Any]:
    """Return DLCLive, Processor and Engine of DeepLabCut-Live.

    Raises
    ------
    PoseError
        It is not installed.
    """
    try:
        mend_torchvision()
        from dlclive import DLCLive, Processor
        from dlclive.engine import Engine
    except ImportError as error:
        raise PoseError(MISSING.format(error=error)) from None
    return DLCLive, Processor, Engine


def mend_torchvision() -> None:
    """Let a torchvision that was built for CUDA be imported beside a torch that was built for the CPU.

    Such a torchvision brings no operators for this torch, and fails where it describes them.  Told that they exist, it
    can be imported; everything works but models that first detect the animal (top-down), which need the operators.
    """
    import torch

    for operator in ("nms", "qnms"):
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if f"torchvision::{operator} does not exist" not in str(error):
                raise PoseError(f"torchvision does not fit to torch {torch.__version__} ({error})") from None
            torch.library.define(f"torchvision::{operator}", NMS)
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        raise PoseError(f"torchvision does not fit to torch {torch.__version__} ({error})") from None


def run_on_one_thread() -> None:
    """Let torch compute in this thread alone: a second one gains a millisecond, and costs seconds under load."""
    import torch

    torch.set_num_threads(1)


def main() -> int:
    """Show the body parts of the model, and how fast it is."""
    parser = argparse.ArgumentParser(prog="python -m rig.pose", description="Try the model of config.ini.")
    parser.add_argument("--frames", type=int, default=100, help="how many to time (default 100)")
    add_config_arguments(parser, ClmfSettings.section)
    args = parser.parse_args()
    settings, _ = load(ClmfSettings, Path(args.config), args.section, parse_overrides(args.set))
    width, height = settings.resolution
    images = np.random.default_rng(0).integers(0, 256, (8, height, width, 3), np.uint8)
    times_ms = []
    with open_pose(settings) as pose:
        for i in range(max(1, args.frames)):
            began_s = time.perf_counter()
            pose.get_pose(images[i % len(images)])
            times_ms.append((time.perf_counter() - began_s) * 1e3)
    median, p99 = np.percentile(times_ms, [50, 99])
    print(f"body parts  {', '.join(pose.body_parts)}; the control point is {settings.control_point}")
    print(f"a frame     {width} x {height} px takes {median:.1f} ms (median), {p99:.1f} ms (99th percentile)")
    print(f"            at {settings.framerate:g} frames/s it may take {1e3 / settings.framerate:.1f} ms")
    return 0


if __name__ == "__main__":
    from rig.cli import run

    run(main)
