import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helper import SessionType, get_freqs
from rig.tones import get_bins
from rig.trials import (
    ARMS,
    FAIL,
    NONE,
    SUCCESS,
    AdaptiveThreshold,
    DelayLine,
    RandomRewards,
    Trials,
    audio_schedule,
)

DURATIONS = {"initial_rest_dur": 2, "max_trial_dur": 3, "success_rest_dur": 1, "fail_rest_dur": 1.5, "total_trials": 3}


def play(trials, framerate, crossed_at=(), seconds=60.0, jitter=0.0):
    """Run through frames; return [(frame, step)] up to the end of the session."""
    random = np.random.default_rng(0)
    steps = []
    for n in itertools.count():
        time_s = 7.0 + n / framerate + jitter * random.uniform(-1, 1) / framerate
        step = trials.step(time_s, n in crossed_at)
        if step.finished or n > seconds * framerate:
            break
        steps.append((n, step))
    return steps, step.finished


@pytest.mark.parametrize("framerate", [15, 30, 100])
@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_a_session_of_failures_lasts_what_it_should(settings, framerate, jitter):
    steps, finished = play(Trials(settings(framerate=framerate, **DURATIONS), 0), framerate, jitter=jitter)
    assert finished
    ends = [n for n, step in steps if step.outcome == FAIL]
    # 2 s rest, then 3 s trial and 1.5 s rest, three times over
    assert ends == [pytest.approx(s * framerate, abs=1) for s in (5, 9.5, 14)]
    assert len(steps) == pytest.approx(15.5 * framerate, abs=1), "the last rest is recorded"
    assert [step.trial for n, step in steps if step.outcome] == [1, 2, 3], "the row of the outcome has its trial"


def test_successes_end_trials_and_shorten_rests(settings):
    # At 10 frames/s: rest 20 frames; crossing in the rest counts for nothing, in the trial at once.
    steps, finished = play(Trials(settings(framerate=10, **DURATIONS), 0), 10, crossed_at={5, 19, 25, 35, 36, 80})
    assert finished
    outcomes = [(n, step.trial, step.outcome) for n, step in steps if step.outcome]
    assert outcomes == [(25, 1, SUCCESS), (35, 2, SUCCESS), (75, 3, FAIL)]
    assert all(step.water == (step.outcome == SUCCESS) for _, step in steps)
    assert all(step.trial == 0 for n, step in steps if n < 20 or 25 < n < 35)
    assert all(step.audio for n, step in steps if 20 <= n < 25)


@given(
    seed=st.integers(0, 10_000),
    rate=st.floats(0, 0.2),
    kind=st.sampled_from(SessionType),
    total=st.integers(1, 8),
)
def test_whatever_happens_exactly_total_trials_run(seed, rate, kind, total):
    random = np.random.default_rng(seed)
    trials = Trials(fake_settings(kind, total), seed)
    outcomes, starts, previous = [], 0, 0
    for n in range(5000):
        step = trials.step(n / 10, bool(random.random() < rate))
        if step.finished:
            break
        outcomes += [step.trial] if step.outcome != NONE else []
        starts += step.trial != 0 and previous == 0
        previous = step.trial if step.running else 0
    assert step.finished
    assert outcomes == list(range(1, total + 1))
    assert starts == total


def fake_settings(kind, total=3):
    from rig.settings import ROOT, OneRoiSettings, load

    values = {"session_type": kind.name, "total_trials": str(total), "framerate": "10", "max_trial_dur": "3"}
    values |= {
        "initial_rest_dur": "1",
        "success_rest_dur": "0.5",
        "reward_delay": "0.5",
        "fail_rest_dur": "1",
        "vid_source": "SimCameraStream",
    }
    return load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, values)[0]


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
def test_session_types(settings, kind, tone, crossing, water):
    trials = Trials(settings(session_type=kind, framerate=10, random_reward_per_min=0, **DURATIONS), 0)
    steps, _ = play(trials, 10, crossed_at={25})
    assert steps[25][1].outcome == crossing
    assert steps[25][1].water is water
    heard = {trials.arm.tone_hz(signal, get_bins(0.1, 18), get_freqs(18)) for signal in (-1.0, 0.05, 1.0)}
    assert heard == ({1000, 4000, get_freqs(18)[17]} if tone == "follows" else {tone})


def test_every_session_type_has_an_arm():
    assert set(ARMS) == set(SessionType)


@pytest.mark.parametrize("framerate", [15, 60])
def test_random_rewards_hold_their_rate_at_any_framerate(framerate):
    hours, per_min = 20, 1.8
    rewards = RandomRewards(per_min, seed=3)
    count = sum(rewards.due(n / framerate) for n in range(hours * 3600 * framerate))
    expected = per_min * 60 * hours
    assert abs(count - expected) < 4 * expected**0.5, "Poisson: four standard deviations"


def test_random_rewards_can_be_none():
    assert not any(RandomRewards(0, seed=1).due(float(t)) for t in range(1000))


def test_random_reward_never_hides_an_outcome(settings):
    trials = Trials(
        settings(session_type="no_audio_random_reward", framerate=10, random_reward_per_min=60, **DURATIONS), 0
    )
    steps, _ = play(trials, 10)
    assert [step.trial for _, step in steps if step.reward == FAIL] == [1, 2, 3]
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
    threshold = AdaptiveThreshold(0.05, 0.002, 0.002, True, 0.1)
    values = [threshold.update(n / 10, n / 10 in rewards_at) for n in range(302)]
    assert values[299] == 0.05, "not before 30 s"
    assert values[300] == expected, why


def test_threshold_stays_when_disabled_and_never_falls_below_its_floor():
    assert {AdaptiveThreshold(0.05, 0.002, 0.002, False, 0.1).update(t, False) for t in range(1000)} == {0.05}
    threshold = AdaptiveThreshold(0.005, 0.002, 0.002, True, 0.1)
    assert [threshold.update(30.0 * n, False) for n in range(6)] == [0.005, 0.003, 0.002, 0.002, 0.002, 0.002]
    low = AdaptiveThreshold(0.001, 0.002, 0.002, True, 0.1)
    assert [low.update(30.0 * n, False) for n in range(3)] == [0.001] * 3, "a given one stays"


@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 1000))
def test_audio_share(total, audio, seed):
    schedule = audio_schedule(total, audio, seed)
    assert len(schedule) == total
    assert abs(sum(schedule) - audio * total) <= 0.5
    assert schedule == audio_schedule(total, audio, seed)


def test_audio_order_depends_on_the_seed():
    assert len({tuple(audio_schedule(20, 0.5, seed)) for seed in range(20)}) > 15


def test_seconds_left_is_an_upper_bound_that_falls(settings):
    trials = Trials(settings(framerate=10, **DURATIONS), 0)
    left = [trials.seconds_left(7.0)]
    steps, _ = play(trials, 10, crossed_at={25, 60})
    trials = Trials(settings(framerate=10, **DURATIONS), 0)
    for n in range(len(steps)):
        trials.step(7.0 + n / 10, n in {25, 60})
        left.append(trials.seconds_left(7.0 + n / 10))
    assert left[0] == 2 + 3 * 4.5
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(left))
    assert left[-1] <= 0.2
