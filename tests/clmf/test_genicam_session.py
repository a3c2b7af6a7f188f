"""A whole CLMF session on a camera that speaks GigE Vision."""

import numpy as np

from support import genicam
from support.runner import finished, frames_of

SESSION = {
    "vid_source": "AravisCameraStream",
    "genicam_id": genicam.GIGE_ID,
    "outputs": "simulated",
    "tone": "simulated",
    "pose": "simulated",
    "total_trials": "1",
    "initial_rest_dur": "1",
    "max_trial_dur": "2",
    "fail_rest_dur": "1",
    "trial_start": "immediate",
    "tail_dur": "0.5",
}


@genicam.needs_aravis
def test_a_session_on_a_gige_camera(run, gige_camera):
    finished(run(settings=run.short | SESSION | genicam.BRIEF, simulate=False, fast=False))
    session = run.session()
    assert len(frames_of(session)) == 1
    assert np.diff(session.frames["number"]).min() == 1
    assert session.settings["genicam_id"] == genicam.GIGE_ID
    images = np.asarray(session.images[:2])
    assert images.shape[1:] == (160, 320, 1)
    assert images.any(), "grey, in one channel"
