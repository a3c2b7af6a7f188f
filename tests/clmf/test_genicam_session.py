"""Whole CLMF sessions on a camera that speaks GigE Vision."""

import numpy as np
import onnx
from export_onnx import MOST_LIKELIHOOD, MOST_PX, load_dlclive

from rig.devices.frames import in_colours
from support import genicam
from support.places import EXPORTED, TRAINED
from support.runner import finished, frames_of


@genicam.needs_aravis
def test_a_session_on_a_gige_camera(run, gige_camera):
    finished(
        run(
            settings=run.short | genicam.PAW_SESSION | genicam.BRIEF | {"pose": "simulated"}, simulate=False, fast=False
        )
    )
    session = run.session()
    assert len(frames_of(session)) == 1
    assert np.diff(session.frames["number"]).min() == 1
    assert session.settings["genicam_id"] == genicam.GIGE_ID
    images = np.asarray(session.images[:2])
    assert images.shape[1:] == (160, 320, 1)
    assert images.any(), "grey, in one channel"


@genicam.needs_aravis
def test_a_session_with_onnx_has_the_poses_of_deeplabcut_live(run, gige_camera, tmp_path):
    model = onnx.load(str(EXPORTED))
    onnx.helper.set_model_props(model, {"bodyparts": '["fl_l", "fl_r", "nose"]'})  # no word of drawn mice
    onnx.save(model, str(tmp_path / "real.onnx"))
    paw = {"pose": "dlclive", "dlc_model_path": str(tmp_path / "real.onnx"), "dlc_resize": "1"}
    finished(run(settings=run.short | genicam.PAW_SESSION | genicam.BRIEF | paw, simulate=False, fast=False))
    session, live = run.session(), load_dlclive(TRAINED)
    for i in range(0, len(session), 10):
        reference = live.get_pose(in_colours(session.images[i]))
        for part, expected in zip(("fl_l", "fl_r", "nose"), reference, strict=True):
            logged = [session.columns[f"{part}_{what}"][i] for what in ("x", "y", "likelihood")]
            assert (np.abs(logged - expected) <= (MOST_PX, MOST_PX, MOST_LIKELIHOOD)).all()
