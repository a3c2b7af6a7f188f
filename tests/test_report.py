"""The report of a session: its checks, its page, and what becomes of sessions that lack something."""

import base64
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="'make setup-analysis' installs what reports need")
pytest.importorskip("jinja2", reason="'make setup-analysis' installs what reports need")

from analysis.checks import CHECKS, all_checks, judged
from analysis.derived.maps import reward_maps
from analysis.evidence import gather
from analysis.frame_sample import brain_mask
from analysis.report_files import make
from analysis.session_page import figures_of, page_of
from rig.errors import RigError, SettingsError
from rig.files.reader import read_session
from rig.simulated.cortex import SITE_SIGMA_MM
from support.places import ROOT
from support.runner import finished
from support.sessions import KINDS, recorded

__all__ = ["recorded"]

LARGEST = 3 * 2**20  # bytes
PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')


@pytest.fixture
def copy(recorded, tmp_path):
    """Return a copy of a session that may be changed."""

    def make_copy(kind="1roi"):
        return shutil.copytree(recorded(kind), tmp_path / "m1" / "20260101000000")

    return make_copy


def changed(evidence, **columns):
    """Return the evidence of a session whose log says something else."""
    session = replace(evidence.session, columns=evidence.session.columns | columns)
    recorded = replace(evidence.recorded, session=session, patches={})
    return replace(evidence, session=session, recorded=recorded)


def light(evidence, name):
    """Return the light of a check, and its reason."""
    return judged(CHECKS[name], evidence)


def figures(page):
    """Return {key: whether it is drawn} of the figures of a page, and see that the others have a reason."""
    assert all(figure.png or figure.missing for figure in page.figures)
    return {figure.key: bool(figure.png) for figure in page.figures}


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_session_is_good_in_all_that_can_be_checked(recorded, kind):
    lights = {check.name: check.light for check in all_checks(gather(recorded(kind)))}
    of_the_cortex = {"movement", "rewards are brain"}
    assert {name for name, light in lights.items() if light != "good"} <= (of_the_cortex if kind == "clmf" else set())
    assert lights["signal recomputed"] == lights["rewards are crossings"] == "good"


def test_a_staircase_is_run_again_and_checked(recorded):
    evidence = gather(recorded("1roi", adaptive_threshold="staircase:0.7"))
    assert len(np.unique(evidence.threshold)) > 2
    assert light(evidence, "threshold")[0] == light(evidence, "tone as commanded")[0] == "good"
    raised = changed(evidence, rew_threshold=evidence.threshold + 0.0001 * (np.arange(len(evidence.threshold)) > 50))
    assert light(raised, "threshold")[0] == "bad"


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_drawn(recorded, kind, tmp_path):
    evidence = gather(recorded(kind))
    page = page_of(evidence)
    assert all(figures(page).values()), page.figures
    assert len(page.figures) == len(figures_of(evidence)) >= 11
    assert page.numbers[0][1].startswith("success: ")


def test_the_page_stands_by_itself(copy):
    folder = copy()
    (path,) = make(folder, tables=False)
    text = path.read_text(encoding="utf-8")
    assert path == folder / "report.html"
    assert path.stat().st_size < LARGEST
    pictures = PICTURE.findall(text)
    assert len(pictures) == len(re.findall("<img", text)) == 15
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    without = PICTURE.sub("", text)
    assert not re.search(r"<script|https?:|<link|url\(|@import|onload|onerror", without)
    assert "NOT A REAL SESSION" in text


def test_nothing_of_a_session_becomes_markup(copy):
    folder = copy()
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        file.attrs["mouse_id"] = "<script>alert(1)</script>"
        file.attrs["ended_by"] = 'a "quote" & <b>more</b>'
    text = make(folder, tables=False)[0].read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script" not in text
    assert "<b>more" not in text


