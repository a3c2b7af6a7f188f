"""What the tests of CLMF share."""

import pytest

from conftest import ROOT, Runner

SPEED_SCRIPT = ROOT / "behavior" / "cla_dlc_trials_speed.py"
# A short session of a simulated mouse under a small image: a few seconds with --fast.
BRIEF = {
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


class SpeedRunner(Runner):
    """Runs the CLMF script as a user does."""

    def command(self, *arguments, settings=BRIEF, script=SPEED_SCRIPT, **options):
        return super().command(*arguments, settings=settings, script=script, **options)


@pytest.fixture
def run(tmp_path):
    return SpeedRunner(tmp_path)
