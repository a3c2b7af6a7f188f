"""Bad input: one clear sentence, exit status 2, no session folder."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import tables

from support.places import ROOT, SCRIPT, SHORT
from support.processes import command
from support.runner import add_to_section, finished

CASES = [
    (["--config", "nowhere.ini"], {}, "there is no such file"),
    (["--section", "nowhere"], {}, "there is no section [nowhere]"),
    ([], {"framerate": ""}, "framerate is missing"),
    ([], {"framerate": "fast"}, "framerate = fast"),
    ([], {"audio": "2"}, "audio = 2"),
    ([], {"total_trails": "3"}, "did you mean total_trials?"),
    ([], {"roi": "M9_L"}, "roi = M9_L: there is no such site as M9_L; did you mean"),
    ([], {"roi": "M1_L/M1_R"}, "brain/cla_reward_punish_2roi.py runs it, as roi_operation"),
    ([], {"bregma": "1, 1"}, "does not lie in the image"),
    (["--data-root", "G:\\data"], {}, "it is a path of Windows; name a folder of this computer"),
    ([], {"seeds_mm": "{broken"}, "not valid JSON"),
    ([], {"vid_source": "VideoStream", "vid_root": "other_size"}, "set resolution = 20, 10"),
    ([], {"vid_source": "VideoStream", "vid_root": "deep"}, "has the shape (3, 128, 128, 3) and the type uint16"),
    ([], {"vid_source": "VideoStream", "vid_root": "nowhere"}, "there is no recording nowhere"),
    ([], {"vid_source": "HoloStream"}, "there is no camera of this name"),
    (["--data-root", "/proc/nothing"], {}, "data_root = /proc/nothing: nothing can be written to /proc"),
    (["--data-root", "a_file/below"], {}, "nothing can be written to"),
    (["--data-root", "dangling"], {}, "nothing can be written to"),
    (["--mouse-id", ""], {}, "mouse ID ''"),
    (["--mouse-id", "a/b"], {}, "mouse ID 'a/b'"),
    (["--mouse-id", ".."], {}, "mouse ID '..'"),
    (["--mouse-id", "ab\n"], {}, "it names a folder"),
    (["--set", "nothing"], {}, "--set nothing: expected KEY=VALUE"),
    (["--seed", "x"], {}, "seed = x"),
]


@pytest.fixture
def folder(tmp_path):
    """The folder in which the script is run."""
    (tmp_path / "a_file").touch()
    (tmp_path / "other_size").mkdir()
    with tables.open_file(str(tmp_path / "other_size" / "image_stream.hdf5"), "w") as file:
        file.create_array("/", "raw_images", np.zeros((3, 10, 20, 3), np.uint8))
    (tmp_path / "dangling").symlink_to(tmp_path / "a_disk_that_is_not_there")
    (tmp_path / "deep").mkdir()
    with tables.open_file(str(tmp_path / "deep" / "image_stream.hdf5"), "w") as file:
        file.create_array("/", "raw_images", np.zeros((3, 128, 128, 3), np.uint16))
    return tmp_path


def check(done, fragment, folder, status=2):
    assert done.returncode == status, done.stdout + done.stderr
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(folder.glob("**/VideoTimestamp.txt"))
    assert not (folder / "data").exists(), "nothing half-made is left"


@pytest.mark.parametrize(("arguments", "changes", "fragment"), CASES, ids=[case[2][:40] for case in CASES])
def test_bad_input(run, folder, arguments, changes, fragment):
    mouse = None if "--mouse-id" in arguments else "m1"
    seed = None if "--seed" in arguments else 1
    done = run(*arguments, settings=SHORT | changes, mouse=mouse, seed=seed)
    check(done, fragment, folder)


@pytest.mark.parametrize("answer", ["", "\n", "../x\n"])
def test_bad_answers_at_the_prompt(run, folder, answer):
    check(run(mouse=None, stdin=answer), "mouse ID", folder)


def test_a_bad_answer_at_the_prompt_is_asked_for_again(run):
    done = finished(run(mouse=None, stdin="a b\nwater.csv\nok1\n", settings=SHORT | {"total_trials": "1"}))
    assert "mouse ID 'a b': letters, digits" in done.stdout
    assert "mouse ID 'water.csv': this is the name of a file below data_root" in done.stdout
    assert [path.name for path in run.data.iterdir() if path.is_dir()] == ["ok1"]


def test_a_python_without_our_packages_is_one_sentence(run):
    done = subprocess.run([sys.executable, "-S", SCRIPT, "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"not installed for {sys.executable}; run 'make setup' once" in done.stderr


@pytest.mark.parametrize("source", ["99", "nowhere.avi"])
def test_a_camera_that_does_not_open_is_one_sentence(run, source):
    changes = {"vid_source": "OpenCVCameraStream", "opencv_source": source}
    done = run(settings=SHORT | changes, fast=False)
    check(done, f"opencv_source = {source}: OpenCV cannot open this camera", run.tmp_path, status=1)
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_camera_that_does_not_open_is_one_sentence_of_its_own_program(tmp_path):
    program = [sys.executable, ROOT / "OpenCVCameraStream.py", "--set", "opencv_source=99"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr


def test_an_exposure_that_does_not_fit_is_refused_before_anything_is_opened(run, folder):
    changes = {"vid_source": "PiCameraStream", "shutter_speed": "60000", "framerate": "30"}
    done = run(settings=SHORT | changes, fast=False)
    check(done, "shutter_speed = 60000: the exposure does not fit into a frame of 33333 µs", folder)
    assert "SIMULATED" not in done.stdout


def test_unknown_option(run, folder):
    check(run("--simulated"), "unrecognized arguments: --simulated", folder)


def test_fast_needs_a_camera_that_can(run, folder):
    done = run("--set", "vid_source=OpenCVCameraStream")
    check(done, "only a simulated camera (SimCameraStream) or a recording (VideoStream) can be run faster", folder)


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_nothing_is_simulated_unasked(folder):
    """On a computer without picamera2 the plain command says what is missing, how to get it, and how to try without."""
    plain = [sys.executable, SCRIPT, "--mouse-id", "m", "--data-root", "data", "--no-window"]
    done = subprocess.run(plain, cwd=folder, capture_output=True, text=True, timeout=60)
    check(done, "picamera2 is not installed; on a Raspberry Pi run", folder, status=1)
    assert "--simulate to try without" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_missing_recording_is_reported_with_real_devices_too(run, folder):
    done = run("--set", "vid_source=VideoStream", "--set", "outputs=simulated", simulate=False)
    check(done, "vid_root is missing", folder)


@pytest.mark.parametrize("content", [b"mouse_id,\xb5l\n", None], ids=["latin-1", "a folder"])
def test_summary_that_cannot_be_read(run, folder, content):
    summary = folder / "data" / "expt_1roi_trial_summary.csv"
    summary.parent.mkdir()
    if content is None:
        summary.mkdir()
    else:
        summary.write_bytes(content)
    done = run()
    assert done.returncode == 2
    assert "cannot be read as CSV in UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_camera_file_that_cannot_be_used(run, folder):
    """A driver that somebody is still writing is reported in a sentence."""
    drivers = folder / "drivers"
    drivers.mkdir()
    (drivers / "BrokenStream.py").write_text("import a_library_that_is_nowhere\n")
    done = run("--set", "vid_source=BrokenStream", fast=False, env={"PYTHONPATH": str(drivers)})
    check(done, "the camera file cannot be used (No module named 'a_library_that_is_nowhere')", folder, status=1)


def test_summary_with_other_columns_is_not_spoiled(run, folder):
    (folder / "data").mkdir()
    summary = folder / "data" / "expt_1roi_trial_summary.csv"
    summary.write_text("mouse,day\nm1,today\n")
    done = run()
    assert done.returncode == 2
    assert "has the columns mouse, day" in done.stderr
    assert summary.read_text() == "mouse,day\nm1,today\n"
    assert [p.name for p in (folder / "data").iterdir()] == [summary.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_of_somebody_else(run, folder):
    (folder / "closed").mkdir(mode=0o500)
    check(run("--data-root", str(folder / "closed")), "nothing can be written to", folder)


def test_help_shows_protocol_options_and_examples(run):
    done = finished(run("--help"))
    for word in ("Protocol", "--simulate", "--config SESSION/config.ini", "--set KEY=VALUE", "examples", "exit status"):
        assert word in done.stdout


PROGRAMS = sorted(path.stem for path in (ROOT / "rig" / "commands").glob("[a-z]*.py"))


@pytest.mark.parametrize("words", [*PROGRAMS, "tones --check"])
def test_every_program_of_the_rig_has_a_help(words):
    done = finished(command(*words.split(), "--help"))
    assert done.stdout.startswith("usage: ")


def test_the_programs_of_the_rig_are_found():
    assert {"calibrate", "finish", "ledger", "lick", "outputs", "tones"} <= set(PROGRAMS)


def test_keys_of_the_original_are_reported_in_one_line(run, config):
    add_to_section(config, "var_threshold = 3\nspont_sess_duration = 2\n")
    done = finished(run("--config", str(config)))
    assert "  not used    spont_sess_duration, var_threshold\n" in done.stdout
