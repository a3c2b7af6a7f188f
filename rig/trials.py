"""Trials, delays, adaptive threshold, audio schedule, session types.

Nothing here reads a clock: time is the time of the frames, so a recording replayed gives the same trials.
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helper import LOWEST_TONE_HZ, SessionType
from rig.settings import RigSettings
from rig.tones import tone_index

FAIL, NONE, SUCCESS = -1, 0, 1
EPOCH_S = 30.0


class Interval:
    """Tells when an interval is over: at the frame nearest to its end, whatever the jitter of the camera."""

    def __init__(self, frame_period_s: float) -> None:
        self._tolerance_s = frame_period_s / 2

    def over(self, since_s: float, duration_s: float, now_s: float) -> bool:
        """Return whether `duration_s` has passed between `since_s` and `now_s`."""
        return now_s - since_s > duration_s - self._tolerance_s


class DelayLine:
    """Gives back the signal of some time ago.

    Parameters
    ----------
    delay_s : float
        How long ago.
    frame_period_s : float
        The signal of the frame nearest in time is given back.
    """

    def __init__(self, delay_s: float, frame_period_s: float) -> None:
        self._delay_s = delay_s
        self._interval = Interval(frame_period_s)
        self._waiting: deque[tuple[float, float]] = deque()
        self._value = 0.0

    def push(self, time_s: float, value: float) -> float:
        """Take the signal of now, and return the signal of `delay_s` ago; 0 before there was any."""
        self._waiting.append((time_s, value))
        while self._waiting and self._interval.over(self._waiting[0][0], self._delay_s, time_s):
            self._value = self._waiting.popleft()[1]
        return self._value


class Stillness:
    """Tells whether something has been still for a while.

    Parameters
    ----------
    window_s : float
        How long.
    limit : float
        The mean speed over the window lies below.
    frame_period_s : float
    """

    def __init__(self, window_s: float, limit: float, frame_period_s: float) -> None:
        self._window_s, self._limit = window_s, limit
        self._interval = Interval(frame_period_s)
        self._speeds: deque[tuple[float, float]] = deque()

    def push(self, time_s: float, speed: float) -> bool:
        """Take the speed of now; return whether it is still. Never before the window is full."""
        self._speeds.append((time_s, speed))
        is_full = self._interval.over(self._speeds[0][0], self._window_s, time_s)
        while len(self._speeds) > 1 and self._interval.over(self._speeds[0][0], self._window_s, time_s):
            self._speeds.popleft()
        return is_full and math.fsum(speed for _, speed in self._speeds) < self._limit * len(self._speeds)


class AdaptiveThreshold:
    """Follows the mouse: every 30 s, more than one reward raises the threshold, none lowers it.

    Parameters
    ----------
    value : float
        The threshold at the start, in the unit of the signal.
    step : float
        0.002 ΔF/F in CLNF, 2 px/frame in CLMF.
    floor : float
        It never falls below.
    enabled : bool
        Otherwise the threshold stays.
    frame_period_s : float
    """

    def __init__(self, value: float, step: float, floor: float, enabled: bool, frame_period_s: float) -> None:
        self.value = value
        self._step, self._floor, self._enabled = step, floor, enabled
        self._interval = Interval(frame_period_s)
        self._epoch_began_s: float | None = None
        self._rewards = 0

    def update(self, time_s: float, rewarded: bool) -> float:
        """Count the reward of this frame, and return the threshold for the next one."""
        if self._epoch_began_s is None:
            self._epoch_began_s = time_s
        self._rewards += rewarded
        if self._enabled and self._interval.over(self._epoch_began_s, EPOCH_S, time_s):
            change = self._step if self._rewards > 1 else -self._step if self._rewards == 0 else 0.0
            # Nine decimals keep 0.075 + 0.002 at 0.077; a threshold given below the floor stays where it is.
            self.value = round(max(self.value + change, min(self._floor, self.value)), 9)
            self._epoch_began_s, self._rewards = time_s, 0
        return self.value


@dataclass(frozen=True)
class Arm:
    """What a session type means.

    Attributes
    ----------
    tone : str
        'follows' the signal, 'constant' or 'silent'.
    crossing_counts : bool
        Whether a signal above the threshold ends the trial.
    water : bool
        Whether that success is rewarded.
    random_water : bool
        Whether water comes at random instead.
    """

    tone: str
    crossing_counts: bool = True
    water: bool = True
    random_water: bool = False

    def tone_hz(self, signal: float, bins: np.ndarray, freqs: dict[int, float]) -> float:
        """Return the tone that the signal plays in this arm, Hz; 0 is silence."""
        if self.tone == "follows":
            return freqs[tone_index(signal, bins)]
        return LOWEST_TONE_HZ if self.tone == "constant" else 0.0


ARMS = {
    SessionType.normal_audio_normal_reward: Arm("follows"),
    SessionType.single_audio_normal_reward: Arm("constant"),
    SessionType.no_audio_random_reward: Arm("silent", crossing_counts=False, water=False, random_water=True),
    SessionType.normal_audio_no_reward: Arm("follows", water=False),
    SessionType.no_audio_no_reward: Arm("silent", water=False),
}


def audio_schedule(total_trials: int, audio: float, seed: int | None) -> list[bool]:
    """Say for each trial whether it has a tone: the share `audio`, rounded, in an order that the seed decides."""
    n_with_tone = math.floor(audio * total_trials + 0.5)
    schedule = [True] * n_with_tone + [False] * (total_trials - n_with_tone)
    random.Random(seed).shuffle(schedule)
    return schedule


class RandomRewards:
    """Free rewards at random moments: the times between them are exponential, whatever the frame rate."""

    def __init__(self, per_min: float, seed: int | None) -> None:
        self._per_s = per_min / 60
        self._random = random.Random(seed)
        self._next_s: float | None = None

    def due(self, time_s: float) -> bool:
        """Return whether a reward falls into the frame at `time_s`."""
        if self._per_s == 0:
            return False
        if self._next_s is None:
            self._next_s = time_s + self._random.expovariate(self._per_s)
        if time_s < self._next_s:
            return False
        self._next_s += self._random.expovariate(self._per_s)
        return True


class Step(NamedTuple):
    """What one frame means for the protocol.

    Attributes
    ----------
    trial : int
        Number of the trial from 1, also on the frame of its outcome; 0 in rest.
    running : bool
        The trial goes on after this frame.
    audio : bool
        The trial goes on, and is one with a tone.
    outcome : int
        SUCCESS or FAIL on the frame that ends a trial, else NONE.
    water : bool
        The mouse is rewarded now.
    goes_dark : bool
        The last rest is over: the light goes off now, and the rest is recorded without it.
    finished : bool
        All is over; the session ends.
    """

    trial: int = 0
    running: bool = False
    audio: bool = False
    outcome: int = NONE
    water: bool = False
    goes_dark: bool = False
    finished: bool = False

    @property
    def reward(self) -> int:
        """Return what the log's column says: -1 failure, 1 success or a free reward, else 0."""
        return SUCCESS if self.water else self.outcome


