"""The contract of every camera driver, real and simulated, and what each does beyond it."""

import os
import shutil
import subprocess
import sys
import time
from itertools import islice, pairwise

import cv2
import numpy as np
import pytest
import tables

from AravisCameraStream import AravisCameraStream
from CameraFactory import CameraFactory, Senses
from OpenCVCameraStream import FIRST_FRAMES, OpenCVCameraStream
from PiCameraStream import PiCameraStream
from rig.devices.frames import Frame, FrameQueue
from rig.errors import CameraError, SettingsError
from rig.events import Events
from rig.protocol.tally import Tally
from rig.settings.ini import to_strings
from rig.simulated.tone import SimTone
from SimCameraStream import SimCameraStream
from support import genicam
from support.places import ROOT
from support.processes import command
from support.recordings import write_recording
from support.runner import finished
from VideoStream import VideoStream

HEIGHT, WIDTH, N = 48, 64, 40
SMALL = {"resolution": f"{WIDTH}, {HEIGHT}", "bregma": "24, 32", "ppmm": "5"}
DRIVERS = {
    cls.__name__: cls for cls in (SimCameraStream, VideoStream, OpenCVCameraStream, PiCameraStream, AravisCameraStream)
}


def picture(n):
    """A frame that tells its number: grey steps survive lossy movies."""
    image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    image[8:40, 8:56] = 40 + 5 * n
    return image


def write_movie(path):
    movie = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (WIDTH, HEIGHT))
    for n in range(N):
        movie.write(picture(n))
    movie.release()
    return path


def write_hdf5(path):
    with tables.open_file(str(path), "w") as file:
        file.create_array("/", "raw_images", np.array([picture(n) for n in range(N)]))
    return path


@pytest.fixture(
    params=[
        "SimCameraStream",
        "VideoStream hdf5",
        "VideoStream movie",
        "OpenCVCameraStream",
        pytest.param("AravisCameraStream", marks=genicam.needs_aravis),
        pytest.param("AravisCameraStream gige", marks=genicam.needs_aravis),
    ]
)
def driver(request, settings, tmp_path):
    """Make a driver of each kind from the plain dictionary of strings."""
    kind, _, form = request.param.partition(" ")
    where = dict(SMALL)
    if form == "hdf5":
        where["vid_root"] = str(write_hdf5(tmp_path / "image_stream.hdf5").parent)
    elif form == "movie":
        where["vid_root"] = str(write_movie(tmp_path / "movie.avi"))
    elif kind == "OpenCVCameraStream":
        where["opencv_source"] = str(write_movie(tmp_path / "movie.avi"))
    elif form == "gige":
        request.getfixturevalue("gige_camera")
        where |= genicam.BRIEF | {"genicam_id": genicam.GIGE_ID}
    elif kind == "AravisCameraStream":
        where |= genicam.BRIEF | genicam.IN_MEMORY
    return lambda: DRIVERS[kind](to_strings(settings(vid_source=kind, **where)) | {"fast": "1"})


def take(camera, n):
    return list(islice(camera, n))


def test_every_driver_file_is_held_to_the_contract():
    assert {path.stem for path in ROOT.glob("*Stream.py")} == DRIVERS.keys()


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_declares_what_it_is(name):
    driver = CameraFactory.driver(name)
    assert driver is DRIVERS[name]
    assert isinstance(driver.stands_in, str)
    assert (type(driver.can_be_fast), type(driver.replays)) == (bool, bool)
    assert driver.gains_are_locked in (True, False, None)
    for method in ("start", "begin_session", "read", "stop"):
        assert callable(getattr(driver, method))


@pytest.mark.parametrize(
    ("name", "is_real", "can_be_fast", "replays", "gains_are_locked"),
    [
        ("PiCameraStream", True, False, False, True),
        ("OpenCVCameraStream", True, False, False, None),
        ("AravisCameraStream", True, False, False, True),
        ("SimCameraStream", False, True, False, True),
        ("VideoStream", False, True, True, True),
    ],
)
def test_what_the_drivers_are(name, is_real, can_be_fast, replays, gains_are_locked):
    driver = DRIVERS[name]
    assert driver.stands_in == "" if is_real else driver.stands_in
    assert (driver.can_be_fast, driver.replays, driver.gains_are_locked) == (can_be_fast, replays, gains_are_locked)


