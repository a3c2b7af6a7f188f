"""The window of CLMF, on a screen in memory, driven by a pointer and a keyboard; and the one OpenCV it needs."""

import subprocess
import sys
from importlib import metadata

import pytest

from rig.files.places import PLACES_FILE, read_places
from support.hand import Hand
from support.places import SHORT_PAWS
from support.waiting import end, needs

pytestmark = needs("Xvfb", "xdotool")
SHIPPED_SIZE = {"resolution": "640, 320", "ppmm": "3.5", "start_center": "590, 110", "target_center": "590, 80"}
SLOW = SHORT_PAWS | {"total_trials": "1", "initial_rest_dur": "1", "max_trial_dur": "2", "fail_rest_dur": "1"}


@pytest.fixture
def preview(run, screen, config):
    """A script that shows its preview, and the hand in front of it; the image is shown twice as large."""
    settings = SLOW | SHIPPED_SIZE | {"trial_start": "immediate"}
    process = run.start("--config", str(config), settings=settings, window=True, fast=False, env={"DISPLAY": screen})
    hand = Hand(screen, process, scale=2)
    hand.do("sleep", 0.5)
    yield process, hand
    end(process)
    process.stdout.close()


def test_drag_and_resize_the_circles_and_press_escape(preview, config, run):
    process, hand = preview
    before = config.read_text()
    hand.drag((590, 110), (500, 150))  # the start circle, by its middle
    hand.drag((590, 101), (590, 130))  # the target circle by its lower edge: its radius grows from 21 to 50 px
    hand.press("Escape")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert config.read_text() == before, "the places are those of the mouse"
    places = read_places(run.data / "m1" / PLACES_FILE)
    values = run.session().settings
    assert values["start_roi"] == "500,150"
    assert places["start_roi"].numbers[:2] == (500, 150)
    radius_px = float(values["target_radius_mm"]) * float(values["ppmm"])
    assert radius_px == pytest.approx(49, abs=2), "as far as the image reaches"
    assert places.keys() == {"start_roi", "target_roi"}


def test_a_circle_stays_in_the_image(preview, run):
    process, hand = preview
    hand.drag((590, 115), (900, -50))
    hand.press("Escape")
    process.communicate(timeout=60)
    x, y = (int(v) for v in run.session().settings["start_roi"].split(","))
    assert (x, y) == (639 - 14, 14)


def test_a_double_click_moves_nothing(preview, config, run):
    _, hand = preview
    before = config.read_text()
    hand.move(590, 112)
    hand.do("click", "--repeat", 2, "--delay", 60, 1)
    hand.press("Escape")
    run.wait_for_rows(5)
    assert config.read_text() == before


def test_escape_starts_and_stops(preview, config, run):
    process, hand = preview
    before = config.read_text()
    hand.press("Escape")
    run.wait_for_rows(5)
    hand.press("Escape")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert config.read_text() == before
    assert run.session().attributes["ended_by"] == "stopped with Esc"


def test_one_opencv_with_windows():
    """DeepLabCut-Live brings an OpenCV without windows, which would overwrite ours."""
    names = {d.metadata["Name"] for d in metadata.distributions() if (d.metadata["Name"] or "").startswith("opencv")}
    assert names == {"opencv-python"}
    code = "import cv2; assert 'QT5' in cv2.getBuildInformation() or 'GTK' in cv2.getBuildInformation()"
    subprocess.run([sys.executable, "-c", code], check=True)
