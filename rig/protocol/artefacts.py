"""What can raise the signal without the brain: light that flickers, a picture that moves, spent pixels, a paw.

Replays must decide the same on any processor, so what is summed here are whole numbers, whose sum has no order.
"""

import math
from collections import deque
from itertools import product

import numpy as np

from rig.protocol.dff import N_COLOURS

LIGHT, MOVEMENT, PIXELS, PAW = 1, 2, 4, 8
NO_BRAIN = LIGHT | MOVEMENT | PIXELS
"""What makes the signal of a frame worthless; the brain of a mouse that moves is still a brain."""
BITS = {"light": LIGHT, "movement": MOVEMENT, "pixels": PIXELS, "paw": PAW}
"""What the column `veto` adds up, by the names of the setting."""

BLOCKS = 8  # of the window, in each direction
SAMPLES = 8  # pixels of a block that are looked at, in each direction: more of them say nothing more
DARK = 0.25  # of the brightest block
ALL_BUT = 0.1  # of the blocks: a change that the others share is one of the light
LEAST_LEVEL = 8  # of 255, mean of a colour in an ROI: below it one step of 8 bits is more than a tenth of the light

PATCHES, PATCH_PX, BINNED = 6, 32, 2  # of the picture; pixels are joined in twos, in each direction
LOST_BELOW = 0.5  # correlation with the reference: a patch below it has moved too far for the shift to be told
FAR_PX = 10.0  # what is said then


def named(bits: int) -> str:
    """Return the names of the bits, as in 'light and paw'."""
    return " and ".join(name for name, bit in BITS.items() if bits & bit)


class Rolling:
    """The sum of the newest arrays of whole numbers.

    Parameters
    ----------
    n : int
        How many.
    """

    def __init__(self, n: int) -> None:
        self._newest: deque[np.ndarray] = deque(maxlen=n)
        self.sum: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._newest)

    def push(self, values: np.ndarray) -> None:
        """Let an array join; the oldest leaves when there are `n`."""
        if self.sum is None:
            self.sum = np.zeros(values.shape, np.int64)
        elif len(self._newest) == self._newest.maxlen:
            self.sum -= self._newest[0]
        self.sum += values
        self._newest.append(values)


class GlobalChange:
    """How much the whole window changes together: ΔF/F that nearly all of its parts share.

    The window is cut into blocks.  Where the light changes by a percent, each block does; where the cortex is active,
    some do.  So what is said is the change that all blocks but a tenth reach, of blue or of green, whichever
    is larger; 0 where they do not agree on its sign.

    Parameters
    ----------
    n_frames : int
        Length of the ΔF/F baseline, as of the signal.
    """

    def __init__(self, n_frames: int) -> None:
        self._history = Rolling(n_frames)

    def push(self, image: np.ndarray) -> float:
        """Take an image (height, width, 3) uint8 BGR; return the shared ΔF/F, 0 at the first frame."""
        now, before, n = block_sums(image), self._history.sum, len(self._history)
        shared = 0.0
        if before is not None:
            shared = max((shared_change(now[i], before[i] / n) for i in range(N_COLOURS)), key=abs)
        self._history.push(now)
        return round(shared, 6)


