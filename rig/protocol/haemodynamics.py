"""Blood in green: how much of blue ΔF/F is taken from it.

Blue reflectance carries the haemodynamics that green carries too.  As published it is taken from green as it is, with a
coefficient of 1 (Gupta & Murphy, eLife 105070).  The coefficient depends on wavelengths and tissue, and can be fitted:
green is regressed on blue (Valley et al., J Neurophysiol 2020; Ma et al., Phil Trans R Soc B 2016).

The regression has to bear two things.  Transients of neurons are in green only, and large: frames that lie far from
the line count less, or not at all (bisquare weights, Beaton & Tukey 1974).  And blue is noisy, which would flatten the
line.  So not blue itself weighs the frames, but what the frames around each one predict of it: the noise of a frame is
no part of the others (an instrument, as in two-stage least squares).

Replays must give the same numbers on any processor, so sums are those of numpy itself.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rig.errors import FitError
from rig.protocol.artefacts import NO_BRAIN
from rig.protocol.trials import Step

SHORTEST_S = 15.0  # of a fit period
FEWEST_FRAMES = 150
MOST_FRAMES = 4500  # the newest: 5 minutes at 15/s; more would hold up the loop, which waits for the fit
ENOUGH = 0.9  # of the time that is asked for: cameras are a little slow, and single frames are left out
LEAST_R2 = 0.03
WIDEST = 0.15  # half of the 95 % interval: where 0.6 is true, five times less blood is left than with 1
MOST_ABOVE = 0.2  # share of the frames
LARGEST = 5.0
LONGEST_DELAY_S = 0.2
BETTER = 1.1  # by this factor R² must be better with blue of before than with blue of now

NEIGHBOURS = 4  # frames on each side, from which the blue of a frame is predicted
CUT = 4.685  # scales; frames farther from the line do not count (95 % efficiency with Gaussian noise)
TO_SIGMA = 1.4826  # from the median of absolute deviations
ROUNDS, SETTLED = 50, 1e-6
MEMORY_FRAMES = 30  # over which what is left is taken to be correlated, for the interval
Z = 1.96  # standard errors, of a 95 % interval
DECIMALS = 4
IN_WORDS = "fit"


class Blue(NamedTuple):
    """What is taken from green: `coefficient` times the blue ΔF/F of `delay_frames` before."""

    coefficient: float
    delay_frames: int = 0

    def __str__(self) -> str:
        delay = f" {self.delay_frames} frames" if self.delay_frames else ""
        return f"{self.coefficient:g}{delay}"


@dataclass(frozen=True)
class ByRoi:
    """The wish for a coefficient of each ROI, {ROI: Blue} as pairs; without any they are to be fitted."""

    of: tuple[tuple[str, Blue], ...] = ()

    @property
    def is_to_fit(self) -> bool:
        """Return whether the coefficients are yet to be found."""
        return not self.of

    def __str__(self) -> str:
        return ", ".join(f"{name} {blue}" for name, blue in self.of) or IN_WORDS


def by_roi(text: str) -> ByRoi:
    """Return what 'fit' says, or 'BC_L 0.62, BC_R 0.58 2 frames'; ValueError with a sentence for anything else."""
    if text.strip().lower() == IN_WORDS:
        return ByRoi()
    found: dict[str, Blue] = {}
    for part in text.split(","):
        match = re.fullmatch(r"(\S+)\s+(\d+(?:\.\d*)?)(?:\s+(\d{1,3})\s+frames?)?", part.strip())
        if match is None or float(match[2]) > LARGEST:
            raise ValueError(
                f"expected a number, fit, or a number for each ROI as in BC_L 0.62, BC_R 0.58 2 frames, from 0 to "
                f"{LARGEST:g}; {part.strip()!r} is none of these"
            )
        if match[1] in found:
            raise ValueError(f"{match[1]} stands there more than once")
        found[match[1]] = Blue(float(match[2]), int(match[3] or 0))
    return ByRoi(tuple(found.items()))


class BlueFit(NamedTuple):
    """A fitted coefficient.

    Attributes
    ----------
    blue : Blue
    low, high : float
        Its 95 % interval.
    r2 : float
        Share of the variance of green, without the transients, that blue explains; noise is a part of that variance.
    n_frames : int
    """

    blue: Blue
    low: float
    high: float
    r2: float
    n_frames: int

    def __str__(self) -> str:
        return f"{self.blue} ({self.low:.2f} to {self.high:.2f}), R² {self.r2:.2f}, {self.n_frames} frames"


def summed(*factors: np.ndarray) -> float:
    """Return the sum of the products of arrays (n,), in an order that does not depend on the processor."""
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return float(np.add.reduce(product))


def solved(rows: list[list[float]], right: list[float]) -> list[float]:
    """Solve a small symmetric positive definite system, by elimination."""
    n, a = len(right), [[*row, value] for row, value in zip(rows, right, strict=True)]
    for i in range(n):
        for j in range(i + 1, n):
            factor = a[j][i] / a[i][i]
            a[j] = [x - factor * y for x, y in zip(a[j], a[i], strict=True)]
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (a[i][n] - sum(a[i][j] * x[j] for j in range(i + 1, n))) / a[i][i]
    return x


def predicted(blue: np.ndarray) -> np.ndarray:
    """Return what the frames around each frame predict of its blue (n,), by least squares; 0 at the ends.

    Both frames at one distance count the same, as time has no direction in the covariance.
    """
    n = len(blue)
    inner = slice(NEIGHBOURS, n - NEIGHBOURS)
    pairs = [blue[NEIGHBOURS - k : n - NEIGHBOURS - k] + blue[NEIGHBOURS + k : n - NEIGHBOURS + k or None]
             for k in range(1, NEIGHBOURS + 1)]  # fmt: skip
    pairs = [pair - summed(pair) / len(pair) for pair in pairs]
    matrix = [[summed(one, other) for other in pairs] for one in pairs]
    for k in range(NEIGHBOURS):
        matrix[k][k] = matrix[k][k] * (1 + 1e-9) or 1.0  # also where blue never changes
    weights = solved(matrix, [summed(pair, blue[inner]) for pair in pairs])
    found = np.zeros(n)
    for weight, pair in zip(weights, pairs, strict=True):
        found[inner] += weight * pair
    return found


def bisquare(rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much frames count by what is left of them, and how much they would move the line if it changed.

    Parameters
    ----------
    rest : array (n,)

    Returns
    -------
    tuple of array (n,)
        Weights, 1 at the median and 0 from CUT scales on; and the derivative of weight times rest.
    """
    centre = float(np.median(rest))
    scale = TO_SIGMA * float(np.median(np.abs(rest - centre)))
    u = (rest - centre) / (CUT * (scale or 1.0))
    inside = np.maximum(1 - u * u, 0)
    return inside * inside, inside * (1 - 5 * u * u)


