"""A yoked session: trials, tones and rewards of another session at its times, whatever this mouse does.

Nothing here reads a clock or a file: the score of the other session is given, and time is the time of the frames.
"""

from typing import NamedTuple

import numpy as np

from helper import SessionType
from rig.protocol.delays import Interval, PausingClock
from rig.protocol.trials import NONE, Course, Plan, Step, open_course

MAY_BE_LATE = 2  # frames, for a reward, as a random one


class Moment(NamedTuple):
    """What holds from a time on, until the next moment; outcome and water are of this time only.

    Attributes
    ----------
    time_s : float
        Since the first frame of the session.
    trial : int
        Number of the trial, also at its outcome; 0 in rest.
    hz : float
        The tone; 0 is silence.
    outcome : int
        SUCCESS or FAIL where a trial ends, else NONE.
    water : bool
        A reward was given.
    """

    time_s: float
    trial: int
    hz: float
    outcome: int
    water: bool


class Score(NamedTuple):
    """What a session is yoked to: the moments of another one, in order of time, and when its last rest was over, s."""

    moments: tuple[Moment, ...]
    end_s: float


class Yoked:
    """The trials, tones and rewards of a score; see `rig.protocol.trials.Course`.

    Time is mapped from the first frame on, so the two frame rates may differ: a moment is played on the frame nearest
    to it.  Each outcome and each reward is played once, on a frame of its own.  A reward that falls into a gap, or on
    frames that come too late, is missed; the outcome of its trial stands all the same.  In a pause the score stands
    still.

    Parameters
    ----------
    plan : Plan
    score : Score
    """

    session_type = SessionType.yoked.name

    def __init__(self, plan: Plan, score: Score) -> None:
        self._plan, self._score = plan, score
        self._interval = Interval(plan.frame_period_s)
        self._latest_s = (MAY_BE_LATE + 0.5) * plan.frame_period_s
        self._clock = PausingClock()
        self._began_s: float | None = None
        self._n_played = self._n_started = 0
        self._trial, self._hz = 0, 0.0
        self._is_to_pause = self._is_dark = False
        self.missed_rewards = 0

    def pause(self, wanted: bool) -> bool:
        self._is_to_pause = wanted
        return True

    def is_over(self, time_s: float) -> bool:
        tail_s = self._plan.tail_dur
        return not self._pauses() and self._has_ended(self._since_first(self._clock.at(time_s)) - tail_s)

    def step(self, time_s: float, crossed: bool, may_pay: bool = True, may_start: bool = True) -> Step:  # noqa: ARG002
        now_s, paused = self._clock.tick(time_s, self._pauses()), self._pauses()
        if self._began_s is None:
            self._began_s = now_s
        if paused:
            return Step(paused=True, time_s=now_s, crossed=crossed)
        since_s = self._since_first(now_s)
        step = self._play(since_s, may_pay)
        goes_dark = self._plan.tail_dur > 0 and not self._is_dark and self._has_ended(since_s)
        self._is_dark = self._is_dark or goes_dark
        return step._replace(time_s=now_s, goes_dark=goes_dark, crossed=crossed, idle=self._is_dark)

    def tone_hz(self, step: Step, _signal: float, _bins: np.ndarray) -> float:
        return self._hz if step.running else 0.0

    def describe(self, step: Step) -> str:
        if step.running:
            return f"trial {step.trial} of {self._plan.total_trials}{', then a pause' * self._is_to_pause}"
        done = f"{self._n_started} of {self._plan.total_trials} trials done"
        where = "PAUSED" if step.paused else "light off" if self._is_dark else "rest"
        return f"{where}, {done}"

    def seconds_left(self, time_s: float) -> float:
        since_s = self._since_first(self._clock.at(time_s))
        return max(0.0, self._score.end_s + self._plan.tail_dur - since_s)

    def _pauses(self) -> bool:
        return self._is_to_pause and not self._trial

    def _since_first(self, now_s: float) -> float:
        return 0.0 if self._began_s is None else now_s - self._began_s

    def _has_ended(self, since_s: float) -> bool:
        """Return whether the score is over, and everything in it was played."""
        is_played = self._n_played == len(self._score.moments)
        return is_played and self._interval.over(0.0, self._score.end_s, since_s)

    def _play(self, since_s: float, may_pay: bool) -> Step:
        """Play the moments up to now, but not more than one outcome or reward."""
        while self._n_played < len(self._score.moments):
            moment = self._score.moments[self._n_played]
            is_late = since_s - moment.time_s > self._latest_s
            may_wait = moment.water and not may_pay and not is_late
            if may_wait or not self._interval.over(0.0, moment.time_s, since_s):
                break
            self._n_played += 1
            self._n_started = max(self._n_started, moment.trial)
            self._trial, self._hz = (moment.trial, moment.hz) if moment.outcome == NONE else (0, 0.0)
            if moment.outcome != NONE or moment.water:
                return self._pay(moment, may_pay and not is_late)
        return self._state()

    def _pay(self, moment: Moment, may_pay: bool) -> Step:
        """Return the step of an outcome or a reward; count the reward as missed where it may not be paid."""
        missed = moment.water and not may_pay
        self.missed_rewards += missed
        step = self._state()._replace(trial=moment.trial, outcome=moment.outcome)
        return step._replace(water=moment.water and may_pay, missed=missed)

    def _state(self) -> Step:
        return Step(self._trial, running=self._trial > 0, audio=self._hz > 0)


def course_of(plan: Plan, baseline_s: float | None, score: Score | None) -> Course:
    """Return what decides about a session: a yoked one where there is a score, else trials or a baseline."""
    return open_course(plan, baseline_s) if score is None or baseline_s is not None else Yoked(plan, score)
