"""reward_threshold = auto:RATE: the threshold of the day's baseline, as a number from the start of the session on."""

import re
import shutil
from datetime import datetime, timedelta
from itertools import pairwise

import h5py
import numpy as np
import pytest

from analysis.replay.recorded import open_recorded
from rig.errors import SettingsError
from rig.files.auto_threshold import after_the_preview, signal_in
from rig.protocol.artefacts import LIGHT
from rig.protocol.crossings import threshold_for, threshold_interval
from support.places import SHORT, TWO_ROI_SCRIPT
from support.runner import Runner, finished, without_time

AUTO = SHORT | {"reward_threshold": "auto:8", "total_trials": "2"}
FPS = 15


def transients(seed, minutes):
    """Return a signal that rises three times a minute, to heights that differ, with noise."""
    random = np.random.default_rng(seed)
    n = round(minutes * 60 * FPS)
    begins = (random.random(n) < 3 / 60 / FPS) * (0.03 + 0.05 * random.exponential(size=n))
    kernel = np.exp(-np.arange(60) / FPS / 0.7)
    return np.convolve(begins, kernel)[:n] + 0.004 * random.standard_normal(n)


def test_the_interval_holds_the_threshold_that_a_very_long_baseline_gives():
    truth = threshold_for(transients(0, 600), 2.0, 600)
    found = [
        (threshold_for(one, 2.0, 5), *threshold_interval(one, 2.0, 5))
        for one in map(transients, range(1, 201), [5] * 200)
    ]
    holds = np.mean([low <= truth <= high for _, low, high in found])
    print(f"truth {truth}, median {np.median([one[0] for one in found]):.3f}, in {holds:.3f} of the intervals")
    assert np.median([one[0] for one in found]) == pytest.approx(truth, rel=0.1)
    assert all(low <= threshold <= high for threshold, low, high in found)
    assert 0.9 <= holds <= 0.99


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    """A data root in which the mouse has a baseline of today; tests work on a copy, `runner`."""
    runner = Runner(tmp_path_factory.mktemp("today"))
    done = finished(runner("--baseline", "60", settings=AUTO))
    assert "reward_threshold = auto:8: a baseline needs none; its log says 0.075" in done.stdout
    assert "With reward_threshold = auto:2 each session takes it from the baseline of its day." in done.stdout
    return runner


@pytest.fixture
def runner(today, tmp_path):
    """Run the one-ROI script where the mouse has a baseline of today."""
    runner = Runner(tmp_path)
    shutil.copytree(today.data, runner.data)
    return runner


def test_the_session_takes_the_threshold_of_the_baseline(runner):
    baseline = runner.session()
    done = finished(runner(settings=AUTO | {"adaptive_threshold": "0"}))
    session = runner.session()
    signal, clock = baseline.columns["roi_dff"], datetime.strptime(baseline.folder.name, "%Y%m%d%H%M%S")
    found = re.search(
        r"reward_threshold = (\S+) \((\S+) to (\S+)\), crossed 8 times per minute in the baseline of (\S+)\n",
        done.stdout,
    )
    threshold, low, high = map(float, found.groups()[:3])
    assert found.group(4) == f"{clock:%H:%M}"
    assert sum(a <= threshold < b for a, b in pairwise(signal)) >= 8
    assert sum(a <= threshold + 0.001 < b for a, b in pairwise(signal)) < 8
    assert low <= threshold <= high
    assert set(session.columns["rew_threshold"]) == {threshold}
    assert session.settings["reward_threshold"] == str(threshold), "later nobody has to know where it came from"
    assert (
        session.attributes["reward_threshold_from"]
        == f"auto:8: {found.group(0).strip().partition(' = ')[2]}, {baseline.folder.name}"
    )


def test_places_that_registration_finds_anew_are_the_same(run):
    same_place = AUTO | {"registration": "1"}
    finished(run("--baseline", "60", settings=same_place))
    done = finished(run(settings=same_place | {"sim_head_moved": "0.3, -0.2, 3, 1"}))
    assert re.search(r"reward_threshold = 0\.\d+ \(.*\), crossed 8 times per minute in the baseline of", done.stdout)
    assert "ROIs were moved since" not in str(run.session().notes)


def test_a_replay_and_what_if_know_nothing_of_it(runner):
    finished(runner(settings=AUTO))
    session, again = runner.session(), Runner(runner.tmp_path / "again")
    again.tmp_path.mkdir()
    source = {"vid_source": "VideoStream", "vid_root": str(session.folder)}
    finished(again("--config", session.folder / "config.ini", settings=source))
    now, then = without_time(again.session()), without_time(session)
    del now["lick"], then["lick"]  # simulated anew
    assert now == then
    assert open_recorded(session.folder).settings({}).reward_threshold == session.columns["rew_threshold"][0]
    with pytest.raises(SettingsError, match="reward_threshold = auto:2: this is for the start of a session"):
        open_recorded(session.folder).settings({"reward_threshold": "auto:2"})


