"""speed_unit: a paw's speed in mm/s, from the scale and the time between two frames."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from analysis.evidence import gather
from analysis.what_if_rows import recorded_row, table_of
from helper import get_freqs
from rig.devices.frames import Frame
from rig.errors import SettingsError
from rig.files.reader import read_session
from rig.protocol.tones import get_bins, tone_index
from rig.protocol.tracking import Motion, Tracking
from rig.screen.preview_paw import PawPreview, PoseMarks
from rig.simulated.pose import SimPose
from support.paws import drawn_mouse, paw_settings
from support.places import DRIVERS, ROOT, SHORT_PAWS, SPEED_SCRIPT
from support.runner import Runner, finished
from support.sessions import recorded

__all__ = ["recorded"]
PPMM = float(SHORT_PAWS["ppmm"])
# At 30 frames/s and 1.75 px/mm, 1 px/frame is 17.1 mm/s.
IN_MM = {"speed_unit": "mm/s", "speed_threshold": "68"}


@pytest.mark.parametrize("rate_hz", [15, 30, 60])
def test_the_rate_changes_nothing(rate_hz):
    motion = Motion(ppmm=3.5)
    speeds = [motion.push(i / rate_hz, 70 * i / rate_hz, 0) for i in range(5)]
    assert speeds[0] == (0, 0)
    assert [mm_s for _, mm_s in speeds[1:]] == pytest.approx([20] * 4)
    assert [px for px, _ in speeds[1:]] == pytest.approx([70 / rate_hz] * 4)


def test_a_lost_frame_changes_nothing():
    motion = Motion(ppmm=3.5)
    speeds = [motion.push(i / 30, 7 * i, 0) for i in (0, 1, 2, 5, 6)]
    assert [mm_s for _, mm_s in speeds[1:]] == pytest.approx([60] * 4)
    assert [px for px, _ in speeds] == [0, 7, 7, 21, 7]


def test_two_frames_of_the_same_time_have_no_speed():
    motion = Motion(ppmm=2.0)
    motion.push(1.0, 0, 0)
    assert motion.push(1.0, 30, 40) == (50, 0)


TRACKS = [
    ([(0, 0.9, 0), (2, 0.9, 5), (3, 0.9, 5)], [1, 1, 1], "a lost frame is no matter"),
    ([(0, 0.9, 0), (2, 0.9, 200), (4, 0.9, 201)], [1, 1, 0], "the limit counts for each period"),
    ([(0, 0.4, 0), (2, 0.9, 5), (4, 0.9, 5)], [0, 0, 1], "hidden before the gap"),
]


@pytest.mark.parametrize(("frames", "expected", "why"), TRACKS, ids=[why for _, _, why in TRACKS])
def test_a_speed_per_second_is_trusted_over_a_gap(frames, expected, why):
    tracking = Tracking(min_likelihood=0.5, max_jump_px=100.0, per_second=True)
    assert [tracking.trusts(*frame) for frame in frames] == [bool(e) for e in expected], why


def check_speeds(session):
    """Compare speeds, tones and rewards with pose and times of the frames; return the speeds, mm/s."""
    columns, cfg = session.columns, session.settings
    ways = np.hypot(np.diff(columns["fl_l_x"]), np.diff(columns["fl_l_y"]))
    time_s = session.row_times_s()
    speed = columns["cj_speed_mm_s"]
    np.testing.assert_allclose(columns["cj_speed"], [0, *ways], rtol=0, atol=1e-6)
    np.testing.assert_allclose(speed, [0, *(ways / PPMM / np.diff(time_s))], rtol=0, atol=1e-6)
    freqs, threshold, held = get_freqs(int(cfg["n_tones"])), columns["speed_threshold"], 0.0
    for i in range(len(speed)):
        held = speed[i] if columns["tracked"][i] else held
        if columns["trial"][i] and not columns["reward"][i]:
            assert columns["freq"][i] == round(freqs[tone_index(held, get_bins(threshold[i], int(cfg["n_tones"])))])
    for i in np.flatnonzero(columns["reward"] == 1):
        decided = np.argmin(np.abs(time_s - (time_s[i] - float(cfg["reward_delay"]))))
        assert speed[decided] > threshold[i]
    return speed


def test_a_session_in_mm(recorded):
    session = read_session(recorded("clmf", **IN_MM))
    check_speeds(session)
    assert (session.columns["reward"] == 1).any()
    assert list(session.columns)[-3:] == ["speed_threshold", "tracked", "cj_speed_mm_s"]


def test_a_session_of_a_camera_that_loses_frames(tmp_path):
    run = Runner(tmp_path)
    lossy = SHORT_PAWS | IN_MM | {"video_file": "", "pose": "simulated", "vid_source": "LossyCameraStream"}
    finished(run(script=SPEED_SCRIPT, settings=lossy, env={"PYTHONPATH": str(DRIVERS)}, seed=2))
    session = run.session()
    check_speeds(session)
    after_a_loss = np.append(False, np.diff(session.columns["frame"]) == 2)
    assert after_a_loss.sum() > 20
    assert session.columns["tracked"][after_a_loss].mean() > 0.8, "not only those without a loss are trusted"


def test_without_it_there_is_no_further_column(recorded):
    assert list(read_session(recorded("clmf")).columns)[-2:] == ["speed_threshold", "tracked"]


def test_the_threshold_follows_by_20_mm_s(recorded):
    idle = IN_MM | {"adaptive_threshold": "1", "initial_rest_dur": "100", "total_trials": "1", "max_trial_dur": "2"}
    threshold = read_session(recorded("clmf", **idle)).columns["speed_threshold"]
    assert sorted(set(threshold), reverse=True) == [68, 48, 28, 20]


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"speed_unit": "cm/s"}, "speed_unit = cm/s"),
        (
            {"speed_unit": "mm/s", "speed_threshold": "900"},
            "max_jump_px = 100 px/frame (here 857.1 mm/s) counts as a jump",
        ),
    ],
)
def test_what_cannot_be_used(changes, fragment):
    with pytest.raises(SettingsError) as caught:
        paw_settings(**changes)
    assert fragment in str(caught.value)


def test_mm_without_a_scale_is_refused_in_a_sentence(tmp_path):
    config = tmp_path / "config.ini"
    config.write_text((ROOT / "config.ini").read_text().replace("ppmm = 3.5\n", ""))
    command = [sys.executable, SPEED_SCRIPT, "--config", config, "--simulate", "--set", "speed_unit=mm/s"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "ppmm is missing; expected: scale of the image (px/mm)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_what_if_shows_the_unit(recorded, tmp_path):
    in_px, in_mm = recorded("clmf"), recorded("clmf", **IN_MM)
    run = [sys.executable, "-W", "error", ROOT / "analysis" / "what_if.py"]
    tried = [in_px, "--set", "speed_unit=mm/s", "--set", "speed_threshold=34", "--csv", tmp_path / "rows.csv"]
    for words in ([in_mm, "--set", "speed_threshold=34"], tried):
        done = subprocess.run([*run, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "34 mm/s" in done.stdout
    with (tmp_path / "rows.csv").open() as file:
        assert [row["unit of threshold"] for row in csv.DictReader(file)] == ["px/frame", "mm/s"]
    table = table_of([recorded_row(read_session(folder)) for folder in (in_px, in_mm)])
    assert "mm/s and px/frame" in str(list(table.columns[7].cells))


def test_the_report_is_in_mm(recorded):
    evidence = gather(recorded("clmf", **IN_MM))
    assert (evidence.unit, evidence.signal_name) == ("mm/s", "cj_speed_mm_s")
    assert evidence.signal.tolist() == evidence.session.columns["cj_speed_mm_s"].tolist()
    assert gather(recorded("clmf")).unit == "px/frame"


@pytest.mark.parametrize("unit", ["px/frame", "mm/s"])
def test_the_preview_is_in_the_unit(unit, monkeypatch):
    settings = paw_settings(speed_unit=unit, speed_threshold="50", ppmm="2")
    written = []
    monkeypatch.setattr("rig.screen.preview_paw.write_text", lambda strip, text, *_: written.append(text))
    preview = PawPreview(settings, SimPose(320), PoseMarks(settings, SimPose.body_parts))
    scene, pose = drawn_mouse(seed=1), SimPose(320)
    images = [scene.render(time_s, 0, 0) for time_s in (0, 0.1)]
    for time_s, image in zip((0, 0.1), images, strict=True):
        preview.take(Frame(0, time_s, time_s, image))
    preview._draw_strip(np.zeros((110, 640, 3), np.uint8), images[-1], licked=False)
    moved_px = np.hypot(*(pose.get_pose(images[1]) - pose.get_pose(images[0]))[0, :2])
    assert f"fl_l: {moved_px * (5 if unit == 'mm/s' else 1):.1f} {unit}, 100 %" in written