def block_sums(image: np.ndarray) -> np.ndarray:
    """Return the sums of blue and green over some pixels of each block, (2, rows, columns) int64."""
    height, width = image.shape[:2]
    rows, columns = min(BLOCKS, height), min(BLOCKS, width)
    step = max(1, height // (rows * SAMPLES)), max(1, width // (columns * SAMPLES))
    sampled = image[:: step[0], :: step[1], :N_COLOURS].transpose(2, 0, 1)
    high, wide = sampled.shape[1] // rows, sampled.shape[2] // columns
    whole = np.array(sampled[:, : rows * high, : columns * wide], np.int64, order="C")
    along = np.add.reduce(whole.reshape(N_COLOURS, rows, high, columns * wide), axis=2)
    sums: np.ndarray = np.add.reduce(along.reshape(N_COLOURS, rows, columns, wide), axis=3)
    return sums


def shared_change(now: np.ndarray, before: np.ndarray) -> float:
    """Return the relative change that all blocks but a tenth have at least; 0 where they disagree, or all are dark.

    Blocks that are dark against the brightest one say little: they show the bone around the window.
    """
    lit = before > DARK * before.max()
    if not lit.any():
        return 0.0
    change = np.sort((now[lit] - before[lit]) / before[lit])
    out = int(len(change) * ALL_BUT)
    least, most = float(change[out]), float(change[len(change) - 1 - out])
    return least if least > 0 else most if most < 0 else 0.0


class Movement:
    """How far the picture lies from where it was during the ΔF/F baseline, from a few patches with vessels.

    The shift of a patch follows from its gradient, one step of Lucas & Kanade (IJCAI 1981): exact up to 1.5 pixels.  A
    patch that no longer resembles its reference has moved farther than that.  The light may change, too: what is
    compared is relative to the mean of the patch.

    Parameters
    ----------
    n_frames : int
        Length of the ΔF/F baseline.
    """

    def __init__(self, n_frames: int) -> None:
        self._history = Rolling(n_frames)
        self._corners: list[tuple[int, int]] = []
        self._may_look = n_frames  # frames: the first ones may be dark, and in a flat picture nothing is ever found

    def push(self, image: np.ndarray) -> float:
        """Take an image (height, width, 3) uint8 BGR; return the shift in px, the median over the patches.

        It is 0 at the first frame, and in a picture without any structure.
        """
        if not self._corners and self._may_look:
            self._corners, self._may_look = best_corners(image), self._may_look - 1
        if not self._corners:
            return 0.0
        now, total, n = patches_of(image, self._corners), self._history.sum, len(self._history)
        moved = [0.0] if total is None else sorted(shifts_px(now, total // n))
        self._history.push(now)
        return round(moved[len(moved) // 2], 4)


def patches_of(image: np.ndarray, corners: list[tuple[int, int]]) -> np.ndarray:
    """Return the patches at these rows and columns: blue plus green, joined in twos, smooth, (n, side, side) int64.

    Smooth, because the gradient of fine structure would come out too small, and the shift too large.
    """
    pixels = np.array([image[y : y + PATCH_PX, x : x + PATCH_PX, :N_COLOURS] for y, x in corners], np.int64)
    light = pixels[..., 0] + pixels[..., 1]
    pairs = light[:, ::BINNED] + light[:, 1::BINNED]
    return smooth(pairs[:, :, ::BINNED] + pairs[:, :, 1::BINNED])


def smooth(patches: np.ndarray) -> np.ndarray:
    """Return 16 times the patches smoothed by 1 2 1 in both directions, a pixel smaller on each side."""
    along = patches[:, :-2] + 2 * patches[:, 1:-1] + patches[:, 2:]
    smoothed: np.ndarray = along[:, :, :-2] + 2 * along[:, :, 1:-1] + along[:, :, 2:]
    return smoothed


def best_corners(image: np.ndarray) -> list[tuple[int, int]]:
    """Return row and column of the patches whose shift can be told best in both directions; none without structure."""
    height, width = image.shape[:2]
    rows, columns = (range(0, length - PATCH_PX + 1, PATCH_PX) for length in (height, width))
    tiles = list(product(rows, columns))
    if not tiles:
        return []
    patches = patches_of(image, tiles)
    scores = zip(structures(patches), tiles, strict=True)
    best = sorted(scores, key=lambda scored: (-scored[0], scored[1]))[:PATCHES]
    return [corner for score, corner in best if score > 0]


def total(values: np.ndarray) -> np.ndarray:
    """Return the sum over each patch, (n,) of (n, rows, columns)."""
    sums: np.ndarray = np.add.reduce(values.reshape(len(values), -1), axis=1)
    return sums


def gradients(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return twice the gradient of patches to the right and down, each (n, side - 2, side - 2)."""
    return patches[:, 1:-1, 2:] - patches[:, 1:-1, :-2], patches[:, 2:, 1:-1] - patches[:, :-2, 1:-1]


def structures(patches: np.ndarray) -> list[float]:
    """Return the smaller eigenvalue of the structure tensor of each patch, relative to its light.

    It is 0 where there is no edge to hold on to, in one of the two directions.
    """
    gx, gy = gradients(patches)
    sums = zip(*(total(each).tolist() for each in (gx * gx, gx * gy, gy * gy, patches)), strict=True)
    return [(xx + yy - math.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / light if light else 0.0 for xx, xy, yy, light in sums]


def shifts_px(now: np.ndarray, reference: np.ndarray) -> list[float]:
    """Return how far patches have moved against their references; both (n, side, side) int64 in the same unit."""
    light, light_before = total(now), total(reference)
    gx, gy = gradients(reference)
    # The change relative to the light, times both lights, so that it stays a whole number.
    change = (now * light_before[:, None, None] - reference * light[:, None, None])[:, 1:-1, 1:-1]
    sums = (light, *(total(each) for each in (gx * gx, gx * gy, gy * gy, gx * change, gy * change)))
    alike = correlations(now, reference)
    return [shift_px(*each) for each in zip(*(values.tolist() for values in sums), alike, strict=True)]


def shift_px(light: int, xx: int, xy: int, yy: int, x_change: int, y_change: int, alike: float) -> float:
    """Return how far a patch has moved, px, from its sums."""
    scale = xx * yy - xy * xy
    if not light or scale <= 0:
        return 0.0
    if alike < LOST_BELOW:
        return FAR_PX
    right, down = (yy * x_change - xy * y_change) / scale, (xx * y_change - xy * x_change) / scale
    return 2 * BINNED * math.sqrt(right * right + down * down) / light


def correlations(now: np.ndarray, reference: np.ndarray) -> list[float]:
    """Return the correlation of patches of whole numbers with their references; 1 where one of the two is flat."""
    n = now[0].size
    sums = (total(each).tolist() for each in (now, reference, now * reference, now * now, reference * reference))
    found = []
    for one, other, both, squares, other_squares in zip(*sums, strict=True):
        spread = (n * squares - one * one) * (n * other_squares - other * other)
        found.append((n * both - one * other) / math.sqrt(spread) if spread > 0 else 1.0)
    return found


def are_spent(crop: np.ndarray, max_saturated: float) -> bool:
    """Return whether an ROI (height, width, 3) uint8 BGR is black in blue or green, or has too many pixels at 255.

    Parameters
    ----------
    crop : array
    max_saturated : float
        Share of the pixels, 0 to 1, that may be at 255 in a colour.
    """
    pixels = crop[..., :N_COLOURS].reshape(-1, N_COLOURS)
    if not len(pixels):
        return True
    saturated = np.add.reduce(pixels == 255, axis=0, dtype=np.int64)
    light = np.add.reduce(pixels, axis=0, dtype=np.int64)
    return bool((saturated > max_saturated * len(pixels)).any() or (light < LEAST_LEVEL * len(pixels)).any())
