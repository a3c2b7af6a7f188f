"""A camera or a lick sensor that runs and still cannot be used is noticed: status line, window, summary."""

import time

import cv2
import numpy as np
import pytest

from CameraFactory import CameraFactory
from OpenCVCameraStream import OpenCVCameraStream
from rig.devices.camera_watch import CameraWatch, is_same
from rig.devices.frames import Counting, Frame
from rig.devices.input_line import Watch
from rig.devices.lick import WORDS
from rig.devices.pacing import Pacer
from rig.errors import CameraError, SettingsError
from rig.events import Events
from rig.settings.ini import to_strings
from support.places import DRIVERS, SHORT
from support.recordings import write_recording
from support.runner import finished
from support.waiting import wait_until
from VideoStream import VideoStream

NOISE = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), np.uint8)


def watched(times_s, images=NOISE, framerate=15):
    """Return what a watch says after frames at these times."""
    watch = CameraWatch(framerate)
    for n, time_s in enumerate(times_s):
        watch.see(Frame(n, time_s, time_s, images[n % len(images)]))
    return watch.trouble()


def at(rate, seconds=10.0):
    return [100 + i / rate for i in range(int(rate * seconds))]


def thinned(keep, of, seconds=10.0):
    """At 15 frames/s, `keep` of `of` frames."""
    return [t for i, t in enumerate(at(15, seconds)) if i % of < keep]


@pytest.mark.parametrize(
    ("times_s", "rate", "why"),
    [
        (at(15), "", "as asked for"),
        (at(15.5), "", "3 % off: the clock of a camera"),
        (at(15)[:20], "", "too early to say"),
        (at(14), "14.0", "7 % off"),
        (at(30), "30.0", "twice as many"),
        (thinned(4, 15), "4", "4 of 15"),
        (thinned(2, 3), "10", "two of three"),
        (at(1), "1.0", "one a second"),
        ([*at(15), *(t + 13.0 for t in at(15))], "", "a pause of 3 s"),
        ([*at(15, 2), *(t + 3602 for t in at(15, 2))], "", "a pause of an hour"),
        ([t + 0.06 * (i % 2) for i, t in enumerate(at(15))], "", "jitter of nearly a period"),
        ([], "", "no frame yet"),
        ([100.0] * 50, "", "a clock that stands still says nothing"),
    ],
)
def test_the_rate_is_that_which_was_asked_for(times_s, rate, why):
    said = watched(times_s)
    assert said.startswith(rate), why
    assert ("frames/s arrive where framerate = 15" in said) == bool(rate), why


def test_a_slow_camera_that_was_asked_to_be_slow():
    assert watched([i / 0.2 for i in range(20)], framerate=0.2) == ""


@pytest.mark.parametrize(
    ("n_same", "frozen", "why"),
    [(20, False, "for less than 2 s"), (40, True, "for more"), (150, True, "for long")],
)
def test_a_frozen_camera(n_same, frozen, why):
    times_s = at(15, 15)[: 30 + n_same]
    images = [*(NOISE[i % 8] for i in range(30)), *[NOISE[0].copy() for _ in range(n_same)]]
    assert ("the camera is frozen" in watched(times_s, images)) is frozen, why


def test_a_camera_that_thaws():
    times_s = at(15)[:70]
    images = [NOISE[0]] * 60 + [NOISE[i % 8] for i in range(10)]
    assert watched(times_s, images) == ""


@pytest.mark.parametrize("pixel", [(0, 0, 0), (31, 17, 2), (47, 63, 1)])
def test_a_single_pixel_that_changes_is_enough(pixel):
    other = NOISE[0].copy()
    other[pixel] ^= 1
    assert is_same(NOISE[0], NOISE[0].copy())
    assert not is_same(NOISE[0], other)


def odd(run, how, **options):
    env = {"GOES_WRONG": how, "PYTHONPATH": str(DRIVERS)}
    settings = SHORT | {"vid_source": "OddCameraStream", "initial_rest_dur": "14", "total_trials": "1"}
    return run(settings=settings, env=env, **options)


@pytest.mark.parametrize(("how", "fragment"), [("frozen", "the camera is frozen"), ("slow", "frames/s arrive where")])
def test_it_is_a_trouble_of_the_session(run, how, fragment):
    done = finished(odd(run, how, fast=False))
    session = run.session()
    assert fragment in session.attributes["troubles"]
    assert fragment in " ".join(done.stdout.split())
    assert any(fragment in event.detail for event in session.of("trouble"))


