"""Every key and gesture of the preview, in the real window, with a pointer and a keyboard on a screen in memory.

What the window says is waited for by drawing the same sentence and comparing the pixels: no pause has to be guessed.
"""

import math
import shutil
from configparser import ConfigParser
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from screenshots import read_screen

from rig.screen.drawing import BAR_HEIGHT, caption_bar
from rig.settings.sites import STANDARD_SITES_MM
from support.hand import Hand, changed_lines
from support.places import ROOT, SHORT
from support.runner import Runner
from support.waiting import end, needs, wait_until
from virtual_screen import screen_in_memory

# Alone: it reads the pixels of its own screen, and screens that are made at the same moment get into each other's way.
pytestmark = [needs("Xvfb", "xdotool"), pytest.mark.alone]
VIEW, GAP = 512, 8  # px of the window: the image, 128 px four times enlarged, and the gap between it and the map
WIDTH = 2 * VIEW + GAP
MAP = (VIEW + GAP) / 4  # a place of the image is seen this much further to the right on the map, px of the image
HINT = "drag to move, resize or draw {};  h: all keys;  Esc: start the session"
BEGINS = "   (Esc cancels)"


def mm(x, y):
    """Return how far a pixel lies left and anterior of bregma, as long as nothing was measured."""
    return (64 - x) / 12.8, (67 - y) / 12.8


def rectangle(name, x, y, w, h):
    """Return what the window says of a rectangle that was placed."""
    left, anterior = mm(x + (w - 1) / 2, y + (h - 1) / 2)
    return f"{name}: {where(name, left, anterior)} (x, y, w, h = {x}, {y}, {w}, {h} px)"


def where(name, left, anterior):
    if name == "M1_L":
        return f"{math.dist((left, anterior), STANDARD_SITES_MM['M1']):.2f} mm from its site"
    return f"ML {abs(left):.2f} {'L' if left > 0 else 'R'}, AP {anterior:+.2f} mm"