def test_contract(driver):
    started = driver()
    assert started.start() is started, "start returns the driver itself"
    with CameraFactory(started) as camera:
        frames, channels = take(camera, 12), camera.channels
    assert [frame.number for frame in frames] == list(range(12))
    assert camera.lost == 0
    for frame in frames:
        assert (frame.image.shape, frame.image.dtype) == ((HEIGHT, WIDTH, channels), np.uint8)
        assert abs(frame.captured_s - time.monotonic()) < 60
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(frames))
    camera.stop()  # closing twice is harmless


def test_frames_are_never_written_again(driver):
    with CameraFactory(driver().start()) as camera:
        frames = take(camera, 6)
        before = [frame.image.copy() for frame in frames]
        take(camera, 6)
        for frame, image in zip(frames, before, strict=True):
            np.testing.assert_array_equal(frame.image, image)


@pytest.mark.parametrize("driver", ["VideoStream hdf5", "VideoStream movie"], indirect=True)
def test_recordings_end_and_begin_again(driver):
    with CameraFactory(driver().start()) as camera:
        first = [frame.image[20, 20, 1] for frame in camera]
        assert len(first) == N
        assert camera.read() is None, "and stays at its end"
        camera.begin_session()
        assert [frame.image[20, 20, 1] for frame in camera] == first
        assert first == pytest.approx([40 + 5 * n for n in range(N)], abs=3)


def test_images_come_without_their_frames_too(settings, tmp_path):
    images = np.arange(3, dtype=np.uint8).repeat(128 * 128 * 3).reshape(3, 128, 128, 3)
    replay = write_recording(tmp_path, images)
    cfg = settings(resolution="128, 128", bregma="67, 64", ppmm="12.8", **replay)
    with CameraFactory.open(cfg, fast=True) as vs:
        assert [int(vs.get_image().max()) for _ in range(3)] == [0, 1, 2]
        assert vs.get_image() is None


def test_a_session_begins_with_number_0_and_no_losses(driver):
    with CameraFactory(driver().start()) as camera:
        take(camera, 3)
        camera.begin_session()
        frames = take(camera, 3)
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert camera.lost == 0


def test_channels_are_blue_green_red(settings, tmp_path):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = (200, 100, 30)
    movie = cv2.VideoWriter(str(tmp_path / "m.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 15, (WIDTH, HEIGHT))
    movie.write(image)
    movie.release()
    cfg = to_strings(settings(resolution=f"{WIDTH}, {HEIGHT}", bregma="24, 32", ppmm=5, vid_root=tmp_path / "m.avi"))
    assert VideoStream(cfg).start().read().image[20, 20] == pytest.approx([200, 100, 30], abs=6)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"vid_root": ""}, "vid_root is missing"),
        ({"vid_root": "/nowhere"}, "there is no recording /nowhere"),
        ({"resolution": "32, 32", "bregma": "16, 16", "ppmm": "3"}, "set resolution = 64, 48"),
        ({"vid_root": "{tmp}/empty.hdf5"}, "empty.hdf5 has no /raw_images"),
        ({"vid_root": "{tmp}/text.hdf5"}, "text.hdf5 cannot be opened as HDF5"),
        ({"vid_root": "{tmp}/text.avi"}, "cannot read"),
        ({"vid_root": "{tmp}/flat.hdf5"}, "needed are (n, height, width, 3) and uint8"),
        ({"vid_root": "{tmp}/movie.avi", "framerate": "30"}, "set framerate = 15"),
    ],
)
def test_recordings_that_cannot_be_replayed(settings, tmp_path, changes, fragment):
    write_hdf5(tmp_path / "image_stream.hdf5")
    write_movie(tmp_path / "movie.avi")
    tables.open_file(str(tmp_path / "empty.hdf5"), "w").close()
    with tables.open_file(str(tmp_path / "flat.hdf5"), "w") as file:
        file.create_array("/", "raw_images", np.zeros((3, 4)))
    for name in ("text.avi", "text.hdf5"):
        (tmp_path / name).write_text("neither movie nor HDF5")
    values = {"vid_root": str(tmp_path), "resolution": "64, 48", "bregma": "24, 32", "ppmm": "5"} | changes
    values["vid_root"] = values["vid_root"].format(tmp=tmp_path)
    with pytest.raises(SettingsError) as caught:
        VideoStream(to_strings(settings(**values))).start()
    assert fragment in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("inside", ["", "S1"])
