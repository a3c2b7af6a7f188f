"""Pose: the contract of both finders, DeepLabCut-Live with the shipped model, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
from rig.errors import PoseError, SettingsError
from rig.pose import DlcPose, SimPose, Tracking, open_pose
from rig.settings import CameraSettings, ClmfSettings, load
from rig.sim_paw import PARTS, Part, PawScene

OPEN_FIELD = ROOT.parent / "shared" / "data" / "openfield"
SIZE = {"resolution": "640, 320"}


def clmf(**changes):
    simulated = {"vid_source": "SimCameraStream", "outputs": "simulated", "tone": "simulated", "seed": "1"}
    values = simulated | {key: str(value) for key, value in changes.items()}
    return load(ClmfSettings, ROOT / "config.ini", ClmfSettings.section, values)[0]


@pytest.fixture(scope="module")
def drawn():
    """300 frames of a mouse that moves by itself, and where its parts are in each."""
    scene = PawScene(CameraSettings(vid_source="drawn", resolution="640, 320", framerate=30, seed=77), "fl_l")
    images, parts = [], []
    for i in range(300):
        images.append(scene.render(i / 30, 1000.0, int(i == 1)))
        parts.append(dict(scene.parts))
    return images, parts


@pytest.fixture(scope="module", params=["dlclive", "simulated"])
def finder(request):
    with open_pose(clmf(pose=request.param)) as pose:
        yield pose
    pose.close()  # closing twice is harmless


def test_contract(finder, drawn):
    images, _ = drawn
    assert finder.body_parts == PARTS
    first = finder.get_pose(images[0])
    kept = first.copy()
    assert (first.shape, first.dtype) == ((len(PARTS), 3), np.float64)
    assert np.isfinite(first).all()
    assert ((first[:, 2] >= 0) & (first[:, 2] <= 1)).all()
    finder.get_pose(images[-1])
    np.testing.assert_array_equal(first, kept)  # a pose belongs to its frame
    np.testing.assert_array_equal(finder.get_pose(images[0]), kept)  # the same frame, the same pose


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
    scene = PawScene(CameraSettings(vid_source="drawn", resolution="640, 320", framerate=30, seed=5), "fl_l")
    random, likelihoods = np.random.default_rng(3), []
    for _ in range(40):
        parts = {name: Part(*(scene.home(name) + random.normal(0, 4, 2)), name != "fl_l") for name in PARTS}
        likelihoods.append(finder.get_pose(scene.paint(parts, random))[0, 2])
    assert np.mean(np.array(likelihoods) < 0.5) >= 0.95


def test_one_thread_and_a_processor_that_fires_nothing():
    import torch
    from dlclive import Processor

    pose = DlcPose(clmf(pose="dlclive"))
    assert torch.get_num_threads() == 1
    assert type(pose._live.processor) is Processor
    assert pose._live.display is None


@pytest.mark.parametrize(
    ("result", "fragment"),
    [
        (np.zeros((2, 3)), "shape (2, 3), finite: True"),
        (np.full((3, 3), np.nan), "shape (3, 3), finite: False"),
    ],
)
def test_a_result_that_is_no_pose_ends_the_session(monkeypatch, result, fragment):
    pose = DlcPose(clmf(pose="dlclive"))
    monkeypatch.setattr(pose._live, "get_pose", lambda _: result)
    with pytest.raises(PoseError) as caught:
        pose.get_pose(np.zeros((320, 640, 3), np.uint8))
    assert fragment in str(caught.value)


def test_a_network_that_fails_is_one_sentence(monkeypatch):
    pose = DlcPose(clmf(pose="dlclive"))

    def fails(_):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(pose._live, "get_pose", fails)
    with pytest.raises(PoseError, match=r"found no pose .*CUDA out of memory"):
        pose.get_pose(np.zeros((320, 640, 3), np.uint8))


def test_a_body_part_that_the_model_does_not_know():
    for kind in ("dlclive", "simulated"):
        with (
            pytest.raises(SettingsError, match=r"control_point = tail: .*it has fl_l, fl_r, nose"),
            open_pose(clmf(pose=kind, control_point="tail")),
        ):
            pass


def test_a_synthetic_model_before_a_real_camera_is_refused():
    with pytest.raises(SettingsError, match="knows the drawn mouse of SimCameraStream alone, not a real one"):
        DlcPose(clmf(pose="dlclive", vid_source="OpenCVCameraStream"))


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="DeepLabCut-Live cannot load this model"):
        DlcPose(clmf(pose="dlclive", dlc_model_path=path))


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot load this model \(Could not determine engine"):
        DlcPose(clmf(pose="dlclive", dlc_model_path=tmp_path))


def test_names_of_a_tensorflow_model():
    """TensorFlow is not installed here; the names of such a model come from another place."""
    pose = DlcPose.__new__(DlcPose)
    pose._live = type("Live", (), {"cfg": {"all_joints_names": ["paw", "nose"]}})
    assert pose._about(is_pytorch=False) == (("paw", "nose"), False)


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
    notes = {}
    tracking = Tracking(0.5, 100.0, notes)
    assert [tracking.trusts(*frame) for frame in frames] == [bool(e) for e in expected], why
    assert notes["untracked_frames"] == expected.count(0)


def test_bench():
    for kind in ("dlclive", "simulated"):
        settings = ["--set", f"pose={kind}", "--set", "vid_source=SimCameraStream"]
        done = subprocess.run(
            [sys.executable, "-m", "rig.pose", "--frames", "5", *settings],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert "fl_l, fl_r, nose; the control point is fl_l" in done.stdout
        assert "ms (median)" in done.stdout


def test_the_open_field_model_on_labelled_frames():
    """A real mouse: the pose of labelled frames that the model was not trained on, as far off as measured before."""
    if not OPEN_FIELD.exists():
        pytest.skip("no real mouse here: ../shared is absent")
    import csv

    import cv2

    model = {"dlc_model_path": OPEN_FIELD / "mouse_openfield.pt", "control_point": "snout", "dlc_resize": "0.5"}
    pose = DlcPose(clmf(pose="dlclive", resolution="640, 480", **model))
    assert pose.body_parts == ("snout", "leftear", "rightear", "tailbase")
    text = (OPEN_FIELD / "labeled" / "CollectedData_Pranav.csv").read_text()
    rows = list(csv.reader(text.splitlines()))[3:]
    errors = []
    for row in rows[3::6]:
        image = cv2.imread(str(OPEN_FIELD / "labeled" / row[0].split("/")[-1]))
        truth = np.array(row[-8:], float).reshape(4, 2)
        errors.append(np.hypot(*(pose.get_pose(image)[:, :2] - truth).T))
    assert np.median(errors) < 6


def test_sim_pose_needs_no_network():
    assert isinstance(SimPose(clmf(pose="simulated")), SimPose)
    code = "import rig.pose, sys; assert not {'torch', 'dlclive', 'torchvision'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