def slope(blue: np.ndarray, green: np.ndarray, smooth: np.ndarray, delay_frames: int) -> BlueFit:
    """Regress green on the blue of some frames before.

    Parameters
    ----------
    blue, green : array (n,)
        ΔF/F of one ROI, in order of time.
    smooth : array (n,)
        Blue as predicted.
    delay_frames : int
    """
    known = slice(NEIGHBOURS, len(blue) - NEIGHBOURS - delay_frames)
    smooth, blue = smooth[known], blue[known]
    green = green[NEIGHBOURS + delay_frames : NEIGHBOURS + delay_frames + len(blue)]
    coefficient = 1.0
    for _ in range(ROUNDS):
        weights, moves = bisquare(green - coefficient * blue)
        z, b, g = (centred(values, weights) for values in (smooth, blue, green))
        before, coefficient = coefficient, over(summed(weights, z, g), summed(weights, z, b))
        if abs(coefficient - before) < SETTLED:
            break
    moments = weights * z * (g - coefficient * b)
    error = over(max(long_run(moments), 0.0) ** 0.5, abs(summed(moves, z, b)))
    r2 = over(summed(weights, z, g) ** 2, summed(weights, z, z) * summed(weights, g, g))
    low, high = coefficient - Z * error, coefficient + Z * error
    return BlueFit(Blue(round(coefficient, DECIMALS), delay_frames), low, high, r2, len(blue))


