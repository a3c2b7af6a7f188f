"""Chance: crossings in rests next to those in trials, counted live and from the log, with an honest interval."""

import csv
import math
import shutil

import numpy as np
import pytest

from analysis.chance_numbers import UNKNOWN, against_chance_in, chance_number, numbers_of
from analysis.derived.chance import chance_of
from analysis.evidence import Evidence, Missing, gather
from analysis.figures.chance import course
from analysis.session_page import page_of
from helper import SessionType
from rig.events import PAUSE_BEGINS, PAUSE_ENDS
from rig.files.reader import Event, Session, read_session
from rig.files.session_tables import FRAME
from rig.protocol.chance import (
    REST_CROSSINGS,
    REST_S,
    TRIAL_CROSSINGS,
    Chance,
    against_chance,
    in_words,
    rate_interval,
    ratio_in_words,
)
from rig.protocol.delays import DelayLine
from rig.protocol.trials import Plan, Trials
from rig.settings.ini import to_strings
from support.sessions import KINDS, recorded

__all__ = ["recorded"]

FPS = 5
QUIET_S = 2.0
OFF, ON = (0,) * 40, (1,) * 5  # 8 s at or below the threshold, 1 s above it


def seen(levels, trial=None, quiet_s=QUIET_S, leave_out=(), idle=()):
    """Return the sums of the four columns after these frames; trial says the number on each frame."""
    chance = Chance(quiet_s)
    for n, is_above in enumerate(levels):
        if n not in leave_out:
            chance.see(n / FPS, 0 if trial is None else trial[n], bool(is_above), n not in idle)
    return chance.blocks.sum(axis=0).tolist()


@pytest.mark.parametrize(
    ("levels", "crossings", "seconds", "why"),
    [
        (OFF + ON + OFF, 1, 40 / FPS - 2 + 40 / FPS - 0.2 - 2, "two s of quiet do not count, nor does time above"),
        (ON + OFF, 0, 40 / FPS - 0.2 - 2, "it was above before anybody looked"),
        (OFF + ON + (0,) * 3 + ON + OFF, 1, 40 / FPS - 2 + 40 / FPS - 0.2 - 2, "noise on the falling side is none"),
        (OFF, 0, 40 / FPS - 0.2 - 2, "none"),
    ],
)  # fmt: skip
def test_which_crossings_count(levels, crossings, seconds, why):
    found = seen(levels)
    assert found[:2] == [0, 0]
    assert found[REST_CROSSINGS] == crossings, why
    assert found[REST_S] == pytest.approx(seconds), why


def test_a_transient_that_outlasts_its_trial_is_no_crossing_of_the_rest():
    levels = OFF + ON + ON + OFF
    trial = [1] * 41 + [0] * (len(levels) - 41)
    found = seen(levels, trial)
    assert (found[TRIAL_CROSSINGS], found[REST_CROSSINGS]) == (1, 0)


def test_frames_that_nobody_saw_and_those_of_pauses_do_not_count():
    levels = OFF + ON + OFF
    assert seen(levels, leave_out={10})[REST_CROSSINGS] == 1, "one frame decided too late changes nothing"
    assert seen(levels, leave_out=range(37, 41))[REST_CROSSINGS] == 0, "nobody saw it rise"
    assert seen(levels, idle=range(20, 45))[REST_CROSSINGS] == 0
    assert seen(levels, idle=range(20, 45))[REST_S] == pytest.approx(seen(levels)[REST_S] - 21 / FPS)


def test_free_water_leaves_trials_with_many_crossings():
    levels = (OFF + ON) * 3
    assert seen(levels, trial=[1] * len(levels))[TRIAL_CROSSINGS] == 3


def transients(seed, boost, decay_s, fps=2):
    """Return the blocks of a session whose signal rises at random, and `boost` times as often in trials."""
    random = np.random.default_rng(seed)
    plan = Plan(SessionType.normal_audio_normal_reward, 60, 30, 30, 10, 15, 0, 1, 18, 1.8, 1 / fps, seed)
    course, chance, level, n, running = Trials(plan), Chance(6.0), 0.0, 0, False
    draws, noise = random.random(10_000).tolist(), (0.01 * random.standard_normal(10_000)).tolist()
    heights, decay = (0.09 + 0.05 * random.exponential(size=10_000)).tolist(), math.exp(-1 / fps / decay_s)
    while not course.is_over(n / fps):
        begins = draws[n] < 0.04 * (boost if running else 1) / fps
        level = level * decay + begins * heights[n]
        step = course.step(n / fps, level + noise[n] > 0.05)
        chance.see(n / fps, step.trial, step.crossed, not step.idle)
        running, n = step.running, n + 1
    return chance.blocks