class Reader(Hand):
    """A hand whose owner reads what the window says."""

    def __init__(self, display, process, folder):
        super().__init__(display, process)
        self.process, self.folder = process, folder

    def picture(self):
        return read_screen(self.folder)[:, :WIDTH]

    def sees(self, sentence, asks=False, refused=False):
        """Wait until the window says this sentence, in this way."""
        drawn = np.zeros((BAR_HEIGHT, WIDTH, 3), np.uint8)
        caption_bar(drawn, 0, sentence, asks, refused)

        def is_said():
            assert self.process.poll() is None, self.process.stdout.read()
            return np.array_equal(self.picture()[VIEW : VIEW + BAR_HEIGHT], drawn)

        try:
            wait_until(is_said)
        except AssertionError as error:
            seen = self.folder / "seen.png"
            cv2.imwrite(str(seen), self.picture())
            pytest.fail(f"the window never said {sentence!r}, it shows {seen}: {error}")

    def click(self, x, y):
        self.move(x, y)
        self.do("click", 1)

    def drag(self, start, stop):
        self.move(*start)
        self.do("mousedown", 1)
        self.move((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
        self.move(*stop)
        self.do("mouseup", 1)

    def type(self, question, text):
        """Type an answer letter by letter: OpenCV keeps only one key at a time."""
        self.sees(f"{question}: _   (Enter; Esc cancels)", asks=True)
        for i, letter in enumerate(text, start=1):
            self.press("period" if letter == "." else letter)
            self.sees(f"{question}: {text[:i]}_   (Enter; Esc cancels)", asks=True)

    def add(self, name, x, y):
        """Add an ROI of one's own with its centre at a place."""
        self.move(x, y)
        self.press("a")
        self.type("name of the new ROI", name)
        self.press("Return")
        self.sees(f"{name} is an ROI of your own; drag it; roi in config.ini may name it")


def outcome(tmp_path, use):
    """Start a session, use its preview, press Esc, and return what there is then.

    M1_L lies at 38, 56 and is 4 x 4 px; bregma is at row 67, col 64, and the scale is 12.8 px/mm.
    """
    config = tmp_path / "config.ini"
    shutil.copy(ROOT / "config.ini", config)
    before = config.read_text()
    run = Runner(tmp_path)
    with screen_in_memory("-fbdir", str(tmp_path)) as display:
        process = run.start("--config", str(config), settings=SHORT, window=True, fast=False, env={"DISPLAY": display})
        try:
            hand = Reader(display, process, tmp_path)
            hand.sees(HINT.format("M1_L"))
            seen = use(hand)
            assert not list(run.data.glob("m1/*/VideoTimestamp.txt")), "a session began before Esc"
            hand.press("Escape")
            run.wait_for_rows(1)
            end(process)
            printed = process.stdout.read()
        finally:
            end(process)
            process.stdout.close()
    ini = ConfigParser()
    ini.read(run.data / "m1" / "places.ini")
    places = {name: tuple(map(int, ini[name]["place"].split(","))) for name in ini.sections()}
    return SimpleNamespace(
        new_lines=changed_lines(before, config.read_text()),
        lost_lines=changed_lines(config.read_text(), before),
        places=places,
        ini=ini,
        printed=printed,
        seen=seen,
        data=run.data,
    )


# Where ROIs are: draw, move, resize, circles, undo


def place(hand):
    hand.drag((20, 70), (36, 82))
    hand.sees(rectangle("M1_L", 20, 70, 16, 12))
    hand.add("mapped", 100, 30)
    hand.drag((MAP + 80, 20), (MAP + 92, 29))
    hand.sees(rectangle("mapped", 80, 20, 12, 9))
    hand.add("moved", 64, 100)
    hand.drag((MAP + 64, 100), (MAP + 74, 94))
    hand.sees(rectangle("moved", 72, 92, 4, 4))
    hand.add("sized", 30, 30)
    hand.drag((24, 20), (36, 36))
    hand.sees(rectangle("sized", 24, 20, 12, 16))
    hand.drag((36, 36), (44, 40))  # a corner
    hand.sees(rectangle("sized", 24, 20, 20, 20))
    hand.drag((24, 30), (20, 34))  # the middle of an edge
    hand.sees(rectangle("sized", 20, 20, 24, 20))
    hand.add("round", 100, 60)
    hand.press("c")
    hand.sees("round: x, y, r = 100, 60, 1 px")
    hand.drag((100.5, 84.5), (110.75, 84.5))
    hand.sees(f"round: {where('round', *mm(100, 84))} (x, y, r = 100, 84, 10 px)")
    hand.press("Tab")
    hand.sees("M1_L is selected")
    hand.drag((60, 110), (62, 111))
    hand.sees("M1_L would be 2 x 1 px; it needs at least 4 x 4 px: draw it larger", refused=True)
    hand.drag((28, 76), (60, 76))
    hand.sees(rectangle("M1_L", 52, 70, 16, 12))
    hand.press("u")
    hand.sees("undone")


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("placed"), place)


def test_a_drag_on_the_image_draws_and_is_kept_for_the_mouse(placed):
    assert placed.places["m1_l"] == (20, 70, 16, 12)
    assert placed.ini["m1_l"]["bregma"] == "67, 64"
    assert not [line for line in placed.new_lines if line.startswith("m1_l")], "config.ini is for every mouse"
    sentence = rectangle("M1_L", 20, 70, 16, 12)
    assert f"{sentence}, kept for m1 in {placed.data / 'm1' / 'places.ini'}" in placed.printed


def test_a_drag_on_the_map_draws(placed):
    assert placed.places["mapped"] == (80, 20, 12, 9)


def test_a_drag_inside_moves_on_the_map(placed):
    assert placed.places["moved"] == (72, 92, 4, 4)


def test_handles_resize(placed):
    assert placed.places["sized"] == (20, 20, 24, 20)


def test_c_makes_a_circle_which_is_drawn_from_its_centre(placed):
    assert placed.places["round"] == (100, 84, 10)


def test_tab_selects_and_a_tiny_roi_is_refused_and_u_undoes(placed):
    """All were seen in the window; M1_L, which Tab selected, lies where it was first drawn."""
    assert placed.places["m1_l"] == (20, 70, 16, 12)


# Own ROIs: a, n, d, and what is typed


def own(hand):
    hand.add("lesion", 100, 30)
    hand.press("n")
    hand.type("new name of lesion", "graft")
    hand.press("Return")
    hand.sees("lesion is graft now")
    hand.add("gone", 30, 100)
    hand.press("d")
    hand.sees("gone is deleted; u brings it back")
    hand.press("d")
    hand.sees("M1_L is trained (roi), so it cannot be deleted", refused=True)
    hand.press("n")
    hand.sees("M1_L is trained (roi), so it cannot be renamed", refused=True)
    hand.press("a")
    hand.type("name of the new ROI", "ppmmm")
    hand.press("BackSpace")
    hand.sees("name of the new ROI: ppmm_   (Enter; Esc cancels)", asks=True)
    hand.press("Return")
    why = "ppmm is the name of a setting or a column; choose another one"
    hand.sees(f"{why}    name of the new ROI: ppmm_   (Enter; Esc cancels)", asks=True, refused=True)
    hand.press("Escape")
    hand.sees("cancelled")


@pytest.fixture(scope="module")
def owned(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("owned"), own)


def test_a_adds_and_n_renames(owned):
    assert owned.new_lines == ["own_rois = graft", "graft = 98,28,4,4"]
    assert owned.places == {"graft": (98, 28, 4, 4)}
    assert "config.ini: own_rois = graft" in owned.printed


def test_d_deletes(owned):
    assert "gone" not in owned.printed + str(owned.new_lines) + str(owned.places)


def test_a_name_that_cannot_be_is_refused_and_escape_cancels(owned):
    assert "ppmm" not in str(owned.new_lines) + str(owned.places)


# How the head lies in the image: b, l, m; r; s, h, Esc


def measure(hand):
    hand.drag((40, 58), (60, 78))
    hand.sees(rectangle("M1_L", 58, 76, 4, 4))
    hand.press("b")
    hand.sees(f"click on bregma{BEGINS}", asks=True)
    hand.press("Escape")
    hand.sees("cancelled")
    hand.press("b")
    hand.sees(f"click on bregma{BEGINS}", asks=True)
    hand.click(66.5, 70.5)
    stays = "; M1_L stays where it was placed (r: to its site)"
    hand.sees(f"bregma = 70, 66 (row, col px){stays}")
    hand.press("r")
    hand.sees("M1_L: at its site (x, y, w, h = 40, 59, 4, 4 px)")
    hand.press("l")
    hand.sees(f"click on lambda{BEGINS}", asks=True)
    hand.click(62.5, 120.5)
    hand.sees(f"head_angle = 4.6 degrees; lambda is {math.hypot(4, 50) / 12.8:.2f} mm behind bregma")
    hand.press("m")
    hand.sees(f"click on a mark of the ruler{BEGINS}", asks=True)
    hand.click(20.5, 20.5)
    hand.sees(f"click on another mark of the ruler, far away{BEGINS}", asks=True)
    hand.click(84.5, 20.5)
    hand.type("mm between the marks (64.0 px)", "4.0")
    hand.press("Return")
    hand.sees("ppmm = 16 px/mm")
    hand.press("b")
    hand.sees(f"click on bregma{BEGINS}", asks=True)
    hand.click(80.5, 80.5)
    hand.sees("bregma = 80, 80 (row, col px)")
    hand.press("u")
    hand.sees("undone")
    light = hand.picture()[:VIEW].mean()
    hand.press("h")
    wait_until(lambda: hand.picture()[:VIEW].mean() < 0.6 * light)
    hand.press("h")
    wait_until(lambda: hand.picture()[:VIEW].mean() > 0.9 * light)
    hand.press("s")
    folder = hand.folder / "data" / "m1"
    wait_until(lambda: list(folder.glob("preview_*.png")))
    (saved,) = folder.glob("preview_*.png")
    hand.sees(f"saved as {saved}")
    return cv2.imread(str(saved))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("measured"), measure)


