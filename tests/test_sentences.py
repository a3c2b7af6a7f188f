"""A sentence, not a traceback: odd files, odd paths, odd terminals."""

import os
import subprocess

import numpy as np
import pytest

from rig.files.reader import read_session
from rig.settings.ini import save_lines
from support.places import SECTION, SHORT
from support.processes import command
from support.recordings import write_recording
from support.runner import finished

BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "1", "max_trial_dur": "1", "fail_rest_dur": "1"}


def one_sentence(done, status, fragment, folder=None):
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert fragment in done.stderr
    if folder is not None:
        assert not list(folder.glob("**/VideoTimestamp.txt"))


def test_a_second_default(run, config):
    config.write_text(config.read_text() + "\n[DEFAULT]\naudio = 0.5\n")
    done = run("--config", config)
    one_sentence(done, 2, "cannot be read as INI: While reading from", run.data)
    assert "section 'DEFAULT' already exists" in done.stderr


def test_a_mark_in_front_of_the_configuration(run, config):
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    finished(run("--config", config, settings=BRIEF))
    assert read_session(run.session().folder).settings["roi"] == "M1_L"


def test_the_mark_stays_where_an_roi_is_saved(config):
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    before = config.read_bytes()
    save_lines(config, SECTION, {"m1_l": "1,2,3,4"})
    after = config.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\xef\xbb\xbf") == 1
    assert after.replace(b"m1_l = 1,2,3,4\n", b"") == before


LONG = "x" * 300
DEEP = "/".join(["y" * 100] * 45)


@pytest.mark.parametrize(
    ("arguments", "changes", "fragment"),
    [
        (["--mouse-id", "m" * 300], {}, "it has 300 characters, and may have 64"),
        (["--data-root", LONG], {}, "it has a part of 300 bytes, and a name may have 255"),
        (["--data-root", DEEP], {}, "bytes, and a path may have 3800"),
        (["--config", LONG], {}, "it has a part of 300 bytes"),
        ([], {"vid_source": "VideoStream", "vid_root": LONG}, "it has a part of 300 bytes"),
        ([], {"vid_source": "VideoStream", "vid_root": DEEP}, "a path may have 3800"),
        ([], {"raw_image_file": f"{LONG}.hdf5"}, "at most 80 characters"),
        ([], {"video_file": f"{LONG}.mp4"}, "at most 80 characters"),
        ([], {"summary_file": LONG}, "at most 80 characters"),
    ],
    ids=["mouse", "data_root", "deep data_root", "config", "vid_root", "deep vid_root", "hdf5", "movie", "summary"],
)
def test_what_is_too_long(run, arguments, changes, fragment):
    mouse = None if "--mouse-id" in arguments else "m1"
    one_sentence(run(*arguments, settings=BRIEF | changes, mouse=mouse), 2, fragment, run.tmp_path)


@pytest.mark.parametrize("option", ["--data-root", "--config"])
def test_a_path_that_is_no_text(run, option):
    done = subprocess.run(
        [os.fsencode(word) for word in run.command(*[] if option == "--data-root" else ["--data-root", str(run.data)])]
        + [option.encode(), b"d\xe9j\xe0"],
        cwd=run.tmp_path, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    error = done.stderr.decode()
    assert (done.returncode, "Traceback" in error) == (2, False), error
    assert "it is not text in UTF-8; rename the folder" in error


@pytest.mark.parametrize("name", ["frames.part", "events.part"])
def test_a_part_that_is_missing(run, cut_short, name):
    (cut_short / name).unlink()
    done = command("finish", cut_short)
    one_sentence(done, 1, "the files cannot be finished")
    assert name in done.stderr
    session = read_session(cut_short)
    assert session.was_cut_short
    assert session.attributes["mouse_id"] == "m1"
    assert (len(session.frames) > 0, len(session.events) > 0) == (name != "frames.part", name != "events.part")
    assert len(session.images) > 0
    finished(run(settings=BRIEF, mouse="other"))


def test_a_part_that_is_damaged(run, cut_short):
    (cut_short / "about.part").write_text("{")
    one_sentence(command("finish", cut_short), 1, "about.part is damaged and cannot be read")
    done = finished(run(settings=BRIEF, mouse="other"))
    assert "its files cannot be finished" in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("image_stream.hdf5", b"\x89HDF, honestly", "cannot be opened as HDF5"),
        ("config.ini", b"[a]\nb = 1\nb = 2\n", "config.ini cannot be read as INI in UTF-8"),
        ("VideoTimestamp.txt", b"frame\ttime\n\xff\t1\n", "VideoTimestamp.txt cannot be read as text in UTF-8"),
    ],
)
def test_a_recording_with_a_damaged_file(run, tmp_path, name, content, fragment):
    replay = write_recording(tmp_path, np.zeros((30, 128, 128, 3), np.uint8))
    (tmp_path / name).write_bytes(content)
    done = run(settings=BRIEF | replay)
    one_sentence(done, 2, fragment, run.data)
    assert len(done.stderr.splitlines()) == 1, "no back trace of a library"


