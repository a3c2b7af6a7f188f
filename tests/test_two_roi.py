"""The script with a rule on several ROIs, and the control arms and the baseline of both scripts."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import helper as clh
from rig.protocol.crossings import crossings_per_min, threshold_for
from support.checks import check_protocol, check_rois
from support.places import SCRIPT, SHORT, TWO_ROI_SCRIPT
from support.runner import finished

SCRIPTS = [SCRIPT, TWO_ROI_SCRIPT]
both = pytest.mark.parametrize("script", SCRIPTS, ids=["1roi", "2roi"])
RULE = SHORT | {"reward_threshold": "0.05"}


@pytest.mark.parametrize(
    ("operation", "names"),
    [
        ("BC_L-BC_R", ["BC_L", "BC_R"]),
        ("M1_L*2-(BC_L+BC_R)/2", ["M1_L", "BC_L", "BC_R"]),
        ("BC_L", ["BC_L"]),
        ("M1_L+M1_L", ["M1_L"]),
        ("M1_L%0.02+BC_R/BC_L", ["M1_L", "BC_R", "BC_L"]),
    ],
)
def test_rules(run, operation, names):
    finished(run(script=TWO_ROI_SCRIPT, settings=RULE | {"roi_operation": operation, "total_trials": "3"}))
    session = run.session()
    assert check_rois(session).names == names
    assert session.attributes["divisions_by_zero"] == ("/" in operation and "BC_L" in operation.split("/")[-1])


def test_protocol_of_the_documented_rule(run):
    finished(run(script=TWO_ROI_SCRIPT, settings=RULE | {"total_trials": "10", "max_trial_dur": "12"}))
    session = run.session()
    check_rois(session)
    reward = session.columns["reward"]
    assert reward[reward != 0].size == 10
    assert (reward == 1).any(), "the simulated mouse finds out"
    assert (run.data / "expt_2roi_trial_summary.csv").exists()


def test_an_roi_that_is_no_site(run):
    placed = {"roi_operation": "patch-BC_R", "patch": "30,40,6,5"}
    finished(run(script=TWO_ROI_SCRIPT, settings=RULE | placed | {"total_trials": "1"}))
    session = run.session()
    assert [name for name in session.columns if name.endswith("_dff") and name != "global_dff"] == [
        "roi_dff", "patch_dff", "BC_R_dff",
    ]  # fmt: skip
    check_rois(session)


@pytest.mark.parametrize(
    ("operation", "fragment"),
    [
        ("BC_L-", "roi_operation = BC_L-: it cannot be read at its end"),
        ("BC_L-abs(BC_R)", "'abs(BC_R)' at character 6 is not allowed"),
        ("BC_L>BC_R", "'BC_L > BC_R' at character 1 is not allowed"),
        ("BC_L.avgDff", "'BC_L.avgDff' at character 1 is not allowed"),
        ("BC_L-BC_X", "roi_operation = BC_L-BC_X: there is no such site as BC_X; did you mean BC_"),
        ("1+2", "it names no ROI"),
        ("roi-BC_R", "no ROI may be called roi; roi_dff is the column of the rule"),
    ],
)
def test_rules_that_cannot_be_used(run, operation, fragment):
    done = run(script=TWO_ROI_SCRIPT, settings=RULE | {"roi_operation": operation, "roi": "10,10,4,4"})
    assert done.returncode == 2
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr
    assert not run.data.exists()


@both
def test_unknown_session_type_names_all_of_them(run, script):
    done = run(script=script, settings=SHORT | {"session_type": "loud"})
    assert done.returncode == 2
    assert all(kind.name in done.stderr for kind in clh.SessionType)
    assert not run.data.exists()


OF_ITS_OWN = [kind for kind in clh.SessionType if kind is not clh.SessionType.yoked]
QUICK = SHORT | {"total_trials": "6", "max_trial_dur": "6", "reward_threshold": "0.03"}


@both
@pytest.mark.parametrize("kind", OF_ITS_OWN, ids=lambda kind: kind.name)
def test_session_types(run, script, kind):
    """What is heard, what a crossing does and whether water flows, as the table says."""
    rates = {"random_reward_per_min": "20"}
    rule = {"roi_operation": "M1_L+0*BC_R"} if script == TWO_ROI_SCRIPT else {}
    done = finished(run(script=script, settings=QUICK | rates | rule | {"session_type": kind.name}))
    assert f"| {kind.name} |" in done.stdout, "on the status line"
    session = run.session()
    freq, audio, reward, trial = (session.columns[name] for name in ("freq", "audio", "reward", "trial"))
    playing = (trial > 0) & (reward == 0)
    ends = [np.flatnonzero(trial == n)[-1] for n in range(1, 7)]
    water = [event.frame for event in session.of("reward", "commanded")]

    follows = kind.name.startswith("normal_audio")
    if follows:
        assert len(set(freq[playing])) > 3
    else:
        assert set(freq[playing]) == ({1000} if kind == clh.SessionType.single_audio_normal_reward else {0})
    np.testing.assert_array_equal(audio, freq > 0)
    assert not freq[~playing].any()

    dff, threshold = session.columns["roi_dff"], session.columns["rew_threshold"]
    crossed = np.zeros(len(dff), bool)
    crossed[15:] = dff[:-15] > threshold[15:]
    starts = [np.flatnonzero(trial == n)[0] for n in range(1, 7)]
    if kind == clh.SessionType.no_audio_random_reward:
        assert all(end - start == 6 * 15 for start, end in zip(starts, ends, strict=True)), "crossings are ignored"
        assert crossed[playing].any()
        np.testing.assert_array_equal(water, np.flatnonzero(reward == 1))
        minutes = len(dff) / 15 / 60
        assert abs(len(water) - 20 * minutes) < 4 * (20 * minutes) ** 0.5
    else:
        for start, end in zip(starts, ends, strict=True):
            success = crossed[start : end + 1].any()
            assert reward[end] == (1 if success else -1)
            assert not crossed[start:end].any(), "the first crossing ends the trial"
        assert any(reward[end] == 1 for end in ends)
        has_water = kind.name.endswith("normal_reward")
        assert water == ([end for end in ends if reward[end] == 1] if has_water else [])
        rests = {1: 2, -1: 3}
        for end, start in zip(ends, [*starts[1:], len(trial)], strict=True):
            assert start - end == rests[reward[end]] * 15
    summary = next(run.data.glob("*.csv")).read_text()
    assert kind.name in summary


@both
@pytest.mark.parametrize("framerate", [10, 30])
def test_reward_delay_is_in_seconds_at_any_framerate(run, script, framerate):
    settings = QUICK | {"framerate": str(framerate), "adaptive_threshold": "0"}
    rule = {"roi_operation": "M1_L"} if script == TWO_ROI_SCRIPT else {}
    finished(run(script=script, settings=settings | rule))
    session = run.session()
    dff, reward = session.columns["roi_dff"], session.columns["reward"]
    rows = np.flatnonzero(reward == 1)
    assert len(rows)
    assert all(dff[i - framerate] > 0.03 for i in rows)


@both
def test_threshold_follows_the_mouse_and_the_reward_rate_stays_within_bounds(run, script):
    """A long session: the mouse learns, the threshold rises after it, and it earns less than with a fixed one."""
    small = {"resolution": "64, 64", "bregma": "34, 32", "ppmm": "6.4", "roi_size": "0.5, 0.5", "framerate": "5"}
    trials = {"total_trials": "180", "max_trial_dur": "8", "initial_rest_dur": "5", "success_rest_dur": "2"}
    changes = small | trials | {"fail_rest_dur": "2", "reward_threshold": "0.06"}
    rule = {"roi_operation": "M1_L+M1_R"} if script == TWO_ROI_SCRIPT else {}
    early, late = {}, {}
    for adaptive in ("1", "0"):
        finished(run(script=script, settings=changes | rule | {"adaptive_threshold": adaptive}, seed=3, mouse=adaptive))
        reward = run.session(adaptive).columns["reward"]
        half = len(reward) // 2
        early[adaptive], late[adaptive] = ((part == 1).mean() * 5 * 60 for part in (reward[:half], reward[half:]))
    assert late["0"] > 1.2 * early["0"], "rewards per minute: the mouse learns"
    assert 1 < late["1"] < 0.8 * late["0"], "with a threshold that follows, its earnings stay within bounds"
    threshold = run.session("1").columns["rew_threshold"]
    assert threshold[-1] > 1.5 * threshold[0]
    assert threshold.min() >= 0.002


@both
def test_half_of_the_trials_are_silent_in_an_order_of_the_seed(run, script):
    never = QUICK | {"audio": "0.5", "total_trials": "7", "max_trial_dur": "1", "reward_threshold": "5"}
    orders = []
    for seed in (1, 2, 3):
        finished(run(script=script, settings=never, seed=seed))
        session = run.session()
        trial, audio = session.columns["trial"], session.columns["audio"]
        orders.append(tuple(bool(audio[trial == n].any()) for n in range(1, 8)))
    assert [sum(order) for order in orders] == [4, 4, 4], "half of seven, rounded"
    assert len(set(orders)) > 1


@both
def test_baseline(run, script):
    done = finished(run("--baseline", "60", script=script, settings=SHORT | {"spontaneous_rate": "3"}))
    session = run.session()
    assert len(session) == 900
    for name in ("reward", "trial", "freq", "audio"):
        assert not session.columns[name].any()
    assert set(session.columns["rew_threshold"]) == {0.04}, "nothing adapts"
    assert not [event for device in ("reward", "fail", "tone", "trial") for event in session.of(device)]
    assert not len(session.trials)
    signal = session.columns["roi_dff"]
    rows = re.findall(r"│ (\d\.\d{3}) +│ +(\d+\.\d\d) +│", done.stdout)
    assert len(rows) == 12
    for threshold, rate in rows:
        upward = sum(a <= float(threshold) < b for a, b in pairwise(signal))
        assert float(rate) == pytest.approx(upward / 1.0, abs=0.01)
    section = re.search(r"write into config.ini, \[(\w+)\]\nreward_threshold = (\S+)", done.stdout)
    assert section.group(1).endswith("1roi" if script == SCRIPT else "2roi")
    chosen = float(section.group(2))
    upward = sum(a <= chosen < b for a, b in pairwise(signal))
    above = sum(a <= chosen + 0.001 < b for a, b in pairwise(signal))
    assert upward >= 3 > above
    assert session.attributes["session_type"] == "baseline"


@pytest.mark.parametrize("seconds", ["0", "-3", "soon", "nan", "1e9"])
def test_baseline_of_no_length(run, seconds):
    done = run(f"--baseline={seconds}")
    assert done.returncode == 2
    assert f"{seconds}: expected a number of seconds" in done.stderr
    assert not run.data.exists()


@pytest.mark.parametrize(
    ("signal", "threshold", "rate", "why"),
    [
        ([0, 1, 0, 1, 0], 0.5, 2, "two rises in a minute"),
        ([0, 1, 1, 1, 0], 0.5, 1, "frames above do not count, crossings do"),
        ([0, 0.5, 1], 0.5, 1, "equal is not above"),
        ([1, 0, -1], 0.5, 0, "falling does not count"),
        ([0, 0.2, 0.4, 0.6], 0.5, 1, "one rise in several steps"),
    ],
)
def test_crossings(signal, threshold, rate, why):
    assert crossings_per_min(np.array(signal, float), np.array([threshold]), 1.0)[0] == rate, why


def test_threshold_that_is_never_crossed_often_enough():
    assert threshold_for(np.zeros(100), 2, 1) is None
    assert threshold_for(np.array([0.0, 0.01, 0.0]), 2, 1) is None
    assert threshold_for(np.array([0, 1e12, 0, 1e12]), 2, 1) == 9.99, "no higher than a setting may be"
    assert threshold_for(np.array([0.0, 0.0105, 0.0, 0.0205, 0.0]), 2, 1) == 0.010


@pytest.mark.parametrize("operation", ["M1_R-BC_R", "M1_R*2-(BC_R+V1_R)/2"])
def test_a_real_mouse(run, real_recording, operation):
    real = {
        "vid_source": "VideoStream", "vid_root": str(real_recording), "bregma": "120, 128", "ppmm": "20",
        "roi_operation": operation, "reward_threshold": "0.008", "initial_rest_dur": "5", "success_rest_dur": "2",
        "fail_rest_dur": "2", "max_trial_dur": "6", "total_trials": "8",
    }  # fmt: skip
    finished(run(script=TWO_ROI_SCRIPT, settings=real))
    session = run.session()
    check_rois(session)
    assert (session.columns["reward"] == 1).sum() >= 2


@pytest.mark.parametrize("column", ["reward", "trial", "freq", "roi_dff", "audio"])
def test_check_protocol_is_not_blind(run, column):
    """The check that the other tests rely on does fail when a value is wrong."""
    finished(run())
    session = run.session()
    check_protocol(session)
    outcome = np.flatnonzero(session.columns["reward"])[0]
    row = outcome if column in ("reward", "trial") else outcome - 1  # the tone is over at the outcome
    wrong = session.columns[column].copy()
    wrong[row] = 0
    with pytest.raises(AssertionError):
        check_protocol(replace(session, columns=session.columns | {column: wrong}))


@pytest.mark.parametrize("column", ["roi_dff", "BC_R_dff", "BC_L_dff"])
def test_check_rois_is_not_blind(run, column):
    finished(run(script=TWO_ROI_SCRIPT, settings=RULE | {"total_trials": "1"}))
    session = run.session()
    check_rois(session)
    wrong = session.columns[column].copy()
    wrong[-1] += 1e-9
    with pytest.raises(AssertionError):
        check_rois(replace(session, columns=session.columns | {column: wrong}))