def test_tables(copy):
    folder = copy()
    names = [path.name for path in make(folder, tables=True)]
    assert names == ["report.html", "report_trials.csv", "report_checks.csv"]
    lines = (folder / "report_trials.csv").read_text().splitlines()
    session = read_session(folder)
    assert lines[0].split(",") == list(session.trials.dtype.names)
    assert [int(line.split(",")[3]) for line in lines[1:]] == session.trials["outcome"].tolist()


def test_the_map_peaks_at_the_site_that_was_trained(recorded):
    evidence = gather(recorded("1roi"))
    found = reward_maps(evidence.session.images, evidence.rewards, evidence.period_s)
    which, row, column = found.peak(brain_mask(evidence.sample.mean))
    x, y, w, h = evidence.settings.roi_box("M1_L")
    site_px = SITE_SIGMA_MM * evidence.settings.ppmm
    assert np.hypot(column - (x + w / 2), row - (y + h / 2)) < site_px
    assert found.from_s[which] in (-1, 0), "the reward comes a second after the crossing"


def test_injected_lost_frames_are_counted(recorded):
    evidence = gather(recorded("1roi"))
    kept = np.ones(len(evidence.session), bool)
    kept[100:103] = False
    fewer = changed(evidence, **{name: column[kept] for name, column in evidence.session.columns.items()})
    assert light(fewer, "frames lost") == ("bad", f"3 frames of {len(kept)} lost by camera or loop")
    assert light(fewer, "rows = frames")[0] == "bad"


def edited(column, row, value):
    """Return a column with another value on one row."""
    new = column.copy()
    new[row] = value
    return new


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("roi_dff", 0.5, "signal recomputed"),
        ("freq", 4444, "tone as commanded"),
        ("rew_threshold", 0.3, "threshold"),
    ],
)
def test_one_wrong_value_turns_a_light_red(recorded, column, value, name):
    evidence = gather(recorded("1roi"))
    wrong = changed(evidence, **{column: edited(evidence.session.columns[column], 200, value)})
    assert light(evidence, name)[0] == "good"
    assert light(wrong, name)[0] == "bad"


def test_a_reward_without_a_crossing_turns_a_light_red(recorded):
    evidence = gather(recorded("1roi"))
    n = len(evidence.rewards)
    row = int(np.argmin(evidence.signal[20:])) + 20 + 15
    wrong = changed(evidence, reward=edited(evidence.session.columns["reward"], row, 1))
    said = f"{n} of {n + 1} rewards follow a crossing; the first on row {row}"
    assert light(wrong, "rewards are crossings") == ("bad", said)


def test_a_trial_that_is_missing_turns_a_light_red(recorded):
    evidence = gather(recorded("1roi"))
    trial = evidence.session.columns["trial"]
    assert light(changed(evidence, trial=np.where(trial == 2, 0, trial)), "trials")[0] == "bad"


def test_rewards_that_were_not_taken_turn_a_light_red(recorded):
    evidence = gather(recorded("1roi"))
    dry = changed(evidence, lick=np.zeros(len(evidence.session), int))
    assert light(dry, "rewards taken")[0] == "bad"


@pytest.mark.parametrize(
    ("attribute", "value", "name", "expected"),
    [
        ("linear", "no", "linear in light", "fair"),
        ("linear", "unknown", "linear in light", "unknown"),
        ("tone_underflows", 3, "tone underflows", "fair"),
        ("tone_underflows", 300, "tone underflows", "bad"),
    ],
)
def test_what_the_session_says_of_itself(recorded, attribute, value, name, expected):
    evidence = gather(recorded("1roi"))
    evidence.session.attributes[attribute] = value
    assert light(evidence, name)[0] == expected


def test_late_frames_are_counted(recorded):
    evidence = gather(recorded("1roi"))
    evidence.session.frames["age_s"][5:8] = 0.2
    assert light(evidence, "frames late") == ("fair", "3 frames decided later than 133 ms")


