import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helper import SessionType, get_freqs
from rig.protocol.adaptive import Staircase, open_threshold
from rig.protocol.delays import DelayLine
from rig.protocol.session_types import FREE_WATER, RULES, RandomWater
from rig.protocol.tones import get_bins
from rig.protocol.trials import FAIL, NONE, SUCCESS, Baseline, Plan, Step, Trials, audio_schedule

DURATIONS = {"initial_rest_dur": 2, "max_trial_dur": 3, "success_rest_dur": 1, "fail_rest_dur": 1.5, "total_trials": 3}


@pytest.fixture
def trials_of(settings):
    """Make trials from the shipped settings with short durations, at 10 frames/s."""
    return lambda **changes: Trials(settings(**{"framerate": 10, "seed": 0} | DURATIONS | changes).plan())


def play(trials, framerate, crossed_at=(), seconds=60.0, jitter=0.0):
    """Run through frames; return [(frame, step)] up to the end of the session, and whether it came."""
    random = np.random.default_rng(0)
    steps = []
    for n in range(round(seconds * framerate)):
        time_s = 7.0 + n / framerate + jitter * random.uniform(-1, 1) / framerate
        if trials.is_over(time_s):
            return steps, True
        steps.append((n, trials.step(time_s, n in crossed_at)))
    return steps, False


@pytest.mark.parametrize("framerate", [15, 30, 100])
@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_a_session_of_failures_lasts_as_long_as_it_should(trials_of, framerate, jitter):
    steps, is_over = play(trials_of(framerate=framerate), framerate, jitter=jitter)
    assert is_over
    ends = [n for n, step in steps if step.outcome == FAIL]
    # 2 s rest, then 3 s trial and 1.5 s rest, three times over
    assert ends == [pytest.approx(s * framerate, abs=1) for s in (5, 9.5, 14)]
    assert len(steps) == pytest.approx(15.5 * framerate, abs=1), "the last rest is recorded"
    assert [step.trial for n, step in steps if step.outcome] == [1, 2, 3], "the row of the outcome has its trial"


def test_successes_end_trials_and_shorten_rests(trials_of):
    # At 10 frames/s: rest 20 frames; crossing in the rest counts for nothing, in the trial at once.
    steps, is_over = play(trials_of(), 10, crossed_at={5, 19, 25, 35, 36, 80})
    assert is_over
    outcomes = [(n, step.trial, step.outcome) for n, step in steps if step.outcome]
    assert outcomes == [(25, 1, SUCCESS), (35, 2, SUCCESS), (75, 3, FAIL)]
    assert all(step.water == (step.outcome == SUCCESS) for _, step in steps)
    assert all(step.trial == 0 for n, step in steps if n < 20 or 25 < n < 35)
    assert all(step.audio for n, step in steps if 20 <= n < 25)


@given(
    seed=st.integers(0, 10_000),
    rate=st.floats(0, 0.2),
    kind=st.sampled_from([kind for kind in SessionType if kind is not SessionType.yoked]),
    total=st.integers(1, 8),
)
def test_whatever_happens_exactly_total_trials_run(seed, rate, kind, total):
    plan = Plan(
        kind, total, max_trial_dur=3, initial_rest_dur=1, success_rest_dur=0.5, fail_rest_dur=1, tail_dur=0,
        audio=1, n_tones=18, random_reward_per_min=1.8, frame_period_s=0.1, seed=seed,
    )  # fmt: skip
    random, trials = np.random.default_rng(seed), Trials(plan)
    outcomes, starts, previous, n = [], 0, 0, 0
    while not trials.is_over(n / 10):
        step = trials.step(n / 10, bool(random.random() < rate))
        outcomes += [step.trial] if step.outcome != NONE else []
        starts += step.trial != 0 and previous == 0
        previous = step.trial if step.running else 0
        n += 1
        assert n < 5000
    assert outcomes == list(range(1, total + 1))
    assert starts == total


def test_the_end_may_be_asked_for_any_number_of_times(trials_of):
    """Asking changes nothing: the same frames give the same steps."""
    asked, not_asked = trials_of(), trials_of()
    for n in range(100):
        assert [asked.is_over(n / 10) for _ in range(3)] == [False] * 3
        assert asked.step(n / 10, n == 30) == not_asked.step(n / 10, n == 30)


def test_the_tail_is_recorded_in_the_dark_before_the_session_is_over(trials_of):
    trials = trials_of(total_trials=1, tail_dur=2, session_type="no_audio_random_reward", random_reward_per_min=60)
    steps, is_over = play(trials, 10)
    assert is_over
    # 2 s rest, 3 s trial, 1.5 s rest, 2 s tail
    assert [n for n, step in steps if step.goes_dark] == [65]
    assert len(steps) == 85
    assert not any(step.water for n, step in steps if n >= 65), "no free water in the tail"
    assert trials.describe(steps[-1][1]) == "light off, 1 of 1 trials done"