def test_b_sets_bregma_and_u_undoes_it(measured):
    assert "bregma = 70, 66" in measured.new_lines
    assert "config.ini: bregma = 70, 66" in measured.printed


def test_l_turns_the_head(measured):
    assert math.degrees(math.atan2(4, 50)) == pytest.approx(4.6, abs=0.05)
    assert "head_angle = 4.6" in measured.new_lines
    assert "config.ini: head_angle = 4.6" in measured.printed


def test_m_sets_the_scale(measured):
    assert "ppmm = 16" in measured.new_lines
    assert "config.ini: ppmm = 16" in measured.printed


def test_r_forgets_the_place(measured):
    assert measured.places == {}
    assert "kept for m1" not in measured.printed


def test_nothing_else_is_written_into_the_configuration(measured):
    assert {line.split(" = ")[0] for line in measured.new_lines} == {"bregma", "head_angle", "ppmm"}


def test_s_saves_the_picture_of_the_window(measured):
    height, width, _ = measured.seen.shape
    assert (height, width) == (VIEW + BAR_HEIGHT + 112, WIDTH)
    assert measured.seen[:VIEW, :VIEW].mean() > 30, "the image is in it"


def test_escape_starts_the_session(measured):
    assert list(measured.data.glob("m1/*/VideoTimestamp.txt"))
