"""Pose: the contract of all finders, DeepLabCut-Live with the shipped model, and what is refused."""

import csv
import subprocess
import sys

import cv2
import numpy as np
import pytest

from rig.devices.pose import DlcPose, open_pose
from rig.errors import PoseError, SettingsError
from rig.protocol.tracking import Tracking
from rig.simulated.paws import PARTS, Part
from rig.simulated.pose import SimPose
from support.paws import drawn_mouse, paw_settings
from support.places import EXPORTED, ROOT, SHARED, TRAINED

OPEN_FIELD = SHARED / "data" / "openfield"
FINDERS = {
    "dlclive": {"pose": "dlclive", "dlc_model_path": TRAINED},
    "onnx": {"pose": "dlclive", "dlc_model_path": EXPORTED},
    "simulated": {"pose": "simulated"},
}


def open_network(**changes):
    """Open a model with DeepLabCut-Live, before a drawn mouse; by default the shipped one."""
    return DlcPose(paw_settings(**FINDERS["dlclive"] | changes), sees_a_mouse=False)


@pytest.fixture(scope="module")
def drawn():
    """300 frames of a mouse that moves by itself, and where its parts are in each."""
    scene = drawn_mouse(seed=77)
    images, parts = [], []
    for i in range(300):
        images.append(scene.render(i / 30, 1000.0, int(i == 1)))
        parts.append(dict(scene.parts))
    return images, parts


@pytest.fixture(scope="module", params=FINDERS)
def finder(request):
    """One of the finders."""
    with open_pose(paw_settings(**FINDERS[request.param]), sees_a_mouse=False) as pose:
        yield pose
    pose.close()  # closing twice is harmless


def test_body_parts_are_those_of_the_drawn_mouse(finder):
    assert finder.body_parts == PARTS


def test_a_pose_is_a_place_and_a_likelihood_of_each_part(finder, drawn):
    pose = finder.get_pose(drawn[0][0])
    assert (pose.shape, pose.dtype) == ((len(PARTS), 3), np.float64)
    assert np.isfinite(pose).all()
    assert ((pose[:, 2] >= 0) & (pose[:, 2] <= 1)).all()


def test_a_pose_belongs_to_its_frame(finder, drawn):
    images, _ = drawn
    first = finder.get_pose(images[0])
    kept = first.copy()
    finder.get_pose(images[-1])
    np.testing.assert_array_equal(first, kept)


def test_the_same_frame_gives_the_same_pose(finder, drawn):
    images, _ = drawn
    first = finder.get_pose(images[0])
    finder.get_pose(images[-1])
    np.testing.assert_array_equal(finder.get_pose(images[0]), first)