@pytest.mark.parametrize(("boost", "decay_s"), [(1, 1e-3), (1, 0.7), (2, 0.7)], ids=["events", "calcium", "learned"])
def test_the_interval_holds_the_truth(boost, decay_s):
    sessions = [transients(seed, boost, decay_s) for seed in range(200)]
    found = [against_chance(one) for one in sessions]
    holds, median = np.mean([one.low <= boost <= one.high for one in found]), np.median([one.ratio for one in found])
    print(f"{boost} x chance, decay {decay_s} s: in {holds:.3f} of the intervals, median {median:.2f}")
    assert 0.93 <= holds <= 0.995
    assert median == pytest.approx(boost, rel=0.15)
    together = [against_chance(np.concatenate(sessions[i : i + 4])) for i in range(0, 200, 4)]
    differs = np.mean([one.low > 1 or one.high < 1 for one in together])
    print(f"240 trials: {differs:.2f} differ from chance")
    assert differs >= 0.9 if boost == 2 else differs <= 0.08


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ((0, 0, 0, 0), ""),
        ((0, 60, 0, 0), "0.0 crossings per minute in trials; chance is not known: no rest is long enough"),
        ((0, 60, 0, 60), "0.0 crossings per minute in trials, 0.0 in rests"),
        ((10, 60, 0, 60), "at least 2.2 x chance: 10.0 crossings per minute in trials, 0.0 in rests"),
        ((1, 60, 0, 1), "too few crossings to compare with chance: 1.0 crossings per minute in trials, 0.0 in rests"),
        ((0, 60, 4, 60), "0.0 x chance (0.0 to 1.5): 0.0 crossings per minute in trials, 4.0 in rests"),
    ],
)
def test_where_there_are_few_crossings(block, said):
    assert in_words(against_chance(np.array([block], float))) == said


def test_the_exact_interval_is_that_of_clopper_and_pearson():
    """10 and 5 crossings in the same time: p = 10 / 15 lies between 0.3838 and 0.8818 (their table)."""
    found = against_chance(np.array([(10, 60, 5, 60)], float))
    assert found.ratio == 2
    assert found.low == pytest.approx(0.38380 / (1 - 0.38380), rel=1e-3)
    assert found.high == pytest.approx(0.88176 / (1 - 0.88176), rel=1e-3)


def test_trials_that_go_together_widen_the_interval():
    """The same counts, once spread over all trials, once all in a few of them."""
    spread, lumped = np.tile([1.0, 20, 1, 20], (60, 1)), np.zeros((60, 4))
    lumped[:] = 0, 20, 0, 20
    lumped[:6, 0], lumped[6:12, 2] = 10, 10
    even, uneven = against_chance(spread), against_chance(lumped)
    assert even.ratio == uneven.ratio == 1
    assert uneven.high / uneven.low > 2 * even.high / even.low