def test_a_trial_waits_until_it_may_start(settings):
    plan = replace(settings(framerate=10, **DURATIONS).plan(), waits_for="the paw")
    trials = Trials(plan)
    steps = [trials.step(n / 10, False, may_start=n >= 40) for n in range(45)]
    assert [n for n, step in enumerate(steps) if step.running] == [40, 41, 42, 43, 44]
    trials = Trials(plan)
    assert trials.describe(trials.step(0.0, False, may_start=False)) == "rest, 0 of 3 trials done"
    assert trials.describe(trials.step(2.0, False, may_start=False)) == "waiting for the paw, 0 of 3 trials done"


def test_a_late_frame_earns_nothing(trials_of):
    trials = trials_of()
    steps = [trials.step(n / 10, crossed=n >= 25, may_pay=n >= 28) for n in range(30)]
    assert [n for n, step in enumerate(steps) if step.outcome == SUCCESS] == [28]
    assert [n for n, step in enumerate(steps) if step.water] == [28]


@pytest.mark.parametrize(
    ("kind", "tone", "crossing", "water"),
    [
        ("normal_audio_normal_reward", "follows", SUCCESS, True),
        ("single_audio_normal_reward", 1000, SUCCESS, True),
        ("no_audio_random_reward", 0, NONE, False),
        ("normal_audio_no_reward", "follows", SUCCESS, False),
        ("no_audio_no_reward", 0, SUCCESS, False),
    ],
)
def test_session_types(trials_of, kind, tone, crossing, water):
    trials = trials_of(session_type=kind, random_reward_per_min=0)
    steps, _ = play(trials, 10, crossed_at={25})
    assert trials.session_type == kind
    assert steps[25][1].outcome == crossing
    assert steps[25][1].water is water
    running = steps[24][1]
    heard = {trials.tone_hz(running, signal, get_bins(0.1, 18)) for signal in (-1.0, 0.05, 1.0)}
    assert heard == ({1000, 4000, get_freqs(18)[17]} if tone == "follows" else {tone})


def test_there_is_no_tone_in_rest_at_an_outcome_or_in_a_silent_trial(trials_of):
    trials = trials_of()
    for step in (Step(), Step(3, outcome=SUCCESS, water=True), Step(3, running=True, audio=False)):
        assert trials.tone_hz(step, 1.0, get_bins(0.1, 18)) == 0.0


def test_every_session_type_has_its_rules():
    assert set(RULES) == set(SessionType)


def test_free_water_of_every_session_type_has_a_source():
    assert {rules.free_water for kind, rules in RULES.items() if kind is not SessionType.yoked} <= FREE_WATER.keys()
    assert not any(FREE_WATER[""](60.0, 1, 1.0).due(float(t)) for t in range(1000)), "no name, no water"


@pytest.mark.parametrize("framerate", [15, 60])
def test_random_rewards_hold_their_rate_at_any_framerate(framerate):
    hours, per_min = 20, 1.8
    rewards = RandomWater(per_min, 3, 1 / framerate)
    count = sum(rewards.due(n / framerate) for n in range(hours * 3600 * framerate))
    expected = per_min * 60 * hours
    assert abs(count - expected) < 4 * expected**0.5, "Poisson: four standard deviations"


def test_random_rewards_can_be_none():
    assert not any(RandomWater(0, 1, 1.0).due(float(t)) for t in range(1000))


def test_random_reward_never_hides_an_outcome(trials_of):
    steps, _ = play(trials_of(session_type="no_audio_random_reward", random_reward_per_min=60), 10)
    assert [step.trial for _, step in steps if step.outcome == FAIL] == [1, 2, 3]
    assert not any(step.water for _, step in steps if step.outcome == FAIL)
    assert sum(step.water for _, step in steps) > 5


@pytest.mark.parametrize("framerate", [10, 15, 33.3, 60, 100])
@pytest.mark.parametrize("delay_s", [0, 0.5, 1, 2.5])
@pytest.mark.parametrize("jitter", [0.0, 0.4])
def test_delay_gives_back_the_frame_nearest_in_time(framerate, delay_s, jitter):
    random = np.random.default_rng(1)
    line, times = DelayLine(delay_s, 1 / framerate), []
    for n in range(500):
        times.append(100 + n / framerate + jitter / framerate / 2 * random.uniform(-1, 1))
        value = line.push(times[-1], float(n))
        if times[-1] - times[0] > delay_s + 1 / framerate:
            error = abs(times[-1] - delay_s - times[int(value)])
            assert error <= 0.51 / framerate + jitter / framerate
        elif times[-1] - times[0] < delay_s - 1 / framerate:
            assert value == 0.0, "no signal is that old yet"


