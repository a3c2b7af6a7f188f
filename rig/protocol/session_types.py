"""What each session type means: the experiment and its control arms.

A new session type is a member of `helper.SessionType`, a row of RULES, and, where it gives water by itself, a source
in FREE_WATER.
"""

import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

from helper import SessionType


class Rules(NamedTuple):
    """What a session type means.

    Attributes
    ----------
    tone : str
        'follows' the signal, 'constant', 'silent', or 'yoked': that of another session.
    ends_trial : bool
        Whether a signal above the threshold ends the trial with success.
    water : bool
        Whether that success is rewarded.
    free_water : str
        Where water comes from whatever the signal does: a name of FREE_WATER, '' for nowhere; 'yoked', as the whole
        course of such a session (`rig.protocol.yoked`), is of another session.
    """

    tone: str
    ends_trial: bool = True
    water: bool = True
    free_water: str = ""


RULES = {
    SessionType.normal_audio_normal_reward: Rules("follows"),
    SessionType.single_audio_normal_reward: Rules("constant"),
    SessionType.no_audio_random_reward: Rules("silent", ends_trial=False, water=False, free_water="random"),
    SessionType.normal_audio_no_reward: Rules("follows", water=False),
    SessionType.no_audio_no_reward: Rules("silent", water=False),
    SessionType.yoked: Rules("yoked", ends_trial=False, water=False, free_water="yoked"),
}


class FreeWater(Protocol):
    """Where rewards come from whatever the signal does."""

    missed: int
    """Rewards that fell into a time without frames."""

    def due(self, time_s: float) -> bool:
        """Return whether a reward falls into the frame at `time_s`; called once for every frame that may pay."""


class NoFreeWater:
    """No reward comes by itself."""

    missed = 0

    def due(self, _time_s: float) -> bool:
        """Return False."""
        return False


class RandomWater:
    """Rewards at random moments: the times between them are exponential, whatever the frame rate.

    A moment that falls into a gap is missed: rewards never come in a burst after it.

    Parameters
    ----------
    per_min : float
        Mean rate, 1/min.
    seed : int or None
    frame_period_s : float
        A reward is at most two periods late.
    """

    def __init__(self, per_min: float, seed: int | None, frame_period_s: float) -> None:
        self._per_s, self._latest_s = per_min / 60, 2 * frame_period_s
        self._random = random.Random(seed)
        self._next_s: float | None = None
        self.missed = 0

    def due(self, time_s: float) -> bool:
        """Return whether a reward falls into the frame at `time_s`."""
        if self._per_s == 0:
            return False
        if self._next_s is None:
            self._next_s = time_s + self._random.expovariate(self._per_s)
        is_due = False
        while self._next_s <= time_s:
            in_time = time_s - self._next_s <= self._latest_s
            self.missed += is_due or not in_time
            is_due = is_due or in_time
            self._next_s += self._random.expovariate(self._per_s)
        return is_due


FREE_WATER: dict[str, Callable[[float, int | None, float], FreeWater]] = {
    "": lambda _per_min, _seed, _frame_period_s: NoFreeWater(),
    "random": RandomWater,
}
