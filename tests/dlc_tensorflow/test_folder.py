"""A TensorFlow folder of DeepLabCut, through unmodified DeepLabCut-Live and TensorFlow: `make test-tensorflow`."""

import subprocess
import sys

import numpy as np
import pytest

from rig.devices.pose import DlcPose, import_dlclive
from rig.errors import PoseError
from rig.simulated.paws import PARTS
from support import genicam
from support.paws import drawn_mouse, paw_settings
from support.places import ROOT, SHORT_PAWS, TRAINED
from support.runner import SpeedRunner, finished
from support.tensorflow_model import write_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An exported folder."""
    return write_model(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def live(folder):
    """DeepLabCut-Live as its users open it, the reference."""
    live_class, processor, _ = import_dlclive()
    live = live_class(str(folder), model_type="base", processor=processor(), display=False)
    live.init_inference(np.zeros((160, 320, 3), np.uint8))
    yield live
    live.close()


def test_names_and_pose(folder):
    pose = DlcPose(paw_settings(pose="dlclive", dlc_model_path=folder, dlc_resize="1"), sees_a_mouse=False)
    assert pose.body_parts == PARTS
    assert pose.runs_on == "DeepLabCut-Live 1.1.0, TensorFlow 2.21.0"
    scene, errors_px, hidden = drawn_mouse(seed=77), [], []
    for i in range(60):
        found = pose.get_pose(scene.render(i / 30, 1000.0, int(i == 1)))
        truth = np.array([scene.parts[name] for name in PARTS])
        visible = truth[:, 2] > 0
        errors_px += np.hypot(*(found[visible, :2] - truth[visible, :2]).T).tolist()
        hidden += found[~visible, 2].tolist()
        assert (found[visible, 2] > 0.5).all()
    pose.close()
    assert np.median(errors_px) < 1
    assert max(hidden, default=0.0) < 0.5


def logged_poses(session):
    """Return the poses that a session has stored, (n, n_parts, 3)."""
    columns = [[session.columns[f"{part}_{what}"] for what in ("x", "y", "likelihood")] for part in PARTS]
    return np.array(columns).transpose(2, 0, 1)


def test_a_whole_session_has_the_poses_of_deeplabcut_live(folder, live, tmp_path):
    run = SpeedRunner(tmp_path)
    short = SHORT_PAWS | {"pose": "dlclive", "dlc_model_path": str(folder), "dlc_resize": "1", "total_trials": "1"}
    short |= {"trial_start": "immediate", "initial_rest_dur": "1", "speed_threshold": "1"}
    finished(run(settings=short))
    session = run.session()
    assert session.notes["pose_runs_on"] == "DeepLabCut-Live 1.1.0, TensorFlow 2.21.0"
    assert (session.columns["reward"] == 1).any()
    logged = logged_poses(session)
    for i in range(0, len(session), 20):
        np.testing.assert_array_equal(logged[i], live.get_pose(session.images[i]))


@genicam.needs_aravis
def test_a_session_on_a_gige_camera(folder, live, tmp_path, gige_camera):
    run = SpeedRunner(tmp_path)
    settings = SHORT_PAWS | genicam.BRIEF | genicam.PAW_SESSION | {"pose": "dlclive", "dlc_model_path": str(folder)}
    finished(run(settings=settings | {"dlc_resize": "1"}, simulate=False, fast=False))
    session = run.session()
    logged = logged_poses(session)
    for i in range(0, len(session), 10):
        np.testing.assert_array_equal(logged[i], live.get_pose(session.images[i]))


def test_a_pytorch_model_without_pytorch_is_one_sentence():
    with pytest.raises(PoseError, match=r"PyTorch is not installed here, .*run 'make setup-dlclive' once"):
        DlcPose(paw_settings(pose="dlclive", dlc_model_path=TRAINED), sees_a_mouse=False)


def test_the_command_says_what_it_runs_on(folder):
    values = {"pose": "dlclive", "dlc_model_path": folder, "vid_source": "SimCameraStream"}
    words = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "rig.commands.pose", "--frames", "5", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert "runs on     DeepLabCut-Live 1.1.0, TensorFlow 2.21.0" in done.stdout
    assert done.stderr == ""
