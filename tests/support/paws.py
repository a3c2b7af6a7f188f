"""The settings of CLMF, and what a drawn mouse shows."""

from rig.settings.camera import CameraSettings
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import load
from rig.simulated.paws import Scene
from support.places import ROOT, SPEED_SECTION


def paw_settings(**changes):
    """Return settings from the shipped configuration, all devices but the pose simulated."""
    simulated = {"vid_source": "SimCameraStream", "outputs": "simulated", "tone": "simulated", "seed": "1"}
    values = simulated | {key: str(value) for key, value in changes.items()}
    return load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, values)[0]


def drawn_mouse(seed):
    """Return the scene of a drawn mouse, 640 x 320 px at 30 frames/s, that is trained to reach with its left paw."""
    return Scene(CameraSettings(vid_source="drawn", resolution="640, 320", framerate=30, seed=seed), "fl_l")
