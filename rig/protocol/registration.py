"""How today's picture of the vessels lies on that of the first day: moved, turned, scaled; and how sure that is.

1. Vessels: what is finer than 0.3 mm, with the same contrast everywhere, whatever the brightness.
2. A coarse search over all turns and scales; the best shift of each comes from a cross-correlation.
3. The best few are refined by Gauss-Newton steps, in which pixels that do not fit (a bubble) hardly count.
4. How far it can be trusted: how many more of the vessels agree than half a millimetre aside, and how far two
   halves of the picture, each refined by itself, are apart.

A place in the picture is a complex number, mm from the centre of the picture: x to the right, y down.  So a
turn by an angle with a scale is a product, and a shift is a sum.
"""

import cmath
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

FINE_MM, BLURRED_MM, COARSE_MM = 0.04, 0.1, 0.3
"""Gaussians: details for the refinement, details for the search, and what is larger than a vessel."""
CONTRAST_FLOOR = 0.03  # vessels with less contrast are noise
DARK, LIT = 0.15, 0.3  # of the bright part of a picture: darker is no light, brighter is cortex
LARGEST = 2.5  # of the contrast, in its own standard deviation: the rim of a bubble must not outweigh all vessels
SEARCH_PPMM, TRY_PPMM, FINAL_PPMM = 6.5, 13.0, 26.0  # a finer picture is made smaller: it costs time and adds nothing
TURNS, SCALES = np.arange(-18, 18.1, 2), np.arange(0.87, 1.14, 0.03)  # degrees; what is searched
FARTHEST_MM, WIDEST_TURN, LARGEST_SCALE = 1.5, 20.0, 1.15
N_TRIED = 3
FITS = 0.5  # of the contrast, in its own standard deviation: a pixel with a larger misfit hardly counts
BLOCKS = 8  # along each side; every other one is one half of the picture
AGREES, TEXTURE, NEAR_MM = 0.8, 0.15, 0.2  # a vessel agrees when its surroundings correlate with the first day's
ASIDE_MM, DIRECTIONS = 0.5, 8
LEAST_LEAD = 0.12
"""Share of the vessels that agree at the place found, and not ASIDE_MM aside.  The same mouse with a bubble over
20 % of the picture has at least 0.15, another one, its sinus at the same place, less than 0.06
(benchmarks/register.py)."""


class Move(NamedTuple):
    """From a place of the first day to where it is today, mm from the centre of the picture.

    Attributes
    ----------
    turn : complex
        Turn and scale: a place is multiplied by it.
    shift : complex
        mm, added then.
    """

    turn: complex = 1 + 0j
    shift: complex = 0j

    @property
    def degrees(self) -> float:
        """How far the head is turned, clockwise in the image."""
        return math.degrees(cmath.phase(self.turn))

    @property
    def scale(self) -> float:
        """How much larger the head is in the image."""
        return abs(self.turn)

    def then(self, turn: complex, shift: complex) -> "Move":
        """Return this move after a small one, 1 + turn and shift."""
        return Move(self.turn * (1 + turn), self.shift + self.turn * shift)

    def to_today(self, x: float, y: float, shape: tuple[int, ...], ppmm: float) -> tuple[float, float]:
        """Return where the pixel x, y of the first day's picture (height, width) lies today, px."""
        centre = complex((shape[1] - 1) / 2, (shape[0] - 1) / 2)
        at = self.turn * (complex(x, y) - centre) + self.shift * ppmm + centre
        return at.real, at.imag

    def matrix(self, shape: tuple[int, ...], ppmm: float) -> np.ndarray:
        """Return the same for OpenCV, (2, 3)."""
        x, y = self.to_today(0, 0, shape, ppmm)
        p, q = self.turn.real, self.turn.imag
        return np.array([[p, -q, x], [q, p, y]])

    def bring_back(self, today: np.ndarray, ppmm: float) -> np.ndarray:
        """Return today's picture as it would lie on the first day; 0 where it does not reach."""
        height, width = today.shape
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(today, self.matrix(today.shape, ppmm), (width, height), flags=how)

    def bring_forward(self, first: np.ndarray, ppmm: float) -> np.ndarray:
        """Return the first day's picture as it would lie today; 0 where it does not reach."""
        height, width = first.shape
        return cv2.warpAffine(first, self.matrix(first.shape, ppmm), (width, height))

    def in_words(self) -> str:
        """Say it, as in 'moved 0.42 mm, turned +3.1 deg, scaled 1.012'."""
        return f"moved {abs(self.shift):.2f} mm, turned {self.degrees:+.1f} deg, scaled {self.scale:.3f}"


