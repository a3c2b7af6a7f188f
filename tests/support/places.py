"""Where things are, and the settings of a short session."""

from pathlib import Path

from rig.settings.clmf import ClmfSettings
from rig.settings.one_roi import OneRoiSettings

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "brain" / "cla_reward_punish_1roi.py"
TWO_ROI_SCRIPT = ROOT / "brain" / "cla_reward_punish_2roi.py"
SPEED_SCRIPT = ROOT / "behavior" / "cla_dlc_trials_speed.py"
SCRIPTS = (SCRIPT, TWO_ROI_SCRIPT, SPEED_SCRIPT)
SECTION = OneRoiSettings.section
SPEED_SECTION = ClmfSettings.section
SHARED = ROOT.parent / "shared"
FAKES = ROOT / "tests" / "fakes"
TRAINED = ROOT / "models" / "demo_mouse.pt"
EXPORTED = ROOT / "models" / "demo_mouse.onnx"
"""The shipped model of the drawn mouse: for DeepLabCut-Live, and for ONNX Runtime."""
DRIVERS = ROOT / "tests" / "support" / "drivers"
"""Camera drivers of the tests; a script finds them with this folder on PYTHONPATH."""

# A short session of a simulated mouse under a small image: a few seconds with --fast.
SHORT = {
    "resolution": "128, 128",
    "bregma": "67, 64",
    "ppmm": "12.8",
    "total_trials": "4",
    "initial_rest_dur": "7",
    "max_trial_dur": "8",
    "success_rest_dur": "2",
    "fail_rest_dur": "3",
    "reward_threshold": "0.04",
}
# The same for CLMF.
SHORT_PAWS = {
    "resolution": "320, 160",
    "ppmm": "1.75",
    "start_center": "295, 55",
    "target_center": "295, 40",
    "max_jump_px": "50",
    "total_trials": "4",
    "initial_rest_dur": "6",
    "max_trial_dur": "12",
    "success_rest_dur": "2",
    "fail_rest_dur": "3",
    "joint_history_sec": "2",
    "speed_threshold": "4",
    "reward_delay": "0.5",
}
