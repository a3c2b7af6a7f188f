"""PiCameraStream on the real picamera2 and libcamera's virtual camera: `make test-picamera2` builds and runs it.

The virtual camera has a clock, exposure and gains, and takes settings as a sensor does.  It shows colour bars that move
a column a frame, or a film of JPEG files, of which each picture stays for four frames.  Where this machine is so late
that the virtual sensor skips a frame, it says so in its own count, and what it shows goes on with the next frame.
"""

import fcntl
import json
import os
import subprocess
import textwrap
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from rig.simulated.cortex import Scene
from support.checks import LOGGED, check_protocol, direct_dff
from support.places import ROOT, SCRIPT

VIRTUAL = Path(os.environ.get("LIBCAMERA_VIRTUAL", Path.home() / "libcamera-virtual"))
PYTHON = VIRTUAL / "venv" / "bin" / "python"
READY, NEEDED = VIRTUAL / "venv" / "ready", ROOT / "requirements.txt"
BUILT = PYTHON.exists() and (VIRTUAL / "lib" / "dmabuf_shim.so").exists()
BUILT = BUILT and READY.exists() and READY.stat().st_mtime > NEEDED.stat().st_mtime  # with what the rig needs today
pytestmark = [
    pytest.mark.alone,  # the virtual camera skips frames on a busy machine
    pytest.mark.skipif(
        not BUILT,
        reason=f"no virtual camera of today in {VIRTUAL}: run make test-picamera2",
    ),
]

FRAMES_A_PICTURE = 4
BARS = 'test_pattern: "bars"'
BAR_COLOURS = [  # blue, green, red
    (255, 255, 255), (0, 255, 255), (255, 255, 0), (0, 255, 0), (255, 0, 255), (0, 0, 255), (255, 0, 0), (0, 0, 0),
]  # fmt: skip
CAMERA = """%YAML 1.1
---
"Virtual0":
  supported_formats:
  - width: 640
    height: 480
    frame_rates: [{rates}]
  {scene}
  location: "CameraLocationExternal"
  model: "Virtual Video Device"
"""


