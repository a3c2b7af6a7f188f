"""The experiment that docs/your_own_experiment.md makes of a copy of a script: the diff is applied and run."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from analysis.evidence import gather
from rig.protocol.dff import RoiHistory
from rig.settings.sites import STANDARD_SITES_MM
from support.places import ROOT, SCRIPT, SHORT
from support.runner import Runner, finished
from support.waiting import needs

PAGE = (ROOT / "docs" / "your_own_experiment.md").read_text(encoding="utf-8")
DIFF = re.search(r"```diff\n(.*?)```", PAGE, re.DOTALL)[1]
MOST_LINES = 15


def test_it_takes_few_lines():
    changed = [line for line in DIFF.splitlines() if re.match(r"\+[^+]", line)]
    assert 5 < len(changed) <= MOST_LINES


@pytest.fixture
def run(tmp_path):
    """Run the script that the page makes."""
    script = tmp_path / "brain" / "zscore.py"
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=DIFF, text=True, check=True)
    config = (ROOT / "config.ini").read_text(encoding="utf-8")
    config = re.sub(r"(?m)^config *=.*$", "config = zscore", config).replace(f"[{SECTION}]", "[zscore]")
    (tmp_path / "zscore.ini").write_text(config, encoding="utf-8")
    runner = Runner(tmp_path)
    runner.script = script
    return runner


SECTION = "raspicambrain_reward_punish_1roi"


@needs("git")
def test_the_signal_is_the_z_score_of_the_roi_among_all_sites(run, tmp_path):
    wanted = SHORT | {"reward_threshold": "2"}
    finished(run("--config", str(tmp_path / "zscore.ini"), settings=wanted, env={"PYTHONPATH": str(ROOT)}))
    session = run.session()
    assert session.attributes["script"] == "zscore.py"
    evidence = gather(session.folder)
    rois = [evidence.settings.make_roi(name) for name in evidence.settings.seeds()]
    assert len(rois) == 2 * len(STANDARD_SITES_MM)
    trained = list(evidence.settings.seeds()).index(evidence.settings.roi)
    histories = [RoiHistory(evidence.settings.history_frames()) for _ in rois]
    for image, logged in zip(session.images[:120], session.columns["roi_dff"], strict=False):
        both = [history.dff(roi.crop(image)) for roi, history in zip(rois, histories, strict=True)]
        dff = np.array([green - blue for blue, green in both])
        spread = dff.std()
        expected = (dff[trained] - dff.mean()) / spread if spread else 0.0
        assert logged == pytest.approx(expected, abs=1e-9)
    assert evidence.recorded is None
    assert evidence.why_not == "it was run by zscore.py, which is no script of this rig, so its rule is not known"
