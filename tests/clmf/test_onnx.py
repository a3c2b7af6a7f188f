"""From a .pt file to an .onnx file: DeepLabCut-Live is the reference, also in whole sessions."""

import itertools
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest
from export_onnx import (
    MOST_LIKELIHOOD,
    MOST_PX,
    ExportError,
    compare,
    drawn_frames,
    export,
    frames_of,
    load_dlclive,
    refuse_other_kinds,
)

from rig.devices.onnx_pose import OnnxModel
from rig.devices.pose import DlcPose, open_pose
from rig.errors import SettingsError
from support.paws import paw_settings
from support.places import EXPORTED, ROOT, SHARED, SHORT_PAWS, TRAINED
from support.runner import finished

OPEN_FIELD = SHARED / "data" / "openfield"


@pytest.fixture(scope="module")
def live():
    """DeepLabCut-Live with the shipped model, the reference."""
    return load_dlclive(TRAINED)


def some_frames(n=6):
    return itertools.islice(drawn_frames(), n)


def test_the_tool_writes_a_model_with_the_poses_of_deeplabcut_live(tmp_path):
    output = tmp_path / "mouse.onnx"
    command = [sys.executable, "-W", "error", ROOT / "tools" / "export_onnx.py", TRAINED, "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "on 200 frames its poses differ" in " ".join(done.stdout.split())
    assert [path.name for path in tmp_path.iterdir()] == ["mouse.onnx"]
    written, shipped = OnnxModel(output, "cpu"), OnnxModel(EXPORTED, "cpu")
    assert (written.body_parts, written.is_synthetic) == (shipped.body_parts, shipped.is_synthetic)
    for frame in some_frames():
        np.testing.assert_array_equal(written.pose(frame), shipped.pose(frame))


def test_the_shipped_model_is_the_one_for_deeplabcut_live(live):
    assert "differ" in compare(live, OnnxModel(EXPORTED, "cpu"), some_frames(40))


class Shifted:
    """An exported model whose poses are off."""

    def __init__(self, by):
        self._model, self._by = OnnxModel(EXPORTED, "cpu"), by

    def pose(self, frame):
        return self._model.pose(frame) + np.array(self._by, np.float32)


@pytest.mark.parametrize("by", [(2 * MOST_PX, 0, 0), (0, -2 * MOST_PX, 0), (0, 0, 2 * MOST_LIKELIHOOD)])
def test_other_poses_are_refused(live, by):
    with pytest.raises(ExportError, match="nothing was written"):
        compare(live, Shifted(by), some_frames())


def test_an_export_that_fails_leaves_nothing_behind_and_the_old_file_alone(tmp_path):
    output = tmp_path / "mouse.onnx"
    output.write_bytes(b"old")
    with pytest.raises(ExportError, match="OpenCV cannot read a frame"):
        export(TRAINED, output, frames_of(tmp_path / "absent.mp4", 5))
    assert [path.name for path in tmp_path.iterdir()] == ["mouse.onnx"]
    assert output.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"method": "td"}, "has the method td and a HeatmapPredictor"),
        ({"predictor": "PartAffinityFieldPredictor"}, "has the method bu and a PartAffinityFieldPredictor"),
    ],
)
def test_other_kinds_of_models_are_refused(changes, fragment):
    config = {
        "method": changes.get("method", "bu"),
        "model": {"heads": {"bodypart": {"predictor": {"type": changes.get("predictor", "HeatmapPredictor")}}}},
    }
    with pytest.raises(ExportError, match=fragment):
        refuse_other_kinds(config)


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_what_is_no_pytorch_model_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError, match=r"a PyTorch model \(.pt\) that DeepLabCut-Live can load is needed"):
        export(path, tmp_path / "model.onnx", some_frames())
    assert not list(tmp_path.glob("*.onnx*"))