def test_a_recording_of_the_original_is_replayed_and_says_what_is_missing(settings, tmp_path, capsys, inside):
    folder = tmp_path / "20230504102030" / inside
    folder.mkdir(parents=True)
    with tables.open_file(str(folder / "image_stream.hdf5"), "w") as file:
        array = file.create_earray("/", "raw_images", tables.UInt8Atom(), (0, HEIGHT, WIDTH, 3))
        for n in range(4):
            array.append(np.full((1, HEIGHT, WIDTH, 3), n, np.uint8))
    rows = [f"{n + 1}\t2023-05-04 10:20:{30 + n / 10:09.6f}\t0.0\n" for n in range(4)]
    (folder / "VideoTimestamp.txt").write_text("frame\ttime\tM1_Ldff\n" + "".join(rows))
    values = {"vid_root": tmp_path / "20230504102030", "resolution": f"{WIDTH}, {HEIGHT}", "bregma": "24, 32"}
    camera = VideoStream(to_strings(settings(ppmm=5, **values)) | {"fast": "1"})
    frames = take(CameraFactory(camera.start()), 4)
    assert [int(frame.image.max()) for frame in frames] == [0, 1, 2, 3]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 1 / 15, 2 / 15, 3 / 15])
    said = capsys.readouterr().out
    assert "the times of the frames are missing; they are taken as those of framerate = 15" in said
    assert said.rstrip().endswith("its rows came at 10.00 per second")


def test_a_folder_with_a_movie_only_names_it(settings, tmp_path):
    (tmp_path / "m_20230504102030.mp4").touch()
    with pytest.raises(SettingsError, match=r"name one of the movies there: m_20230504102030\.mp4"):
        VideoStream(to_strings(settings(vid_root=tmp_path))).start()


def test_replay_keeps_recorded_times_and_gaps(settings, tmp_path):
    path = write_hdf5(tmp_path / "image_stream.hdf5")
    table = np.zeros(N, [("number", "i8"), ("time_s", "f8")])
    table["number"] = [n + (n >= 10) * 3 for n in range(N)]
    table["time_s"] = 100 + table["number"] / 15 + np.random.default_rng(0).uniform(0, 0.01, N)
    with tables.open_file(str(path), "a") as file:
        file.create_table("/", "frames", table)
    cfg = settings(resolution="64, 48", bregma="24, 32", ppmm=5, vid_root=tmp_path, vid_source="VideoStream")
    with CameraFactory.open(cfg, fast=True) as camera:
        frames = list(camera)
    assert [frame.number for frame in frames] == table["number"].tolist()
    assert [frame.time_s for frame in frames] == table["time_s"].tolist()
    assert camera.lost == 3


def test_paced_frames_come_at_their_time(settings):
    cfg = settings(resolution="64, 48", bregma="24, 32", ppmm=5, framerate=50)
    with CameraFactory.open(cfg) as camera:
        began = time.monotonic()
        frames = take(camera, 26)
    assert time.monotonic() - began >= 0.49, "25 periods of 20 ms"
    assert np.diff([frame.captured_s for frame in frames]) == pytest.approx([0.02] * 25, abs=1e-6)


def test_same_seed_same_mouse_and_begin_session_starts_anew(settings):
    def images(camera):
        return np.array([frame.image for frame in take(camera, 20)])

    with CameraFactory.open(settings(**SMALL, seed=5), fast=True) as camera:
        first = images(camera)
        camera.begin_session()
        np.testing.assert_array_equal(images(camera), first)
    with CameraFactory.open(settings(**SMALL, seed=5), fast=True) as camera:
        np.testing.assert_array_equal(images(camera), first)
    with CameraFactory.open(settings(**SMALL, seed=6), fast=True) as camera:
        assert (images(camera) != first).any()


