"""Finding which edges of two trains belong together, when one of them was recorded by another clock.

The pulses of frames are almost regular: shifted by one frame they fit almost as well.  What tells is how the intervals
differ from each other, by fractions of a millisecond and where a frame is late, and that both trains agree in it.
"""

import math
from typing import NamedTuple

import numpy as np

STAGES = ((200, 2000), (2000, 8))
"""How many edges of one train are looked for in the other one, and how many candidates go on from there."""
PLACES = (0.5, 0.2, 0.8, 0.05, 0.95)  # of windows in the train: the other one may have only a part of it
MOST_DRIFT = 5e-4  # between two clocks; crystals are ten times better
LEAST_SHARE = 0.6  # of a window that must have a partner
AT_ONCE = 400_000  # edges, for the memory
OUTLIER = 6  # times the median: this far off, two edges are no pair
LEAST_JITTER_S = 2e-6  # intervals that differ by less are the same: the edges are stored in µs
LEAST_EDGES = 20
CERTAIN, CLEAR = 8.0, 5.0  # standard deviations: of the agreement itself, and above that of any other candidate


class Line(NamedTuple):
    """A map between two clocks: there_s = origin_there_s + rate * (here_s - origin_here_s)."""

    origin_here_s: float
    origin_there_s: float
    rate: float

    def there_s(self, here_s: np.ndarray) -> np.ndarray:
        """Return times of the other clock, s."""
        times_s: np.ndarray = self.origin_there_s + self.rate * (here_s - self.origin_here_s)
        return times_s

    def turned_round(self) -> "Line":
        """Return the map back."""
        return Line(self.origin_there_s, self.origin_here_s, 1 / self.rate)


class Match(NamedTuple):
    """Edges that belong together.

    Attributes
    ----------
    here, there : array (n,) int
        Their places in the two trains.
    line : Line
    agreement : float
        How far the intervals agree: the inverse hyperbolic tangent of their correlation.
    """

    here: np.ndarray
    there: np.ndarray
    line: Line
    agreement: float

    def turned_round(self) -> "Match":
        """Return the same match from the other train."""
        return Match(self.there, self.here, self.line.turned_round(), self.agreement)

    def in_deviations(self) -> float:
        """Return the agreement in standard deviations of trains that have nothing to do with each other."""
        return self.agreement * math.sqrt(max(0, len(self.here) - 4))