class Trials:
    """Rest, trial, outcome, rest: where the session stands.

    The first frame begins the initial rest.  A trial starts on the first frame after the rest at which it
    may, and ends with success on a frame on which the signal has crossed, or with failure when
    `max_trial_dur` is over.  The session type decides what a crossing means and whether water flows.

    Parameters
    ----------
    settings : RigSettings
    seed : int or None
        Decides the order of silent trials and the moments of random rewards.

    Attributes
    ----------
    kind : str
        The session type.
    arm : Arm
        What the session type means.
    """

    def __init__(self, settings: RigSettings, seed: int | None) -> None:
        self.kind = settings.session_type.name
        self.arm = ARMS[settings.session_type]
        self._total = settings.total_trials
        self._max_trial_dur = settings.max_trial_dur
        self._rest_after = {SUCCESS: settings.success_rest_dur, FAIL: settings.fail_rest_dur}
        self._rest_dur = settings.initial_rest_dur
        self._schedule = audio_schedule(settings.total_trials, settings.audio, seed)
        self._random_rewards = RandomRewards(settings.random_reward_per_min if self.arm.random_water else 0.0, seed)
        self._interval = Interval(settings.frame_period_s())
        self._tail_dur = settings.tail_dur
        self._n_started = 0
        self._in_trial = self._waits = self._is_dark = False
        self._since_s: float | None = None  # the rest, trial or tail began

    def step(self, time_s: float, crossed: bool, may_pay: bool = True, may_start: bool = True) -> Step:
        """Take the next frame.

        Parameters
        ----------
        time_s : float
            Time of the frame.
        crossed : bool
            The signal is above the threshold.
        may_pay : bool
            A success or a free reward may fall on this frame; not when its decision comes too late.
        may_start : bool
            A trial may begin with this frame.
        """
        if self._since_s is None:
            self._since_s = time_s
        step = self._protocol(time_s, self._since_s, crossed and may_pay, may_start)
        is_over = self._is_dark or step.finished
        if step.outcome == NONE and not is_over and may_pay and self._random_rewards.due(time_s):
            return step._replace(water=True)
        return step

    def _protocol(self, time_s: float, since_s: float, crossed: bool, may_start: bool) -> Step:
        if not self._in_trial:
            if not self._interval.over(since_s, self._rest_dur, time_s):
                return Step()
            if self._n_started == self._total:
                return self._go_dark(time_s)
            self._waits = not may_start
            if self._waits:
                return Step()
            self._in_trial, self._since_s = True, time_s
            self._n_started += 1
            since_s = time_s
        success = crossed and self.arm.crossing_counts
        if success or self._interval.over(since_s, self._max_trial_dur, time_s):
            return self._end(time_s, SUCCESS if success else FAIL)
        return Step(self._n_started, running=True, audio=self._schedule[self._n_started - 1])

    def _go_dark(self, time_s: float) -> Step:
        """After the last rest: record the tail without light, then finish."""
        if self._is_dark or self._tail_dur == 0:
            return Step(finished=True)
        self._is_dark, self._since_s, self._rest_dur = True, time_s, self._tail_dur
        return Step(goes_dark=True)

    def _end(self, time_s: float, outcome: int) -> Step:
        self._in_trial, self._since_s = False, time_s
        self._rest_dur = self._rest_after[outcome]
        return Step(self._n_started, outcome=outcome, water=outcome == SUCCESS and self.arm.water)

    def describe(self, step: Step) -> str:
        """Say where the session stands after this step."""
        if step.running:
            return f"trial {step.trial} of {self._total}"
        done = f"{self._n_started} of {self._total} trials done"
        if self._is_dark:
            return f"light off, {done}"
        return f"waiting for the paw, {done}" if self._waits else f"rest, {done}"

    def seconds_left(self, time_s: float) -> float:
        """Return how long the session lasts at most, s: every trial yet to come fails."""
        since_s = time_s if self._since_s is None else self._since_s
        fail_rest = self._rest_after[FAIL]
        to_come = (self._total - self._n_started) * (self._max_trial_dur + fail_rest)
        now_lasts = self._max_trial_dur + fail_rest if self._in_trial else self._rest_dur
        tail = 0.0 if self._is_dark else self._tail_dur
        return max(0.0, now_lasts - (time_s - since_s)) + to_come + tail


class Baseline:
    """In place of `Trials`: the session runs for some time without trials, tone and water.

    Parameters
    ----------
    seconds : float
        How long.
    frame_period_s : float
    """

    kind = "baseline"
    arm = Arm("silent", crossing_counts=False, water=False)

    def __init__(self, seconds: float, frame_period_s: float) -> None:
        self._seconds = seconds
        self._interval = Interval(frame_period_s)
        self._began_s: float | None = None

    def step(self, time_s: float, _crossed: bool, may_pay: bool = True) -> Step:  # noqa: ARG002 - as `Trials`
        """Take the next frame."""
        if self._began_s is None:
            self._began_s = time_s
        return Step(finished=self._interval.over(self._began_s, self._seconds, time_s))

    def describe(self, _step: Step) -> str:
        """Say where the session stands."""
        return "baseline"

    def seconds_left(self, time_s: float) -> float:
        """Return how long the baseline still lasts, s."""
        return self._seconds - (time_s - (self._began_s or time_s))


def open_trials(settings: RigSettings, seed: int | None, baseline_s: float | None) -> Trials | Baseline:
    """Return the trials of a session, or the baseline where one is asked for."""
    return Trials(settings, seed) if baseline_s is None else Baseline(baseline_s, settings.frame_period_s())