def shell(run, redirection, *arguments, settings=BRIEF):
    words = ["bash", "-c", f'"$@" {redirection}', "bash", *run.command(*arguments, settings=settings)]
    return subprocess.run(words, cwd=run.tmp_path, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("redirection", [">&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"])
def test_closed_streams(run, redirection):
    done = shell(run, redirection)
    assert (done.returncode, done.stderr) == (0, "")
    session = run.session()
    assert session.attributes["ended_by"] == "finished"
    assert len(session) == len(session.images) == len(session.frames)
    text = "".join(path.read_text(errors="replace") for path in session.folder.glob("*.txt"))
    assert "ended by" not in text, "nothing was printed into a file of the session"


def test_a_full_disk_under_standard_output(run):
    done = shell(run, ">/dev/full")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "standard output takes no more text (No space left on device); nothing else is lost\n"
    assert run.session().attributes["ended_by"] == "finished"


def test_a_mistake_is_told_although_standard_output_is_full(run):
    one_sentence(shell(run, ">/dev/full", settings=BRIEF | {"framerate": "x"}), 2, "framerate = x")


def test_a_failure_is_told_although_standard_output_is_full(run):
    failing = BRIEF | {"sim_camera_fails_at_s": "1", "initial_rest_dur": "9"}
    one_sentence(shell(run, ">/dev/full", settings=failing), 1, "no new frame for 1 s")


def test_help_on_a_full_disk(run):
    done = shell(run, ">/dev/full", "--help")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_program_with_a_full_standard_output(run):
    words = ["bash", "-c", '"$@" >/dev/full', "bash", *run.command()[:1], "-m", "rig.commands.tones", "--n-tones", "x"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Exception ignored" not in done.stderr


NO_AV = "raise ImportError('No module named av')\n"


@pytest.mark.parametrize("there", [True, False])
def test_the_check_fails_where_a_movie_cannot_be_made(run, tmp_path, there):
    env = {"PYTHONPATH": str(tmp_path)}
    if not there:
        (tmp_path / "av.py").write_text(NO_AV)
    elif pytest.importorskip("av", reason="PyAV is not installed") is None:
        return
    quick = SHORT | {"framerate": "60", "max_frame_age_ms": "60000", "video_file": "a.mp4"}
    done = run("--check", settings=quick, fast=False, mouse=None, seed=None, env=env)
    assert done.returncode == (0 if there else 1), done.stdout + done.stderr
    assert (
        "movie: it can be encoded" if there else "movie: PyAV, which encodes the movie, is not installed"
    ) in done.stdout


@pytest.mark.parametrize("what", ["other columns", "a folder"])
def test_the_check_fails_where_a_session_will(run, what):
    run.data.mkdir()
    if what == "other columns":
        (run.data / "expt_1roi_trial_summary.csv").write_text("mouse,day\n")
        fragment = "has the columns mouse, day"
    else:
        (run.data / "expt_1roi_trial_summary.csv").mkdir()
        fragment = "cannot be read as CSV"
    quick = SHORT | {"framerate": "60", "max_frame_age_ms": "60000"}
    done = run("--check", settings=quick, fast=False, mouse=None, seed=None)
    assert done.returncode == 1
    assert "data_root: " in done.stdout
    assert fragment in " ".join(done.stdout.split())