def test_images_are_padded_as_deeplabcut_live_does(tmp_path):
    import torch

    content = torch.load(TRAINED, weights_only=True)
    padding = {"pad_height_divisor": 96, "pad_width_divisor": 64}  # no size of a drawn frame is a multiple of it
    content["config"]["data"]["inference"]["auto_padding"] = padding
    torch.save(content, tmp_path / "padded.pt")
    assert "differ" in export(tmp_path / "padded.pt", tmp_path / "padded.onnx", some_frames())


def test_frames_without_an_animal_prove_nothing(live):
    with pytest.raises(ExportError, match="no body part is seen on these frames"):
        compare(live, OnnxModel(EXPORTED, "cpu"), iter([np.zeros((160, 320, 3), np.uint8)]))


def test_a_refusal_of_the_tool_is_one_sentence(tmp_path):
    command = [sys.executable, ROOT / "tools" / "export_onnx.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{tmp_path}: a PyTorch model (.pt)")


def test_an_onnx_file_of_another_tool_is_refused(tmp_path):
    model = onnx.load(str(EXPORTED))
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(SettingsError, match="does not name its body parts; make it from"):
        OnnxModel(tmp_path / "other.onnx", "cpu")


def test_a_session_with_onnx_is_that_of_deeplabcut_live_on_the_same_frames(run):
    short = SHORT_PAWS | {"pose": "dlclive", "dlc_resize": "0.5", "total_trials": "3", "trial_start": "immediate"}
    finished(run(settings=short | {"dlc_model_path": str(TRAINED)}))
    recorded = run.session()
    assert recorded.notes["pose_runs_on"].startswith("DeepLabCut-Live 1.1.0, PyTorch ")
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded.folder), "pose": "dlclive"}
    replay |= {"dlc_model_path": str(EXPORTED)}
    finished(run("--config", str(recorded.folder / "config.ini"), settings=replay, mouse="again", seed=None))
    again = run.session("again")
    assert again.notes["pose_runs_on"].startswith("ONNX Runtime")
    for name in ("frame", "freq", "reward", "trial", "audio", "tracked"):
        np.testing.assert_array_equal(again.columns[name], recorded.columns[name], name)
    for part in ("fl_l", "fl_r", "nose"):
        for what, most in (("x", MOST_PX), ("y", MOST_PX), ("likelihood", MOST_LIKELIHOOD)):
            np.testing.assert_allclose(again.columns[f"{part}_{what}"], recorded.columns[f"{part}_{what}"], 0, most)
    assert (recorded.columns["reward"] == 1).any()


def test_a_real_mouse_has_the_same_poses(tmp_path):
    if not OPEN_FIELD.exists():
        pytest.skip("no real mouse here: ../shared is absent")
    trained, video = OPEN_FIELD / "mouse_openfield.pt", OPEN_FIELD / "m3v1mp4.mp4"
    export(trained, tmp_path / "mouse.onnx", frames_of(video, 20))
    real = {"pose": "dlclive", "resolution": "640, 480", "control_point": "snout", "dlc_resize": "0.5"}
    by_torch = DlcPose(paw_settings(**real, dlc_model_path=trained), sees_a_mouse=True)
    with open_pose(paw_settings(**real, dlc_model_path=tmp_path / "mouse.onnx"), sees_a_mouse=True) as by_onnx:
        assert by_onnx.body_parts == by_torch.body_parts == ("snout", "leftear", "rightear", "tailbase")
        for frame in frames_of(video, 60):
            ours, reference = by_onnx.get_pose(frame), by_torch.get_pose(frame)
            np.testing.assert_allclose(ours[:, :2], reference[:, :2], rtol=0, atol=MOST_PX)
            np.testing.assert_allclose(ours[:, 2], reference[:, 2], rtol=0, atol=MOST_LIKELIHOOD)


def test_frames_are_spread_over_the_video(tmp_path):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 64))
    for i in range(21):
        writer.write(np.full((64, 64, 3), 10 * i, np.uint8))
    writer.release()
    assert [round(frame.mean() / 10) for frame in frames_of(path, 3)] == [0, 10, 20]