def test_a_network_sees_grey_as_three_equal_colours(drawn):
    network = open_network()
    grey = cv2.cvtColor(drawn[0][0], cv2.COLOR_BGR2GRAY)
    equal = network.get_pose(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    np.testing.assert_array_equal(network.get_pose(grey[..., None]), equal)
    network.close()


def test_finds_the_parts_of_frames_it_has_never_seen(finder, drawn):
    images, parts = drawn
    poses = np.array([finder.get_pose(image) for image in images])
    for k, name in enumerate(PARTS):
        truth = np.array([part[name][:2] for part in parts])
        visible = np.array([part[name].visible for part in parts])
        error_px = np.hypot(*(poses[visible, k, :2] - truth[visible]).T)
        assert np.median(error_px) < 3
        assert np.mean(poses[visible, k, 2] > 0.5) >= 0.99


def test_a_hidden_paw_is_unlikely(finder):
    scene = drawn_mouse(seed=5)
    random, likelihoods = np.random.default_rng(3), []
    for _ in range(40):
        parts = {name: Part(*(scene.home(name) + random.normal(0, 4, 2)), name != "fl_l") for name in PARTS}
        likelihoods.append(finder.get_pose(scene.paint(parts, random))[0, 2])
    assert np.mean(np.array(likelihoods) < 0.5) >= 0.95


@pytest.fixture
def networks(monkeypatch):
    """Every DLCLive that is opened in the test."""
    import dlclive

    opened = []

    class Watched(dlclive.DLCLive):
        def __init__(self, *arguments, **values):
            super().__init__(*arguments, **values)
            opened.append(self)

    monkeypatch.setattr(dlclive, "DLCLive", Watched)
    return opened


def test_a_network_runs_on_one_thread():
    import torch

    torch.set_num_threads(2)
    open_network()
    assert torch.get_num_threads() == 1


def test_a_network_has_a_processor_that_fires_nothing(networks):
    from dlclive import Processor

    open_network()
    (network,) = networks
    assert type(network.processor) is Processor


def test_a_network_opens_no_window(networks):
    open_network()
    (network,) = networks
    assert network.display is None


@pytest.mark.parametrize(
    ("result", "fragment"),
    [
        (np.zeros((2, 3)), "shape (2, 3), finite: True"),
        (np.full((3, 3), np.nan), "shape (3, 3), finite: False"),
    ],
)
def test_a_result_that_is_no_pose_ends_the_session(networks, monkeypatch, result, fragment):
    pose = open_network()
    (network,) = networks
    monkeypatch.setattr(network, "get_pose", lambda _: result)
    with pytest.raises(PoseError) as caught:
        pose.get_pose(np.zeros((320, 640, 3), np.uint8))
    assert fragment in str(caught.value)


def test_a_network_that_fails_is_one_sentence(networks, monkeypatch):
    pose = open_network()
    (network,) = networks

    def fails(_):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(network, "get_pose", fails)
    with pytest.raises(PoseError, match=r"found no pose .*CUDA out of memory"):
        pose.get_pose(np.zeros((320, 640, 3), np.uint8))


@pytest.mark.parametrize("kind", FINDERS)
def test_a_body_part_that_the_model_does_not_know(kind):
    with (
        pytest.raises(SettingsError, match=r"control_point = tail: .*it has fl_l, fl_r, nose"),
        open_pose(paw_settings(**FINDERS[kind], control_point="tail"), sees_a_mouse=False),
    ):
        pass


@pytest.mark.parametrize("kind", ["dlclive", "onnx"])
def test_a_synthetic_model_before_a_real_camera_is_refused(kind):
    settings = paw_settings(**FINDERS[kind], vid_source="OpenCVCameraStream")
    with (
        pytest.raises(SettingsError, match="knows only the drawn mouse of SimCameraStream, not a real one"),
        open_pose(settings, sees_a_mouse=True),
    ):
        pass


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="DeepLabCut-Live cannot load this model"):
        open_network(dlc_model_path=path)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot load this model \(Could not determine engine"):
        open_network(dlc_model_path=tmp_path)


def test_a_tensorflow_folder_without_tensorflow_is_one_sentence(tmp_path):
    for name in ("pose_cfg.yaml", "snapshot.pb"):
        (tmp_path / name).touch()
    with pytest.raises(PoseError, match=r"TensorFlow is not installed here, .*run 'make setup-tensorflow' once"):
        open_network(dlc_model_path=tmp_path)


TRACKS = [
    ([(0, 0.9, 0), (1, 0.9, 5), (2, 0.9, 5)], [1, 1, 1], "seen all the time"),
    ([(0, 0.9, 0), (1, 0.4, 5), (2, 0.9, 5), (3, 0.9, 5)], [1, 0, 0, 1], "a speed needs two frames that show the paw"),
    ([(0, 0.9, 0), (1, 0.9, 101), (2, 0.9, 101), (3, 0.9, 1)], [1, 0, 0, 1], "there and back are jumps"),
    ([(0, 0.9, 0), (1, 0.9, 100)], [1, 1], "the limit itself is none"),
    ([(0, 0.9, 0), (2, 0.9, 5), (3, 0.9, 5)], [1, 0, 1], "after a lost frame the way is too long"),
    ([(0, 0.1, 0), (1, 0.9, 5), (2, 0.9, 5)], [0, 0, 1], "hidden at first"),
    ([(0, 0.5, 0)], [1], "as likely as the limit is enough"),
]


@pytest.mark.parametrize(("frames", "expected", "why"), TRACKS, ids=[why for _, _, why in TRACKS])
def test_tracking(frames, expected, why):
    tracking = Tracking(min_likelihood=0.5, max_jump_px=100.0)
    assert [tracking.trusts(*frame) for frame in frames] == [bool(e) for e in expected], why
    assert tracking.untracked_frames == expected.count(0)


@pytest.mark.parametrize("kind", FINDERS)
def test_the_command_says_which_parts_the_model_knows_and_how_fast_it_is(kind):
    values = FINDERS[kind] | {"vid_source": "SimCameraStream"}
    settings = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "rig.commands.pose", "--frames", "5", *settings],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "fl_l, fl_r, nose; the control point is fl_l" in done.stdout
    assert "ms (median)" in done.stdout


def test_the_open_field_model_on_labelled_frames():
    """A real mouse: the pose of labelled frames that the model was not trained on, as far off as measured before."""
    if not OPEN_FIELD.exists():
        pytest.skip("no real mouse here: ../shared is absent")
    model = {"dlc_model_path": OPEN_FIELD / "mouse_openfield.pt", "control_point": "snout", "dlc_resize": "0.5"}
    pose = DlcPose(paw_settings(pose="dlclive", resolution="640, 480", **model), sees_a_mouse=True)
    assert pose.body_parts == ("snout", "leftear", "rightear", "tailbase")
    text = (OPEN_FIELD / "labeled" / "CollectedData_Pranav.csv").read_text()
    rows = list(csv.reader(text.splitlines()))[3:]
    errors = []
    for row in rows[3::6]:
        image = cv2.imread(str(OPEN_FIELD / "labeled" / row[0].split("/")[-1]))
        truth = np.array(row[-8:], float).reshape(4, 2)
        errors.append(np.hypot(*(pose.get_pose(image)[:, :2] - truth).T))
    assert np.median(errors) < 6


def test_the_simulated_finder_is_opened_where_it_is_asked_for():
    with open_pose(paw_settings(pose="simulated"), sees_a_mouse=False) as pose:
        assert isinstance(pose, SimPose)


def test_the_simulated_finder_needs_no_network():
    modules = "rig.devices.pose, rig.simulated.pose, sys"
    code = f"import {modules}; assert not {{'torch', 'dlclive', 'torchvision'}} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