def test_the_ratio_is_shown_when_there_is_enough():
    chance = Chance(0.0)
    assert chance.describe() == ""
    texts = []
    for n in range(400):
        chance.see(n / FPS, 1 + n // 40 if n % 40 < 20 else 0, n % 20 == 10)
        texts.append(chance.describe())
    assert texts[0] == "- x chance"
    assert texts[-1] == "1.0 x chance"
    assert ratio_in_words(against_chance(chance.blocks)).startswith("1.0 x chance (")


def test_the_log_says_which_frames_counted(tmp_path, settings):
    """Late frames, pauses, trials that wait, gaps, and a dark tail: the log gives the same numbers as the session."""
    cfg = settings(framerate=15, max_trial_dur=12, success_rest_dur=6, fail_rest_dur=7, initial_rest_dur=8,
                   total_trials=25, tail_dur=4, reward_delay=0.4, dff_history=1.5)  # fmt: skip
    random, course, chance = np.random.default_rng(3), Trials(cfg.plan()), Chance(cfg.quiet_s())
    delay, level, n, paused, rows, events = DelayLine(cfg.reward_delay, 1 / 15), 0.0, 0, False, [], []
    while not course.is_over(n / 15):
        n += 1 + 9 * (random.random() < 0.002)
        level = level * 0.9 + (random.random() < 0.01) * random.exponential()
        age_s, threshold, wanted = 0.2 * (random.random() < 0.1), 0.3 + n * 1e-5, n % 2000 > 1700
        course.pause(wanted)
        step = course.step(n / 15, delay.push(n / 15, level) > threshold, not age_s, random.random() < 0.05)
        if step.paused != paused:
            paused = step.paused
            events.append(Event(n / 15, n, "pause", float(paused), PAUSE_BEGINS if paused else PAUSE_ENDS))
        if not age_s:
            chance.see(n / 15, step.trial, step.crossed, not (step.paused or step.idle))
        rows.append((n, n / 15, age_s, level, threshold, step.trial, step.outcome))
    number, time_s, age_s, level, threshold, trial, reward = map(np.array, zip(*rows, strict=True))
    frames = np.zeros(len(rows), FRAME)
    frames["number"], frames["time_s"], frames["age_s"] = number, time_s, age_s
    columns = {"frame": number, "roi_dff": level, "rew_threshold": threshold, "trial": trial, "reward": reward}
    columns["audio"] = trial
    session = Session(tmp_path, to_strings(cfg), columns, None, frames, events, {}, False)
    found = chance_of(Evidence(session, None, cfg, "")).blocks
    assert len(events) > 2
    assert found.sum(axis=0)[[TRIAL_CROSSINGS, REST_CROSSINGS]].min() > 5
    assert found.tolist() == chance.blocks.tolist()


NAMES = ("crossings_per_min", "chance_per_min", "chance_ratio", "chance_low", "chance_high")
MORE = {"total_trials": "12", "success_rest_dur": "8", "summary_header": ", ".join(NAMES)}


@pytest.mark.parametrize("kind", KINDS)
def test_session_and_report_agree(recorded, kind):
    folder = recorded(kind, **MORE, **({} if kind == "clmf" else {"dff_history": "2"}))
    session = read_session(folder)
    found = against_chance(chance_of(gather(folder)).blocks)
    assert found.trial_per_min > 0 < found.rest_per_min
    assert session.attributes["chance"] == in_words(found)
    with next(folder.parents[1].glob("*summary*.csv")).open() as file:
        row = next(csv.DictReader(file))
    numbers = (found.trial_per_min, found.rest_per_min, found.ratio, found.low, found.high)
    assert [float(row[name]) for name in NAMES] == pytest.approx(numbers, abs=0.005)


def test_a_baseline_has_no_chance(recorded):
    assert "chance" not in read_session(recorded("1roi", "--baseline", "20")).attributes


@pytest.mark.parametrize(("n", "low", "high"), [(0, 0.0, 3.6889), (5, 1.6235, 11.6683), (100, 81.364, 121.627)])
def test_the_exact_interval_of_a_count(n, low, high):
    """As tables of the Poisson distribution have it; all in one block, so that drawing blocks anew changes nothing."""
    found = rate_interval(np.array([(0, 60, n, 60)], float), REST_CROSSINGS)
    assert found == pytest.approx((low, high), rel=1e-3)


def test_the_page_says_it(recorded):
    evidence = gather(recorded("1roi", **MORE, dff_history="2"))
    found, page = against_chance(chance_of(evidence).blocks), page_of(evidence)
    said = f"{found.ratio:.1f}", f"{found.low:.2f} {'or more' if math.isinf(found.high) else f'to {found.high:.2f}'}"
    assert page.numbers[-1] == (f"{said[0]} x chance", f"95 %: {said[1]}")
    (table,) = page.tables
    trials, rests, ratio = ([cell.text for cell in row] for row in table.rows)
    assert float(trials[3]) == pytest.approx(found.trial_per_min, abs=0.005)
    assert float(rests[3]) == pytest.approx(found.rest_per_min, abs=0.005)
    assert ratio[3:] == list(said)


def test_what_a_page_says_where_nothing_is_known():
    assert numbers_of(UNKNOWN) == ("", "")
    assert chance_number(UNKNOWN) == []
    assert numbers_of(UNKNOWN._replace(ratio=math.inf, low=1.44)) == ("≥ 1.4", "1.44 or more")


def test_the_course_needs_as_many_trials_as_it_goes_over():
    blocks = np.array([(0, 0, 1, 60)] + [(1, 30, 0, 60)] * 12, float)
    trials, rates = course(blocks, TRIAL_CROSSINGS)
    assert trials.tolist() == [10, 11, 12]
    assert rates.tolist() == [2.0] * 3


def test_a_log_without_settings_says_nothing(recorded, tmp_path):
    shutil.copy(recorded("1roi", **MORE, dff_history="2") / "VideoTimestamp.txt", tmp_path)
    with pytest.raises(Missing, match="does not say reward_delay"):
        chance_of(gather(tmp_path))
    assert against_chance_in(gather(tmp_path)) == UNKNOWN


def test_rows_and_settings_of_an_older_session_are_enough(recorded, tmp_path):
    """Without the HDF5 file: no ages, no times but the settings' frame rate, no attribute `chance`."""
    folder = recorded("1roi", **MORE, dff_history="2")
    for name in ("VideoTimestamp.txt", "config.ini"):
        shutil.copy(folder / name, tmp_path)
    found = against_chance(chance_of(gather(tmp_path)).blocks)
    assert in_words(found) == read_session(folder).attributes["chance"]