@contextmanager
def virtual_camera(scene=BARS, rates="30, 60"):
    """Let the virtual camera show a scene; yields the environment in which picamera2 finds it.

    Its description is one file for all who use it, so they take turns.
    """
    description = VIRTUAL / "share" / "libcamera" / "pipeline" / "virtual" / "virtual.yaml"
    bindings = next((VIRTUAL / "lib").glob("python3*/site-packages"))
    with (VIRTUAL / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = description.read_text()
        description.write_text(CAMERA.format(scene=scene, rates=rates))
        try:
            yield os.environ | {
                "PYTHONPATH": f"{bindings}:{VIRTUAL / 'stubs'}",
                "LD_PRELOAD": str(VIRTUAL / "lib" / "dmabuf_shim.so"),
                "LIBCAMERA_LOG_LEVELS": "*:ERROR",
            }
        finally:
            description.write_text(before)


IMPORTS = """
import time

from CameraFactory import CameraFactory
from support.virtual_camera import Camera, answer, hold_all, read_until_error, refused, suspend, watch
"""


def on_camera(code, library_may_complain=False):
    """Run code with the real picamera2; return what it answered, having seen no traceback."""
    program = IMPORTS + textwrap.dedent(code)
    with virtual_camera() as env:
        env["PYTHONPATH"] += f":{ROOT}:{ROOT / 'tests'}"
        done = subprocess.run([PYTHON, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert library_may_complain or "Traceback" not in done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("framerate", "shutter_speed", "iso", "period_us"), [(30, 20000, 800, 33333), (60, 10000, 100, 16667)]
)
def test_every_frame_once_with_its_number_and_time_as_set(framerate, shutter_speed, iso, period_us):
    seen = on_camera(
        f"""
        answer(**watch(Camera(framerate="{framerate}", shutter_speed="{shutter_speed}", iso="{iso}"), n=120))
        """
    )
    numbers, sequence = np.array(seen["numbers"]), np.array(seen["sequence"])
    np.testing.assert_array_equal(numbers, sequence - sequence[0], "the number is that of the sensor")
    np.testing.assert_allclose(np.array(seen["times"]) - seen["times"][0], numbers * period_us * 1e-6, atol=1e-6)
    assert 0 <= seen["ages"][0] < 60, "on the clock of time.monotonic()"
    assert (np.diff(seen["places"]) % 640 == 639).all(), "each frame the bars are a column further to the left"
    first = seen["completed"].index(seen["times"][0])
    assert seen["completed"][first:][: len(numbers)] == seen["times"], "all that picamera2 completed"
    assert seen["lost"] == numbers[-1] + 1 - len(numbers)
    assert seen["shapes"] == [[480, 640, 3, "uint8", True]]
    assert seen["reported"] == [[shutter_speed, iso / 100, period_us, 1.0, 1.0]], "from the first frame on"


@pytest.mark.parametrize("resolution", ["640, 480", "200, 150"])  # the rows of the second are padded in memory
def test_blue_green_and_red_are_where_they_should_be(resolution):
    seen = on_camera(
        f"""
        with CameraFactory(Camera(resolution="{resolution}").start()) as camera:
            answer(row=camera.read().image[100].tolist(), last=camera.read().image[-1].tolist())
        """
    )
    width = int(resolution.split(",")[0])
    for row in np.array(seen["row"]), np.array(seen["last"]):
        light = row.sum(axis=1)
        row = np.roll(row, -(light - np.roll(light, 1)).argmax(), axis=0)  # white begins behind black
        middles = row[[int((n + 0.5) * width / 8) for n in range(8)]]
        np.testing.assert_allclose(middles, BAR_COLOURS, atol=40)


STALLS = {
    "all buffers are held": "held = hold_all(camera); time.sleep(0.4); [request.release() for request in held]",
    "the stream stops and starts": "camera._camera.stop(); time.sleep(0.4); camera._camera.start()",
    "the whole process is stopped": "suspend(0.4)",
}


@pytest.mark.parametrize("stall", STALLS)
def test_a_camera_that_stalls_and_resumes(stall):
    seen = on_camera(
        f"""
        camera = Camera().start()
        with CameraFactory(camera) as factory:
            frames = [factory.read() for _ in range(10)]
            {STALLS[stall]}
            frames += [factory.read() for _ in range(40)]
        answer(lost=factory.lost, numbers=[f.number for f in frames], times=[f.time_s for f in frames])
        """
    )
    numbers, times = np.array(seen["numbers"]), np.array(seen["times"])
    np.testing.assert_array_equal(np.diff(numbers), np.rint(np.diff(times) * 30), "a number for each period")
    assert seen["lost"] == numbers[-1] + 1 - len(numbers)
    assert seen["lost"] >= 5, "what was missed is counted"
    assert (np.diff(numbers) == 1).sum() >= 30, "and it goes on"


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ("held = hold_all(camera)", "the camera gave no new frame for 1 s"),
        ("camera._camera.stop()", "the camera gave no new frame for 1 s"),
        ("camera._camera._preview._abort.set()", "the camera gave no new frame for 1 s"),
        ("camera._numbering = None", "the camera gave a frame that cannot be used (AttributeError"),
    ],
)
def test_a_camera_that_stops_ends_in_a_sentence_and_can_be_opened_again(trouble, sentence):
    seen = on_camera(
        f"""
        camera = Camera().start()
        {trouble}
        error = read_until_error(camera)
        camera.stop()
        camera.stop()
        with CameraFactory(Camera().start()) as again:
            answer(error=error, numbers=[again.read().number for _ in range(5)])
        """
    )
    assert seen["error"].startswith(sentence)
    assert seen["numbers"] == sorted(set(seen["numbers"]))


def test_a_camera_that_breaks_below_picamera2_can_be_closed():
    """The thread of picamera2 dies of it, with a traceback of its own, and could not be asked to stop any more."""
    seen = on_camera(
        """
        camera = Camera().start()
        camera._camera.camera.stop()
        error = read_until_error(camera)
        camera.stop()
        answer(error=error)
        """,
        library_may_complain=True,
    )
    assert seen["error"].startswith("the camera gave no new frame for 1 s")


def test_a_second_opener_is_refused_and_the_first_goes_on():
    seen = on_camera(
        """
        with CameraFactory(Camera().start()) as first:
            numbers = [first.read().number for _ in range(3)]
            error = refused()
            numbers += [first.read().number for _ in range(20)]
        with CameraFactory(Camera().start()) as later:
            later.read()
        answer(error=error, numbers=numbers)
        """
    )
    assert seen["error"].startswith("the camera cannot be opened, another program may hold it (")
    assert "__init__" not in seen["error"], "the reason is libcamera's"
    assert seen["numbers"] == sorted(set(seen["numbers"]))


def test_what_the_camera_cannot_do_is_refused_in_a_sentence():
    seen = on_camera(
        """
        class Focusing(Camera):
            def _controls(self):
                return super()._controls() | {"AfMode": 0, "LensPosition": 1.0}

        answer(
            odd=refused(resolution="641, 481"), large=refused(resolution="4000, 3000"), mode=refused(sensor_mode="7"),
            rate=refused(framerate="15"), gain=refused(iso="3200"), lacking=refused(Focusing),
            tuning=refused(linear="1"),
        )
        """
    )
    assert seen["odd"].startswith("resolution = 641, 481: the camera would give 640, 480 px; set a resolution")
    assert seen["large"].startswith("resolution = 4000, 3000: the camera would give 640, 480 px")
    assert seen["mode"].startswith("sensor_mode = 7: the camera Virtual Video Device has no such mode")
    assert "set sensor_mode = 0" in seen["mode"]
    assert seen["rate"].startswith("framerate: the camera gives 33333 µs a frame")
    assert seen["gain"].startswith("iso: the camera gives 16 times (AnalogueGain) where 32 was asked for")
    assert seen["tuning"].startswith("linear = 1: there is no tuning file Virtual Video Device.json")
    assert seen["lacking"].startswith("the camera has no control AfMode, LensPosition, so its gains cannot be locked")