def test_only_the_simulated_mouse_hears_and_tastes(settings):
    """The factory asks any driver; a mouse that earns water while a tone plays becomes another one."""
    assert {name for name, cls in DRIVERS.items() if isinstance(cls(to_strings(settings())), Senses)} == {
        "SimCameraStream"
    }

    def images(rewards):
        tone, tally = SimTone(Events()), Tally()
        with CameraFactory.open(settings(**SMALL, seed=5), fast=True) as camera:
            camera.let_sense(tone, tally)
            tone.play(4000.0)
            seen = []
            for frame in islice(camera, 60):
                tally.rewards += rewards
                seen.append(frame.image)
        return np.array(seen)

    np.testing.assert_array_equal(images(0), images(0))
    assert (images(1) != images(0)).any()


def test_cortex_looks_as_described(settings):
    cfg = settings()
    with CameraFactory.open(cfg, fast=True) as camera:
        images = np.array([frame.image for frame in take(camera, 300)], float)
    mean = images.mean(axis=0)
    row, col = (round(value) for value in cfg.bregma)
    assert mean[row, col + 40, 1] > mean[row, col + 40, 0] > mean[row, col + 40, 2], "green over blue over red"
    assert mean[5, 5, 1] < 0.2 * mean[row, col + 40, 1], "dark around the brain"
    assert mean[row, col, 1] < 0.85 * mean[row, col + 8, 1], "the sinus on the midline is a dark vessel"
    patch = images[:, row - 20 : row + 20, col + 20 : col + 60]
    blue, green = patch[..., 0].mean(axis=(1, 2)), patch[..., 1].mean(axis=(1, 2))
    assert np.corrcoef(np.diff(blue), np.diff(green))[0, 1] > 0.8, "blood shows in both colours"
    noise = patch.std(axis=0).mean(axis=(0, 1))
    assert noise[1] > noise[0] > noise[2], "shot noise grows with the light"


def test_simulated_camera_fails_on_demand(settings):
    cfg = settings(resolution="64, 48", bregma="24, 32", ppmm=5, sim_camera_fails_at_s=1)
    with CameraFactory.open(cfg, fast=True) as camera:
        assert len(take(camera, 15)) == 15
        with pytest.raises(CameraError, match="no new frame for 1 s"):
            camera.read()


def test_opencv_camera_that_stops_is_noticed(settings, tmp_path):
    source = str(write_movie(tmp_path / "movie.avi"))
    cfg = settings(vid_source="OpenCVCameraStream", opencv_source=source, resolution="64, 48", bregma="24, 32", ppmm=5)
    with CameraFactory.open(cfg) as camera:
        left = N - FIRST_FRAMES
        assert len(take(camera, left)) == left, "the first frames were taken to see what kind of source it is"
        with pytest.raises(CameraError, match="stopped giving images"):
            camera.read()


def test_a_session_begins_with_a_fresh_frame(settings, tmp_path):
    """Frames that waited while the session was prepared are not handed over any more."""
    source = str(write_movie(tmp_path / "movie.avi"))
    cfg = settings(vid_source="OpenCVCameraStream", opencv_source=source, resolution="64, 48", bregma="24, 32", ppmm=5)
    with CameraFactory(OpenCVCameraStream(to_strings(cfg)).start()) as camera:
        time.sleep(0.5)  # all frames of the movie wait by now
        camera.begin_session()
        with pytest.raises(CameraError, match="stopped giving images"):
            camera.read()


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"opencv_source": "/nowhere.avi"}, "OpenCV cannot open this camera"),
        ({"resolution": "32, 32", "bregma": "16, 16", "ppmm": 3}, "the camera gives 64, 48 px"),
    ],
)
def test_opencv_cameras_that_cannot_be_used(settings, tmp_path, changes, fragment):
    values = {"opencv_source": write_movie(tmp_path / "m.avi"), "resolution": "64, 48", "bregma": "24, 32", "ppmm": 5}
    with pytest.raises(CameraError) as caught:
        OpenCVCameraStream(to_strings(settings(**(values | changes)))).start()
    assert fragment in str(caught.value)


class Source:
    """A driver whose frames come from a function."""

    def __init__(self, read):
        self.read = read

    def begin_session(self):
        pass


