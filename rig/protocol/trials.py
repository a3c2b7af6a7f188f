"""Trials: rest, trial, outcome, rest; and the baseline, which has none.

Nothing here reads a clock: time is the time of the frames, so a recording replayed gives the same trials.
"""

import math
import random
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from helper import SessionType, get_freqs
from rig.protocol.delays import Interval, PausingClock
from rig.protocol.session_types import FREE_WATER, RULES
from rig.protocol.tones import tone_of

FAIL, NONE, SUCCESS = -1, 0, 1


@dataclass(frozen=True)
class Plan:
    """What a session is to be; every duration in s.

    Attributes
    ----------
    session_type : SessionType
    total_trials, n_tones : int
    max_trial_dur, initial_rest_dur, success_rest_dur, fail_rest_dur, tail_dur : float
    audio : float
        Share of the trials that have a tone.
    random_reward_per_min : float
        Rate of free rewards, where the session type gives them at random.
    frame_period_s : float
    seed : int or None
        Decides the order of silent trials and the moments of random rewards.
    waits_for : str
        What a trial may have to wait for before it begins, in words; '' where it never waits.
    """

    session_type: SessionType
    total_trials: int
    max_trial_dur: float
    initial_rest_dur: float
    success_rest_dur: float
    fail_rest_dur: float
    tail_dur: float
    audio: float
    n_tones: int
    random_reward_per_min: float
    frame_period_s: float
    seed: int | None
    waits_for: str = ""


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
        The mouse has earned a reward, or gets a free one.
    goes_dark : bool
        The last rest is over: the light goes off now, and the rest is recorded without it.
    paused : bool
        The session pauses: the rest stands still.
    time_s : float
        The clock of the trials: the time of the frames without the pauses, s.
    crossed : bool
        What the protocol was given: the signal is above the threshold.
    idle : bool
        The rest is over, and no trial has begun: it waits, or the session records its dark tail.
    missed : bool
        A reward of this moment was missed; only in a yoked session.
    """

    trial: int = 0
    running: bool = False
    audio: bool = False
    outcome: int = NONE
    water: bool = False
    goes_dark: bool = False
    paused: bool = False
    time_s: float = 0.0
    crossed: bool = False
    idle: bool = False
    missed: bool = False


class Course(Protocol):
    """What decides about each frame: the trials of a session, or a baseline.

    Attributes
    ----------
    session_type : str
        As the log and the summary call it.
    """

    session_type: str

    def pause(self, wanted: bool) -> bool:
        """Pause, or go on, from the next frame; return whether this course can pause.

        A trial that runs is finished first.  In a pause no trial begins, nothing is earned, and the rest stands still.
        """

    @property
    def missed_rewards(self) -> int:
        """Free rewards that fell into a time without frames, or with frames that came too late."""

    def is_over(self, time_s: float) -> bool:
        """Return whether the session has ended before the frame at `time_s`."""

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

    def tone_hz(self, step: Step, signal: float, bins: np.ndarray) -> float:
        """Return the tone that the signal plays in this step, Hz; 0 is silence."""

    def describe(self, step: Step) -> str:
        """Say where the session stands after this step."""

    def seconds_left(self, time_s: float) -> float:
        """Return how long the session lasts at most, s."""


class Trials:
    """Rest, trial, outcome, rest: where the session stands; see `Course`.

    The first frame begins the initial rest.  A trial starts on the first frame after the rest at which it may, and ends
    with success on a frame on which the signal has crossed, or with failure when `max_trial_dur` is over.  The session
    type decides what a crossing means and whether water flows.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self.session_type = plan.session_type.name
        self._plan, self._rules = plan, RULES[plan.session_type]
        self._rest_after = {SUCCESS: plan.success_rest_dur, FAIL: plan.fail_rest_dur}
        self._rest_dur = plan.initial_rest_dur
        self._has_tone = audio_schedule(plan.total_trials, plan.audio, plan.seed)
        self._freqs = get_freqs(plan.n_tones)
        self._free_water = FREE_WATER[self._rules.free_water](
            plan.random_reward_per_min, plan.seed, plan.frame_period_s
        )
        self._interval = Interval(plan.frame_period_s)
        self._n_started = 0
        self._in_trial = self._waits = self._is_dark = self._is_to_pause = False
        self._clock = PausingClock()
        self._since_s: float | None = None  # the rest, trial or tail began

    def pause(self, wanted: bool) -> bool:
        self._is_to_pause = wanted
        return True

    def is_over(self, time_s: float) -> bool:
        return not self._pauses() and self._is_over(self._clock.at(time_s))

    def step(self, time_s: float, crossed: bool, may_pay: bool = True, may_start: bool = True) -> Step:
        now_s, paused = self._clock.tick(time_s, self._pauses()), self._pauses()
        if self._since_s is None:
            self._since_s = now_s
        if paused:
            return Step(paused=True, time_s=now_s, crossed=crossed)
        step = self._protocol(now_s, self._since_s, crossed and may_pay, may_start)
        step = step._replace(time_s=now_s, crossed=crossed, idle=self._waits or self._is_dark)
        if step.outcome == NONE and not self._is_dark and may_pay and self._free_water.due(now_s):
            return step._replace(water=True)
        return step

    @property
    def missed_rewards(self) -> int:
        return self._free_water.missed

    def tone_hz(self, step: Step, signal: float, bins: np.ndarray) -> float:
        if not step.audio:
            return 0.0
        return tone_of(self._rules, signal, bins, self._freqs)

    def describe(self, step: Step) -> str:
        if step.running:
            return f"trial {step.trial} of {self._plan.total_trials}{', then a pause' * self._is_to_pause}"
        done = f"{self._n_started} of {self._plan.total_trials} trials done"
        if step.paused:
            return f"PAUSED, {done}"
        if self._is_dark:
            return f"light off, {done}"
        return f"waiting for {self._plan.waits_for}, {done}" if self._waits else f"rest, {done}"

    def seconds_left(self, time_s: float) -> float:
        """Return how long the session lasts at most, s: every trial yet to come fails."""
        now_s = self._clock.at(time_s)
        since_s = now_s if self._since_s is None else self._since_s
        a_failure_s = self._plan.max_trial_dur + self._plan.fail_rest_dur
        to_come_s = (self._plan.total_trials - self._n_started) * a_failure_s
        now_lasts_s = a_failure_s if self._in_trial else self._rest_dur
        tail_s = 0.0 if self._is_dark else self._plan.tail_dur
        return max(0.0, now_lasts_s - (now_s - since_s)) + to_come_s + tail_s

    def _pauses(self) -> bool:
        return self._is_to_pause and not self._in_trial

    def _is_over(self, now_s: float) -> bool:
        if self._since_s is None or self._in_trial or self._n_started < self._plan.total_trials:
            return False
        is_last_part = self._is_dark or self._plan.tail_dur == 0
        return is_last_part and self._interval.over(self._since_s, self._rest_dur, now_s)

    def _protocol(self, time_s: float, since_s: float, crossed: bool, may_start: bool) -> Step:
        if not self._in_trial:
            if not self._interval.over(since_s, self._rest_dur, time_s):
                return Step()
            if self._n_started == self._plan.total_trials:
                return self._go_dark(time_s)
            self._waits = not may_start
            if self._waits:
                return Step()
            self._in_trial, self._since_s = True, time_s
            self._n_started += 1
            since_s = time_s
        success = crossed and self._rules.ends_trial
        if success or self._interval.over(since_s, self._plan.max_trial_dur, time_s):
            return self._end(time_s, SUCCESS if success else FAIL)
        return Step(self._n_started, running=True, audio=self._has_tone[self._n_started - 1])

    def _go_dark(self, time_s: float) -> Step:
        """After the last rest: record the tail without light."""
        if self._is_over(time_s):
            return Step()
        self._is_dark, self._since_s, self._rest_dur = True, time_s, self._plan.tail_dur
        return Step(goes_dark=True)

    def _end(self, time_s: float, outcome: int) -> Step:
        self._in_trial, self._since_s = False, time_s
        self._rest_dur = self._rest_after[outcome]
        return Step(self._n_started, outcome=outcome, water=outcome == SUCCESS and self._rules.water)


