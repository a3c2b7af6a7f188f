"""The real window, on a screen in memory, driven by a pointer and a keyboard."""

import numpy as np
import pytest

from rig.errors import SettingsError
from rig.files.places import PLACES_FILE, read_places
from rig.screen.drawing import enlarge, polyline, scale_for
from rig.screen.preview_cortex import color_dff
from rig.screen.window import check_display
from support.hand import Hand
from support.places import SHORT
from support.runner import finished
from support.waiting import end, needs, wait_until

needs_screen = needs("Xvfb", "xdotool")
BRIEF = SHORT | {
    "initial_rest_dur": "2",
    "max_trial_dur": "2",
    "total_trials": "2",
    "success_rest_dur": "1",
    "fail_rest_dur": "1",
}


# The preview


@pytest.fixture
def preview(run, screen, config):
    """A script that shows its preview, and the hand in front of it; the ROI M1_L lies at 38, 56 and is 4 x 4 px."""
    process = run.start("--config", str(config), settings=BRIEF, window=True, fast=False, env={"DISPLAY": screen})
    try:
        hand = Hand(screen, process)
        hand.do("sleep", 0.5)
        yield process, hand
    finally:
        end(process)
        process.stdout.close()


def changed_lines(before, after):
    return [line for line in after.splitlines() if line not in before.splitlines()]


def placed_roi(run):
    """Return x, y, w, h of M1_L when it has been kept for the mouse."""
    path = run.data / "m1" / PLACES_FILE
    wait_until(path.exists)
    return read_places(path)["m1_l"].numbers


@needs_screen
def test_dragged_roi_is_kept_for_the_mouse(preview, config, run):
    _, hand = preview
    before = config.read_text()
    hand.drag((39.5, 57.5), (59.5, 77.5))
    hand.press("Escape")
    assert placed_roi(run) == (58, 76, 4, 4)
    run.wait_for_rows(1)
    assert config.read_text() == before


@needs_screen
def test_session_is_run_with_the_dragged_roi(preview, run):
    process, hand = preview
    hand.drag((39.5, 57.5), (59.5, 77.5))
    hand.press("Escape")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    session = run.session()
    assert session.settings["m1_l"] == "58,76,4,4"
    assert session.attributes["ended_by"] == "finished"
    assert session.columns["frame"][0] == 0, "the frames of the preview do not count"


@needs_screen
def test_roi_is_resized_by_its_corner(preview, run):
    _, hand = preview
    hand.drag((42, 60), (52, 66))
    hand.press("Escape")
    assert placed_roi(run) == (38, 56, 14, 10)


@needs_screen
def test_roi_that_is_dragged_out_stays_inside(preview, run):
    _, hand = preview
    hand.drag((39.5, 57.5), (190, 70))  # not out of the brain: it is dark there, and no session could start
    hand.press("Escape")
    x, y, w, h = placed_roi(run)
    assert (x + w, w, h) == (128, 4, 4)
    assert y == pytest.approx(56 + 70 - 57.5, abs=1)


@needs_screen
def test_escape_without_a_drag_leaves_the_configuration_as_it_is(preview, config, run):
    _, hand = preview
    before = config.read_text()
    hand.press("Escape")
    run.wait_for_rows(5)
    assert config.read_text() == before


@needs_screen
def test_double_click_moves_nothing(preview, config, run):
    _, hand = preview
    before = config.read_text()
    hand.move(39.5, 57.5)
    hand.do("click", "--repeat", 2, "--delay", 60, 1)
    hand.press("Escape")
    run.wait_for_rows(5)
    assert config.read_text() == before


@needs_screen
def test_drag_that_begins_next_to_the_roi_moves_nothing(preview, config, run):
    _, hand = preview
    before = config.read_text()
    hand.drag((100, 100), (20, 20))
    hand.press("Escape")
    run.wait_for_rows(5)
    assert config.read_text() == before


@needs_screen
def test_closing_the_preview_means_no_session(preview, run):
    process, hand = preview
    hand.close_window()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "no session" in output
    assert not list(run.data.glob("m1/*"))


# The window of the running session


@needs_screen
def test_escape_stops_the_session(preview, run):
    process, hand = preview
    hand.press("Escape")
    run.wait_for_rows(5)
    hand.press("Escape")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert run.session().attributes["ended_by"] == "stopped with Esc"
    assert "stopped with Esc" in output


@needs_screen
def test_closing_the_window_stops_the_session(preview, run):
    process, hand = preview
    hand.press("Escape")
    run.wait_for_rows(5)
    hand.close_window()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert run.session().attributes["ended_by"].startswith("stopped")


# No screen


def test_without_a_screen_it_is_one_sentence(run):
    done = run(window=True, env={"DISPLAY": ":987", "WAYLAND_DISPLAY": "wayland-0"})
    assert done.returncode == 2
    assert done.stderr == "there is no screen (DISPLAY = ':987'); connect one, or add --no-window\n"
    assert not run.data.exists()


def test_without_a_window_no_screen_is_needed(run):
    finished(run(settings=BRIEF, env={"DISPLAY": ":987", "WAYLAND_DISPLAY": "wayland-0"}))


@pytest.mark.parametrize("display", ["", "nonsense"])
def test_displays_that_are_none(monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(SettingsError, match="there is no screen"):
        check_display()


def test_a_screen_elsewhere_is_trusted(monkeypatch):
    monkeypatch.setenv("DISPLAY", "localhost:10.0")
    check_display()


# What is drawn


def test_colours_of_the_map():
    low, middle, high = color_dff(np.array([[-1.0, 0.0, 1.0]]), 0.05)[0].astype(int)
    assert low[0] > 100
    assert low[2] == 0
    assert high[2] > 100
    assert high[0] == 0
    assert middle[1] > 200


def test_enlarged_pixels_stay_visible():
    image = np.zeros((2, 3, 3), np.uint8)
    image[1, 2] = 255
    assert enlarge(image, 4.0)[4:, 8:].min() == 255
    assert enlarge(image, 4.0)[:4].max() == 0


def test_small_images_are_shown_enlarged():
    assert (scale_for(128), scale_for(256), scale_for(1000)) == (4, 2, 1)


def test_line_from_corner_to_corner():
    canvas = np.zeros((20, 20, 3), np.uint8)
    polyline(canvas, [0.0, 1.0], 0.0, 1.0, (0, 0, 20, 20), (0, 255, 0))
    assert canvas[19, 0, 1] > 100
    assert canvas[0, 19, 1] > 100


def test_line_without_values_is_not_drawn():
    canvas = np.zeros((20, 20, 3), np.uint8)
    polyline(canvas, [], 0.0, 1.0, (0, 0, 20, 20), (0, 255, 0))
    assert canvas.max() == 0
