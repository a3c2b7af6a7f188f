"""Chance: how often the signal crosses the threshold in rests, where it earns nothing, next to how often in trials.

Trials end at their first crossing and rests do not, so crossings are not simply counted: both are rates at which a
quiet signal crosses, per minute in which it could have done so.  docs/chance.md says why, and what was measured.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rig.protocol.resampling import LEVEL, limits, resampled

QUIET_S = 2.0
"""How long a signal without a memory of its own must have been quiet."""
LONGEST_STEP_S = 0.5  # between two frames; nobody knows what the signal did in a longer one
FEWEST = 3  # crossings in rests, before a ratio is shown while the session runs
LEAST_SAID = 0.05  # x chance: "at least" less than that says nothing
RARE = (1 - LEVEL) / 2

TRIAL_CROSSINGS, TRIAL_S, REST_CROSSINGS, REST_S = range(4)
"""The columns of `Chance.blocks`."""


class Against(NamedTuple):
    """Crossings in trials against those in rests, which are chance.

    Attributes
    ----------
    trial_per_min, rest_per_min : float
        Crossings per minute that counts; NaN where no time counts.
    ratio : float
        The first over the second: 2 is twice as often as by chance.  NaN where it is not known, infinite where nothing
        was crossed in rests.
    low, high : float
        Its 95 % interval; from 0 to infinity where nothing is known.
    """

    trial_per_min: float
    rest_per_min: float
    ratio: float
    low: float
    high: float


class Chance:
    """Counts crossings in trials and in rests.

    A crossing counts if the signal has been at or below the threshold for `quiet_s`: noise on the falling side of a
    transient, and what a transient does to the ΔF/F after it, are no crossings of their own.  Time counts under the
    same condition.

    Parameters
    ----------
    quiet_s : float
        How long the signal remembers a transient, s.
    """

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._needed_s = quiet_s
        self._blocks: list[list[float]] = [[0, 0.0, 0, 0.0]]
        self._trial = 0
        self._newest_s = -math.inf
        self._quiet_since_s: float | None = None

    def see(self, time_s: float, trial: int, is_above: bool, counts: bool = True) -> None:
        """Take the next frame that was decided on in time.

        Parameters
        ----------
        time_s : float
            Time of the frame.
        trial : int
            Number of the trial, also on the frame of its outcome; 0 in rest.
        is_above : bool
            The signal is above the threshold.
        counts : bool
            This frame is one of a trial or a rest; not of a pause, nor of the wait for a trial.
        """
        if trial > self._trial:
            self._trial = trial
            self._blocks.append([0, 0.0, 0, 0.0])
        step_s, since_s = time_s - self._newest_s, self._quiet_since_s
        if step_s > LONGEST_STEP_S:
            self._quiet_since_s = None
        elif counts and since_s is not None and self._newest_s - since_s >= self._needed_s:
            block, crossings = self._blocks[-1], TRIAL_CROSSINGS if trial else REST_CROSSINGS
            block[crossings] += is_above
            block[crossings + 1] += step_s
        if is_above:
            self._quiet_since_s = None
        elif self._quiet_since_s is None:
            self._quiet_since_s = time_s
        self._newest_s = time_s

    @property
    def blocks(self) -> np.ndarray:
        """Crossings and s that count in a trial and in the rest after it, (n_trials + 1, 4); the initial rest first."""
        return np.array(self._blocks, float)

    def describe(self) -> str:
        """Say where the session stands, as 2.1 x chance; '-' until the rests have some crossings, '' before trials."""
        if not self._trial:
            return ""
        trial_crossings, trial_s, rest_crossings, rest_s = (sum(column) for column in zip(*self._blocks, strict=True))
        is_known = rest_crossings >= FEWEST and trial_s > 0
        ratio = f"{trial_crossings / trial_s * rest_s / rest_crossings:.1f}" if is_known else "-"
        return f"{ratio} x chance"


def against_chance(blocks: np.ndarray) -> Against:
    """Compare trials with rests.

    The interval is the wider one of two: a bootstrap in which trials, each with the rest after it, are drawn anew, and
    the exact one for two counts (Clopper & Pearson 1934, given their sum), which also holds where there are few.

    Parameters
    ----------
    blocks : array (n, 4)
        As `Chance.blocks`.
    """
    crossings, trial_s, rest_crossings, rest_s = np.add.reduce(blocks, axis=0).tolist()
    trial_per_min, rest_per_min = per_min(crossings, trial_s), per_min(rest_crossings, rest_s)
    if not trial_s or not rest_s or crossings + rest_crossings == 0:
        return Against(trial_per_min, rest_per_min, math.nan, 0.0, math.inf)
    ratio = trial_per_min / rest_per_min if rest_crossings else math.inf
    drawn, exact = bootstrap(blocks), exact_interval(int(crossings), trial_s, int(rest_crossings), rest_s)
    return Against(trial_per_min, rest_per_min, ratio, min(drawn[0], exact[0]), max(drawn[1], exact[1]))


def per_min(crossings: float, seconds: float) -> float:
    """Return a rate per minute; NaN where no time counts."""
    return crossings / seconds * 60 if seconds else math.nan


def bootstrap(blocks: np.ndarray) -> tuple[float, float]:
    """Return the interval of the ratio by drawing the blocks anew, with a seed of its own: the same every time."""
    crossings, trial_s, rest_crossings, rest_s = resampled(blocks).T
    above, below = crossings * rest_s, rest_crossings * trial_s
    ratios = np.divide(above, below, out=np.full(len(above), np.inf), where=below > 0)
    is_unknown = (above == 0) & (below == 0)
    return limits(np.where(is_unknown, 0.0, ratios), ratios)


def rate_interval(blocks: np.ndarray, crossings: int) -> tuple[float, float]:
    """Return the interval of a rate per minute, the wider of bootstrap and exact one; NaN where no time counts.

    Parameters
    ----------
    blocks : array (n, 4)
    crossings : int
        Its column: TRIAL_CROSSINGS or REST_CROSSINGS.
    """
    drawn = resampled(blocks[:, crossings : crossings + 2])
    drawn = drawn[drawn[:, 1] > 0]
    if not len(drawn):
        return math.nan, math.nan
    n, seconds = np.add.reduce(blocks[:, crossings : crossings + 2], axis=0).tolist()
    low, high = limits(drawn[:, 0] / drawn[:, 1] * 60)
    return min(low, per_min(least_mean(int(n)), seconds)), max(high, per_min(greatest_mean(int(n)), seconds))


def exact_interval(crossings: int, trial_s: float, rest_crossings: int, rest_s: float) -> tuple[float, float]:
    """Return the exact interval of the ratio of two rates of independent crossings."""
    n = crossings + rest_crossings
    low, high = least_share(crossings, n), 1 - least_share(rest_crossings, n)
    per_odds = rest_s / trial_s
    return low / (1 - low) * per_odds, high / (1 - high) * per_odds if high < 1 else math.inf


def least_share(k: int, n: int) -> float:
    """Return the share at which k or more of n are as rare as the interval allows; 0 for none."""
    return where_it_falls(lambda share: at_least(k, n, share) < RARE, 0.0, 1.0) if k else 0.0


def at_least(k: int, n: int, share: float) -> float:
    """Return the probability of k or more of n, each with this share (between 0 and 1)."""
    one, other = math.log(share), math.log1p(-share)
    ways = (math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(k, n + 1))
    return math.fsum(math.exp(way + i * one + (n - i) * other) for i, way in enumerate(ways, start=k))


def least_mean(n: int) -> float:
    """Return the mean number at which n or more are as rare as the interval allows; 0 for none."""
    return where_it_falls(lambda mean: 1 - at_most(n - 1, mean) < RARE, 0.0, float(n)) if n else 0.0


def greatest_mean(n: int) -> float:
    """Return the mean number at which n or fewer are as rare as the interval allows."""
    return where_it_falls(lambda mean: at_most(n, mean) > RARE, float(n), n + 10 * math.sqrt(n) + 10)


def at_most(n: int, mean: float) -> float:
    """Return the probability of n or fewer independent crossings where so many are expected."""
    return math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(n + 1))


def where_it_falls(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return up to where something holds that holds at `low` and not at `high`, by halving."""
    while high - low > 1e-9 * (1 + high):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low


def in_words(found: Against) -> str:
    """Say in a sentence how trials compare with chance; '' where no time in trials counts."""
    if math.isnan(found.trial_per_min):
        return ""
    rates = f"{found.trial_per_min:.1f} crossings per minute in trials"
    if math.isnan(found.rest_per_min):
        return f"{rates}; chance is not known: no rest is long enough"
    rates += f", {found.rest_per_min:.1f} in rests"
    if math.isnan(found.ratio):
        return rates
    return f"{ratio_in_words(found)}: {rates}"


def ratio_in_words(found: Against) -> str:
    """Return the ratio with its interval, as 2.1 x chance (1.2 to 4.0); '-' where it is not known."""
    if math.isnan(found.ratio):
        return "-"
    if math.isinf(found.ratio):
        if found.low < LEAST_SAID:
            return "too few crossings to compare with chance"
        return f"at least {found.low:.1f} x chance"
    upper = "or more" if math.isinf(found.high) else f"to {found.high:.1f}"
    return f"{found.ratio:.1f} x chance ({found.low:.1f} {upper})"
