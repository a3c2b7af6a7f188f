"""Cameras without colours: one channel from the driver to the file and back."""

import cv2
import h5py
import numpy as np
import pytest

from analysis.frame_sample import sample_frames
from CameraFactory import CameraFactory
from OpenCVCameraStream import NO_COLOUR, OpenCVCameraStream
from rig.commands.camera import report
from rig.devices.frames import Frame
from rig.devices.linearity import measure
from rig.errors import CameraError, SettingsError
from rig.files.finishing import finish
from rig.files.frame_file import PAGE, FrameFile, Header
from rig.files.reader import read_session
from rig.files.space import bytes_of_a_frame
from rig.screen.drawing import DISPLAY_CURVE, for_the_eye
from rig.settings.clmf import ClmfSettings
from rig.settings.ini import to_strings
from rig.settings.loading import load
from rig.simulated.pose import SimPose
from support.places import ROOT, SHORT_PAWS, SPEED_SECTION
from support.recordings import write_recording
from support.runner import SpeedRunner, finished, frames_of, without_time
from VideoStream import VideoStream

WIDTH, HEIGHT = 64, 48
SMALL = {"resolution": f"{WIDTH}, {HEIGHT}", "bregma": "24, 32", "ppmm": "5"}
PAWS = SHORT_PAWS | {"total_trials": "1", "initial_rest_dur": "1", "max_trial_dur": "2", "trial_start": "immediate"}
PAWS |= {"fail_rest_dur": "1", "success_rest_dur": "1", "video_file": "", "pose": "simulated"}


def paw_settings(**changes):
    simulated = {"vid_source": "SimCameraStream", "outputs": "simulated", "tone": "simulated", "seed": "1"}
    return load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, simulated | PAWS | changes)[0]


def write_movie(path, is_grey=True):
    movie = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (WIDTH, HEIGHT))
    for n in range(12):
        image = np.full((HEIGHT, WIDTH, 3), 40 + 5 * n, np.uint8)
        image[10:20, 10:20] = 200 if is_grey else (200, 90, 30)
        movie.write(image)
    movie.release()
    return str(path)


# ---- drivers


def test_the_simulated_mouse_in_grey():
    with CameraFactory.open(paw_settings(), fast=True) as camera:
        colours = camera.get_image()
    with CameraFactory.open(paw_settings(mono="1"), fast=True) as camera:
        assert camera.channels == 1
        grey = camera.get_image()
    assert grey.shape == (160, 320, 1)
    np.testing.assert_array_equal(grey[..., 0], cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY))


def test_an_opencv_camera_without_colours(settings, tmp_path):
    where = SMALL | {"opencv_source": write_movie(tmp_path / "grey.avi"), "mono": "1"}
    with CameraFactory(OpenCVCameraStream(to_strings(settings(**where))).start(), (WIDTH, HEIGHT)) as camera:
        image = camera.get_image()
    assert image.shape == (HEIGHT, WIDTH, 1)
    assert image.flags.c_contiguous
    assert abs(int(image[15, 15, 0]) - 200) < 8


def test_an_opencv_camera_with_colours_is_not_mono(settings, tmp_path):
    where = SMALL | {"opencv_source": write_movie(tmp_path / "colours.avi", is_grey=False), "mono": "1"}
    with pytest.raises(CameraError, match="mono = 1: the camera gives colours; set mono = 0"):
        OpenCVCameraStream(to_strings(settings(**where))).start()


@pytest.mark.parametrize("is_grey", [True, False])
def test_three_equal_colours_are_said_to_be(settings, tmp_path, capsys, is_grey):
    driver = OpenCVCameraStream(
        to_strings(settings(**SMALL, opencv_source=write_movie(tmp_path / "camera.avi", is_grey)))
    )
    driver.start().stop()
    assert (NO_COLOUR in " ".join(capsys.readouterr().out.split())) == is_grey
    assert driver.channels == 3


def test_a_replay_has_the_channels_of_the_recording(settings, tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (5, HEIGHT, WIDTH, 1), np.uint8)
    replay = settings(**SMALL, **write_recording(tmp_path, images))
    driver = VideoStream(to_strings(replay) | {"fast": "1"})
    assert driver.channels == 1, "known before it is opened"
    with CameraFactory(driver.start(), (WIDTH, HEIGHT)) as camera:
        np.testing.assert_array_equal([frame.image for frame in camera], images)


def test_drivers_that_do_not_say_have_colours(settings):
    assert CameraFactory.channels_of(settings(vid_source="PiCameraStream")) == 3


# ---- what needs colours


@pytest.mark.parametrize(
    "changes",
    [
        {"mono": "1"},
        {"vid_source": "AravisCameraStream"},
        {"vid_source": "AravisCameraStream", "pixel_format": "Mono12"},
    ],
)
def test_dff_needs_colours(settings, changes):
    with pytest.raises(SettingsError, match="it gives grey pictures, and ΔF/F needs green and blue"):
        CameraFactory.refuse(settings(**changes))


def test_dff_may_have_the_colours_of_a_mosaic(settings):
    CameraFactory.refuse(settings(vid_source="AravisCameraStream", pixel_format="BayerRG8"))


def test_a_cortex_without_colours_is_one_sentence(run):
    done = run(settings=run.short | {"mono": "1"})
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "ΔF/F needs green and blue" in done.stderr
    assert not run.data.exists()


