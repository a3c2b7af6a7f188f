"""The level of each colour in each ROI: a black or saturated one is refused, and how linear pictures are shown."""

import cv2
import numpy as np
import pytest

from rig.devices.frames import Frame
from rig.devices.image_check import image_trouble, levels
from rig.preflight import FAIL, PASS, Preflight, judge_image
from rig.screen.drawing import DISPLAY_CURVE, SAYS_CURVE, for_the_eye
from rig.screen.preview_cortex import CortexPreview, make_rois
from rig.screen.window import Window
from roi_manager import Circle, Rect, annots
from support.hand import Hand
from support.places import SHORT
from support.recordings import write_recording
from support.runner import finished
from support.waiting import end, needs

BRIEF = SHORT | {"total_trials": "1", "initial_rest_dur": "2", "max_trial_dur": "2", "fail_rest_dur": "2"}
FRAME = {key: SHORT[key] for key in ("resolution", "bregma", "ppmm")}
ROI = Rect("M1_L", 38, 56, 4, 4)  # where it lies under SHORT
BLUE, GREEN, RED = range(3)


def bright_image(colour=None, value=0, n_pixels=16):
    """Return an image of level 100 with some pixels of the ROI at another value in one colour."""
    image = np.full((128, 128, 3), 100, np.uint8)
    if colour is not None:
        pixels = [(56 + i // 4, 38 + i % 4) for i in range(n_pixels)]
        for row, column in pixels:
            image[row, column, colour] = value
    return image


@pytest.mark.parametrize(
    ("image", "fragment"),
    [
        (bright_image(), ""),
        (bright_image(GREEN, 0), "M1_L is black in green (mean 0.0 of 255, needed are 8)"),
        (bright_image(BLUE, 7), "M1_L is black in blue (mean 7.0 of 255"),
        (bright_image(BLUE, 8), ""),
        (bright_image(GREEN, 255), "M1_L is saturated in green (100.0 % of its pixels at 255, max_saturated = 0.01)"),
        (bright_image(BLUE, 255, n_pixels=1), "M1_L is saturated in blue (6.2 % of its pixels at 255"),
        (bright_image(RED, 0), ""),
        (bright_image(RED, 255, n_pixels=16), ""),
    ],
    ids=[
        "good",
        "green black",
        "blue 7",
        "blue 8",
        "green saturated",
        "one pixel of blue",
        "red black",
        "red saturated",
    ],
)
def test_trouble_of_an_roi_in_a_bright_image(image, fragment):
    assert image_trouble(image, 0.01) == "", "the image as a whole is good"
    found = image_trouble(image, 0.01, [ROI])
    assert found.startswith(fragment)
    assert bool(found) == bool(fragment)
    if fragment:
        assert found.partition(": ")[2], "with a cure"


def test_the_first_bad_roi_is_named():
    other = Rect("BC_R", 90, 90, 4, 4)
    assert image_trouble(bright_image(GREEN, 0), 0.01, [other, ROI]).startswith("M1_L is black")
    assert image_trouble(bright_image(GREEN, 0), 0.01, [other]) == ""


def test_saturation_that_the_settings_allow_is_no_trouble():
    assert image_trouble(bright_image(GREEN, 255), 1.0, [ROI]) == ""


def test_levels_of_an_roi():
    found = levels(bright_image(BLUE, 255, n_pixels=8), ROI)
    assert found == {"blue": (177.5, 0.5), "green": (100.0, 0.0)}


def test_the_check_before_the_animal_looks_at_the_rois(settings):
    def judged(image):
        flight = Preflight()
        judge_image(flight, settings(**FRAME), image)
        return [(finding.verdict, finding.found) for finding in flight.findings]

    assert judged(bright_image())[0][0] == PASS
    ((verdict, found),) = judged(bright_image(GREEN, 0))
    assert verdict == FAIL
    assert found.startswith("M1_L is black in green")


@pytest.mark.parametrize(
    ("colour", "value", "fragment"), [(GREEN, 0, "M1_L is black in green"), (BLUE, 255, "M1_L is saturated in blue")]
)
def test_a_bad_roi_is_a_trouble_of_the_session(run, tmp_path, colour, value, fragment):
    replay = write_recording(tmp_path, np.array([bright_image(colour, value)] * 90))
    done = finished(run(settings=BRIEF | replay, fast=False))
    session = run.session()
    assert session.attributes["troubles"].startswith(fragment)
    assert session.of("trouble", fragment)
    assert fragment in done.stdout


@needs("Xvfb", "xdotool")
def test_an_roi_without_green_starts_no_session(run, screen, config, tmp_path):
    """The rest of the image is bright; dragged to a good place, the ROI starts one."""
    replay = write_recording(tmp_path, np.array([bright_image(GREEN, 0)] * 90))
    process = run.start("--config", config, settings=BRIEF | replay, window=True, fast=False, env={"DISPLAY": screen})
    try:
        hand = Hand(screen, process)
        hand.do("sleep", 0.5)
        hand.press("Escape")
        hand.do("sleep", 1)
        assert process.poll() is None, "it waits for a better place"
        assert not list(run.data.glob("m1/*"))
        hand.drag((39.5, 57.5), (70, 90))
        hand.press("Escape")
        run.wait_for_rows(3)
    finally:
        end(process)
        process.stdout.close()


@needs("Xvfb")
def test_no_light_is_measured_in_a_circle(settings, screen, monkeypatch):
    monkeypatch.setenv("DISPLAY", screen)
    image, circle = bright_image(GREEN, 0), Circle("start_roi", 40, 58, 2)
    window = Window.__new__(Window)  # without opening it
    window._settings = settings(**FRAME)
    assert window._trouble_of(image, [circle]) == ""
    assert window._trouble_of(image, [circle, ROI]).startswith("M1_L is black in green")


# How linear pictures are shown


def test_the_display_curve_is_that_of_srgb():
    """Values of IEC 61966-2-1, as the colour pickers of the web give them: 18 % grey is 118, half the light is 188."""
    light = {0: 0, 1: 13, 46: 118, 128: 188, 255: 255}
    assert {value: int(DISPLAY_CURVE[value]) for value in light} == light
    assert (np.diff(DISPLAY_CURVE.astype(int)) >= 0).all()


@pytest.mark.parametrize("is_linear", [False, None])
def test_other_pictures_are_shown_as_they_are(is_linear):
    image = bright_image()
    assert for_the_eye(image, is_linear) is image


def test_showing_changes_no_data():
    image = bright_image()
    shown = for_the_eye(image, True)
    assert (shown[0, 0, 0], image[0, 0, 0]) == (DISPLAY_CURVE[100], 100)


@pytest.fixture
def drawn(settings, monkeypatch):
    """Draw the preview of an image; return the texts that were written, and the picture."""

    def draw(image, is_linear):
        texts = []
        real = cv2.putText
        monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: texts.append(text) or real(canvas, text, *rest))
        cfg = settings(**FRAME)
        preview, placing = CortexPreview(cfg), annots("", make_rois(cfg), image, 4.0)
        preview.take(Frame(0, 0.0, 0.0, image))
        return texts, preview.draw(placing, False, is_linear)

    return draw


def test_the_preview_says_that_it_shows_linear_data_through_a_curve(drawn):
    texts, picture = drawn(bright_image(), True)
    assert SAYS_CURVE in texts
    assert picture[200, 300].tolist() == [DISPLAY_CURVE[100]] * 3
    assert "green: mean 100.0, max 100" in texts, "numbers are those of the data"
    texts, picture = drawn(bright_image(), None)
    assert SAYS_CURVE not in texts
    assert picture[200, 300].tolist() == [100] * 3


def test_the_preview_shows_the_levels_of_each_roi(drawn):
    assert "green 100, blue 3" in drawn(bright_image(BLUE, 3), True)[0]
