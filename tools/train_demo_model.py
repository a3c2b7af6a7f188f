"""Train models/demo_mouse.pt: a small network that finds the parts of the simulated mouse, for DeepLabCut-Live.

    .venv-clmf/bin/python tools/train_demo_model.py [--steps 2000] [--output FILE]

Everything it learns from is drawn by rig.simulated.paws, so only the repository is needed.  It takes a few minutes on a
CPU; the same seed gives the same model on the same machine.  At the end it prints how well the model does, through
unmodified DeepLabCut-Live, on frames that it has never seen.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rig.devices.pose import import_dlclive
from rig.settings.camera import CameraSettings
from rig.simulated.paws import PARTS, PAWS, Part, Scene

SIZE = 640, 320  # width, height px of the camera
RESIZE = 0.5
STRIDE = 8  # px of the resized image per cell of the heatmap
N_IMAGES, BATCH, RATE = 4000, 16, 3e-3
SIGMA_PX, LOCREF_WITHIN_PX, LOCREF_STD = 7.8, 12.0, 7.2801
HIDDEN_SHARE = 0.22
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as `normalize_images` of DeepLabCut has it


def model_config() -> dict[str, Any]:
    """Return the configuration that DeepLabCut-Live builds the network from."""
    head = {"kernel_size": [4, 2], "strides": [2, 2]}
    return {
        "method": "bu",
        "net_type": "cspnext",
        "device": "auto",
        "data": {"colormode": "RGB", "inference": {"normalize_images": True}, "train": {"normalize_images": True}},
        "metadata": {
            "bodyparts": list(PARTS),
            "unique_bodyparts": [],
            "individuals": ["animal"],
            "with_identity": None,
            "synthetic": True,
            "description": "trained only on the drawn mouse of rig.simulated.paws; it knows no real animal",
        },
        "model": {
            "backbone": {
                "type": "CSPNeXt",
                "model_name": "cspnext_tiny",
                "widen_factor": 0.125,
                "deepen_factor": 0.33,
                "norm_layer": "BN",
                "freeze_bn_stats": False,
                "freeze_bn_weights": False,
            },
            "backbone_output_channels": 128,
            "heads": {
                "bodypart": {
                    "type": "HeatmapHead",
                    "predictor": {
                        "type": "HeatmapPredictor",
                        "apply_sigmoid": True,
                        "clip_scores": True,
                        "location_refinement": True,
                        "locref_std": LOCREF_STD,
                    },
                    "heatmap_config": {"channels": [128, 32, len(PARTS)], **head},
                    "locref_config": {"channels": [128, 32, 2 * len(PARTS)], **head},
                }
            },
        },
    }


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n frames (n, height, width, 3) uint8 BGR and their parts (n, n_parts, 3): x, y px, 1 if visible."""
    random = np.random.default_rng(seed)
    scenes = [Scene(CameraSettings(vid_source="drawn", resolution=SIZE, framerate=30, seed=s), "") for s in range(8)]
    images = np.empty((n, SIZE[1], SIZE[0], 3), np.uint8)
    labels = np.empty((n, len(PARTS), 3))
    for i in range(n):
        parts = {}
        for name in PARTS:
            spread = (22, 42) if name in PAWS else (2, 2)
            x, y = scenes[0].home(name) + random.normal(0, spread) * random.choice([0.05, 1.0])
            visible = name not in PAWS or random.random() > HIDDEN_SHARE
            parts[name] = Part(float(np.clip(x, 8, SIZE[0] - 8)), float(np.clip(y, 8, SIZE[1] - 8)), bool(visible))
        images[i] = scenes[random.integers(len(scenes))].paint(parts, random)
        labels[i] = [parts[name] for name in PARTS]
    return images, labels