class Registration(NamedTuple):
    """What was found.

    Attributes
    ----------
    move : Move
    agreement : float
        Share of the vessels, 0 to 1, that lie on those of the first day.
    aside : float
        The same half a millimetre aside, in the best direction: a sinus fits along itself, all vessels only once.
    error_mm : float
        How far two halves of the picture, each registered by itself, are apart: at the worst of the places asked for.
    error_degrees : float
        By how much they are turned against each other.
    """

    move: Move
    agreement: float
    aside: float
    error_mm: float
    error_degrees: float

    @property
    def is_known(self) -> bool:
        """Whether this is the same cortex, and what was searched reaches as far."""
        move = self.move
        is_near = abs(move.shift) <= FARTHEST_MM and abs(move.degrees) <= WIDEST_TURN
        is_alike = 1 / LARGEST_SCALE <= move.scale <= LARGEST_SCALE
        return self.agreement - self.aside >= LEAST_LEAD and is_near and is_alike

    def in_words(self) -> str:
        """Say what was found, and how far it can be trusted."""
        if not self.is_known:
            return (
                "today's vessels are not those of the first day "
                f"({100 * self.agreement:.0f} % agree where they fit best, {100 * self.aside:.0f} % aside)"
            )
        return f"{self.move.in_words()}; error {self.error_mm:.3f} mm, {self.error_degrees:.2f} deg"


def register(first: np.ndarray, today: np.ndarray, ppmm: float, places: Iterable[tuple[float, float]]) -> Registration:
    """Find how today's picture lies on that of the first day.

    Parameters
    ----------
    first, today : array (height, width)
        Blue, linear in light, both of one shape.
    ppmm : float
        Scale of the first day, px/mm.
    places : iterable of (float, float)
        x, y px of the first day, where the error counts.

    References
    ----------
    The steps are those of Lucas and Kanade (IJCAI 1981) for a turn, a scale and a shift, with weights that fall with
    the residual (Black & Anandan, Computer Vision and Image Understanding 1996).
    """
    tried = pair_of(first, today, ppmm, TRY_PPMM, BLURRED_MM)
    found = [refine(tried, move) for move in coarse_moves(pair_of(first, today, ppmm, SEARCH_PPMM, BLURRED_MM))]
    best = max(found, key=lambda move: agreement(tried, move))
    final = pair_of(first, today, ppmm, FINAL_PPMM, FINE_MM)
    move = refine(final, best)
    one, other = (refine(final, move, half) for half in halves(final.first.shape))
    apart = [math.dist(*(half.to_today(*place, first.shape, ppmm) for half in (one, other))) for place in places]
    degrees = abs(one.degrees - other.degrees)
    aside = max(agreement(final, move.then(0, step)) for step in steps_aside())
    return Registration(move, agreement(final, move), aside, max(apart, default=0.0) / ppmm, degrees)


def steps_aside() -> list[complex]:
    """Return small shifts in all directions, mm."""
    return [cmath.rect(ASIDE_MM, 2 * math.pi * i / DIRECTIONS) for i in range(DIRECTIONS)]


class Pair(NamedTuple):
    """Both pictures at one scale.

    Attributes
    ----------
    first, today : array (height, width) float32
        Vessels.
    ppmm : float
    lit : array (height, width) bool
        Where the first day's picture is of lit cortex: the rim of a window is the same in every mouse.
    """

    first: np.ndarray
    today: np.ndarray
    ppmm: float
    lit: np.ndarray


def pair_of(first: np.ndarray, today: np.ndarray, ppmm: float, most_ppmm: float, detail_mm: float) -> Pair:
    """Return the vessels of both pictures, made smaller where they are finer than needed."""
    zoom = min(1.0, most_ppmm / ppmm)
    height, width = (max(8, round(side * zoom)) for side in first.shape)
    before, now = (
        cv2.resize(each.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) for each in (first, today)
    )
    one, other = (vessels(each, ppmm * zoom, detail_mm) for each in (before, now))
    return Pair(one, other, ppmm * zoom, lit_cortex(before, ppmm * zoom))


def lit_cortex(picture: np.ndarray, ppmm: float) -> np.ndarray:
    """Return where a picture (height, width) is bright, away from the rim."""
    is_bright = blur(picture, COARSE_MM * ppmm) > LIT * float(np.percentile(picture, 95))
    lit: np.ndarray = blur(is_bright, COARSE_MM * ppmm) > 0.97
    return lit


def vessels(picture: np.ndarray, ppmm: float, detail_mm: float) -> np.ndarray:
    """Return what is between `detail_mm` and COARSE_MM in size, with about the same contrast everywhere."""
    around = blur(picture, COARSE_MM * ppmm)
    dark = DARK * float(np.percentile(picture, 95)) + 1e-6
    contrast = (blur(picture, detail_mm * ppmm) - around) / (around + dark)
    spread = np.sqrt(blur(contrast * contrast, 1.5 * COARSE_MM * ppmm) + CONTRAST_FLOOR**2)
    even: np.ndarray = np.clip(contrast / spread, -LARGEST, LARGEST)
    return even