def slope_at(blue: np.ndarray, green: np.ndarray) -> BlueFit:
    """Regress green on blue (n,), of one time, whatever comes out: for a figure."""
    return slope(blue, green, predicted(blue), 0)


def centred(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return values (n,) without their weighted mean."""
    deviations: np.ndarray = values - over(summed(weights, values), summed(weights))
    return deviations


def over(one: float, other: float) -> float:
    """Return a quotient; 0 where nothing can be divided."""
    return one / other if other else 0.0


def long_run(moments: np.ndarray) -> float:
    """Return the variance of a sum whose parts (n,) are correlated (Newey & West, Econometrica 1987)."""
    variance = summed(moments, moments)
    for k in range(1, MEMORY_FRAMES + 1):
        variance += 2 * (1 - k / (MEMORY_FRAMES + 1)) * summed(moments[k:], moments[:-k])
    return variance


def needed_s(framerate: float) -> float:
    """Return how long a fit period must last, s."""
    return max(SHORTEST_S, FEWEST_FRAMES / framerate)


def fit(blue: np.ndarray, green: np.ndarray, framerate: float) -> BlueFit:
    """Find the coefficient of one ROI, and by how many frames green follows blue.

    Parameters
    ----------
    blue, green : array (n,)
        ΔF/F in order of time, with a full history.
    framerate : float
        Frames per second.

    Raises
    ------
    FitError
        With a sentence: the period is too short, R² is too poor, the interval too wide.
    """
    if len(blue) < ENOUGH * needed_s(framerate) * framerate:
        lasts = f"the fit period, from when dff_history is full, lasts {len(blue) / framerate:.1f} s"
        raise FitError(f"{lasts} and must last {needed_s(framerate):g} s")
    smooth = predicted(blue)
    now, *before = (slope(blue, green, smooth, delay) for delay in range(int(LONGEST_DELAY_S * framerate) + 1))
    best = max(before, key=lambda one: one.r2, default=now)
    found = best if best.r2 > BETTER * now.r2 and best.blue.coefficient > 0 else now
    if not found.r2 >= LEAST_R2:
        raise FitError(f"blue explains {found.r2:.3f} of the variance of green (R²), and must explain {LEAST_R2:g}")
    if not found.high - found.low <= 2 * WIDEST:
        raise FitError(
            f"the coefficient lies between {found.low:.2f} and {found.high:.2f} (95 %), and may be uncertain by "
            f"{WIDEST:g} to each side"
        )
    if not 0 <= found.blue.coefficient <= LARGEST:
        raise FitError(f"the coefficient is {found.blue.coefficient:g}, and must be from 0 to {LARGEST:g}")
    return found


def fit_all(
    series: Mapping[str, tuple[np.ndarray, np.ndarray]], share_above: float, framerate: float
) -> dict[str, BlueFit]:
    """Fit each ROI.

    Parameters
    ----------
    series : mapping
        {ROI: (blue, green)}, arrays (n,) of ΔF/F with a full history.
    share_above : float
        Of these frames, whose signal as published lies above the threshold.
    framerate : float

    Raises
    ------
    FitError
        With a sentence: also where too many frames are above the threshold.
    """
    if share_above > MOST_ABOVE:
        raise FitError(
            f"{100 * share_above:.0f} % of the frames lie above the threshold, and may be {100 * MOST_ABOVE:.0f} %: "
            "the mouse was too active"
        )
    found = {}
    for name, (blue, green) in series.items():
        try:
            found[name] = fit(blue, green, framerate)
        except FitError as error:
            raise FitError(f"{name}: {error}") from None
    return found


class Haemodynamics:
    """The part of green that is blood, for each ROI and frame; as published until a fit is done.

    Parameters
    ----------
    wish : float or ByRoi
        One coefficient for all ROIs, those of each, or that they are to be fitted over the initial rest.
    names : iterable of str
        The ROIs.
    framerate : float
    history_frames : int
        Length of the ΔF/F baseline; frames before it is full are no part of a fit.

    Attributes
    ----------
    blues : dict
        What is taken from green now, {ROI: Blue}.
    """

    def __init__(self, wish: float | ByRoi, names: Iterable[str], framerate: float, history_frames: int) -> None:
        same = Blue(wish if isinstance(wish, int | float) else 1.0)
        self.blues: dict[str, Blue] = dict.fromkeys(names, same) | dict(wish.of if isinstance(wish, ByRoi) else ())
        longest = max(int(LONGEST_DELAY_S * framerate), *(blue.delay_frames for blue in self.blues.values()))
        self._newest = {name: deque([0.0], maxlen=longest + 1) for name in self.blues}
        self._colours: dict[str, float] = {}
        self._framerate, self._to_skip = framerate, history_frames
        self._rows: deque[tuple[float, ...]] | None = None
        if isinstance(wish, ByRoi) and wish.is_to_fit:
            self._rows = deque(maxlen=MOST_FRAMES)

    def __call__(self, name: str, blue: float, green: float) -> float:
        """Take ΔF/F of an ROI on the next frame, blue and green; return what to subtract from green."""
        coefficient, delay = self.blues[name]
        newest = self._newest[name]
        newest.append(blue)
        self._colours[f"{name}_green"], self._colours[f"{name}_blue"] = green, blue
        return coefficient * newest[max(len(newest) - 1 - delay, 0)]

    def columns(self) -> dict[str, float]:
        """Return ΔF/F of this frame, {ROI_green, ROI_blue: value}."""
        return dict(self._colours)

    def learn(self, step: Step, is_above: bool, bits: float = 0) -> dict[str, str]:
        """Keep this frame for the fit; fit when the first trial has begun, and return what is to be noted then.

        Parameters
        ----------
        step : Step
        is_above : bool
            The signal of this frame lies above the threshold.
        bits : float
            What is not brain on this frame (`rig.protocol.artefacts`): a flicker is in both colours alike.

        Raises
        ------
        FitError
            The initial rest is not good enough, in a sentence with the cure.
        """
        if self._rows is None:
            return {}
        if not step.trial:
            self._to_skip -= 1
            if self._to_skip < 0 and not int(bits) & NO_BRAIN:
                self._rows.append((is_above, *self._colours.values()))
            return {}
        rows, self._rows = np.array(self._rows, float).reshape(-1, 1 + len(self._colours)), None
        series = {name: (rows[:, 2 + 2 * i].copy(), rows[:, 1 + 2 * i].copy()) for i, name in enumerate(self._newest)}
        share_above = over(float(np.add.reduce(rows[:, 0])), len(rows))
        try:
            found = fit_all(series, share_above, self._framerate)
        except FitError as error:
            raise FitError(
                f"blue_coefficient = {IN_WORDS}: over the initial rest, {error}; record a baseline with --baseline 300 "
                "first, or set a number"
            ) from None
        self.blues = {name: one.blue for name, one in found.items()}
        said = ", ".join(f"{name} {one}" for name, one in found.items())
        return {"blue_coefficient_fit": f"over the initial rest: {said}"}


def columns_of_colours(names: Iterable[str]) -> list[str]:
    """Return the columns of VideoTimestamp.txt with ΔF/F of both colours."""
    return [f"{name}_{colour}" for name in names for colour in ("green", "blue")]
