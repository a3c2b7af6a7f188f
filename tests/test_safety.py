"""What the session does when light, sound, camera or clock are not as they should be."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import tables

from conftest import ROOT, SCRIPT, SHORT, Session, end, needs, wait_until
from rig.image_check import image_trouble

BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2", "fail_rest_dur": "2"}


def image(value, share=1.0):
    picture = np.full((100, 100, 3), 100, np.uint8)
    picture[: round(100 * share), :, 1] = value
    return picture


@pytest.mark.parametrize(
    ("picture", "fragment"),
    [
        (image(200), ""),
        (np.zeros((8, 8, 3), np.uint8), "the image is black (brightest value 0 of 255)"),
        (np.full((8, 8, 3), 9, np.uint8), "the image is black"),
        (np.full((8, 8, 3), 10, np.uint8), ""),
        (image(255, 0.01), ""),
        (image(255, 0.02), "the image is saturated (2.0 % of the pixels at 255, max_saturated = 0.01)"),
    ],
)
def test_image_trouble(picture, fragment):
    found = image_trouble(picture, 0.01)
    assert found.startswith(fragment)
    assert bool(found) == bool(fragment)


def recording(folder, images, numbers=None):
    """Write frames as a session would have stored them."""
    table = np.zeros(len(images), [("number", "i8"), ("time_s", "f8")])
    table["number"] = np.arange(len(images)) if numbers is None else numbers
    table["time_s"] = table["number"] / 15
    with tables.open_file(str(folder / "image_stream.hdf5"), "w") as file:
        file.create_array("/", "raw_images", images)
        file.create_table("/", "frames", table)
    return {"vid_source": "VideoStream", "vid_root": str(folder)}


@pytest.mark.parametrize(("value", "fragment"), [(3, "the image is black"), (255, "the image is saturated")])
def test_a_bad_image_is_flagged_in_the_session(run, tmp_path, value, fragment):
    replay = recording(tmp_path, np.full((90, 128, 128, 3), value, np.uint8))
    done = run(settings=BRIEF | replay, fast=False)
    assert done.returncode == 0, done.stderr
    session = run.session()
    assert session.attribute("troubles").startswith(fragment)
    assert any(e["device"] == b"trouble" and fragment in e["detail"].decode() for e in session.table("events"))
    assert fragment in done.stdout


def test_a_trouble_whose_numbers_change_is_one_trouble(run, tmp_path):
    images = np.full((90, 128, 128, 3), 100, np.uint8)
    for n in range(90):
        images[n, : 10 + n] = 255  # saturated, each frame a little more
    done = run(settings=BRIEF | recording(tmp_path, images), fast=False)
    assert done.returncode == 0, done.stderr
    noted = [e for e in run.session().table("events") if e["device"] == b"trouble"]
    assert len(noted) == 1
    assert run.session().attribute("troubles").count("saturated (") == 1


def test_lost_frames_are_listed(run, tmp_path):
    images = np.random.default_rng(0).integers(90, 110, (90, 128, 128, 3), np.uint8)
    numbers = [n + (3 if n >= 40 else 0) + (1 if n >= 70 else 0) for n in range(90)]
    done = run(settings=BRIEF | recording(tmp_path, images, numbers) | {"reward_threshold": "5"})
    assert done.returncode == 0, done.stderr
    session = run.session()
    lost = [(int(e["frame"]), int(e["value"])) for e in session.table("events") if e["device"] == b"camera"]
    assert lost == [(43, 3), (74, 1)]
    assert f"{len(session.rows)}, 4 lost" in done.stdout


@needs("Xvfb", "xdotool")
def test_a_black_image_is_refused_in_the_preview(run, screen, tmp_path):
    from test_window import Hand

    replay = recording(tmp_path, np.zeros((90, 128, 128, 3), np.uint8))
    process = run.start(settings=BRIEF | replay, window=True, fast=False, env={"DISPLAY": screen})
    try:
        hand = Hand(screen, process)
        hand.do("sleep", 0.5)
        hand.press("Escape")
        hand.do("sleep", 1)
        assert process.poll() is None, "it waits for a better image"
        hand.close_window()
        output, _ = process.communicate(timeout=30)
    finally:
        end(process)
    assert "no session" in output
    assert not list(run.data.glob("m1/*"))


CLOCK = """
import runpy, sys, time
sys.path.insert(0, {root!r})
from rig.session_log import SessionLog
real, original, rows = time.time, SessionLog.write, [0]
def write(self, *arguments, **values):
    rows[0] += 1
    return original(self, *arguments, **values)
SessionLog.write = write
time.time = lambda: real() + (0 if rows[0] < 40 else 3600 if rows[0] < 80 else -86400)
sys.argv = [{script!r}] + sys.argv[1:]
runpy.run_path({script!r}, run_name="__main__")
"""


def test_a_wall_clock_that_jumps_changes_nothing_but_the_printed_time(run):
    assert run(settings=BRIEF, mouse="calm").returncode == 0
    _, *arguments = run.command(settings=BRIEF, mouse="jumps")
    code = CLOCK.format(root=str(ROOT), script=str(SCRIPT))
    command = [sys.executable, "-c", code, *arguments[arguments.index(str(SCRIPT)) + 1 :]]
    subprocess.run(command, cwd=run.tmp_path, check=True, capture_output=True, timeout=60)
    calm, jumped = run.session("calm"), run.session("jumps")
    assert jumped.without_time() == calm.without_time()
    days = {row["time"][:10] for row in jumped.rows}
    assert len(days) >= 2, "the printed time did jump"


@pytest.mark.alone
@needs("pulseaudio", "pactl", "parec")
@pytest.mark.parametrize("required", [0, 1])
def test_sound_that_dies(run, loudspeaker, required):
    settings = SHORT | {"tone": "pyaudio", "tone_required": str(required), "initial_rest_dur": "60"}
    process = run.start(settings=settings, fast=False, env=loudspeaker.env)
    try:
        folder = run.wait_for_rows(15)
        subprocess.run(["pactl", "exit"], env=os.environ | loudspeaker.env, check=True)
        died = time.monotonic()
        if required:
            output, _ = process.communicate(timeout=30)
            assert process.returncode == 1
            assert "the sound has stopped" in output
            assert "because tone_required = 1" in output
        else:
            rows = len((folder / "VideoTimestamp.txt").read_text().splitlines())
            run.wait_for_rows(rows + 45)
            end(process)
            process.stdout.close()
            assert process.returncode == 143
    finally:
        end(process)
    session = Session(folder)
    noted = [e["time_s"] for e in session.table("events") if e["device"] == b"trouble" and e["value"] == 1]
    assert noted
    assert died - 1 < noted[0] < died + 10
    assert "the sound has stopped" in session.attribute("troubles")


def test_a_drawn_mouse_has_a_limit_of_size(run):
    done = run(settings=SHORT | {"resolution": "4096, 4096", "bregma": "2000, 2000"})
    assert done.returncode == 2
    assert "SimCameraStream draws at most" in done.stderr
    wait_until(lambda: not run.data.exists())