def blur(picture: np.ndarray, sigma_px: float) -> np.ndarray:
    """Return a picture (height, width) float32 smoothed by a Gaussian."""
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma_px)


def coarse_moves(pair: Pair) -> list[Move]:
    """Return the few moves that fit best, none like another: every turn and scale, each with its best shift."""
    first, today, ppmm, _ = pair
    reach = min(round((FARTHEST_MM + 0.1) * ppmm), (min(first.shape) - 1) // 2)
    spectrum, height, width = spectrum_of(today), *first.shape
    fits = []
    for degrees in TURNS:
        for scale in SCALES:
            turn = cmath.rect(scale, math.radians(degrees))
            turned = cv2.warpAffine(first, Move(turn).matrix(first.shape, ppmm), (width, height))
            product = cv2.mulSpectrums(spectrum, spectrum_of(turned), 0, conjB=True)
            shifted = cv2.idft(product, flags=cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)
            near = np.roll(shifted, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
            row, column = divmod(int(near.argmax()), 2 * reach + 1)
            fit = float(near[row, column]) / (float(np.linalg.norm(turned)) + 1e-6)
            fits.append((fit, Move(turn, complex(column - reach, row - reach) / ppmm)))
    fits.sort(key=lambda each: -each[0])
    return list(unlike(move for _, move in fits))


def spectrum_of(picture: np.ndarray) -> np.ndarray:
    """Return the Fourier transform of a picture, as OpenCV has it."""
    return cv2.dft(picture, flags=cv2.DFT_COMPLEX_OUTPUT)


def unlike(moves: Iterable[Move]) -> Iterator[Move]:
    """Yield the first few of the moves that are none like another."""
    kept: list[Move] = []
    for move in moves:
        if all(abs(move.turn - other.turn) > 0.08 or abs(move.shift - other.shift) > 0.4 for other in kept):
            kept.append(move)
            yield move
        if len(kept) == N_TRIED:
            return


def refine(pair: Pair, move: Move, counts: np.ndarray | float = 1.0, steps: int = 20) -> Move:
    """Return the move with which today's vessels lie best on the first day's; pixels that do not fit hardly count.

    Parameters
    ----------
    pair : Pair
    move : Move
        Where to begin.
    counts : array (height, width) or float
        How much each pixel counts.
    steps : int
        At most.
    """
    first, today, ppmm, _ = pair
    height, width = first.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x - (width - 1) / 2) / ppmm, (y - (height - 1) / 2) / ppmm
    for _ in range(steps):
        back, reached = lay_back(today, ppmm, move)
        rightward, downward = (cv2.Sobel(back, cv2.CV_32F, *axis, scale=ppmm / 8) for axis in ((1, 0), (0, 1)))
        misfit = first - back
        slopes = np.stack([rightward * x + downward * y, downward * x - rightward * y, rightward, downward])
        slopes = slopes.reshape(4, -1)
        weighted = slopes * (counts * reached / (1 + (misfit / FITS) ** 2) ** 2).ravel()
        step = np.linalg.solve(weighted @ slopes.T + 1e-3 * np.eye(4), weighted @ misfit.ravel())
        move = move.then(complex(step[0], step[1]), complex(step[2], step[3]))
        if float(np.abs(step).max()) < 2e-4:
            break
    return move


def lay_back(today: np.ndarray, ppmm: float, move: Move) -> tuple[np.ndarray, np.ndarray]:
    """Return today's picture as it would lie on the first day, and where it reaches, both (height, width)."""
    return move.bring_back(today, ppmm), move.bring_back(np.ones_like(today), ppmm) > 0.99


def halves(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return two masks (height, width) float32 like the black and the white squares of a chess board."""
    row, column = np.ogrid[: shape[0], : shape[1]]
    black = (row * BLOCKS // shape[0] + column * BLOCKS // shape[1]) % 2
    return black.astype(np.float32), (1 - black).astype(np.float32)


def agreement(pair: Pair, move: Move) -> float:
    """Return the share of the vessels in lit cortex, of either day, around which both pictures correlate."""
    back, reached = lay_back(pair.today, pair.ppmm, move)
    seen = reached & pair.lit
    products = pair.first * back, pair.first * pair.first, back * back
    both, one, other = (blur(each * seen, NEAR_MM * pair.ppmm) for each in products)
    is_vessel = (np.maximum(one, other) > TEXTURE) & seen
    agrees = both > AGREES * np.sqrt(one * other)
    return float(agrees[is_vessel].mean()) if is_vessel.any() else 0.0