class Baseline:
    """The session runs for some time without trials, tone and water; see `Course`.

    Parameters
    ----------
    seconds : float
        How long.
    frame_period_s : float
    """

    session_type = "baseline"
    missed_rewards = 0

    def __init__(self, seconds: float, frame_period_s: float) -> None:
        self._seconds = seconds
        self._interval = Interval(frame_period_s)
        self._began_s: float | None = None

    def pause(self, wanted: bool) -> bool:  # noqa: ARG002 - there is nothing between trials
        return False

    def is_over(self, time_s: float) -> bool:
        return self._interval.over(self._since(time_s), self._seconds, time_s)

    def step(self, time_s: float, crossed: bool, may_pay: bool = True, may_start: bool = True) -> Step:  # noqa: ARG002
        self._began_s = self._since(time_s)
        return Step()

    def tone_hz(self, _step: Step, _signal: float, _bins: np.ndarray) -> float:
        return 0.0

    def describe(self, _step: Step) -> str:
        return "baseline"

    def seconds_left(self, time_s: float) -> float:
        return self._seconds - (time_s - self._since(time_s))

    def _since(self, time_s: float) -> float:
        return time_s if self._began_s is None else self._began_s


def open_course(plan: Plan, baseline_s: float | None = None) -> Course:
    """Return the trials of a session, or a baseline of `baseline_s` seconds where one is asked for."""
    return Trials(plan) if baseline_s is None else Baseline(baseline_s, plan.frame_period_s)


def audio_schedule(total_trials: int, audio: float, seed: int | None) -> list[bool]:
    """Say for each trial whether it has a tone: the share `audio`, rounded, in an order that the seed decides."""
    n_with_tone = math.floor(audio * total_trials + 0.5)
    schedule = [True] * n_with_tone + [False] * (total_trials - n_with_tone)
    random.Random(seed).shuffle(schedule)
    return schedule
