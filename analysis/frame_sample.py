"""A second of the frames, every few seconds: the mean image, the brightness, and how far the brain has moved.

Averaging over a second takes out the heartbeat, and reading only some seconds makes a report quick also on an SD card.
"""

from typing import NamedTuple

import cv2
import numpy as np

from rig.devices.frames import in_colours
from rig.files.reader import Images
from rig.protocol.dff import BLUE, GREEN

EVERY_S = 5.0
MOST_BLOCKS = 300  # of longer sessions, fewer seconds are read
BLOCK_S = 1.0
BLUR_PX = 8.0  # light that changes slowly over the image says nothing about its place
ECC_STEPS, ECC_PRECISION = 50, 1e-4


class FrameSample(NamedTuple):
    """The sampled seconds of a session.

    Attributes
    ----------
    time_s : array (n,)
        Middle of each sampled second, since the first frame.
    mean : array (height, width, 3) float32, BGR
        Mean of all of them.
    blocks : array (n, height, width, 2) float32
        Mean blue and green of each.
    frame : array (height, width, 3) uint8, BGR
        One frame of the middle, as it is.
    """

    time_s: np.ndarray
    mean: np.ndarray
    blocks: np.ndarray
    frame: np.ndarray


def sample_frames(images: Images, period_s: float) -> FrameSample:
    """Read a second every few seconds.

    Parameters
    ----------
    images : Images
        With at least one frame.
    period_s : float
        Between two frames.
    """
    n, height, width, _ = images.shape
    length = max(1, min(n, round(BLOCK_S / period_s)))
    step = max(length, round(EVERY_S / period_s), n // MOST_BLOCKS)
    starts = list(range(0, n - length + 1, step))
    mean, blocks = np.zeros((height, width, 3)), np.empty((len(starts), height, width, 2), np.float32)
    for i, start in enumerate(starts):
        total = np.zeros((height, width, 3), np.float32)
        for frame in images[start : start + length]:
            cv2.accumulate(in_colours(frame), total)
        total /= length
        mean += total
        blocks[i] = total[..., : GREEN + 1]
    middle = in_colours(images[starts[len(starts) // 2]])
    times_s = (np.array(starts) + length / 2) * period_s
    return FrameSample(times_s, (mean / len(starts)).astype(np.float32), blocks, middle)


def brightness(sample: FrameSample, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean blue and green (of 255) of each sampled second, within a mask (height, width) bool."""
    return sample.blocks[:, mask, BLUE].mean(axis=1), sample.blocks[:, mask, GREEN].mean(axis=1)


def brain_mask(mean: np.ndarray) -> np.ndarray:
    """Return where there is light enough to measure (height, width) bool: above a third of the bright pixels' green."""
    green = mean[..., GREEN]
    mask: np.ndarray = green > np.percentile(green, 95) / 3
    return mask


def movement(sample: FrameSample) -> np.ndarray:
    """Return how far each sampled second lies from the first, (n, 2): x, y px; NaN where that cannot be found.

    The correlation of the blue images is maximised (Evangelidis & Psarakis, IEEE PAMI 30, 1858, 2008).  Blue carries
    little activity; phase correlation takes activity for movement.
    """
    pictures = [flattened(block[..., BLUE]) for block in sample.blocks]
    return np.array([shift_of(pictures[0], picture) for picture in pictures])


def flattened(picture: np.ndarray) -> np.ndarray:
    """Return an image without what changes slowly over it."""
    flat: np.ndarray = picture - cv2.GaussianBlur(picture, (0, 0), BLUR_PX)
    return flat


def shift_of(reference: np.ndarray, picture: np.ndarray) -> tuple[float, float]:
    """Return by how much a picture is moved against the reference: x, y px; NaN where that cannot be found."""
    warp = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ECC_STEPS, ECC_PRECISION)
    try:
        cv2.findTransformECC(reference, picture, warp, cv2.MOTION_TRANSLATION, criteria)
    except cv2.error:
        return np.nan, np.nan
    return float(warp[0, 2]), float(warp[1, 2])
