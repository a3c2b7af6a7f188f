"""A new kind of signal is cheap: tests/support/lick_rate.py is a whole experiment, and nothing of the rig knows it."""

import re
from itertools import pairwise

import numpy as np
import pytest

from support.places import ROOT, SCRIPTS
from support.runner import Runner, finished, frames_of

SCRIPT = ROOT / "tests" / "support" / "lick_rate.py"
MOST_LINES = 70
LICKS = """[configsection]
config = lick_rate
[lick_rate]
data_root = data
vid_source = SimCameraStream
resolution = 64, 64
framerate = 15
lick_threshold = 1
random_reward_per_min = 30
initial_rest_dur = 3
max_trial_dur = 8
success_rest_dur = 2
fail_rest_dur = 2
total_trials = 4
"""


@pytest.fixture
def run(tmp_path):
    runner = Runner(tmp_path)
    runner.script, runner.short = SCRIPT, {}
    (tmp_path / "licks.ini").write_text(LICKS)
    return lambda *arguments, **options: (
        runner("--config", tmp_path / "licks.ini", *arguments, **options),
        runner,
    )


def test_it_is_short():
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_nothing_of_the_rig_knows_it():
    for path in [*ROOT.glob("rig/**/*.py"), *ROOT.glob("*.py"), *SCRIPTS]:
        assert "lick_rate" not in path.read_text(encoding="utf-8").lower().replace("lickrate", "lick_rate"), path


def test_a_session(run):
    done, runner = run("--set", "session_type=no_audio_random_reward")
    finished(done)
    session = runner.session()
    assert list(session.columns) == [
        "frame",
        "time",
        "lick_rate",
        "freq",
        "lick_threshold",
        "reward",
        "trial",
        "audio",
        "lick",
    ]
    assert len(frames_of(session)) == 1
    assert session.columns["lick"].sum() > 10, "the mouse licks after its rewards"
    rate, licked = 0.0, np.concatenate([[0], session.columns["lick"][:-1]])
    for lick, logged in zip(licked, session.columns["lick_rate"], strict=True):
        rate += (lick * 15 - rate) / 30
        assert logged == pytest.approx(rate, abs=1e-12)
    assert "licks/s" in done.stdout


def test_success_is_a_crossing(run):
    done, runner = run("--set", "lick_threshold=0.0001", "--set", "total_trials=12")
    finished(done)
    session = runner.session()
    delayed = np.concatenate([np.zeros(15), session.columns["lick_rate"][:-15]])
    rewarded = session.columns["reward"] == 1
    assert rewarded.any()
    assert (delayed[rewarded] > 0.0001).all()
    assert set(session.trials["threshold"]) == {0.0001}, "the reader finds the threshold of an experiment of others"


def test_its_baseline(run):
    done, runner = run("--baseline", "60")
    finished(done)
    session = runner.session()
    assert session.attributes["session_type"] == "baseline"
    assert not session.columns["reward"].any()
    rows = re.findall(r"│ (\d\.\d{3}) +│ +(\d+\.\d\d) +│", done.stdout)
    assert len(rows) == 12
    for threshold, rate in rows:
        upward = sum(a <= float(threshold) < b for a, b in pairwise(session.columns["lick_rate"]))
        assert float(rate) == pytest.approx(upward, abs=0.01)
    assert "write into config.ini, [lick_rate]\nlick_threshold = " in done.stdout


def test_its_check(run):
    done, _ = run("--check", mouse=None, fast=False, seed=None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("ready")


def test_its_own_section_of_the_settings(run):
    done, _ = run("--set", "lick_threshold=-1")
    assert done.returncode == 2
    assert "lick_threshold = -1: it should be greater than 0" in done.stderr
    assert "licks/s" in done.stderr
