"""Makes a TensorFlow folder as DeepLabCut exports it: a frozen graph with its tensor names, and pose_cfg.yaml.

The network is small, and its weights are written down, not trained: each part of the drawn mouse is found by its tint.
Score map and location refinement are those of DeepLabCut: cells of 8 px, offsets from the middle of a cell.
"""

import os
from pathlib import Path

import numpy as np

from rig.simulated.paws import PARTS, TINTS

STRIDE, LOCREF_STD = 8, 7.2801
TINT_RADIUS = 45.0  # levels
NEAR = 31  # px: the window of a cell, in which the middle of the part is looked for

CONFIG = """\
all_joints: [[0], [1], [2]]
all_joints_names: [{names}]
location_refinement: true
locref_stdev: {std}
net_type: resnet_50
num_joints: {n}
num_outputs: 1
stride: {stride}
"""


def write_model(folder: Path) -> Path:
    """Write such a folder; return it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    with tf.Graph().as_default() as graph:
        build(tf.compat.v1)
    tf.io.write_graph(graph.as_graph_def(), str(folder), "snapshot-1000.pb", as_text=False)
    names = ", ".join(PARTS)
    text = CONFIG.format(names=names, std=LOCREF_STD, n=len(PARTS), stride=STRIDE)
    (folder / "pose_cfg.yaml").write_text(text, encoding="utf-8")
    return folder


def build(tf) -> None:
    """Build the graph: the image is its first operation, location refinement and score map are its last two."""
    image = tf.placeholder(tf.float32, [None, None, None, 3], "Placeholder")  # RGB, 0 to 255
    tints = np.array([TINTS[name][::-1] for name in PARTS], np.float32).T
    lengths = tf.reduce_sum(image * image, axis=3, keepdims=True)
    along = tf.nn.conv2d(image, tf.constant(2 * tints[None, None]), 1, "VALID")
    squared = lengths - along + tf.constant((tints**2).sum(axis=0))
    mask = tf.sigmoid((TINT_RADIUS**2 - squared) / 200)

    place = np.arange(NEAR, dtype=np.float32) - NEAR // 2  # px from the middle of the window
    kernels = np.stack([np.ones((NEAR, NEAR)), np.tile(place, (NEAR, 1)), np.tile(place[:, None], NEAR)], axis=-1)
    kernels = np.tile(kernels[:, :, None], (1, 1, len(PARTS), 1)).astype(np.float32)
    # With this padding the middle of the first window lies 4 px into the image, in the middle of the first cell.
    sums = tf.nn.depthwise_conv2d(mask, tf.constant(kernels), [1, STRIDE, STRIDE, 1], "SAME")
    shape = tf.shape(sums)
    area, x, y = tf.unstack(tf.reshape(sums, [shape[0], shape[1], shape[2], len(PARTS), 3]), axis=4)
    offsets = tf.stack([x, y], axis=4) / (area[..., None] + 1.0) / LOCREF_STD
    logits = area / 30.0 - 2.0 - tf.reduce_sum(offsets**2, axis=4)
    flat = tf.reshape(offsets, [shape[0], shape[1], shape[2], 2 * len(PARTS)])
    tf.nn.bias_add(flat, tf.zeros(2 * len(PARTS)), name="pose/locref_pred/block4/BiasAdd")
    tf.sigmoid(logits, name="Sigmoid")