def test_a_good_camera_is_no_trouble(run):
    finished(run(settings=SHORT | {"total_trials": "1"}))
    assert "troubles" not in run.session().attributes


def test_a_dark_image_is_black_and_not_frozen(run, tmp_path):
    replay = write_recording(tmp_path, np.zeros((90, 128, 128, 3), np.uint8))
    finished(run(settings=SHORT | replay, fast=False))
    troubles = run.session().attributes["troubles"]
    assert "the image is black" in troubles
    assert "frozen" not in troubles


@pytest.mark.parametrize(
    ("how", "came"),
    [
        ("grey", "128, 128 px, grey, of uint8"),
        ("four", "128, 128 px, 4 channels, of uint8"),
        ("deep", "128, 128 px, of uint16"),
        ("small", "128, 127 px, of uint8"),
    ],
)
def test_a_frame_of_another_form_ends_the_session_in_a_sentence(run, how, came):
    done = odd(run, how)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert f"the camera gives {came} where resolution = 128, 128 and three colours of uint8 are needed" in done.stderr
    session = run.session()
    assert len(session) == len(session.images) == 60, "all frames before it are kept"
    assert came in session.attributes["ended_by"]


class Spout:
    """A sensor that feels what it is told."""

    def __init__(self, down):
        self.down = down

    def read(self):
        return self.down

    def close(self):
        pass


def test_a_lick_sensor_that_hangs(monkeypatch):
    spout, now_s = Spout(True), time.monotonic()
    lick = Watch(spout, Events(), WORDS)
    try:
        wait_until(lick.touched)
        assert lick.trouble() == ""
        monkeypatch.setattr("rig.devices.input_line.time.monotonic", lambda: now_s + WORDS.hangs_after_s + 5)
        assert "has felt a touch for 1" in lick.trouble()
        spout.down = False
        wait_until(lambda: lick.trouble() == "", timeout_s=5)
    finally:
        monkeypatch.undo()
        lick.close()


NO_TONGUE = '''
"""A sensor that feels nothing."""

import rig.simulated.lick as lick

lick.SimLick.LICKS_HZ = lick.SimLick.SPONTANEOUS_HZ = 0.0
from SimCameraStream import SimCameraStream


class NumbStream(SimCameraStream):
    pass
'''


@pytest.mark.parametrize("sensor", ["simulated", "none"])
def test_rewards_without_a_lick_are_a_note(run, tmp_path, sensor):
    (tmp_path / "NumbStream.py").write_text(NO_TONGUE)
    often = SHORT | {"vid_source": "NumbStream", "lick": sensor, "reward_threshold": "0.0001", "total_trials": "4"}
    finished(run(settings=often, env={"PYTHONPATH": str(tmp_path)}))
    session = run.session()
    assert len(session.of("reward", "commanded")) >= 3
    if sensor == "none":
        assert "licks" not in session.attributes
    else:
        assert session.attributes["licks"].startswith("none, although 4 rewards were given")
    assert "troubles" not in session.attributes


@pytest.mark.parametrize(
    ("arrivals", "expected", "why"),
    [
        ([0.0, 0.1, 0.2, 0.3], [0, 1, 2, 3], "as they come"),
        ([0.0, 0.19, 0.2, 0.39], [0, 1, 2, 3], "jitter of nearly a period is no loss"),
        ([0.0, 0.1, None, None, 0.3], [0, 1, 4], "two were left out"),
        ([0.0, 0.1, None, 3.15], [0, 1, 31], "one was left out, and the driver has dropped many more"),
        ([None, 0.1, 0.2], [1, 2], "the first one"),
    ],
)
def test_frames_are_counted_where_nobody_can_number_them(arrivals, expected, why):
    counting, numbers = Counting(10), []
    for arrived_s in arrivals:
        if arrived_s is None:
            counting.leave_out()
        else:
            numbers.append(counting.number(arrived_s))
    assert numbers == expected, why


class JitteryCapture:
    """In place of cv2.VideoCapture: 20 frames/s without stamps, every other one nearly a period late."""

    def getBackendName(self):  # noqa: N802 - as OpenCV calls it
        return "GSTREAMER"

    def __init__(self, _source):
        self._began_s, self._n = time.monotonic(), 0

    def isOpened(self):  # noqa: N802 - as OpenCV spells it
        return self._n < 40

    def set(self, *_):
        return True

    def get(self, _):
        return 0.0

    def read(self):
        self._n += 1
        due_s = self._began_s + (self._n + 0.8 * (self._n % 2)) / 20
        time.sleep(max(0.0, due_s - time.monotonic()))
        return self._n < 40, np.random.default_rng(self._n).integers(0, 256, (48, 64, 3), np.uint8)

    def release(self):
        pass


