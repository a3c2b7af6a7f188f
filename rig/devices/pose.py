"""A model behind one small contract: where the body parts are in a frame.

DeepLabCut-Live runs .pt files and TensorFlow folders; ONNX Runtime runs .onnx files (`rig/devices/onnx_pose.py`).

`python -m rig.commands.pose` says which body parts the model of config.ini knows, and how long a frame takes.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from rig.devices.frames import in_colours
from rig.devices.onnx_pose import ENDING, OnnxPose
from rig.devices.pose_result import WARM_UP_FRAMES, refuse_drawn, said_by, usable
from rig.errors import PoseError, SettingsError
from rig.settings.clmf import ClmfSettings
from rig.terminal import console

NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

MISSING = (
    "DeepLabCut-Live is not installed ({error}), which a .pt model and a TensorFlow folder need: run "
    "'make setup-dlclive' once, then 'source .venv-clmf/bin/activate' and the script again; name a model in an .onnx "
    "file (docs/models.md), which needs none of it; or add --set pose=simulated to try without it on the simulated "
    "mouse"
)
NO_TORCH = (
    "PyTorch is not installed here, which a .pt model needs: run 'make setup-dlclive' once, then "
    "'source .venv-clmf/bin/activate' and the script again"
)
NO_TENSORFLOW = (
    "TensorFlow is not installed here, which a TensorFlow folder needs: run 'make setup-tensorflow' once, then "
    "'source .venv-tensorflow/bin/activate' and the script again"
)


class Pose(Protocol):
    """What finds the body parts."""

    @property
    def body_parts(self) -> tuple[str, ...]:
        """Their names, in the order of the pose."""

    @property
    def runs_on(self) -> str:
        """What computes the pose: a library, its version, and where it runs."""

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        """Return x, y (px) and likelihood of each body part, (n, 3) float64.

        Parameters
        ----------
        image : array (height, width, channels) uint8
            BGR, or grey with one channel.

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
    sees_a_mouse : bool
        The camera may show a real mouse, so a model that knows only drawn ones is refused.

    Attributes
    ----------
    body_parts : tuple of str
    runs_on : str

    Raises
    ------
    PoseError
        DeepLabCut-Live, PyTorch or TensorFlow is missing, or gives something other than a pose.
    SettingsError
        The model cannot be loaded, does not know the control point, or was trained on drawn mice and is used with a
        real camera.
    """

    def __init__(self, settings: ClmfSettings, sees_a_mouse: bool) -> None:
        live, processor, engine = import_dlclive()
        path = Path(settings.dlc_model_path)
        width, height = settings.resolution
        black = np.zeros((height, width, 3), np.uint8)
        console.print(f"loading the model {path.name} ...")
        try:
            is_pytorch = engine.from_model_path(path) == engine.PYTORCH
            need_library(path, is_pytorch)
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
        except PoseError:
            raise
        except Exception as error:
            raise SettingsError(
                f"dlc_model_path = {path}: DeepLabCut-Live cannot load this model ({said_by(error)})"
            ) from None
        refuse_drawn(settings, is_synthetic, sees_a_mouse)
        self.runs_on = f"DeepLabCut-Live {version('deeplabcut-live')}, {self._device(is_pytorch)}"
        for _ in range(WARM_UP_FRAMES):
            self.get_pose(black)

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        image = in_colours(image)
        try:
            pose = np.array(self._live.get_pose(image), float)
        except Exception as error:
            raise PoseError(
                f"DeepLabCut-Live found no pose ({type(error).__name__}: {said_by(error)}); check model and GPU"
            ) from None
        return usable(pose, len(self.body_parts), "DeepLabCut-Live")

    def close(self) -> None:
        self._live.close()

    def _device(self, is_pytorch: bool) -> str:
        """Return the library below DeepLabCut-Live, and where that runs."""
        if is_pytorch:
            return f"PyTorch {sys.modules['torch'].__version__} on {self._live.runner.device}"
        return f"TensorFlow {sys.modules['tensorflow'].__version__}"

    def _about(self, is_pytorch: bool) -> tuple[tuple[str, ...], bool]:
        """Return the body parts of the model, and whether it knows only drawn mice."""
        if not is_pytorch:
            return tuple(self._live.cfg["all_joints_names"]), False
        metadata = self._live.read_config()["metadata"]
        return tuple(metadata["bodyparts"]), bool(metadata.get("synthetic"))


@contextmanager
def open_pose(settings: ClmfSettings, sees_a_mouse: bool) -> Iterator[Pose]:
    """Open what the setting `pose` names; closed on leaving.

    Parameters
    ----------
    settings : ClmfSettings
    sees_a_mouse : bool
        The camera may show a real mouse.
    """
    pose: Pose
    if settings.pose == "simulated":
        from rig.simulated.pose import SimPose

        pose = SimPose(settings.resolution[1])
    elif settings.dlc_model_path.suffix == ENDING:
        pose = OnnxPose(settings, sees_a_mouse)
    else:
        pose = DlcPose(settings, sees_a_mouse)
    try:
        check_body_parts(settings, pose.body_parts)
        check_control_point(settings, pose.body_parts)
        yield pose
    finally:
        pose.close()


def columns_of(body_parts: tuple[str, ...]) -> list[str]:
    """Return the columns of the pose in VideoTimestamp.txt: three for each body part."""
    return [f"{part}_{what}" for part in body_parts for what in ("x", "y", "likelihood")]


def check_body_parts(settings: ClmfSettings, body_parts: tuple[object, ...]) -> None:
    """Raise SettingsError if the body parts of the model cannot name columns of VideoTimestamp.txt."""
    names = [name for name in body_parts if isinstance(name, str)]
    problem = ""
    if odd := [name for name in body_parts if not isinstance(name, str)]:
        problem = f"{odd[0]!r}, which is no text"
    elif odd := [name for name in names if not name.strip() or not name.isprintable()]:
        problem = f"{odd[0]!r}, which cannot stand in a table"
    elif twice := [name for name in names if names.count(name) > 1]:
        problem = f"{twice[0]!r} more than once"
    if problem:
        raise SettingsError(
            f"dlc_model_path = {settings.dlc_model_path}: the model has the body part {problem}; rename it in "
            "DeepLabCut, and export the model again"
        )


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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors; it is read when TensorFlow is first imported
    try:
        if find_spec("torch"):
            mend_torchvision()
            return parts_of_dlclive()
        with empty_torch():
            return parts_of_dlclive()
    except ImportError as error:
        raise PoseError(MISSING.format(error=error)) from None


def parts_of_dlclive() -> tuple[Any, Any, Any]:
    """Import what the rig needs of DeepLabCut-Live."""
    from dlclive import DLCLive, Processor
    from dlclive.engine import Engine

    return DLCLive, Processor, Engine


@contextmanager
def empty_torch() -> Iterator[None]:
    """Let DeepLabCut-Live be imported without PyTorch, for TensorFlow folders.

    Version 1.1.0 imports torch for its benchmark, whatever the model; an empty module is enough for that.
    """
    sys.modules["torch"] = ModuleType("torch")
    try:
        yield
    finally:
        del sys.modules["torch"]


def need_library(path: Path, is_pytorch: bool) -> None:
    """Raise PoseError with the command that installs what this model needs, if it is missing."""
    if not find_spec("torch" if is_pytorch else "tensorflow"):
        raise PoseError(f"dlc_model_path = {path}: {NO_TORCH if is_pytorch else NO_TENSORFLOW}")


def mend_torchvision() -> None:
    """Let a torchvision that was built for CUDA be imported together with a torch that was built for the CPU.

    Such a torchvision brings no operators for this torch, and fails where it describes them.  Once they are declared,
    it can be imported; everything works but models that first detect the animal (top-down), which need the operators.
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
    """Let torch compute only in this thread: a second one gains a millisecond, and costs seconds under load."""
    import torch

    torch.set_num_threads(1)