@pytest.mark.parametrize("vid_source", ["PiCameraStream", "VideoStream"])
def test_a_camera_with_colours_is_not_mono(tmp_path, vid_source):
    replay = write_recording(tmp_path, np.zeros((3, 160, 320, 3), np.uint8)) | {"vid_source": vid_source}
    with pytest.raises(SettingsError, match=f"mono = 1: vid_source = {vid_source} gives three colours; set mono = 0"):
        CameraFactory.refuse(paw_settings(**replay, mono="1"))


# ---- what is made of grey pictures


def test_the_pose_in_grey_is_the_one_in_colours():
    find = SimPose(320).get_pose
    changes = {"resolution": "640, 320", "start_center": "590, 110", "target_center": "590, 80", "ppmm": "3.5"}
    with CameraFactory.open(paw_settings(**changes), fast=True) as camera:
        images = [camera.get_image() for _ in range(40)]
    for image in images:
        seen = find(image)
        grey = find(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None])
        np.testing.assert_allclose(grey[:, :2], seen[:, :2], atol=0.5)
        np.testing.assert_allclose(grey[:, 2], seen[:, 2], atol=0.1)


@pytest.mark.parametrize("is_linear", [True, False])
def test_grey_is_shown_as_three_equal_colours(is_linear):
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    shown = for_the_eye(image, is_linear)
    expected = DISPLAY_CURVE[image[..., 0]] if is_linear else image[..., 0]
    for channel in range(3):
        np.testing.assert_array_equal(shown[..., channel], expected)


def test_the_camera_command_says_grey():
    with CameraFactory.open(paw_settings(mono="1"), fast=True) as camera:
        said = report(camera, 5)
    assert "mean        grey " in said
    assert "blue" not in said


def test_whether_grey_follows_the_light():
    with CameraFactory.open(paw_settings(mono="1"), fast=True) as camera:
        (row,) = measure(camera, 20000, [])
    assert row.colour == "grey"


def test_a_sample_of_grey_frames_has_three_equal_colours():
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 9, 1), np.uint8)
    sample = sample_frames(images, 0.1)
    assert sample.mean.shape == (8, 9, 3)
    np.testing.assert_array_equal(sample.mean[..., 0], sample.mean[..., 2])
    assert sample.frame.shape == (8, 9, 3)


# ---- files


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    """A session of grey pictures, and the same mouse in colours."""
    run = SpeedRunner(tmp_path_factory.mktemp("grey"))
    finished(run(settings=PAWS | {"mono": "1"}))
    finished(run(settings=PAWS, mouse="colours"))
    return run


def test_a_session_stores_one_channel(grey):
    session = grey.session()
    assert session.images.shape == (len(session), 160, 320, 1)
    assert frames_of(session) == {len(session)}
    assert session.attributes["channels"] == "1"
    assert grey.session("colours").images.shape == (len(session), 160, 320, 3)


def test_one_channel_needs_a_third_of_the_disk(grey):
    sizes = [(grey.session(mouse).folder / "image_stream.hdf5").stat().st_size for mouse in ("m1", "colours")]
    assert 2.8 < sizes[1] / sizes[0] < 3.0


def test_a_grey_session_replays_as_it_was(grey):
    recorded = grey.session().folder
    replay = {"vid_source": "VideoStream", "vid_root": str(recorded)}
    finished(grey("--config", str(recorded / "config.ini"), settings=replay, mouse="replay", seed=None))
    replayed = grey.session("replay")
    assert without_time(replayed) == without_time(read_session(recorded))
    np.testing.assert_array_equal(replayed.images[:], read_session(recorded).images[:])


def test_a_killed_grey_session_is_finished_also_without_its_header(tmp_path):
    folder = SpeedRunner(tmp_path).killed(20, settings=PAWS | {"mono": "1", "initial_rest_dur": "60"})
    before = read_session(folder)
    images, stream = before.images[:], folder / "image_stream.hdf5"
    with stream.open("r+b") as file:
        file.write(bytes(PAGE))
    finish(folder)
    after = read_session(folder)
    assert len(after.images) >= len(images) > 0
    np.testing.assert_array_equal(after.images[: len(images)], images)


@pytest.mark.parametrize("shape", [(48, 64, 1), (17, 33, 1), (256, 256, 1), (16, 16, 1), (2, 1, 1), (1, 1, 1)])
def test_a_file_of_grey_frames_reads_back_at_every_step(tmp_path, shape):
    images, path = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8), tmp_path / "image_stream.hdf5"
    file = FrameFile(path, Header(shape))
    for n, image in enumerate(images, start=1):
        file.append(image)
        file.publish()
        with h5py.File(path) as stored:
            np.testing.assert_array_equal(stored["raw_images"][:], images[:n])
    file.close()


def test_the_space_check_knows_grey():
    colours, grey = (bytes_of_a_frame(paw_settings(mono=mono))["image_stream.hdf5"] for mono in ("0", "1"))
    assert colours - grey == 2 * 320 * 160


def test_a_driver_is_asked_only_once_for_its_channels():
    """VideoStream opens its recording to find out: asked for every frame, a replay took six times as long."""
    asked, numbers = [], iter(range(10))

    class Counting:
        channels = property(lambda self: asked.append(1) or 3)

        def begin_session(self):
            pass

        def read(self):
            return Frame(next(numbers), 0.0, 0.0, np.zeros((HEIGHT, WIDTH, 3), np.uint8))

    camera = CameraFactory(Counting(), (WIDTH, HEIGHT))
    assert [camera.read().number for _ in range(10)] == list(range(10))
    assert len(asked) == 1
