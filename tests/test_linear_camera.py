"""The Pi camera is linear in light: on a stand-in for picamera2 that does what a tuning says, with the real tunings."""

import json
import re

import numpy as np
import pytest
import tables

from CameraFactory import CameraFactory
from PiCameraStream import linear_tuning
from rig.commands.camera import show_linearity
from rig.devices.linearity import judge, measure, verdict
from rig.errors import CameraError
from rig.preflight import FAIL, PASS, WARN, Preflight, judge_linear
from rig.settings.ini import to_strings
from roi_manager import Rect
from support import isp
from support.linear_camera import (
    BOARDS,
    LEVELS,
    SENSORS,
    SMALL_TUNING,
    TUNINGS,
    camera_for,
    card,
    grey_card,
    means,
    mixed_card,
    next_image,
    shown_changes,
    stand_in,
    worst_common,
    worst_error,
)
from support.places import SHORT
from support.processes import command
from support.recordings import write_recording
from support.runner import finished
from VideoStream import VideoStream

needs_tunings = pytest.mark.skipif(not TUNINGS.exists(), reason="no tuning files here: ../shared is absent")
every_camera = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
every_sensor = pytest.mark.parametrize("sensor", SENSORS)
CARDS = {"grey": grey_card, "mixed": mixed_card}
FRAME = {key: SHORT[key] for key in ("resolution", "bregma", "ppmm")}
both_cards = pytest.mark.parametrize("levels", CARDS.values(), ids=CARDS)


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A sensor with a small tuning of its own, which bends, mixes, stretches and shades."""
    (tmp_path / "imx219.json").write_text(json.dumps(SMALL_TUNING))
    return stand_in(monkeypatch, folder=tmp_path)


@needs_tunings
@both_cards
@every_sensor
@every_camera
def test_a_change_of_5_percent_is_shown_as_5_percent(settings, monkeypatch, sensor, board, levels):
    """At every level from 20 to 240, in each colour, by itself and all together."""
    world = stand_in(monkeypatch, sensor, board)
    with CameraFactory(camera_for(settings).start()) as camera:
        shown = shown_changes(camera, world, levels())
    assert worst_error(shown) < 0.001
    assert worst_common(shown) < 0.001


@needs_tunings
@both_cards
@every_sensor
@every_camera
def test_the_stock_tuning_fails_that_test(settings, monkeypatch, sensor, board, levels):
    world = stand_in(monkeypatch, sensor, board)
    with CameraFactory(camera_for(settings, linear=0).start()) as camera:
        shown = shown_changes(camera, world, levels())
    assert worst_error(shown) > 0.03
    if levels is mixed_card:  # on a grey card blue and green are equal, and so is what the camera makes of them
        assert worst_common(shown) > 0.01


@needs_tunings
@every_sensor
@every_camera
@pytest.mark.parametrize("linear", [1, 0], ids=["linear", "stock"])
def test_what_happens_elsewhere_is_not_seen_in_the_roi(settings, monkeypatch, sensor, board, linear):
    """The first three rows of the card stay as they are; a paw darkens the two others, and something blue reflects."""
    world, levels = stand_in(monkeypatch, sensor, board), np.full((len(LEVELS), 3), (90.0, 120.0, 60.0))
    world.light = card(levels)
    with CameraFactory(camera_for(settings, linear=linear).start()) as camera:
        before = means(next_image(camera))
        levels[15:] *= 0.1
        levels[20:] *= (3, 1, 1)
        world.light = card(levels)
        after = means(next_image(camera))
    worst = np.abs(after[:15, :2] / before[:15, :2] - 1).max()  # blue and green; red may be black
    assert worst == 0 if linear else worst > 0.003


def test_the_levels_are_those_of_the_light(settings, world):
    with CameraFactory(camera_for(settings).start()) as camera:
        np.testing.assert_allclose(means(next_image(camera)), grey_card(), atol=0.05)


def test_the_camera_gets_a_linear_tuning_and_neutral_controls(settings, world):
    camera = camera_for(settings)
    assert camera.is_linear is True
    with CameraFactory(camera.start()):
        assert world.tuning == linear_tuning(type(camera._camera), "imx219")
        assert isp.algorithm(world.tuning, "rpi.alsc") is None
        neutral = {"Sharpness": 0.0, "Saturation": 1.0, "Contrast": 1.0, "Brightness": 0.0, "AfMode": 0}
        assert neutral.items() <= world.controls.items()


def test_linear_0_gives_the_processed_pictures_of_before(settings, world):
    camera = camera_for(settings, linear=0)
    assert camera.is_linear is False
    with CameraFactory(camera.start()):
        assert world.tuning == SMALL_TUNING
        assert not {"Sharpness", "Saturation", "Contrast", "AfMode"} & world.controls.keys()


@pytest.mark.parametrize(
    ("metadata", "fragment"),
    [
        (
            {"ColourCorrectionMatrix": (1, 0, 0, 0, 1.02, 0, 0, 0, 1)},
            "mixes the colours with the matrix 1.00, 0.00, 0.00",
        ),
        ({"ColourCorrectionMatrix": ()}, "with the matrix none that it reports"),
        ({"DigitalGain": 1.03}, "multiplies its pictures by 1.03 (DigitalGain)"),
        ({"DigitalGain": float("nan")}, "multiplies its pictures by nan"),
        ({"LensPosition": lambda n: 1 + 0.01 * n}, "the lens of the camera moves, from 1"),
    ],
)
def test_a_camera_that_does_otherwise_is_refused(settings, world, metadata, fragment):
    world.metadata = metadata
    with pytest.raises(CameraError) as caught:
        camera_for(settings).start()
    assert str(caught.value).startswith("linear = 1: ")
    assert fragment in str(caught.value)
    camera_for(settings, linear=0).start().stop()


@pytest.mark.parametrize(
    "metadata", [{"ColourCorrectionMatrix": (1.001, 0, -0.001, 0, 0.999, 0, 0, 0.002, 1)}, {"DigitalGain": 1.004}]
)
def test_what_rounding_does_is_accepted(settings, world, metadata):
    world.metadata = metadata
    camera_for(settings).start().stop()


def test_a_tuning_that_libcamera_does_not_take_is_noticed(settings, world, monkeypatch):
    """As where the environment names another file: the pictures are those of the stock tuning then."""
    monkeypatch.setattr("PiCameraStream.linear_tuning", lambda picamera2, sensor: SMALL_TUNING)
    with pytest.raises(CameraError, match=r"the camera mixes the colours with the matrix 2\.00, -0\.60"):
        camera_for(settings).start()


@pytest.mark.parametrize("file", ["", "not JSON"])
def test_a_sensor_without_a_tuning_is_refused_in_a_sentence(settings, world, file):
    world.sensor = "ar0234"
    if file:
        (world.folder / "ar0234.json").write_text(file)
    with pytest.raises(CameraError) as caught:
        camera_for(settings).start()
    assert re.fullmatch(r"linear = 1: there is no tuning file ar0234\.json .*; use a camera .*", str(caught.value))
    assert "linear = 0" in str(caught.value)


# Does the picture follow the light?


def rows_of(camera, world, levels=(120.0, 200.0, 60.0)):
    world.light = card(np.full((len(LEVELS), 3), levels))
    return measure(camera, 60000, [Rect("M1_L", 0, 0, 80, 80)])


def test_a_linear_camera_follows_the_light(settings, world):
    with CameraFactory(camera_for(settings).start()) as camera:
        rows = rows_of(camera, world)
        assert world.controls["ExposureTime"] == 60000, "it is left as it was"
    assert [(row.place, row.colour) for row in rows] == [("M1_L", colour) for colour in ("blue", "green", "red")]
    assert all(row.deviation < 0.005 for row in rows)
    assert [round(row.light[-1]) for row in rows] == [120, 200, 60]
    follows, sentence = verdict(rows)
    assert follows
    assert sentence.startswith("the picture follows the light: at most 0.")


def test_processed_pictures_do_not(settings, world, capsys):
    with CameraFactory(camera_for(settings, linear=0).start()) as camera:
        rows = rows_of(camera, world, levels=(60.0, 60.0, 60.0))
    assert max(row.deviation for row in rows) > 0.2
    assert show_linearity(rows) == 1
    shown = capsys.readouterr().out
    assert "the picture does not follow the light" in shown
    assert "M1_L" in shown


def test_what_is_there_without_light_is_taken_off_and_shown(settings, world):
    world.pedestal = 12 / 255
    with CameraFactory(camera_for(settings).start()) as camera:
        rows = rows_of(camera, world)
    assert all(row.dark == pytest.approx(12, abs=0.4) for row in rows)
    assert verdict(rows)[0]


@pytest.mark.parametrize(
    ("means_seen", "saturated", "fragment"),
    [
        ((0, 2.5, 5, 10), 0.0, "every colour is too dark to tell"),
        ((0, 60, 120, 240), 0.02, "M1_L is saturated: 2.0 % of the pixels in green; lower light"),
        ((90, 90, 90, 90), 0.0, "100.0 % off 1 : 2 : 4 (green of M1_L)"),
        ((0, 30, 60, 123), 0.0, "2.5 % off 1 : 2 : 4 (green of M1_L)"),
    ],
)
def test_what_says_nothing_or_something_else_is_no_pass(means_seen, saturated, fragment):
    row = judge("M1_L", "green", (0, 1000, 2000, 4000), means_seen, saturated)
    follows, sentence = verdict([row])
    assert not follows
    assert fragment in sentence


def test_within_2_percent_is_a_pass():
    assert verdict([judge("M1_L", "green", (0, 1000, 2000, 4000), (0, 30, 60, 122), 0.0)])[0]
    assert verdict([judge("M1_L", "green", (100, 1000, 2000, 4000), (3, 30, 60, 120), 0.0)])[0], "as it was exposed"


def test_an_exposure_that_the_camera_cannot_shorten_is_a_sentence(settings, world):
    sentence = "shutter_speed = 200: the camera cannot expose for a quarter of it"
    with (
        CameraFactory(camera_for(settings, shutter_speed=200).start()) as camera,
        pytest.raises(CameraError, match=sentence),
    ):
        measure(camera, 200, [])


def linearity(**values):
    """Run the command with these settings."""
    return command("camera", "--linearity", *(word for key in values for word in ("--set", f"{key}={values[key]}")))


def test_the_command_measures_the_simulated_camera():
    done = finished(linearity(vid_source="SimCameraStream", framerate=60, shutter_speed=16000))
    assert "the picture follows the light" in done.stdout
    assert done.stdout.count("M1_L") >= 3


def test_a_recording_cannot_be_exposed_otherwise(tmp_path):
    done = linearity(**write_recording(tmp_path, np.full((20, 128, 128, 3), 99, np.uint8)), **FRAME)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "VideoStream cannot change its exposure while it runs" in done.stderr


def test_a_simulated_exposure_ends_with_the_next_session(settings):
    with CameraFactory.open(settings(**FRAME), fast=True) as camera:
        usual = camera.read().image
        camera.expose(30000)
        assert camera.read().image.mean() == pytest.approx(usual.mean() / 2, rel=0.02)
        camera.begin_session()
        np.testing.assert_array_equal(camera.read().image, usual)


# What a driver, a session and a check say of it


@pytest.mark.parametrize(
    ("name", "is_linear"), [("SimCameraStream", True), ("OpenCVCameraStream", None), ("PiCameraStream", True)]
)
def test_what_drivers_say(settings, name, is_linear):
    assert CameraFactory.driver(name)(to_strings(settings(vid_source=name))).is_linear is is_linear


def test_a_driver_that_says_nothing_is_unknown():
    class Silent:
        def begin_session(self):
            pass

    camera = CameraFactory(Silent())
    assert camera.is_linear is None
    assert not camera.can_expose


@pytest.mark.parametrize(("recorded", "is_linear"), [("yes", True), ("no", False), ("unknown", None), (None, None)])
def test_a_recording_is_what_it_was(settings, tmp_path, recorded, is_linear):
    replay = write_recording(tmp_path, np.full((20, 128, 128, 3), 99, np.uint8))
    if recorded:
        with tables.open_file(str(tmp_path / "image_stream.hdf5"), "a") as file:
            file.root._v_attrs["linear"] = recorded
    assert VideoStream(to_strings(settings(**replay | FRAME))).start().is_linear is is_linear


def test_a_session_says_whether_it_is_linear(run):
    header = "summary_header=mouse_id,linear,simulated"
    brief = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2"}
    done = finished(run("--set", header, settings=brief))
    session = run.session()
    assert session.attributes["linear"] == "yes"
    assert "linear" not in session.notes
    assert re.search(r"linear in light +yes", done.stdout)
    (summary,) = run.data.glob("*.csv")
    assert summary.read_text().splitlines() == [
        "mouse_id,linear,simulated",
        'm1,yes,"camera, outputs, tone, lick"',
    ]


PROCESSED = '''
from SimCameraStream import SimCameraStream


class PhotoStream(SimCameraStream):
    """Gives photographs."""

    is_linear = False
'''


def test_a_session_of_processed_pictures_is_marked(run, tmp_path):
    (tmp_path / "PhotoStream.py").write_text(PROCESSED)
    brief = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2", "vid_source": "PhotoStream"}
    done = finished(run(settings=brief, env={"PYTHONPATH": str(tmp_path)}))
    assert run.session().attributes["linear"] == "no"
    assert "no: processed pictures (linear = 0)" in done.stdout


def test_the_check_measures_where_a_light_is_on(run):
    quick = SHORT | {"framerate": "30", "shutter_speed": "30000", "max_frame_age_ms": "60000"}
    done = finished(run("--check", settings=quick, fast=False, mouse=None, seed=None))
    assert "linear: the pictures are linear in light" in done.stdout
    assert "linearity: the picture follows the light: at most" in done.stdout


@pytest.mark.parametrize(("is_linear", "verdict_of_it"), [(True, PASS), (None, WARN), (False, WARN)])
def test_what_the_check_says(is_linear, verdict_of_it):
    flight = Preflight()
    judge_linear(flight, is_linear)
    assert [finding.verdict for finding in flight.findings] == [verdict_of_it]
    assert FAIL not in [finding.verdict for finding in flight.findings]