def test_jitter_of_a_camera_without_stamps_is_no_loss(settings, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", JitteryCapture)
    cfg = settings(vid_source="OpenCVCameraStream", resolution="64, 48", bregma="24, 32", ppmm=5, framerate=20)
    with CameraFactory(OpenCVCameraStream(to_strings(cfg)).start()) as camera:
        numbers = [camera.read().number for _ in range(20)]
        assert camera.lost == 0
    assert numbers == list(range(20))


def write_movie(path, n=60):
    movie = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (128, 128))
    for i in range(n):
        image = np.random.default_rng(i).integers(60, 200, (128, 128, 3), np.uint8)
        movie.write(image)
    movie.release()
    return path


def replay(path):
    return SHORT | {"vid_source": "VideoStream", "vid_root": str(path), "initial_rest_dur": "10", "lick": "none"}


def test_a_movie_that_is_damaged_ends_early_with_status_1(run, tmp_path):
    movie = write_movie(tmp_path / "movie.avi")
    data = bytearray(movie.read_bytes())
    half = len(data) // 2
    index = data.rfind(b"idx1")
    data[half:index] = bytes(index - half)
    movie.write_bytes(data)
    done = run(settings=replay(movie))
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]  # the decoder may complain before
    assert last.startswith("the recording ended early, after ")
    assert " of 60 frames" in last
    session = run.session()
    assert 0 < len(session) == len(session.images) < 58
    assert session.attributes["ended_by"].startswith("the recording ended early")


def test_a_movie_that_is_whole_ends_with_status_0(run, tmp_path):
    finished(run(settings=replay(write_movie(tmp_path / "movie.avi"))))
    assert run.session().attributes["ended_by"] == "the recording ended"


@pytest.mark.parametrize("column", ["time_s", "age_s"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, -1e300])
def test_times_that_no_session_has(settings, tmp_path, column, value):
    where = write_recording(tmp_path, NOISE)
    change_times(tmp_path, column, 4, value)
    cfg = settings(resolution="64, 48", bregma="24, 32", ppmm=5, **where)
    with pytest.raises(SettingsError, match=r"row 4 of /frames in .* times must be numbers and never go back"):
        VideoStream(to_strings(cfg)).start()


def test_times_that_go_back(settings, tmp_path):
    where = write_recording(tmp_path, NOISE)
    change_times(tmp_path, "time_s", 5, 0.0)
    with pytest.raises(SettingsError, match="row 5 of /frames"):
        VideoStream(to_strings(settings(resolution="64, 48", bregma="24, 32", ppmm=5, **where))).start()


def change_times(folder, column, row, value):
    import tables

    with tables.open_file(str(folder / "image_stream.hdf5"), "a") as file:
        old = file.root.frames[:]
        file.remove_node("/frames")
        kinds = [("number", "i8"), ("time_s", "f8"), ("age_s", "f8")]
        new = np.zeros(len(old), kinds)
        new["number"], new["time_s"] = old["number"], old["time_s"]
        new[column][row] = value
        file.create_table("/", "frames", new)


def test_a_gap_of_an_hour_is_not_slept_out(settings, tmp_path):
    where = write_recording(tmp_path, NOISE, numbers=[0, 1, 2, 54000, 54001, 54002, 54003, 54004])
    cfg = settings(resolution="64, 48", bregma="24, 32", ppmm=5, **where)
    with CameraFactory.open(cfg) as camera:
        began_s = time.monotonic()
        times_s = [frame.time_s for frame in camera]
        lasted_s = time.monotonic() - began_s
    assert times_s[3] - times_s[2] > 3590, "times stay as they were recorded"
    assert 6 / 15 - 0.01 <= lasted_s < 2


def test_short_gaps_are_waited_for():
    pacer = Pacer(fast=False, longest_wait_s=0.3)
    began_s = time.monotonic()
    for time_s in (0.0, 0.2, 5.0, 5.2):
        pacer.wait_for(time_s)
    assert 0.4 <= time.monotonic() - began_s < 1


def test_a_simulated_camera_waits_as_long_as_it_is_told(settings):
    cfg = settings(resolution="64, 48", bregma="24, 32", ppmm=5, sim_camera_fails_at_s=0.1, camera_timeout_s=2.5)
    with CameraFactory.open(cfg) as camera:
        began_s = time.monotonic()
        with pytest.raises(CameraError, match=r"no new frame for 2\.5 s"):
            list(camera)
    assert time.monotonic() - began_s >= 2.5
