"""Turn an exported DeepLabCut model (PyTorch, .pt) into one .onnx file, which the rig runs without torch.

    .venv-clmf/bin/python tools/export_onnx.py MODEL.pt [--output MODEL.onnx] [--video FILE] [--frames 200]

The file holds everything between image and pose: order of the colours, normalisation, network, and the sub-pixel
reading of heatmap and location refinement.  Before it is written, its poses are compared with those of DeepLabCut-Live,
on frames of a video of yours, else on drawn mice.  Where they differ, nothing is written.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rig.devices.onnx_pose import OnnxModel
from rig.devices.pose import import_dlclive, run_on_one_thread
from rig.ending import run
from rig.errors import RigError
from rig.settings.camera import CameraSettings
from rig.simulated.paws import Scene
from rig.terminal import console

OPSET = 17
MOST_PX, MOST_LIKELIHOOD = 0.01, 1e-3  # by which a pose may differ from that of DeepLabCut-Live
SEEN = 0.05  # likelihood from which on a place counts: where no part is seen, the highest cell is one of many
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as `normalize_images` of DeepLabCut has it
SIZES = (320, 160), (256, 256)  # width, height px of drawn frames: the file must not depend on the size
IMAGE, POSE = "image", "pose"


class ExportError(RigError):
    """The model cannot be turned into an .onnx file, or not without changing its poses."""


def load_dlclive(path: Path) -> Any:
    """Return DLCLive with the model, on the CPU and on one thread; the image is not resized.

    Raises
    ------
    ExportError
        This is no PyTorch model that DeepLabCut-Live can load.
    """
    live_class, processor, engine = import_dlclive()
    run_on_one_thread()
    try:
        if engine.from_model_path(path) != engine.PYTORCH:
            raise ValueError("it is a TensorFlow folder")
        live = live_class(str(path), model_type="pytorch", processor=processor(), display=False, device="cpu")
        live.init_inference(np.zeros((SIZES[0][1], SIZES[0][0], 3), np.uint8))
    except Exception as error:
        raise ExportError(f"{path}: a PyTorch model (.pt) that DeepLabCut-Live can load is needed ({error})") from None
    return live


def refuse_other_kinds(config: dict[str, Any]) -> None:
    """Raise ExportError for what does not give one pose of one animal from one network."""
    predictor = config["model"]["heads"]["bodypart"]["predictor"]["type"]
    if config["method"] != "bu" or predictor != "HeatmapPredictor":
        raise ExportError(
            "only a bottom-up model of one animal with heatmaps can be exported (method bu, HeatmapPredictor); this "
            f"one has the method {config['method']} and a {predictor}.  DeepLabCut-Live runs it as it is"
        )


def image_to_pose(network: Any, config: dict[str, Any]) -> Any:
    """Return a torch module from an image (height, width, 3) uint8 BGR to the pose (n, 3): x, y (px), likelihood."""
    import torch

    reading, stride = network.heads["bodypart"].predictor, network._strides["bodypart"]
    inference = config["data"]["inference"]
    mean, std = (MEAN, STD) if inference.get("normalize_images") else ((0.0,) * 3, (1.0,) * 3)
    padding = inference.get("auto_padding") or {}
    rows, columns = (padding.get(f"pad_{side}_divisor", 1) for side in ("height", "width"))

    class ImageToPose(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("scale", 1 / (255 * torch.tensor(std).reshape(1, 3, 1, 1)))
            self.register_buffer("shift", -(torch.tensor(mean) / torch.tensor(std)).reshape(1, 3, 1, 1))

        def forward(self, image: Any) -> Any:
            rgb = image.permute(2, 0, 1)[[2, 1, 0]][None].float() * self.scale + self.shift
            if padding:
                below, right = -rgb.shape[2] % rows, -rgb.shape[3] % columns
                rgb = torch.nn.functional.pad(rgb, (0, right, 0, below), mode="reflect")
            maps = self.network(rgb)["bodypart"]
            heat = torch.sigmoid(maps["heatmap"][0]) if reading.apply_sigmoid else maps["heatmap"][0]
            n_parts, width = heat.shape[0], heat.shape[2]
            likelihood, cell = heat.reshape(n_parts, -1).max(dim=1)
            if reading.clip_scores:
                likelihood = likelihood.clip(0, 1)
            row = torch.div(cell, width, rounding_mode="floor")
            place = (torch.stack([cell - row * width, row], dim=1) + 0.5) * stride
            if reading.location_refinement:
                offsets = maps["locref"][0].reshape(n_parts, 2, -1)
                place = place + offsets.gather(2, cell[:, None, None].expand(-1, 2, 1))[..., 0] * reading.locref_std
            return torch.cat([place, likelihood[:, None]], dim=1)

    return ImageToPose().eval()


def write_onnx(live: Any, path: Path) -> None:
    """Write the model of DeepLabCut-Live as one file, with what the rig must know about it."""
    import onnx
    import torch

    config = live.read_config()
    refuse_other_kinds(config)
    width, height = SIZES[0]
    example = torch.zeros((height, width, 3), dtype=torch.uint8)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs a further package
        torch.onnx.export(
            image_to_pose(live.runner.model, config), (example,), str(path), dynamo=False, opset_version=OPSET,
            input_names=[IMAGE], output_names=[POSE], dynamic_axes={IMAGE: {0: "height", 1: "width"}},
        )  # fmt: skip
    model = onnx.load(str(path))
    metadata = config["metadata"]
    onnx.helper.set_model_props(
        model, {"bodyparts": json.dumps(metadata["bodyparts"]), "synthetic": str(int(bool(metadata.get("synthetic"))))}
    )
    model.doc_string = str(metadata.get("description", ""))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def drawn_frames() -> Iterator[np.ndarray]:
    """Yield frames (height, width, 3) uint8 BGR of drawn mice that move, of two sizes, without end."""
    scenes = [
        Scene(CameraSettings(vid_source="drawn", resolution=size, framerate=30, seed=1), "fl_l") for size in SIZES
    ]
    i = 0
    while True:
        yield scenes[i % 2].render(i / 30, 1000.0, 0)
        i += 1


def frames_of(video: Path, n: int) -> Iterator[np.ndarray]:
    """Yield n frames of a video, spread over all of it.

    Raises
    ------
    ExportError
        OpenCV cannot read it.
    """
    capture = cv2.VideoCapture(str(video))
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, max(total - 1, 0), n).astype(int).tolist())
    found = 0
    for i in range(total):
        is_there, frame = capture.read()
        if is_there and i in wanted:
            found += 1
            yield frame
    capture.release()
    if not found:
        raise ExportError(f"{video}: OpenCV cannot read a frame of it; name a video that it can")


def compare(live: Any, model: OnnxModel, frames: Iterator[np.ndarray]) -> str:
    """Return how far the poses of both are apart at most.

    Raises
    ------
    ExportError
        Too far.
    """
    poses = np.array([(model.pose(frame), live.get_pose(frame)) for frame in frames])
    seen = poses[:, 1, :, 2] >= SEEN
    if not seen.any():
        raise ExportError("no body part is seen on these frames; name a video that shows your animal with --video")
    apart = np.abs(poses[:, 0] - poses[:, 1])
    px, likelihood = float(apart[seen][:, :2].max()), float(apart[..., 2].max())
    found = f"on {len(poses)} frames its poses differ from those of DeepLabCut-Live by at most {px:.2g} px (of "
    found += f"{seen.sum()} places of body parts that are seen) and {likelihood:.2g} of likelihood"
    if px > MOST_PX or likelihood > MOST_LIKELIHOOD:
        raise ExportError(f"{found}, more than {MOST_PX:g} px or {MOST_LIKELIHOOD:g}; nothing was written")
    return found


def export(source: Path, output: Path, frames: Iterator[np.ndarray]) -> str:
    """Write the .onnx file, if its poses are the same; return what was found."""
    part = output.with_name(output.name + ".part")
    live = load_dlclive(source)
    try:
        write_onnx(live, part)
        found = compare(live, OnnxModel(part, "cpu"), frames)
        os.replace(part, output)
    finally:
        part.unlink(missing_ok=True)
    return found


def main() -> int:
    """Export, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the .pt file")
    parser.add_argument("--output", type=Path, help="default: next to it, with the ending .onnx")
    parser.add_argument("--video", type=Path, help="frames to compare on; default: drawn mice")
    parser.add_argument("--frames", type=int, default=200, help="how many (default 200)")
    args = parser.parse_args()
    output = args.output or args.model.with_suffix(".onnx")
    n = max(1, args.frames)
    frames = frames_of(args.video, n) if args.video else islice(drawn_frames(), n)
    found = export(args.model, output, frames)
    console.print(f"{output}: {output.stat().st_size / 1e6:.2f} MB; {found}")
    return 0


if __name__ == "__main__":
    run(main)
