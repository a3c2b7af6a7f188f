"""A model in one .onnx file, computed by ONNX Runtime: neither torch nor DeepLabCut-Live is needed.

`tools/export_onnx.py` makes the file: image in, pose out, and the names of the body parts in its metadata.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rig.devices.frames import in_colours
from rig.devices.pose_result import WARM_UP_FRAMES, refuse_drawn, said_by, usable
from rig.errors import PoseError, SettingsError
from rig.settings.clmf import ClmfSettings
from rig.terminal import console

ENDING = ".onnx"
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}

MISSING = (
    "ONNX Runtime is not installed ({error}); run 'make setup' once, then 'source .venv/bin/activate' (Jetson: "
    ".venv-clmf) and the script again, or add --set pose=simulated to try without it on the simulated mouse"
)


class OnnxModel:
    """A network that ONNX Runtime has loaded.

    Parameters
    ----------
    path : Path
    device : str
        auto, cpu, cuda or tensorrt; auto is CUDA where it can be used, else the CPU.

    Attributes
    ----------
    body_parts : tuple of str
    is_synthetic : bool
        It knows only drawn mice.
    runs_on : str
        The library, and the provider in use.

    Raises
    ------
    PoseError
        ONNX Runtime is missing.
    SettingsError
        The device cannot be used, or this is no model of `tools/export_onnx.py`.
    """

    def __init__(self, path: Path, device: str) -> None:
        runtime = import_onnxruntime()
        wanted = providers_for(device, runtime.get_available_providers())
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1  # a second one is slower for such small networks, and waits when others run
        options.log_severity_level = 3  # errors; they are raised as well
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=wanted)
            about = self._session.get_modelmeta().custom_metadata_map
        except Exception as error:
            raise SettingsError(
                f"dlc_model_path = {path}: ONNX Runtime cannot load this model ({said_by(error)})"
            ) from None
        if "bodyparts" not in about:
            raise SettingsError(
                f"dlc_model_path = {path}: this file does not name its body parts; make it from the .pt file with "
                "tools/export_onnx.py"
            )
        used = self._session.get_providers()[0]
        refuse_another_provider(device, used)
        self.body_parts = tuple(json.loads(about["bodyparts"]))
        self.is_synthetic = about.get("synthetic") == "1"
        self.runs_on = f"ONNX Runtime {runtime.__version__}, {used}"
        self._input, self._outputs = self._session.get_inputs()[0].name, [self._session.get_outputs()[0].name]

    def pose(self, image: np.ndarray) -> np.ndarray:
        """Return x, y (px) and likelihood of each part, (n, 3) float32, of an image (height, width, 3) uint8 BGR."""
        return np.asarray(self._session.run(self._outputs, {self._input: image})[0])


class OnnxPose:
    """A model in an .onnx file as a finder of body parts; it takes and says what `rig.devices.pose.DlcPose` does."""

    def __init__(self, settings: ClmfSettings, sees_a_mouse: bool) -> None:
        width, height = settings.resolution
        self._resize = settings.dlc_resize
        self._size = int(width * self._resize), int(height * self._resize)  # cut off, as DeepLabCut-Live does
        model = OnnxModel(settings.dlc_model_path, settings.dlc_device)
        refuse_drawn(settings, model.is_synthetic, sees_a_mouse)
        self._model, self.body_parts, self.runs_on = model, model.body_parts, model.runs_on
        console.print(f"the model {settings.dlc_model_path.name} runs on {self.runs_on}")
        for _ in range(WARM_UP_FRAMES):
            self.get_pose(np.zeros((height, width, 3), np.uint8))

    def get_pose(self, image: np.ndarray) -> np.ndarray:
        image = in_colours(image)
        if self._resize != 1:
            image = cv2.resize(image, self._size)
        try:
            pose = self._model.pose(np.ascontiguousarray(image)).astype(float)
        except Exception as error:
            raise PoseError(
                f"ONNX Runtime found no pose ({type(error).__name__}: {said_by(error)}); check model and GPU"
            ) from None
        usable(pose, len(self.body_parts), "ONNX Runtime")
        pose[:, :2] /= self._resize
        return pose

    def close(self) -> None:
        """Nothing is open."""


def import_onnxruntime() -> Any:
    """Return the module onnxruntime.

    Raises
    ------
    PoseError
        It is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise PoseError(MISSING.format(error=error)) from None
    return onnxruntime


def providers_for(device: str, available: list[str]) -> list[str]:
    """Return the providers to ask ONNX Runtime for, the wanted one first; those behind it take what it cannot do.

    Raises
    ------
    SettingsError
        This ONNX Runtime was built without the wanted one.
    """
    order = [PROVIDERS[name] for name in ("tensorrt", "cuda", "cpu")]
    if device == "auto":
        return [name for name in order[1:] if name in available]  # TensorRT takes minutes to start: only by name
    if PROVIDERS[device] not in available:
        raise SettingsError(
            f"dlc_device = {device}: this ONNX Runtime has no {PROVIDERS[device]}, only {', '.join(available)}; "
            "install the one of your GPU (docs/jetson.md), or set dlc_device = cpu"
        )
    return [name for name in order[order.index(PROVIDERS[device]) :] if name in available]


def refuse_another_provider(device: str, used: str) -> None:
    """Raise SettingsError if ONNX Runtime has quietly taken another provider than the one that was asked for."""
    if device != "auto" and used != PROVIDERS[device]:
        raise SettingsError(
            f"dlc_device = {device}: ONNX Runtime could not start {PROVIDERS[device]} and would use {used}; see that "
            "its CUDA and TensorRT are those of this system (docs/jetson.md), or set dlc_device = cpu"
        )
