"""Names that could not be told apart, or that would stand in the way of a file, a setting or a column."""

import json

import numpy as np
import pytest

from rig.devices.calibration import CALIBRATION_FILE
from rig.devices.pose import check_body_parts
from rig.errors import SettingsError
from rig.files.ledger import LEDGER_FILE
from rig.settings.fields import FILES_OF_OURS
from rig.settings.loading import load
from rig.settings.two_roi import TwoRoiSettings
from support.paws import paw_settings
from support.pins import gpio_env, needs_lgpio
from support.places import ROOT, SHORT, SHORT_PAWS, SPEED_SCRIPT
from support.recordings import write_recording
from support.runner import finished

SITE = {"ML": 1.0, "AP": 0.5}


@pytest.mark.parametrize(
    ("parts", "fragment"),
    [
        (("paw", "no\tse"), r"the body part 'no\\tse', which cannot stand in a table"),
        (("paw", "two\nlines"), "cannot stand in a table"),
        (("paw", " "), "cannot stand in a table"),
        (("paw", "nose", "paw"), "the body part 'paw' more than once"),
        ((1, 2), "the body part 1, which is no text"),
        (("paw", None), "the body part None, which is no text"),
    ],
)
def test_body_parts_that_cannot_name_columns(parts, fragment):
    with pytest.raises(SettingsError, match=fragment):
        check_body_parts(paw_settings(), parts)


def test_body_parts_that_can():
    check_body_parts(paw_settings(), ("fl_l", "left ear", "naïve", "Paw", "paw"))


@pytest.mark.parametrize(
    ("seeds_mm", "fragment"),
    [
        ({"M1": SITE, "m1": SITE}, "M1_L and m1_L differ only in case"),
        ({"M1": SITE, "a b": SITE}, "the site 'a b' must have a name of letters"),
        ({"M1": SITE, "a=b": SITE}, "the site 'a=b' must have a name of letters"),
        ({"M1": SITE, "a\tb": SITE}, "must have a name of letters"),
        ({"M1": SITE, "": SITE}, "the site '' must have a name of letters"),
    ],
)
def test_sites_that_cannot_be_told_apart(settings, seeds_mm, fragment):
    with pytest.raises(SettingsError) as caught:
        settings(seeds_mm=json.dumps(seeds_mm))
    assert fragment in str(caught.value)


def test_a_site_that_stands_there_twice(settings):
    twice = '{"M1": {"ML": 1, "AP": 0.5}, "M1": {"ML": 2, "AP": 0.5}}'
    with pytest.raises(SettingsError, match="M1 stands there more than once"):
        settings(seeds_mm=twice)


@pytest.mark.parametrize(
    ("rule", "fragment"),
    [
        ("roi-M1_L", "no ROI may be called roi; roi_dff is the column of the rule"),
        ("ROI-M1_L", "no ROI may be called ROI; roi_dff is the column of the rule"),
        ("framerate-M1_L", "framerate: no site and no ROI may be called like the setting framerate"),
        ("Iso-M1_L", "Iso: no site and no ROI may be called like the setting iso"),
        ("m1_l-BC_R", "M1_L and m1_l differ only in case"),
    ],
)
def test_rois_that_collide(rule, fragment):
    with pytest.raises(SettingsError) as caught:
        load(TwoRoiSettings, ROOT / "config.ini", TwoRoiSettings.section, {"roi_operation": rule})
    assert fragment in str(caught.value)


def test_the_shipped_sites_can_be_told_apart(settings):
    assert len(settings().seeds_mm) == 20


@pytest.mark.parametrize(
    "name", ["water.csv", "WATER.CSV", "valve_calibration.json", "water.csv.new", "replays", "Replays"]
)
def test_a_summary_called_like_a_file_of_ours(settings, name):
    with pytest.raises(SettingsError, match=f"summary_file = {name}: this is the name of another file of the rig"):
        settings(summary_file=name)


def test_files_of_ours_are_all_listed():
    assert {LEDGER_FILE, CALIBRATION_FILE} <= FILES_OF_OURS


@pytest.mark.parametrize("mouse", ["water.csv", "Water.CSV", "replays", "expt_1roi_trial_summary.csv"])
def test_a_mouse_called_like_a_file_of_ours(run, mouse):
    done = run(mouse=mouse)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"mouse ID '{mouse}': this is the name of a file below data_root" in done.stderr
    assert not run.data.exists()


def test_a_mouse_that_is_called_nearly_so(run):
    finished(run(mouse="water.csv2", settings=SHORT | {"total_trials": "1", "initial_rest_dur": "2"}))


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["session", "check"])
def test_a_replay_gives_no_real_water_unasked(run, tmp_path, config, arguments):
    """The shipped configuration has outputs = gpio."""
    replay = write_recording(tmp_path, np.zeros((30, 128, 128, 3), np.uint8))
    done = run(*arguments, "--config", config, settings=SHORT | replay | {"tone": "simulated"}, simulate=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "outputs = gpio: vid_source = VideoStream replays a recording" in done.stderr
    assert not run.data.exists()


@needs_lgpio
def test_a_replay_gives_real_water_when_it_is_asked_to(run, tmp_path):
    images = np.random.default_rng(0).integers(60, 200, (150, 128, 128, 3), np.uint8)
    replay = write_recording(tmp_path, images) | {"outputs": "gpio", "tone": "simulated"}
    finished(run(settings=SHORT | replay, simulate=False, env=gpio_env(tmp_path / "edges")))
    assert run.session().of("light", "driven")


def test_a_replay_of_clmf_needs_no_more(run, tmp_path):
    images = np.random.default_rng(0).integers(60, 200, (30, 160, 320, 3), np.uint8)
    replay = write_recording(tmp_path, images, framerate=30)
    done = run(script=SPEED_SCRIPT, settings=SHORT_PAWS | replay | {"video_file": ""})
    assert done.returncode == 0, done.stderr