SUITED = {"framerate": 30, "shutter_speed": 10000, "iso": 100, "sensor_mode": 0, "linear": 0}


def with_settings(values):
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def test_the_bench_test_shows_what_it_captures(tmp_path):
    command = [PYTHON, ROOT / "PiCameraStream.py", "--frames", "10", *with_settings(SUITED)]
    with virtual_camera() as env:
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "10 of 256 x 256 px" in done.stdout
    assert "frames/s, periods 33.3 to" in done.stdout


def test_what_does_not_follow_the_exposure_is_no_light(tmp_path):
    """The exposure is taken and reported, and the picture of the virtual camera stays as it is."""
    command = [PYTHON, ROOT / "PiCameraStream.py", "--linearity", *with_settings(SUITED)]
    with virtual_camera() as env:
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "M1_L" in done.stdout


RATE = 15
SHOWN = {"resolution": "128, 128", "bregma": "67, 64", "ppmm": "12.8", "roi_size": "1.5, 1.5"}


@pytest.fixture
def film(settings, tmp_path):
    """A film of the simulated cortex, as JPEG files; returns their folder and the pictures."""
    n_pictures, rate = 90, RATE / FRAMES_A_PICTURE
    scene = Scene(settings(**SHOWN, framerate=rate))
    folder = tmp_path / "film"
    folder.mkdir()
    pictures = [scene.render(n / rate, 0.0, 0) for n in range(n_pictures)]
    for n, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{n}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
    return folder, np.array(pictures)


def which_pictures(images, pictures):
    """Return which picture each image shows: that which differs from the mean most alike."""

    def differences(stack):
        green = stack[..., 1].reshape(len(stack), -1).astype(float)
        green -= green.mean(axis=0)
        return green / np.linalg.norm(green, axis=1, keepdims=True)

    return (differences(images) @ differences(pictures).T).argmax(axis=1)


def run_script(run, scene, **changes):
    """Run the script of the experiment on the virtual camera; everything else is simulated."""
    values = SUITED | SHOWN | {"vid_source": "PiCameraStream", "framerate": RATE} | changes
    values |= dict.fromkeys(("outputs", "tone", "lick"), "simulated")
    command = run.command(settings=values, simulate=False, fast=False)
    command[: command.index(str(SCRIPT))] = [PYTHON]  # without -W error: what the libraries warn of is their affair
    with virtual_camera(scene, rates=f"{RATE}, 60") as env:
        return subprocess.run(command, env=env, cwd=run.tmp_path, capture_output=True, text=True, timeout=120)


def session_without_losses(run, folder):
    """Run a session; again where this machine was so late that the virtual sensor skipped a frame."""
    for _ in range(3):
        done = run_script(
            run, f'frames: {{path: "{folder}/"}}', total_trials=3, initial_rest_dur=4, max_trial_dur=3,
            success_rest_dur=1, fail_rest_dur=1, reward_delay=0.4, dff_history=3, reward_threshold=0.005,
            adaptive_threshold=0, max_frame_age_ms=1000,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        session = run.session()
        if (np.diff(session.columns["frame"]) == 1).all():
            return session
    pytest.fail("three sessions have lost frames")


def test_a_whole_session(run, film):
    folder, pictures = film
    session = session_without_losses(run, folder)
    assert list(session.columns) == LOGGED
    _, rewards = check_protocol(session)
    assert (rewards == 1).any()
    assert session.frames["number"].tolist() == session.columns["frame"].tolist()
    assert session.attributes["version_of_picamera2"]

    shown = which_pictures(session.images[:], pictures)
    change = (shown != shown[0]).argmax()
    assert change <= FRAMES_A_PICTURE
    np.testing.assert_array_equal(shown, shown[0] + 1 + (np.arange(len(shown)) - change) // FRAMES_A_PICTURE)
    box = [int(value) for value in session.settings["m1_l"].split(",")]
    filmed = direct_dff(pictures[shown], box, n=3 * RATE)
    assert np.corrcoef(filmed, session.columns["roi_dff"])[0, 1] > 0.9, "the signal is that of the film"


def test_a_session_that_the_camera_refuses(run):
    done = run_script(run, BARS, resolution="641, 481", total_trials=1)  # so few frames fit on any disk
    assert done.returncode == 1
    assert "resolution = 641, 481: the camera would give 640, 480 px" in done.stderr
    assert "Traceback" not in done.stderr
