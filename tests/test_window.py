"""The real window, on a screen in memory, driven by a pointer and a keyboard."""

import ctypes
import os
import subprocess

import numpy as np
import pytest

from conftest import SHORT, end, needs, wait_until
from helper import GetConfigValues
from rig.drawing import enlarge, polyline, scale_for
from rig.errors import SettingsError
from rig.preview import check_display
from rig.preview_cortex import color_dff

pytestmark = needs("Xvfb", "xdotool")
SLOW = SHORT | {
    "initial_rest_dur": "2",
    "max_trial_dur": "2",
    "total_trials": "2",
    "success_rest_dur": "1",
    "fail_rest_dur": "1",
}
SCALE = 4  # 128 px are shown as 512


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent, padded to the size of an XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    )


class Hand:
    """The pointer and the keyboard on the screen."""

    def __init__(self, display, process, scale=SCALE):
        self.scale = scale
        self.env = os.environ | {"DISPLAY": display}
        self.window = ""
        wait_until(lambda: self._find(process))

    def _find(self, process):
        assert process.poll() is None, process.stdout.read()
        found = self.do("search", "--name", "Closed loop")
        self.window = found.split()[0] if found.strip() else ""
        return bool(self.window)

    def do(self, *words):
        return subprocess.run(["xdotool", *map(str, words)], env=self.env, capture_output=True, text=True).stdout

    def move(self, x, y):
        """Move to a pixel of the image."""
        self.do("mousemove", "--window", self.window, round(x * self.scale), round(y * self.scale))

    def drag(self, start, stop):
        self.move(*start)
        self.do("sleep", 0.15, "mousedown", 1, "sleep", 0.15)
        self.move((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
        self.do("sleep", 0.15)
        self.move(*stop)
        self.do("sleep", 0.15, "mouseup", 1, "sleep", 0.15)

    def close_window(self):
        """Send what a window manager sends when its close button is pressed."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.env["DISPLAY"].encode()))
        x11.XInternAtom.restype = ctypes.c_ulong
        protocols, delete = (x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        client_message = 33
        event = ClientMessage(client_message, 0, 1, None, int(self.window), protocols, 32, (delete, 0, 0, 0, 0))
        x11.XSendEvent(display, ctypes.c_ulong(int(self.window)), 0, 0, ctypes.byref(event))
        x11.XCloseDisplay(display)

    def press(self, key):
        self.do("key", "--window", self.window, key)


@pytest.fixture
def preview(run, screen, config):
    """A script that shows its preview, and the hand in front of it."""
    process = run.start("--config", str(config), settings=SLOW, window=True, fast=False, env={"DISPLAY": screen})
    yield process, Hand(screen, process)
    end(process)
    process.stdout.close()


def changed_lines(before, after):
    return [line for line in after.splitlines() if line not in before.splitlines()]


def test_drag_the_roi_and_press_escape(preview, config, run):
    process, hand = preview
    before = config.read_text()
    hand.do("sleep", 0.5)
    hand.drag((39.5, 57.5), (59.5, 77.5))  # the ROI lies at 38, 56 and is 4 x 4 px
    hand.press("Escape")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert changed_lines(before, config.read_text()) == ["m1_l = 58,76,4,4"]
    assert config.read_text().replace("m1_l = 58,76,4,4\n", "") == before
    session = run.session()
    assert GetConfigValues(session.folder)["m1_l"] == "58,76,4,4"
    assert session.attribute("ended_by") == "finished"
    assert session.rows[0]["frame"] == "0", "the frames of the preview do not count"


def test_resize_by_the_corner_and_stay_inside(preview, config):
    _, hand = preview
    hand.do("sleep", 0.5)
    hand.drag((42, 60), (52, 66))
    hand.drag((44, 61), (190, 20))
    hand.press("Escape")
    wait_until(lambda: "\nm1_l = " in config.read_text())
    x, y, w, h = (int(v) for v in GetConfigValues(config.parent)["m1_l"].split(","))
    assert (x + w, w, h) == (128, 14, 10)
    assert y == pytest.approx(15, abs=1)


def test_escape_without_a_drag_leaves_the_configuration_alone(preview, config, run):
    process, hand = preview
    before = config.read_text()
    hand.do("sleep", 0.5)
    hand.press("Escape")
    run.wait_for_rows(5)
    hand.press("Escape")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert config.read_text() == before
    assert run.session().attribute("ended_by") == "stopped with Esc"
    assert "stopped with Esc" in output


def test_a_double_click_and_a_click_beside_move_nothing(preview, config):
    process, hand = preview
    before = config.read_text()
    hand.do("sleep", 0.5)
    hand.move(39.5, 57.5)
    hand.do("click", "--repeat", 2, "--delay", 60, 1)
    hand.drag((100, 100), (20, 20))  # begins beside the ROI
    hand.press("Escape")
    hand.do("sleep", 0.5)
    assert process.poll() is None
    assert config.read_text() == before


def test_closing_the_preview_means_no_session(preview, run):
    process, hand = preview
    hand.do("sleep", 0.5)
    hand.close_window()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "no session" in output
    assert not list(run.data.glob("m1/*"))


def test_without_a_screen_it_is_one_sentence(run):
    done = run(window=True, env={"DISPLAY": ":987", "WAYLAND_DISPLAY": "wayland-0"})
    assert done.returncode == 2
    assert done.stderr == "there is no screen (DISPLAY = ':987'); connect one, or add --no-window\n"
    assert not run.data.exists()


@pytest.mark.parametrize("display", ["", "nonsense"])
def test_displays_that_are_none(monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(SettingsError, match="there is no screen"):
        check_display()


def test_a_screen_elsewhere_is_trusted(monkeypatch):
    monkeypatch.setenv("DISPLAY", "localhost:10.0")
    check_display()


def test_colours_of_the_map():
    low, middle, high = color_dff(np.array([[-1.0, 0.0, 1.0]]), 0.05)[0].astype(int)
    assert low[0] > 100
    assert low[2] == 0
    assert high[2] > 100
    assert high[0] == 0
    assert middle[1] > 200


def test_enlarged_pixels_and_lines():
    image = np.zeros((2, 3, 3), np.uint8)
    image[1, 2] = 255
    assert enlarge(image, 4.0)[4:, 8:].min() == 255
    assert enlarge(image, 4.0)[:4].max() == 0
    assert (scale_for(128), scale_for(256), scale_for(1000)) == (4, 2, 1)
    canvas = np.zeros((20, 20, 3), np.uint8)
    polyline(canvas, [0.0, 1.0], 0.0, 1.0, (0, 0, 20, 20), (0, 255, 0))
    assert canvas[19, 0, 1] > 100
    assert canvas[0, 19, 1] > 100
    polyline(canvas, [], 0.0, 1.0, (0, 0, 20, 20), (0, 255, 0))
