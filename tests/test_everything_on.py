"""All that is off by default, switched on in one session: it runs, and a replay decides the same."""

import numpy as np
import pytest

from analysis.replay.recorded import open_recorded
from analysis.sweep import Try
from analysis.what_if_session import try_recorded
from support.places import DRIVERS, SHORT, TWO_ROI_SCRIPT
from support.runner import Runner, finished, without_time

ENV = {"PYTHONPATH": str(DRIVERS), "BLOOD_IN_GREEN": "0.6"}
EVERYTHING = SHORT | {
    "vid_source": "BloodStream", "roi_size": "0.8, 0.8", "lick": "none", "max_trial_dur": "12",
    "registration": "1", "blue_coefficient": "fit", "reward_threshold": "auto:8", "adaptive_threshold": "staircase:0.7",
    "veto": "light, movement, pixels, paw", "paw_pin": "24",
}  # fmt: skip
ROIS = {"1roi": ({}, {}), "2roi": ({"script": TWO_ROI_SCRIPT}, {"roi_operation": "M1_L+BC_R/2"})}


@pytest.fixture(scope="module", params=list(ROIS))
def day(request, tmp_path_factory):
    """Return what runs a script, and its session, for which a baseline had been recorded before."""
    script, rule = ROIS[request.param]
    runner = Runner(tmp_path_factory.mktemp("everything"))

    def run(*arguments, **how):
        return finished(runner(*arguments, env=ENV, **script, **how))

    run("--baseline", "300", settings=EVERYTHING | rule)
    run(settings=EVERYTHING | rule | {"sim_head_moved": "0.2, -0.1, 4, 1"})
    return run, runner


def test_the_session_says_what_each_part_did(day):
    _, runner = day
    session = runner.session()
    assert session.notes["reward_threshold_from"].startswith("auto:8: ")
    assert session.notes["blue_coefficient_fit"].startswith("over the baseline ")
    assert {int(bit) for bit in session.columns["veto"]} >= {0, 8}
    assert len(np.unique(session.columns["rew_threshold"])) > 1, "the staircase"
    assert "chance" in session.notes
    assert (session.folder / "registration.npz").exists()


def test_a_replay_is_the_same_bit_for_bit(day):
    run, runner = day
    session = runner.session()
    replay = {"vid_source": "VideoStream", "vid_root": str(session.folder), "lick": "none"}
    run("--config", str(session.folder / "config.ini"), settings=replay, mouse="replay", seed=None)
    assert without_time(runner.session("replay")) == without_time(session)


def test_what_if_has_the_rows_of_the_log_and_tries_each_part(day):
    _, runner = day
    tries = [
        Try("as published", {"veto": "", "blue_coefficient": "1", "adaptive_threshold": "0"}, None),
        Try("another limit", {"max_global_dff": "0.5"}, None),
        Try("another coefficient", {"blue_coefficient": "1"}, None),
    ]
    tried = try_recorded(open_recorded(runner.session().folder), tries)
    assert tried.is_same, tried.said
    assert len({row.outcomes for row in tried.rows}) == len(tries) + 1, "each of them matters"