def test_queue_counts_what_it_cannot_take():
    queue = FrameQueue(size=3, timeout_s=0.05)
    for n in range(5):
        queue.put(Frame(n, n / 10, n / 10, np.zeros((2, 2, 3), np.uint8)))

    camera = CameraFactory(Source(queue.get))
    assert [camera.read().number for _ in range(3)] == [0, 1, 2]
    queue.put(Frame(7, 0.7, 0.7, np.zeros((2, 2, 3), np.uint8)))
    assert camera.read().number == 7
    assert camera.lost == 4, "3, 4, 5 and 6"
    with pytest.raises(CameraError, match=r"no new frame for 0\.05 s"):
        camera.read()


def test_frames_out_of_order_are_refused():
    numbers = iter([5, 6, 6])
    camera = CameraFactory(Source(lambda: Frame(next(numbers), 0.0, 0.0, np.zeros((2, 2, 3), np.uint8))))
    assert [camera.read().number, camera.read().number] == [0, 1]
    with pytest.raises(CameraError, match="frame 1 after frame 1"):
        camera.read()


def test_missing_picamera2_is_one_sentence(settings):
    if shutil.which("libcamera-hello") or shutil.which("rpicam-hello"):
        pytest.skip("this is a Raspberry Pi with a camera")
    with pytest.raises(CameraError, match=r"apt install python3-picamera2.*--simulate"):
        PiCameraStream(to_strings(settings(vid_source="PiCameraStream"))).start()


def test_exposure_must_fit_into_a_frame(settings):
    with pytest.raises(SettingsError, match="does not fit into a frame of 16667 µs"):
        PiCameraStream(to_strings(settings(framerate=60))).start()


def bench(tmp_path, *arguments):
    return finished(
        subprocess.run(
            [sys.executable, str(ROOT / "SimCameraStream.py"), *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )
    )  # fmt: skip


def test_bench_of_a_camera(tmp_path):
    shown = bench(tmp_path, "--frames", "10", "--set", "framerate=100").stdout
    assert "10 of 256 x 256 px, 0 lost" in shown
    assert "rate        100.00 frames/s" in shown


def test_bench_of_a_camera_of_clmf(tmp_path):
    assert "5 of 640 x 320 px, 0 lost" in bench(tmp_path, "--frames", "5", "--section", "sentech_dlclive").stdout


def test_bench_of_the_camera_of_the_settings():
    done = finished(command("camera", "--frames", "5", "--set", "vid_source=SimCameraStream"))
    assert "5 of 256 x 256 px, 0 lost" in done.stdout


LAB_CAMERA = '''
"""A camera of a lab: the simulated one behind another name."""

from SimCameraStream import SimCameraStream


class LabStream(SimCameraStream):
    stands_in = "a mouse of the lab"
'''


def test_a_driver_elsewhere_on_the_module_path_runs_a_session(run, tmp_path):
    (tmp_path / "LabStream.py").write_text(LAB_CAMERA)
    env = {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))}
    brief = {"total_trials": "1", "initial_rest_dur": "1", "max_trial_dur": "1", "fail_rest_dur": "1"}
    done = finished(run(settings=SMALL | brief | {"vid_source": "LabStream"}, env=env))
    assert "a mouse of the lab" in done.stdout
    assert run.session().settings["vid_source"] == "LabStream"


@pytest.mark.parametrize(
    ("source", "fragment"),
    [
        ("import nothing_of_this_name", "the camera file cannot be used (No module named"),
        ("class Other: ...", "the camera file cannot be used (module 'LabStream' has no attribute 'LabStream')"),
    ],
)
def test_a_driver_file_that_cannot_be_used_is_one_sentence(run, tmp_path, source, fragment):
    (tmp_path / "LabStream.py").write_text(source)
    done = run(settings=SMALL | {"vid_source": "LabStream"}, env={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"vid_source = LabStream: {fragment}" in done.stderr
    assert not run.data.exists()


def test_a_real_camera_cannot_be_run_fast(run):
    done = run(settings=SMALL | {"vid_source": "OpenCVCameraStream"})
    assert done.returncode == 2
    assert "--fast: vid_source = OpenCVCameraStream gives frames at its own pace" in done.stderr
