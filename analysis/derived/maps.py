"""Maps of ΔF/F around rewards: where the cortex is active when the mouse earns."""

from typing import NamedTuple

import cv2
import numpy as np

from rig.files.reader import Images
from rig.protocol.dff import relative_change

FROM_S, TO_S = -3, 3  # of the maps, each the mean of a second
BASELINE_S = -4  # the second that ends before the first map: the crossing lies before the reward
BLUR_PX = 2.0
MOST_REWARDS = 80
COLOURS = slice(0, 2)  # blue, green


class RewardMaps(NamedTuple):
    """Mean ΔF/F, green minus blue, around rewards.

    Attributes
    ----------
    from_s : array (n_maps,)
        Where each second begins, relative to the reward.
    maps : array (n_maps, height, width)
    n_rewards : int
        That were averaged.
    """

    from_s: np.ndarray
    maps: np.ndarray
    n_rewards: int

    def peak(self, mask: np.ndarray) -> tuple[int, int, int]:
        """Return map, row and column of the largest value within a mask (height, width) bool, slightly blurred."""
        blurred = np.stack([cv2.GaussianBlur(each, (0, 0), BLUR_PX) for each in self.maps.astype(np.float32)])
        blurred[:, ~mask] = -np.inf
        which, row, column = np.unravel_index(int(blurred.argmax()), blurred.shape)
        return int(which), int(row), int(column)


def reward_maps(images: Images, rows: np.ndarray, period_s: float) -> RewardMaps:
    """Average the frames around rewards, second by second.

    Parameters
    ----------
    images : Images
    rows : array (n,) int
        Of the rewards; those at the edge of the session are left out, and of very many some, evenly.
    period_s : float
    """
    second = max(1, round(1 / period_s))
    before, after = BASELINE_S * second, TO_S * second
    kept = rows[(rows + before >= 0) & (rows + after <= len(images))]
    kept = kept[np.linspace(0, len(kept) - 1, min(len(kept), MOST_REWARDS)).astype(int)] if len(kept) else kept
    _, height, width, _ = images.shape
    n_maps = TO_S - FROM_S
    total = np.zeros((n_maps, height, width))
    for row in kept:
        frames = images[int(row) + before : int(row) + after]
        means = [second_mean(frames[i * second : (i + 1) * second]) for i in range(n_maps + 1)]
        for i, mean in enumerate(means[1:]):
            blue, green = relative_change(mean, means[0])
            total[i] += green - blue
    return RewardMaps(np.arange(FROM_S, TO_S), total / max(1, len(kept)), len(kept))


def second_mean(frames: np.ndarray) -> np.ndarray:
    """Return the mean blue and green of some frames, (2, height, width) float."""
    total = np.zeros(frames.shape[1:], np.float32)
    for frame in frames:
        cv2.accumulate(frame, total)
    mean: np.ndarray = total[..., COLOURS].transpose(2, 0, 1) / len(frames)
    return mean.astype(float)