def test_delay_of_one_second_is_framerate_frames():
    line = DelayLine(1.0, 1 / 15)
    assert [line.push(n / 15, n) for n in range(40)] == [0] * 15 + list(range(25))


def adaptive_at_10_hz(value, *, step=0.002, enabled=True):
    return open_threshold(enabled, value, 0.1, step=step)


@pytest.mark.parametrize(
    ("rewards_at", "expected", "why"),
    [
        ((), 0.048, "none lowers"),
        ((1.0,), 0.05, "one leaves it"),
        ((1.0, 2.0), 0.052, "two raise it"),
        ((1.0, 2.0, 3.0, 4.0), 0.052, "four raise it once"),
    ],
)
def test_threshold_after_an_epoch(rewards_at, expected, why):
    threshold = adaptive_at_10_hz(0.05)
    values = [threshold.update(n / 10, int(n / 10 in rewards_at)) for n in range(302)]
    assert values[299] == 0.05, "not before 30 s"
    assert values[300] == expected, why
    assert threshold.value == values[-1]


def test_failures_are_no_rewards():
    threshold = adaptive_at_10_hz(0.05)
    assert [threshold.update(n / 10, FAIL if n in (10, 20, 30) else 0) for n in range(302)][300] == 0.048


def test_threshold_stays_when_disabled():
    assert {adaptive_at_10_hz(0.05, enabled=False).update(t, 0) for t in range(1000)} == {0.05}


def test_threshold_never_falls_below_one_step():
    threshold = adaptive_at_10_hz(0.005)
    assert [threshold.update(30.0 * n, 0) for n in range(6)] == [0.005, 0.003, 0.002, 0.002, 0.002, 0.002]
    of_clmf = adaptive_at_10_hz(5.0, step=2.0)
    assert [of_clmf.update(30.0 * n, 0) for n in range(4)] == [5, 3, 2, 2]


def test_a_threshold_given_below_one_step_stays():
    low = adaptive_at_10_hz(0.001)
    assert [low.update(30.0 * n, 0) for n in range(3)] == [0.001] * 3


@pytest.mark.parametrize("target", [0.3, 0.5, 0.7, 0.9])
def test_a_staircase_finds_the_threshold_at_which_the_target_share_succeeds(target):
    """A mouse whose chance of success falls with the threshold as a logistic curve, around 0.1."""
    chance, rates = np.random.default_rng(0), []
    for start in np.repeat([0.03, 0.1, 0.2], 20):
        threshold = open_threshold(Staircase(target), start, 0.1, step=0.002)
        won = []
        for trial in range(260):
            won.append(chance.random() < 1 / (1 + np.exp((threshold.value - 0.1) / 0.02)))
            threshold.update(trial, SUCCESS if won[-1] else FAIL)
        rates.append(np.mean(won[-140:]))
    assert np.mean(rates) == pytest.approx(target, abs=0.03)
    assert np.std(rates) < 0.06


def test_a_staircase_moves_at_the_end_of_trials_only():
    threshold = open_threshold(Staircase(0.75), 0.1, 0.1, step=0.002)
    assert [threshold.update(n, 0) for n in range(1000)][-1] == 0.1
    assert threshold.update(1000, SUCCESS) == 0.102
    assert threshold.update(1001, FAIL) == 0.096
    assert [threshold.update(n, FAIL) for n in range(40)][-1] == 0.002


@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 1000))
def test_audio_share(total, audio, seed):
    schedule = audio_schedule(total, audio, seed)
    assert len(schedule) == total
    assert abs(sum(schedule) - audio * total) <= 0.5
    assert schedule == audio_schedule(total, audio, seed)


def test_audio_order_depends_on_the_seed():
    assert len({tuple(audio_schedule(20, 0.5, seed)) for seed in range(20)}) > 15


def test_seconds_left_is_an_upper_bound_that_falls(trials_of):
    steps, _ = play(trials_of(), 10, crossed_at={25, 60})
    trials = trials_of()
    left = [trials.seconds_left(7.0)]
    for n in range(len(steps)):
        trials.step(7.0 + n / 10, n in {25, 60})
        left.append(trials.seconds_left(7.0 + n / 10))
    assert left[0] == 2 + 3 * 4.5
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(left))
    assert left[-1] <= 0.2


def test_a_baseline_lasts_as_long_as_it_should_and_has_nothing_in_it():
    baseline = Baseline(5.0, 0.1)
    assert baseline.session_type == "baseline"
    assert baseline.seconds_left(7.0) == 5.0
    steps, is_over = play(baseline, 10, crossed_at=range(50))
    assert (len(steps), is_over) == (50, True)
    assert {step for _, step in steps} == {Step()}
    assert baseline.tone_hz(Step(1, running=True, audio=True), 1.0, get_bins(0.1, 18)) == 0.0
