"""Models in an .onnx file, without torch and DeepLabCut-Live: which provider, what is refused, a whole session."""

import subprocess
import sys

import numpy as np
import pytest

from rig.devices.onnx_pose import OnnxPose, providers_for, refuse_another_provider
from rig.devices.pose import open_pose
from rig.errors import PoseError, SettingsError
from rig.simulated.paws import PARTS
from support.paws import drawn_mouse, paw_settings
from support.places import EXPORTED, ROOT, SHORT_PAWS
from support.runner import SpeedRunner, finished

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def open_onnx(sees_a_mouse=False, **changes):
    values = {"pose": "dlclive", "dlc_model_path": EXPORTED} | changes
    return OnnxPose(paw_settings(**values), sees_a_mouse)


def test_finds_the_parts_of_a_drawn_mouse():
    pose, scene, errors_px = open_onnx(), drawn_mouse(seed=78), []
    for i in range(60):
        found = pose.get_pose(scene.render(i / 30, 1000.0, 0))
        truth = np.array([scene.parts[name] for name in PARTS])
        errors_px += np.hypot(*(found[:, :2] - truth[:, :2]).T)[truth[:, 2] > 0].tolist()
    assert np.median(errors_px) < 3


def test_it_says_what_it_runs_on():
    assert open_onnx().runs_on == f"ONNX Runtime {onnxruntime.__version__}, {CPU}"


def test_neither_torch_nor_deeplabcut_live_is_imported():
    code = (
        "import sys; from support.paws import paw_settings; from rig.devices.pose import open_pose\n"
        f"with open_pose(paw_settings(pose='dlclive', dlc_model_path={str(EXPORTED)!r}), False) as pose:\n"
        "    print(pose.body_parts, {'torch', 'dlclive', 'tensorflow'} & sys.modules.keys())"
    )
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "('fl_l', 'fl_r', 'nose') set()"


@pytest.mark.parametrize(
    ("device", "available", "expected"),
    [
        ("auto", [CPU], [CPU]),
        ("auto", [TENSORRT, CUDA, CPU], [CUDA, CPU]),
        ("cpu", [TENSORRT, CUDA, CPU], [CPU]),
        ("cuda", [TENSORRT, CUDA, CPU], [CUDA, CPU]),
        ("tensorrt", [TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU]),
        ("tensorrt", ["AzureExecutionProvider", TENSORRT, CPU], [TENSORRT, CPU]),
    ],
)
def test_which_providers_are_asked_for(device, available, expected):
    assert providers_for(device, available) == expected


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_this_runtime_does_not_know_is_refused(device):
    with pytest.raises(SettingsError, match=rf"dlc_device = {device}: this ONNX Runtime has no \w+, only .*{CPU}"):
        open_onnx(dlc_device=device)


def test_a_device_that_could_not_be_started_is_refused():
    """ONNX Runtime goes on with the CPU where the libraries of CUDA are missing, and only writes it into its log."""
    with pytest.raises(SettingsError, match=f"could not start {CUDA} and would use {CPU}"):
        refuse_another_provider("cuda", CPU)
    refuse_another_provider("cuda", CUDA)
    refuse_another_provider("auto", CPU)


def test_a_model_for_drawn_mice_is_refused_before_a_real_camera():
    with pytest.raises(SettingsError, match="knows only the drawn mouse of SimCameraStream, not a real one"):
        open_onnx(sees_a_mouse=True)


@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="ONNX Runtime cannot load this model"):
        open_onnx(dlc_model_path=path)


def test_an_image_that_the_network_cannot_take_is_one_sentence():
    pose = open_onnx(dlc_resize=1)
    with pytest.raises(PoseError, match="ONNX Runtime found no pose"):
        pose.get_pose(np.zeros((320, 640, 4), np.uint8))


def test_without_onnx_runtime_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PoseError, match=r"ONNX Runtime is not installed .*run 'make setup' once"):
        open_onnx()


def test_tensorrt_is_only_for_onnx():
    with pytest.raises(SettingsError, match=r"dlc_device = tensorrt: only a model in an \.onnx file"):
        paw_settings(pose="dlclive", dlc_model_path=ROOT / "models" / "demo_mouse.pt", dlc_device="tensorrt")


def test_a_whole_session(tmp_path):
    run = SpeedRunner(tmp_path)
    short = SHORT_PAWS | {"pose": "dlclive", "dlc_model_path": str(EXPORTED), "dlc_resize": "1", "total_trials": "2"}
    done = finished(run(settings=short))
    session = run.session()
    assert f"the model demo_mouse.onnx runs on ONNX Runtime {onnxruntime.__version__}, {CPU}" in done.stdout
    assert session.notes["pose_runs_on"] == f"ONNX Runtime {onnxruntime.__version__}, {CPU}"
    assert session.versions["version_of_onnxruntime"] == onnxruntime.__version__
    with open_pose(paw_settings(pose="dlclive", resolution="320, 160", start_center="295, 55",
                                target_center="295, 40", ppmm="1.75", max_jump_px="50", speed_threshold="4",
                                dlc_model_path=EXPORTED, dlc_resize="1"), False) as pose:  # fmt: skip
        for i in range(0, len(session), 20):
            logged = [session.columns[f"fl_l_{what}"][i] for what in ("x", "y", "likelihood")]
            np.testing.assert_array_equal(logged, pose.get_pose(session.images[i])[0])