@pytest.mark.parametrize(("level", "expected"), [(1.0, "good"), (0.9, "fair"), (0.7, "bad")])
def test_drift_of_the_light(copy, level, expected):
    folder = copy()
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        images = file["raw_images"]
        half = len(images) // 2
        images[half:] = (images[half:] * level).astype(np.uint8)
    assert light(gather(folder), "drift of the light")[0] == expected


@pytest.mark.parametrize(("shift", "expected"), [(0, "good"), (1, "fair"), (4, "bad")])
def test_movement_of_the_brain(copy, shift, expected):
    folder = copy()
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        images = file["raw_images"]
        half = len(images) // 2
        images[half:] = np.roll(images[half:], shift, axis=2)
    evidence = gather(folder)
    assert light(evidence, "movement")[0] == expected
    assert np.median(evidence.shifts[-3:, 0]) == pytest.approx(shift, abs=0.1 + 0.08 * shift)


def test_a_black_roi_turns_a_light_red(copy):
    folder = copy()
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        file["raw_images"][..., 1] //= 30
    said = light(gather(folder), "image levels")
    assert said[0] == "bad"
    assert "M1_L is black in green" in said[1]


# ---- what lacks something


@pytest.mark.parametrize(
    ("settings", "arguments", "said", "absent"),
    [
        ({"total_trials": "1", "reward_threshold": "0.02", "max_trial_dur": "60"}, (), "in 1 trial", {"maps"}),
        ({"reward_threshold": "5"}, (), "no success in 4 trials", {"rewards", "maps", "licks"}),
        (
            {},
            ("--baseline", "10"),
            "A baseline was recorded",
            {"trials", "rewards", "maps", "learning", "chance", "tones", "licks"},
        ),
        ({"session_type": "no_audio_random_reward", "random_reward_per_min": "9"}, (), "at random", {"tones"}),
        ({"session_type": "normal_audio_no_reward", "lick": "none"}, (), "took part", {"licks"}),
    ],
)
def test_other_sessions(recorded, settings, arguments, said, absent):
    page = page_of(gather(recorded("1roi", *arguments, **settings)))
    assert said in page.said
    drawn = figures(page)
    assert {key for key, is_drawn in drawn.items() if not is_drawn} == set(absent)
    assert not [check for check in page.checks if check.light == "bad"]


def test_an_arm_without_water_gives_no_reward(recorded):
    page = page_of(gather(recorded("1roi", session_type="normal_audio_no_reward", lick="none")))
    assert page.numbers[1] == ("0", "rewards")


def test_a_session_that_ended_in_its_first_rest(run):
    assert run("--set", "sim_camera_fails_at_s=0.5").returncode == 1
    page = page_of(gather(run.session().folder))
    assert "No trial began." in page.said
    assert figures(page)["image"]


def test_a_session_of_one_frame(run):
    run("--set", "sim_camera_fails_at_s=0.05")
    page = page_of(gather(run.session().folder))
    assert figures(page)["image"]
    assert not figures(page)["overview"]


def test_a_session_that_was_cut_short(cut_short):
    page = page_of(gather(cut_short))
    assert "This session was cut short, or is still running." in page.marks


def without(folder, *names):
    """Remove files of a session; return its folder."""
    for name in names:
        (folder / name).unlink()
    return folder


def test_a_session_without_frames(copy):
    page = page_of(gather(without(copy(), "image_stream.hdf5")))
    drawn = figures(page)
    assert drawn["overview"]
    assert not drawn["image"]
    assert not drawn["maps"]


def test_a_session_without_its_log(copy):
    page = page_of(gather(without(copy(), "VideoTimestamp.txt")))
    assert {key for key, is_drawn in figures(page).items() if is_drawn} == {"image", "stability", "timing"}


def test_a_session_without_settings(copy):
    page = page_of(gather(without(copy(), "config.ini")))
    assert figures(page)["overview"]
    assert not figures(page)["maps"]