def refused(runner, *, says, script=None, **changes):
    """Expect the start to be refused, with no folder and no open device; return what was said."""
    before = sorted(runner.data.rglob("*"))
    done = runner(settings=AUTO | changes, script=script)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, said
    assert says in said, said
    assert sorted(runner.data.rglob("*")) == before
    return said


def test_without_a_baseline(run):
    said = refused(run, says="reward_threshold = auto:8: ")
    assert "has no baseline of today; record one with --baseline 300 first" in said


def test_a_baseline_of_yesterday_is_none(runner):
    folder = runner.session().folder
    yesterday = datetime.strptime(folder.name, "%Y%m%d%H%M%S") - timedelta(days=1)
    folder.rename(folder.with_name(f"{yesterday:%Y%m%d%H%M%S}"))
    refused(runner, says="has no baseline of today")


def test_a_real_baseline_is_none_for_a_simulated_session(runner):
    with h5py.File(runner.session().folder / "image_stream.hdf5", "a") as file:
        file.attrs["simulated"] = "tone"
    refused(runner, says="was real, and this session is simulated; record one")


def test_a_baseline_that_is_too_short(runner):
    refused(runner, reward_threshold="auto:1", says="lasts 60 s, and 300 s are needed for 5 crossings; record a longer")


def test_a_rate_that_no_threshold_has(runner):
    path = runner.session().folder / "VideoTimestamp.txt"
    header, *rows = path.read_text().splitlines()
    at = header.split("\t").index("roi_dff")
    rows = ["\t".join("0.0" if i == at else cell for i, cell in enumerate(row.split("\t"))) for row in rows]
    path.write_text("\n".join([header, *rows]) + "\n")
    refused(runner, says="no threshold is crossed 8 times per minute in the baseline of")


def test_every_difference_is_named(runner):
    said = refused(runner, shutter_speed="50000", dff_history="4", roi="M1_R", says="had another signal (")
    for each in (
        "shutter_speed was 60000 and is 50000",
        "dff_history was 6 and is 4",
        "roi was M1_L and is M1_R",
        "m1_r was not given",
    ):
        assert each in said


def test_an_roi_that_lies_elsewhere(runner):
    refused(runner, m1_l="40,40,4,4", says="m1_l was ")


@pytest.mark.parametrize(("wish", "says"), [("1", "registration was off"), ("new", "registration = new begins with")])
def test_places_that_registration_did_not_find(runner, wish, says):
    refused(runner, registration=wish, says=says)


def test_what_the_session_would_veto_is_no_crossing(runner, settings):
    baseline = runner.session()
    signal, is_high = baseline.columns["roi_dff"], baseline.columns["roi_dff"] > 0.05
    baseline.columns["veto"] = np.where(is_high, LIGHT, 0)
    assert np.array_equal(signal_in(baseline, settings()), signal)
    assert signal_in(baseline, settings(veto="light")).max() <= 0.05
    assert is_high.any()


def test_another_experiment(runner):
    refused(runner, script=TWO_ROI_SCRIPT, roi_operation="M1_L", says="roi_operation was not given and is M1_L")


def test_the_newest_baseline_that_fits_is_taken(runner):
    first = runner.session().folder
    finished(runner("--baseline", "60", settings=AUTO | {"shutter_speed": "40000"}))
    finished(runner(settings=AUTO))
    assert first.name in runner.session().attributes["reward_threshold_from"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("auto", "auto needs the crossings per minute, as in auto:2"),
        ("auto:often", "auto needs the crossings per minute, as in auto:2"),
        ("auto:0", "from 0.1 to 60 crossings per minute"),
        ("auto:nan", "from 0.1 to 60 crossings per minute"),
    ],
)
def test_rates_that_cannot_be(settings, value, says):
    with pytest.raises(SettingsError, match=says):
        settings(reward_threshold=value)


def test_an_roi_that_is_moved_in_the_preview(settings, capsys):
    before = settings(m1_l="40,40,4,4")
    assert after_the_preview("auto:2: 0.05", before, were_moved=False) == "auto:2: 0.05"
    assert after_the_preview("", before, were_moved=True) == "", "a number has no ROI"
    assert capsys.readouterr().out == ""
    after = after_the_preview("auto:2: 0.05", before, were_moved=True)
    assert after == "auto:2: 0.05; the ROIs were moved since"
    assert "record another baseline" in " ".join(capsys.readouterr().out.split())


def test_the_check_of_the_devices_needs_no_baseline(run):
    done = run("--check", settings=AUTO, fast=False)
    assert "auto" not in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not run.data.exists() or not list(run.data.rglob("VideoTimestamp.txt"))


def test_the_script_with_a_rule_has_it_too(run):
    rule = AUTO | {"roi_operation": "M1_L-BC_R"}
    finished(run("--baseline", "60", settings=rule, script=TWO_ROI_SCRIPT))
    finished(run(settings=rule, script=TWO_ROI_SCRIPT))
    assert run.session().attributes["reward_threshold_from"].startswith("auto:8: 0.")
    said = refused(
        run, script=TWO_ROI_SCRIPT, roi_operation="M1_L-BC_L", says="roi_operation was M1_L-BC_R and is M1_L-BC_L"
    )
    assert "bc_l was not given" in said
