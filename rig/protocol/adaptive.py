"""The adaptive threshold: it follows what the mouse earns."""

from dataclasses import dataclass
from typing import Protocol

from rig.protocol.delays import Interval
from rig.protocol.trials import FAIL, SUCCESS

EPOCH_S = 30.0
LOWEST_TARGET, HIGHEST_TARGET = 0.2, 0.95


class Threshold(Protocol):
    """A threshold that may follow what the mouse earns."""

    value: float
    """The threshold now, in the unit of the signal."""

    def update(self, time_s: float, reward: int) -> float:
        """Heed the `reward` column of this frame (1 success, -1 failure); return the threshold for the next frame."""


@dataclass(frozen=True)
class Staircase:
    """The wish for a threshold at which this share of the trials ends with success.

    Raises
    ------
    ValueError
        The target is not between LOWEST_TARGET and HIGHEST_TARGET.
    """

    target: float

    def __post_init__(self) -> None:
        if not LOWEST_TARGET <= self.target <= HIGHEST_TARGET:
            raise ValueError(
                f"the target of a staircase is a success rate from {LOWEST_TARGET} to {HIGHEST_TARGET}, "
                "as in staircase:0.7"
            )

    def __str__(self) -> str:
        return f"staircase:{self.target:g}"


def open_threshold(
    rule: bool | Staircase, value: float, frame_period_s: float, *, step: float
) -> "FixedThreshold | AdaptiveThreshold | StaircaseThreshold":
    """Return the threshold that follows a rule.

    Parameters
    ----------
    rule : bool or Staircase
        The setting adaptive_threshold: False leaves it where it is, True is the published rule.
    value : float
        The threshold at the start, in the unit of the signal.
    frame_period_s : float
    step : float
        By how much it rises and falls, 0.002 ΔF/F in CLNF, 2 px/frame in CLMF; it never falls below one step.
    """
    if isinstance(rule, Staircase):
        return StaircaseThreshold(value, rule.target, step=step)
    return AdaptiveThreshold(value, frame_period_s, step=step) if rule else FixedThreshold(value)


class FixedThreshold:
    """A threshold that stays."""

    def __init__(self, value: float) -> None:
        self.value = value

    def update(self, time_s: float, reward: int) -> float:  # noqa: ARG002 - whatever happens
        """Return the threshold."""
        return self.value


class AdaptiveThreshold:
    """Every 30 s, more than one reward raises the threshold, and none lowers it (Gupta & Murphy, eLife 105070)."""

    def __init__(self, value: float, frame_period_s: float, *, step: float) -> None:
        self.value = value
        self._step = step
        self._interval = Interval(frame_period_s)
        self._epoch_began_s: float | None = None
        self._rewards = 0

    def update(self, time_s: float, reward: int) -> float:
        """Count a reward, and move the threshold at the end of an epoch."""
        if self._epoch_began_s is None:
            self._epoch_began_s = time_s
        self._rewards += reward == SUCCESS
        if self._interval.over(self._epoch_began_s, EPOCH_S, time_s):
            change = self._step if self._rewards > 1 else -self._step if self._rewards == 0 else 0.0
            self.value = moved(self.value, change, self._step)
            self._epoch_began_s, self._rewards = time_s, 0
        return self.value


class StaircaseThreshold:
    """Every success raises the threshold a little, every failure lowers it.

    Weighted up-down (Kaernbach, Perception & Psychophysics 1991): the steps are in the ratio at which they cancel when
    the target share of the trials succeeds: up 4 step (1 - target), down 4 step target.
    """

    def __init__(self, value: float, target: float, *, step: float) -> None:
        self.value = value
        self._changes = {SUCCESS: 4 * step * (1 - target), FAIL: -4 * step * target}
        self._step = step

    def update(self, time_s: float, reward: int) -> float:  # noqa: ARG002 - trials count, not time
        """Move the threshold at the end of a trial."""
        if reward in self._changes:
            self.value = moved(self.value, self._changes[reward], self._step)
        return self.value


def moved(value: float, change: float, step: float) -> float:
    """Return a threshold after a change; it never falls below one step, and one that was given below it stays."""
    return round(max(value + change, min(step, value)), 9)  # nine decimals keep 0.075 + 0.002 at 0.077
