"""After a stall nothing of the past earns water, and a late loop is quiet and says so."""

import itertools
import signal
import time
from datetime import date

import numpy as np
import pytest

from rig.devices.water import Dose, Water
from rig.events import Events
from rig.protocol.delays import DelayLine
from rig.protocol.session_types import RandomWater
from rig.protocol.tally import Tally
from support.places import SHORT
from support.waiting import end


def test_a_signal_from_before_a_gap_counts_for_nothing():
    line = DelayLine(1.0, 0.1)
    before = [line.push(n / 10, 5.0) for n in range(20)]
    assert before[-1] == 5.0
    after = [line.push(32.0 + n / 10, 7.0) for n in range(15)]
    assert after[:10] == [0.0] * 10, "nothing is one second old there"
    assert after[10:] == [7.0] * 5


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_frame_leaves_its_neighbours(lost):
    """The nearest frame counts if it is at most a period off; else there is no signal."""
    line, kept = DelayLine(1.0, 0.1), [n for n in range(60) if not 20 <= n < 20 + lost]
    values = dict(zip(kept, [line.push(n / 10, float(n)) for n in kept], strict=True))
    near = {n: [m for m in (n - 10, n - 11, n - 9) if m in kept] for n in kept if n >= 20 + lost}
    assert all(values[n] in near[n] if near[n] and near[n][0] <= n - 10 else values[n] in (0.0, *near[n]) for n in near)
    assert sum(values[n] == 0.0 for n in near) == lost - 1


def test_random_rewards_do_not_burst_after_a_gap():
    water = RandomWater(60.0, 3, 0.1)
    calm = sum(water.due(n / 10) for n in range(600))
    assert 30 < calm < 90
    missed = water.missed
    assert not water.due(200.0 - 0.05) or water.missed > missed
    after = [water.due(200.0 + n / 10) for n in range(5)]
    assert sum(after) <= 3
    assert water.missed - missed > 60, "what fell into two minutes without frames is counted"


def test_random_rewards_are_as_before_without_a_gap():
    water, random_times = RandomWater(20.0, 1, 1 / 15), []
    for n in range(15 * 600):
        if water.due(n / 15):
            random_times.append(n)
    assert abs(len(random_times) + water.missed - 200) < 4 * 200**0.5
    assert water.missed < 0.06 * 200, "two that fall into one frame are one"


class Valve:
    def pulse(self, seconds):
        pass


def test_a_new_day_begins_at_midnight(settings):
    days = [date(2026, 3, 28)] * 50
    today = iter(itertools.chain(days, itertools.repeat(date(2026, 3, 29))))  # the clocks go forward in this night
    now = [date(2026, 3, 28)]
    capped = settings().model_copy(update={"max_day_ul": 20.0})
    water = Water(capped, Dose(0.3, 6.5), Valve(), Events(), Tally(), 14.0, lambda: now[0])
    assert [water.give(t) for t in (0, 10)] == [False, False], "20.5 µl would be too much"
    now[0] = date(2026, 3, 29)
    assert [water.give(t) for t in (20, 30, 40, 50)] == [True, True, True, False]
    assert (water.day_ul, water.session_ul) == (19.5, 19.5)
    assert next(today)


def test_a_session_over_midnight_counts_each_day_by_itself(settings):
    now = [date(2026, 10, 24)]
    water = Water(settings(), Dose(0.3, 6.5), Valve(), Events(), Tally(), 100.0, lambda: now[0])
    water.give(0)
    assert water.day_ul == 106.5
    now[0] = date(2026, 10, 25)
    water.give(10)
    assert (water.day_ul, water.session_ul) == (6.5, 13.0)


def test_a_late_loop_is_silent_in_rests_and_says_so(run):
    """Every decision is late: no water, no tone that goes on into a rest, and a trouble that is noticed."""
    late = SHORT | {
        "framerate": "60", "max_frame_age_ms": "0.001", "session_type": "single_audio_normal_reward",
        "initial_rest_dur": "1", "max_trial_dur": "2", "fail_rest_dur": "2", "total_trials": "2",
    }  # fmt: skip
    done = run(settings=late, fast=False)
    assert done.returncode == 0, done.stderr
    session = run.session()
    assert not (session.columns["reward"] == 1).any()
    assert "decisions are late" in session.attributes["troubles"]
    assert "decisions are late" in done.stdout
    assert not session.columns["freq"][session.columns["trial"] == 0].any()


def test_a_tone_does_not_outlast_its_trial_in_a_late_loop(run):
    """The script is stopped across the end of a trial: the first row after it is silent, though it is late."""
    sounding = SHORT | {
        "framerate": "60", "session_type": "single_audio_normal_reward", "reward_threshold": "9", "max_silence_s": "9",
        "initial_rest_dur": "0.2", "reward_delay": "0", "max_trial_dur": "3", "fail_rest_dur": "3", "total_trials": "1",
    }  # fmt: skip
    process = run.start(settings=sounding, fast=False)
    try:
        run.wait_for_rows(60)
        process.send_signal(signal.SIGSTOP)
        time.sleep(3.0)
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 0, output
    session = run.session()
    rests = np.flatnonzero((session.columns["trial"] == 0) & (session.columns["frame"] > 60))
    assert len(rests)
    assert not session.columns["freq"][rests].any()
