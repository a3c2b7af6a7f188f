"""What-if: the recorded frames through the script's own loop, with other settings, and without a trace."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.outcomes import outcomes_of
from analysis.replay.compare import first_difference
from analysis.replay.experiment import run_again
from analysis.replay.recorded import open_recorded
from analysis.sweep import parse_sweep, tries_of
from analysis.what_if_rows import CAVEAT, Row, in_words
from rig.errors import SettingsError
from rig.files.reader import read_session
from support.places import ROOT
from support.runner import Runner, finished, without_time
from support.sessions import KINDS, recorded, say_it_is_real

__all__ = ["recorded"]


@pytest.fixture
def what_if(tmp_path):
    """Run analysis/what_if.py as a user does."""

    def run(*arguments):
        command = [sys.executable, "-W", "error", ROOT / "analysis" / "what_if.py", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


def again(folder, **overrides):
    """Return a session run again with some settings changed."""
    recorded = open_recorded(folder)
    settings = recorded.settings(overrides)
    recorded.read_patches(settings.light_boxes().values(), lambda share: None)
    return run_again(recorded, settings)


@pytest.mark.parametrize("experiment", KINDS)
def test_the_same_settings_give_the_same_rows(recorded, experiment):
    folder = recorded(experiment)
    session, now = read_session(folder), again(folder)
    assert without_time(now) == without_time(session)
    assert session.columns["reward"].any()
    assert session.columns["lick"].any()


@pytest.mark.parametrize("key", ["reward", "freq", "roi_dff", "rew_threshold"])
def test_one_other_value_in_the_log_is_found(recorded, tmp_path, what_if, key):
    folder = shutil.copytree(recorded("1roi"), tmp_path / "tampered")
    lines = (folder / "VideoTimestamp.txt").read_text().splitlines()
    names, row = lines[0].split("\t"), lines[101].split("\t")
    row[names.index(key)] = str(float(row[names.index(key)]) + 1)
    lines[101] = "\t".join(row)
    (folder / "VideoTimestamp.txt").write_text("\n".join(lines) + "\n")
    done = what_if(folder)
    assert done.returncode == 1
    assert f"NOT THE SAME ROWS with the same settings: {key} is " in done.stdout
    assert " on row 100 of " in done.stdout


@pytest.mark.parametrize(
    ("experiment", "changes"),
    [
        ("1roi", {"reward_threshold": "0.02", "adaptive_threshold": "0"}),
        ("1roi", {"roi": "HL_R", "dff_history": "3", "reward_delay": "0.4"}),
        ("1roi", {"session_type": "no_audio_random_reward"}),
        ("2roi", {"roi_operation": "V1_L+BC_L"}),
    ],
)
def test_other_settings_give_what_a_replay_gives(recorded, tmp_path, experiment, changes):
    """The script itself, run on the recording with these settings, is the truth; licks are simulated anew there."""
    folder, (script, settings) = recorded(experiment), KINDS[experiment]
    replay = Runner(tmp_path)
    finished(
        replay(script=script, settings=settings | changes | {"vid_source": "VideoStream", "vid_root": str(folder)})
    )
    truth, now = without_time(replay.session()), without_time(again(folder, **changes))
    del truth["lick"], now["lick"]
    for name in {"global_dff", "movement_px"} & now.keys():  # as logged, by the dff_history of then
        del truth[name], now[name]
    assert now == truth
    assert now != without_time(read_session(folder))


def test_a_lower_speed_earns_more(recorded):
    folder = recorded("clmf")
    hard, easy = (outcomes_of(again(folder, speed_threshold=str(px))) for px in (9, 1))
    assert easy.rewards_per_min > hard.rewards_per_min
    assert easy.latency_s < hard.latency_s


def test_clmf_needs_no_frames(recorded, tmp_path):
    folder = shutil.copytree(recorded("clmf"), tmp_path / "m1" / "moved")
    (folder / "image_stream.hdf5").unlink()
    rows = read_session(folder).columns["cj_speed"]
    assert again(folder).columns["cj_speed"].tolist() == rows.tolist()


def test_a_baseline_is_checked_without_trials_and_tried_with_them(recorded):
    folder = recorded("1roi", "--baseline", "20")
    each = open_recorded(folder)
    own = each.settings({})
    assert first_difference(each.session, run_again(each, own, each.is_baseline), each.n_frames()) is None
    assert outcomes_of(each.session).done == 0
    assert outcomes_of(again(folder, reward_threshold="0.01")).successes > 0


def test_large_rois_are_read_frame_by_frame(recorded, monkeypatch):
    monkeypatch.setattr("analysis.replay.recorded.MOST_BYTES", 0)
    folder = recorded("1roi")
    assert without_time(again(folder)) == without_time(read_session(folder))


def test_a_sweep_says_it_all_and_writes_nothing(recorded, what_if, tmp_path):
    folder = recorded("1roi")
    before = {path: path.stat().st_mtime_ns for path in folder.parents[1].rglob("*")}
    done = finished(what_if(folder, "--sweep", "reward_threshold=0.02:0.06:0.02", "--set", "adaptive_threshold=0"))
    assert {path: path.stat().st_mtime_ns for path in folder.parents[1].rglob("*")} == before
    assert list(tmp_path.iterdir()) == []
    assert f"checked, the same settings give the same {len(read_session(folder))} rows" in done.stdout
    assert CAVEAT in done.stdout
    labels = [line.split()[0] for line in done.stdout.splitlines() if line.strip().startswith("reward_threshold=")]
    assert labels == ["reward_threshold=0.02", "reward_threshold=0.04", "reward_threshold=0.06"]


def test_a_mouse_gives_medians_and_ranges(recorded, what_if, tmp_path):
    folder, mouse = recorded("1roi"), tmp_path / "m1"
    for name in ("20260101000000", "20260102000000"):
        shutil.copytree(folder, mouse / name)
    (mouse / "20260103000000").mkdir()
    (mouse / "20260103000000" / "VideoTimestamp.txt").write_text("frame\ttime\n")
    done = finished(what_if(mouse, "--set", "reward_threshold=0.02", "--csv", tmp_path / "rows.csv"))
    assert done.stdout.count("checked, the same settings give") == 2
    assert "left out: " in done.stdout
    assert "there is no config.ini here" in done.stdout
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()))
    assert [Path(row["session"]).name for row in rows] == ["20260101000000"] * 2 + ["20260102000000"] * 2
    assert {row["setting"] for row in rows} == {"as recorded", "reward_threshold=0.02"}
    assert {row["caveat"] for row in rows} == {CAVEAT}
    assert int(rows[0]["done"]) == outcomes_of(read_session(folder)).done


def test_the_rows_can_go_into_a_pipe(recorded, what_if):
    done = finished(what_if(recorded("1roi"), "--csv", "/dev/stdout"))
    assert "session,setting," in done.stdout


def test_simulated_sessions_of_a_mouse_are_not_mixed_with_real_ones(recorded, what_if, tmp_path):
    mouse = tmp_path / "m1"
    real, simulated = (shutil.copytree(recorded("1roi"), mouse / name) for name in ("20260101000000", "20260102000000"))
    say_it_is_real(real)
    done = finished(what_if(mouse))
    assert f"left out: {simulated}: not a real session: simulated: camera" in done.stdout
    assert done.stdout.count("checked, the same settings give") == 1


def test_median_and_range_in_words():
    assert in_words("success_rate", [0.2, np.nan, 0.8, 0.6]) == "0.60 (0.20 to 0.80)"
    assert in_words("done", [3.0, np.nan]) == "3"
    assert in_words("latency_s", [np.nan]) == "-"


def test_the_picture_shows_what_was_tried(tmp_path):
    pytest.importorskip("matplotlib")
    from analysis.what_if_picture import spread, write_png

    numbers = outcomes_of(read_session_of(0)), outcomes_of(read_session_of(1))
    rows = [Row("a", "x=1", 1.0, numbers[0]), Row("b", "x=1", 1.0, numbers[1])]
    assert spread(rows, ["x=1"], "success_rate")[:, 0].tolist() == [0.0, 0.5, 1.0]
    write_png(tmp_path / "x.png", rows)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def read_session_of(outcome):
    """Return a session of one trial, which ended with success (1) or failure (0)."""
    from rig.files.reader import Session
    from rig.files.session_tables import FRAME

    columns = {"frame": [0, 1], "reward": [0, 1 if outcome else -1], "trial": [1, 1], "audio": [1, 0]}
    arrays = {name: np.array(values) for name, values in columns.items()}
    return Session(Path("x"), {"framerate": "15"}, arrays, None, np.zeros(0, FRAME), [], {}, False)


def test_tries_are_read():
    key, values = parse_sweep("reward_threshold=0.1:0.3:0.1")
    assert (key, [str(value) for value in values]) == ("reward_threshold", ["0.1", "0.2", "0.3"])
    (one, other) = tries_of(["adaptive_threshold=0"], "roi_size=1:2:1")
    assert one.overrides == {"adaptive_threshold": "0", "roi_size": "1"}
    assert (other.label, other.value) == ("roi_size=2", 2.0)
    assert tries_of([], None) == []


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--set", "framerate=20"], "framerate cannot be changed afterwards"),
        (["--set", "data_root=/tmp"], "data_root cannot be changed afterwards"),
        (["--set", "reward_thresold=1"], "did you mean reward_threshold?"),
        (["--set", "reward_threshold=-1"], "greater than 0"),
        (["--set", "roi=XX_L"], "there is no such site as XX_L"),
        (["--set", "reward_delay=20"], "must be at least reward_delay"),
        (["--sweep", "reward_threshold=1:2"], "expected KEY=FROM:TO:STEP"),
        (["--sweep", "reward_threshold=1:nan:1"], "expected KEY=FROM:TO:STEP"),
        (["--sweep", "reward_threshold=2:1:1"], "TO must not be below FROM"),
        (["--sweep", "reward_threshold=0:1:0.0001"], "10001 values, and may be 500"),
        (["--sweep", "dff_history=1:2:1", "--set", "dff_history=3"], "leave one of them out"),
        (["--csv", "/nowhere/x.csv"], "cannot be written (No such file or directory)"),
    ],
)
def test_what_cannot_be_tried_is_a_sentence(recorded, what_if, tmp_path, arguments, fragment):
    done = what_if(recorded("1roi"), *arguments)
    assert done.returncode in (1, 2)
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_session_of_ours_is_a_sentence(recorded, what_if, tmp_path):
    def said(path):
        done = what_if(path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "there is no such folder" in said(tmp_path / "nothing")
    assert "there is no session here" in said(tmp_path)
    no_frames = shutil.copytree(recorded("1roi"), tmp_path / "no frames")
    (no_frames / "image_stream.hdf5").unlink()
    assert "there are no frames" in said(no_frames)
    no_pose = shutil.copytree(recorded("clmf"), tmp_path / "no pose")
    (no_pose / "VideoTimestamp.txt").write_text("frame\ttime\tcj_speed\n0\tnow\t1.0\n")
    assert "no pose was logged" in said(no_pose)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "image_stream.hdf5").write_text("no HDF5")
    assert said(foreign)


def test_settings_that_were_changed_in_the_folder_are_refused(recorded, tmp_path):
    folder = shutil.copytree(recorded("1roi"), tmp_path / "edited")
    page = (folder / "config.ini").read_text()
    (folder / "config.ini").write_text(page.replace("total_trials = 4", "total_trials = four"))
    with pytest.raises(SettingsError, match="total_trials = four"):
        open_recorded(folder).settings({})