def targets(labels: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return heatmaps (n, k, height, width), offsets (n, k, 2, ...) in px of the resized image, and where these count.

    DeepLabCut-Live takes cell i of the heatmap for the place (i + 0.5) * STRIDE.
    """
    x = (np.arange(width) + 0.5) * STRIDE
    y = (np.arange(height) + 0.5) * STRIDE
    dx = labels[:, :, 0, None, None] * RESIZE - x[None, None, None, :]
    dy = labels[:, :, 1, None, None] * RESIZE - y[None, None, :, None]
    dx, dy = np.broadcast_arrays(dx, dy)
    visible = labels[:, :, 2, None, None] > 0
    squared = dx**2 + dy**2
    heat = np.exp(-squared / (2 * SIGMA_PX**2)) * visible
    near = (squared < LOCREF_WITHIN_PX**2) & visible
    return heat.astype(np.float32), np.stack([dx, dy], axis=2).astype(np.float32), near.astype(np.float32)


def train(steps: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration and the weights of a network that has learned the drawn mouse."""
    import_dlclive()
    import torch
    from dlclive.pose_estimation_pytorch.models import PoseModel
    from torch.nn import functional

    torch.manual_seed(seed)
    images, labels = draw(N_IMAGES, seed)
    small = np.array([cv2.resize(i, None, fx=RESIZE, fy=RESIZE)[..., ::-1] for i in images]).transpose(0, 3, 1, 2)
    config = model_config()
    model = PoseModel.build(config["model"])
    with torch.no_grad():
        cells = model.eval()(torch.zeros(1, *small.shape[1:]))["bodypart"]["heatmap"].shape[2:]
    heat, offsets, near = targets(labels, *cells)
    model.train()
    head = model.heads["bodypart"]
    torch.nn.init.constant_(head.heatmap_head.deconv_layers[-1].bias, -4.0)  # parts are rare
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    random = np.random.default_rng(seed)
    began_s = time.monotonic()
    for step in range(steps):
        batch = random.integers(N_IMAGES, size=BATCH)
        light = torch.from_numpy(random.uniform(0.8, 1.2, (BATCH, 1, 1, 1)).astype(np.float32))
        out = model((torch.from_numpy(small[batch]).float() / 255 * light - mean) / std)["bodypart"]
        wanted, counts = torch.from_numpy(heat[batch]), torch.from_numpy(near[batch])
        loss = functional.binary_cross_entropy_with_logits(out["heatmap"], wanted, weight=1 + 9 * wanted)
        guess = out["locref"].reshape(BATCH, len(PARTS), 2, *wanted.shape[2:]) * LOCREF_STD
        miss = functional.huber_loss(guess, torch.from_numpy(offsets[batch]), reduction="none").sum(2)
        loss = loss + 0.05 * (miss * counts).sum() / counts.sum().clamp(min=1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}: loss {loss.item():.4f}, {time.monotonic() - began_s:.0f} s", flush=True)
    return config, model.eval().state_dict()


def evaluate(path: Path, n: int, seed: int) -> str:
    """Return how well the model finds the parts of unseen frames, through unmodified DeepLabCut-Live."""
    live_class, processor, _ = import_dlclive()
    images, labels = draw(n, seed)
    live = live_class(str(path), model_type="pytorch", processor=processor(), display=False, resize=RESIZE)
    live.init_inference(images[0])
    poses = np.array([live.get_pose(image) for image in images])
    lines = []
    for k, name in enumerate(PARTS):
        visible = labels[:, k, 2] > 0
        error_px = np.hypot(*(poses[visible, k, :2] - labels[visible, k, :2]).T)
        likelihood = poses[:, k, 2]
        line = f"{name:5} median error {np.median(error_px):.2f} px, likelihood above 0.5 in "
        line += f"{100 * np.mean(likelihood[visible] > 0.5):.1f} % of the frames that show it"
        if not visible.all():
            line += f", in {100 * np.mean(likelihood[~visible] > 0.5):.1f} % of those that do not"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Train, save, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=ROOT / "models" / "demo_mouse.pt")
    args = parser.parse_args()
    config, weights = train(args.steps, args.seed)
    import torch

    torch.save({"config": config, "pose": weights, "detector": None}, args.output)
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.2f} MB")
    print(evaluate(args.output, 500, args.seed + 1000))


if __name__ == "__main__":
    main()