def partners(here_s: np.ndarray, there_s: np.ndarray, off_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of edges, two by two, that are nearest to each other, at most `off_s` apart."""
    there = nearest(there_s, here_s)
    here = np.arange(len(here_s))
    mutual = (nearest(here_s, there_s)[there] == here) & (np.abs(there_s[there] - here_s) <= off_s)
    return here[mutual], there[mutual]


def nearest(times_s: np.ndarray, to_s: np.ndarray) -> np.ndarray:
    """Return the place in `times_s`, in order, that is nearest to each of `to_s`."""
    after = np.clip(np.searchsorted(times_s, to_s), 1, max(1, len(times_s) - 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    return np.where(to_s - times_s[before] <= times_s[after] - to_s, before, after)


def fitted(here_s: np.ndarray, there_s: np.ndarray) -> Line:
    """Return the line through pairs, without those that are far off it."""
    keep = np.ones(len(here_s), bool)
    for _ in range(3):
        line = straight(here_s[keep], there_s[keep])
        off_s = np.abs(there_s - line.there_s(here_s))
        keep = off_s <= max(OUTLIER * float(np.median(off_s)), 1e-9)
    return line


def straight(here_s: np.ndarray, there_s: np.ndarray) -> Line:
    """Return the line of least squares."""
    origin_s, mean_s = float(here_s.mean()), float(there_s.mean())
    from_mean_s = here_s - origin_s
    spread = float((from_mean_s**2).sum())
    rate = float((from_mean_s * (there_s - mean_s)).sum()) / spread if spread else 1.0
    return Line(origin_s, mean_s, rate)


def match_trains(here_s: np.ndarray, there_s: np.ndarray) -> tuple[Match | None, bool]:
    """Find out which edges of two almost regular trains belong together.

    Parameters
    ----------
    here_s, there_s : array (n,), (m,)
        Times of edges in order, each on its own clock, s.  In either, edges may be missing or too many.

    Returns
    -------
    Match or None
        The best one.
    bool
        Whether it is certain.
    """
    period_s = float(np.median(np.diff(here_s)))
    found: list[Match] = []
    for place in PLACES:
        for line in candidates(here_s, there_s, int(place * (len(here_s) - 1)), period_s):
            found.append(followed(here_s, there_s, line, period_s))
        found.sort(key=Match.in_deviations, reverse=True)
        if is_certain(found, period_s):
            return found[0], True
    return (found[0] if found else None), False


def is_certain(found: list[Match], period_s: float) -> bool:
    """Return whether the first match, the best, is right beyond doubt: it is good, and any other one is worse."""
    if not found or len(found[0].here) < LEAST_EDGES or abs(found[0].line.rate - 1) > MOST_DRIFT:
        return False
    best = found[0]
    others = [match for match in found[1:] if not is_same(best, match, period_s)]
    next_best = max((match.agreement for match in others), default=0.0)
    above = (best.agreement - next_best) * math.sqrt(len(best.here) - 4)
    return best.in_deviations() >= CERTAIN and above >= CLEAR


def is_same(one: Match, other: Match, period_s: float) -> bool:
    """Return whether two matches mean the same shift."""
    middle_s = np.array([one.line.origin_here_s])
    return bool(abs(one.line.there_s(middle_s) - other.line.there_s(middle_s))[0] < period_s / 2)


def candidates(here_s: np.ndarray, there_s: np.ndarray, middle: int, period_s: float) -> list[Line]:
    """Return the best lines that bring a window around one edge to some edge of the other train."""
    origins_s, rates = there_s, np.ones(len(there_s))
    for width, kept in STAGES:
        window_s = here_s[max(0, middle - width // 2) : middle + width // 2] - here_s[middle]
        step = max(1, AT_ONCE // len(window_s))
        tried = [
            tried_on(there_s, window_s, origins_s[start : start + step], rates[start : start + step], period_s / 4)
            for start in range(0, len(origins_s), step)
        ]
        rms_s, origins_s, rates = (np.concatenate(parts) for parts in zip(*tried, strict=True))
        best = np.argsort(rms_s, kind="stable")[:kept]
        best = best[rms_s[best] < np.inf]
        origins_s, rates = origins_s[best], rates[best]
        if not len(best):
            return []
    return [
        Line(float(here_s[middle]), origin, rate)
        for origin, rate in zip(origins_s.tolist(), rates.tolist(), strict=True)
    ]


def tried_on(
    there_s: np.ndarray, window_s: np.ndarray, origins_s: np.ndarray, rates: np.ndarray, most_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring a window to other places and fit it there; return the rms (s), and the better origins (s) and rates."""
    expected_s = origins_s[:, None] + rates[:, None] * window_s
    off_s = there_s[nearest(there_s, expected_s)] - expected_s
    near = np.abs(off_s) <= most_s
    shift_s, rate = rows_fitted(window_s, off_s, near)
    left_s = np.abs(off_s - shift_s[:, None] - rate[:, None] * window_s)
    near &= left_s <= OUTLIER * np.median(left_s, axis=1)[:, None]  # a missing edge may have a glitch as its partner
    shift_s, rate = rows_fitted(window_s, off_s, near)
    left_s = off_s - shift_s[:, None] - rate[:, None] * window_s
    n = near.sum(axis=1)
    rms_s = np.sqrt((np.where(near, left_s, 0) ** 2).sum(axis=1) / np.maximum(n, 1))
    rms_s[(n < LEAST_SHARE * len(window_s)) | (np.abs(rates + rate - 1) > 4 * MOST_DRIFT)] = np.inf
    return rms_s, origins_s + shift_s, rates + rate


def rows_fitted(window_s: np.ndarray, off_s: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line to each row of offsets (n, w), to those that are near; return shifts (n,), s, and slopes (n,)."""
    count = np.maximum(near.sum(axis=1), 1)
    off_s, at_s = np.where(near, off_s, 0), np.where(near, window_s, 0)
    mean_off, mean_at = off_s.sum(axis=1) / count, at_s.sum(axis=1) / count
    spread = (at_s**2).sum(axis=1) / count - mean_at**2
    shared = (at_s * off_s).sum(axis=1) / count - mean_at * mean_off
    slope = np.divide(shared, spread, out=np.zeros(len(count)), where=spread > 0)
    return mean_off - slope * mean_at, slope


def followed(here_s: np.ndarray, there_s: np.ndarray, line: Line, period_s: float) -> Match:
    """Follow a line from where it was found to the ends of both trains, and say how well the trains agree."""
    middle_s, reach_s = line.origin_here_s, STAGES[0][0] / 2 * period_s
    while True:
        within = np.flatnonzero(np.abs(here_s - middle_s) <= reach_s)
        here, there = partners(line.there_s(here_s[within]), there_s, period_s / 4)
        here = within[here]
        if len(here) < 2:
            return Match(here, there, line, 0.0)
        line = fitted(here_s[here], there_s[there])
        if len(within) == len(here_s):
            return Match(here, there, line, agreement(here_s[here], there_s[there] / line.rate, period_s))
        reach_s *= 2


def agreement(here_s: np.ndarray, there_s: np.ndarray, period_s: float) -> float:
    """Return how far the intervals of matched edges agree, see `Match`; 0 where they are too regular to tell."""
    one, other = from_period(np.diff(here_s), period_s), from_period(np.diff(there_s), period_s)
    if len(one) < LEAST_EDGES or min(one.std(), other.std()) < LEAST_JITTER_S:
        return 0.0
    return math.atanh(min(0.999999, float(np.corrcoef(one, other)[0, 1])))


def from_period(intervals_s: np.ndarray, period_s: float) -> np.ndarray:
    """Return how far intervals are from whole periods, s; no single one counts for more than a few usual ones."""
    off_s = intervals_s - period_s * np.round(intervals_s / period_s)
    off_s = off_s - np.median(off_s)
    usual_s = 1.5 * float(np.median(np.abs(off_s)))
    return np.clip(off_s, -3 * usual_s, 3 * usual_s)