def test_clmf_without_a_pose(copy):
    folder = copy("clmf")
    lines = (folder / "VideoTimestamp.txt").read_text().splitlines()
    (folder / "VideoTimestamp.txt").write_text("".join("\t".join(line.split("\t")[:8]) + "\n" for line in lines))
    page = page_of(gather(folder))
    reasons = {figure.key: figure.missing for figure in page.figures}
    assert "no pose was logged" in reasons["tracking"]
    assert figures(page)["overview"]


def test_a_recording_of_the_original(copy):
    """It has no /frames and no /events, and its columns have other names."""
    folder = copy()
    with h5py.File(folder / "image_stream.hdf5", "a") as file:
        del file["frames"], file["events"]
        for name in list(file.attrs):
            del file.attrs[name]
    rows = (folder / "VideoTimestamp.txt").read_text()
    (folder / "VideoTimestamp.txt").write_text(rows.replace("roi_dff", "M1_Ldff", 1))
    settings = (folder / "config.ini").read_text()
    (folder / "config.ini").write_text(re.sub(r"(?m)^(data_root|seed|tail_dur|max_frame_age_ms) =.*\n", "", settings))
    page = page_of(gather(folder))
    drawn = figures(page)
    assert {key for key, is_drawn in drawn.items() if not is_drawn} == {"correlation", "timing"}
    assert not [check for check in page.checks if check.light == "bad"]


def test_an_hdf5_file_alone(copy, tmp_path):
    shutil.copy(copy() / "image_stream.hdf5", tmp_path / "some.hdf5")
    (path,) = make(tmp_path / "some.hdf5", tables=False)
    assert path == tmp_path / "report.html"


@pytest.mark.parametrize("what", ["nothing", "empty", "foreign", "not HDF5", "no frames"])
def test_what_is_no_session_is_a_sentence(tmp_path, what):
    folder = tmp_path / what
    if what != "nothing":
        folder.mkdir()
    if what == "foreign":
        (folder / "notes.txt").write_text("hello")
    if what == "not HDF5":
        (folder / "image_stream.hdf5").write_text("hello")
    if what == "no frames":
        with h5py.File(folder / "image_stream.hdf5", "w") as file:
            file["other"] = [1]
    with pytest.raises(SettingsError, match=r"there is no|cannot be opened as HDF5|has no /raw_images"):
        make(folder, tables=False)
    assert not (folder / "report.html").exists()


def test_a_report_that_cannot_be_written_is_a_sentence(copy):
    folder = copy()
    (folder / "report.html").mkdir()
    with pytest.raises(RigError, match="the report cannot be written"):
        make(folder, tables=False)


# ---- as the rig makes it


def test_a_session_says_how_its_report_is_made(run):
    done = finished(run(settings=run.short | {"total_trials": "1"}))
    folder = run.session().folder
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  for its report: ")]
    command = line.removeprefix("  for its report: ").split()
    assert command == [sys.executable, str(ROOT / "analysis" / "report.py"), str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert made.stdout.strip() == str(folder / "report.html")


def test_report_1_makes_it_when_the_session_has_ended(run):
    done = finished(run("--set", "report=1", settings=run.short | {"total_trials": "1"}))
    path = run.session().folder / "report.html"
    assert path.is_file()
    assert done.stdout.rstrip().endswith(str(path))
    assert "for its report" not in done.stdout


def test_no_report_is_made_of_a_session_that_failed(run):
    done = run("--set", "report=1", "--set", "sim_camera_fails_at_s=0.5")
    assert done.returncode == 1
    assert not (run.session().folder / "report.html").exists()
    assert "for its report" in done.stdout


def test_report_1_without_its_libraries_is_refused_at_the_door(settings, monkeypatch):
    monkeypatch.setattr("rig.settings.common.REPORT_NEEDS", ("matplotlib", "no_such_library"))
    with pytest.raises(SettingsError, match="report = 1: no_such_library not installed; run 'make setup-analysis'"):
        settings(report=1)
