"""`make run`: a demo never stands among real sessions."""

import os
import subprocess

import pytest

from support.places import ROOT

NEEDS_VENV = pytest.mark.skipif(not (ROOT / ".venv/bin/python").exists(), reason="make setup has not been run here")


@NEEDS_VENV
def test_a_demo_is_stored_next_to_the_repository_and_says_where(tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    for path in ROOT.iterdir():
        (repository / path.name).symlink_to(path)
    short = ["total_trials=1", "initial_rest_dur=1", "max_trial_dur=1", "fail_rest_dur=1", "success_rest_dur=1"]
    command = ["tools/run_demo.sh", "brain/cla_reward_punish_1roi.py", "--seed", "1"]
    done = subprocess.run(
        [*command, *(word for setting in short for word in ("--set", setting))],
        cwd=repository,
        env=os.environ | {"DISPLAY": "", "PULSE_SERVER": "unix:/nowhere", "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"The session is stored in {tmp_path / 'clopy_demo'}" in done.stdout
    assert len(list((tmp_path / "clopy_demo" / "demo").iterdir())) == 1
    assert (tmp_path / "clopy_demo" / "expt_1roi_trial_summary.csv").is_file()
    assert not (tmp_path / "home").exists()
