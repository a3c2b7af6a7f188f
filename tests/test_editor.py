"""What pointer and keys do in the preview of CLNF: the editor by itself, without a window."""

import math

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.screen.editor import BACKSPACES, ENTER, ESC, TAB, Editor
from rig.screen.editor_cortex import CortexEditor
from rig.screen.pointer import Pointer
from rig.settings.clmf import ClmfSettings
from rig.settings.loading import load
from rig.settings.two_roi import TwoRoiSettings
from roi_manager import Circle, Rect
from support.places import ROOT, SPEED_SECTION

ZOOM = 2.0  # of the 256 px of the shipped image; M1_L lies at 76, 114 and is 8 x 8 px, bregma at row 135, col 128
KEYS = "abcdhlmnru"
IMAGE = 256


@pytest.fixture
def editor(settings):
    return CortexEditor(settings(), zoom=ZOOM)


@pytest.fixture
def two_rois(tmp_path):
    values = {"seed": "1", "data_root": str(tmp_path), "vid_source": "SimCameraStream"}
    return CortexEditor(load(TwoRoiSettings, ROOT / "config.ini", TwoRoiSettings.section, values)[0], zoom=ZOOM)


@pytest.fixture
def circles():
    return Editor(load(ClmfSettings, ROOT / "config.ini", SPEED_SECTION, {"seed": "1"})[0], zoom=ZOOM)


def drag(editor, start, *stops):
    editor.press(*start)
    for stop in stops:
        editor.move(*stop, is_pressed=True)
    editor.release()


def click(editor, x, y):
    editor.press(x, y)
    editor.release()


def press(editor, *keys):
    for key in keys:
        editor.key(ord(key) if isinstance(key, str) else key)


def answer(editor, text):
    press(editor, *text, ENTER)


def own(editor, name="spot"):
    press(editor, "a")
    answer(editor, name)
    return editor


def place(editor, name="M1_L"):
    return editor.settings.make_roi(name).place()


# Where ROIs are


def test_a_drag_on_an_empty_place_draws_the_selected_roi(editor):
    drag(editor, (150, 100), (160, 104), (170, 112))
    assert place(editor) == (150, 100, 20, 12)
    assert editor.said.startswith("M1_L: ")
    assert not editor.refused


@pytest.mark.parametrize("stop", [(150, 100), (130, 88), (150, 88), (130, 100)])
def test_an_roi_is_drawn_from_any_corner(editor, stop):
    drag(editor, (140, 94), stop)
    assert place(editor) == (min(140, stop[0]), min(94, stop[1]), 10, 6)


def test_what_is_being_drawn_is_seen_before_it_is_kept(editor):
    editor.press(150, 100)
    editor.move(170, 112, is_pressed=True)
    assert editor.roi().place() == (150, 100, 20, 12)
    assert place(editor) == (76, 114, 8, 8)


def test_a_drag_inside_moves(editor):
    drag(editor, (80, 118), (90, 120), (100, 128))
    assert place(editor) == (96, 124, 8, 8)


def test_a_drag_that_comes_back_changes_nothing(editor):
    drag(editor, (80, 118), (100, 128), (80, 118))
    assert editor.settings is editor.start


def test_a_move_stops_at_the_edge_of_the_image(editor):
    drag(editor, (80, 118), (-500, 9000))
    assert place(editor) == (0, IMAGE - 8, 8, 8)


GRIPS = [
    ((76, 114), (70, 110), (70, 110, 14, 12)),
    ((80, 114), (80, 104), (76, 104, 8, 18)),
    ((84, 114), (90, 104), (76, 104, 14, 18)),
    ((76, 118), (66, 118), (66, 114, 18, 8)),
    ((84, 118), (94, 118), (76, 114, 18, 8)),
    ((76, 122), (70, 130), (70, 114, 14, 16)),
    ((80, 122), (80, 130), (76, 114, 8, 16)),
    ((84, 122), (94, 132), (76, 114, 18, 18)),
]


@pytest.mark.parametrize(("handle", "stop", "expected"), GRIPS)
def test_each_of_the_eight_handles_resizes(editor, handle, stop, expected):
    # Pulled a little outward first: the handle is taken just outside of the outline
    outward = [edge + (edge > middle) - (edge < middle) for edge, middle in zip(handle, (80, 118), strict=True)]
    drag(editor, outward, stop)
    assert place(editor) == expected


@pytest.mark.parametrize("stop", [(152, 120), (170, 101), (153, 103)])
def test_a_tiny_roi_is_refused_with_a_sentence_and_the_old_one_stays(editor, stop):
    drag(editor, (150, 100), stop)
    assert place(editor) == (76, 114, 8, 8)
    assert editor.refused
    size = f"{stop[0] - 150} x {stop[1] - 100} px"
    assert editor.said == f"M1_L would be {size}; it needs at least 4 x 4 px: draw it larger"
    press(editor, "u")
    assert editor.said == "nothing is left to be undone"


def test_a_third_of_roi_size_is_the_least(settings):
    editor = CortexEditor(settings(roi_size="0.9, 0.5"), zoom=ZOOM)
    drag(editor, (150, 100), (157, 110))
    assert editor.said == "M1_L would be 7 x 10 px; it needs at least 8 x 5 px: draw it larger"
    drag(editor, (150, 100), (158, 105))
    assert place(editor) == (150, 100, 8, 5)


def test_resizing_to_nothing_is_refused(editor):
    drag(editor, (85, 123), (76, 114))
    assert (editor.refused, place(editor)) == (True, (76, 114, 8, 8))


@pytest.mark.parametrize("off", [0, 1.5], ids=["exactly held", "held 3 px of the window off"])
@pytest.mark.parametrize("line", ["80,118,1,1", "80,118,2,1", "80,118,1"])
def test_a_tiny_roi_of_config_ini_can_be_moved(settings, line, off):
    editor = CortexEditor(settings(m1_l=line), zoom=ZOOM)
    x, y = (at + 0.5 for at in editor.roi().centre())
    x += off
    drag(editor, (x, y), (x + 30, y + 20))
    assert place(editor)[:2] == (110, 138)
    assert not editor.refused


@pytest.mark.parametrize("stop", [(150, 100), (150.5, 100.5), (151, 101)])
def test_a_click_next_to_the_roi_draws_nothing(editor, stop):
    drag(editor, (150, 100), stop)
    assert editor.settings is editor.start
    assert editor.said == ""


def test_a_button_that_came_up_elsewhere_lets_go(editor):
    editor.press(80, 118)
    editor.move(100, 128, is_pressed=True)
    editor.move(120, 128, is_pressed=False)
    editor.release()
    assert editor.settings is editor.start


def test_an_roi_that_was_placed_is_reset_to_its_site(editor):
    drag(editor, (80, 118), (100, 128))
    press(editor, "r")
    assert place(editor) == (76, 114, 8, 8)
    assert editor.settings.placed == {}
    assert editor.said == "M1_L: at its site (x, y, w, h = 76, 114, 8, 8 px)"
    press(editor, "r")
    assert (editor.refused, editor.said.split(":")[0]) == (True, "M1_L has not been placed")


def test_an_own_roi_is_reset_to_its_line(settings):
    editor = CortexEditor(settings(own_rois="spot", spot="30,40,8,8"), zoom=ZOOM)
    drag(editor, (34, 44), (64, 44))
    assert place(editor, "spot") == (60, 40, 8, 8)
    press(editor, "r")
    assert place(editor, "spot") == (30, 40, 8, 8)
    assert not editor.refused


def test_a_new_own_roi_has_nowhere_to_go_back_to(editor):
    before = own(editor).settings
    press(editor, "r")
    assert (editor.refused, editor.settings) == (True, before)
    assert editor.said == "spot has no site to go back to; u undoes the last change, d deletes it"


# Undo


def test_every_change_can_be_undone_in_turn(editor):
    states = [editor.settings]
    for change in (
        lambda: drag(editor, (150, 100), (170, 112)),
        lambda: press(editor, "c"),
        lambda: own(editor),
        lambda: drag(editor, (30, 30), (50, 50)),
        lambda: (press(editor, "n"), answer(editor, "other")),
        lambda: (press(editor, "b"), click(editor, 120, 130)),
        lambda: (press(editor, "l"), click(editor, 124, 230)),
        lambda: (press(editor, "m"), click(editor, 10, 10), click(editor, 60, 10), answer(editor, "2")),
        lambda: press(editor, "d"),
    ):
        change()
        assert not editor.refused, editor.said
        assert editor.settings != states[-1]
        states.append(editor.settings)
    for before in reversed(states[:-1]):
        press(editor, "u")
        assert editor.settings == before
    press(editor, "u")
    assert (editor.refused, editor.said) == (True, "nothing is left to be undone")


def test_undo_brings_the_selection_back(editor):
    own(editor)
    press(editor, "d", "u")
    assert editor.selected == "spot"


# Selecting


def test_tab_goes_round(two_rois):
    assert two_rois.selected == "BC_L"
    press(two_rois, TAB)
    assert (two_rois.selected, two_rois.said) == ("BC_R", "BC_R is selected")
    press(two_rois, TAB)
    assert two_rois.selected == "BC_L"


def test_a_click_selects_what_is_drawn_next(two_rois):
    left, right = place(two_rois, "BC_L"), place(two_rois, "BC_R")
    click(two_rois, right[0] + 4, right[1] + 4)
    drag(two_rois, (150, 40), (170, 60))
    assert place(two_rois, "BC_R") == (150, 40, 20, 20)
    assert place(two_rois, "BC_L") == left


def test_of_two_at_one_place_the_selected_one_is_taken(two_rois):
    drag(two_rois, (100, 100), (120, 120))
    press(two_rois, TAB)
    drag(two_rois, (140, 140), (150, 150))
    press(two_rois, TAB)
    drag(two_rois, (110, 110), (145, 145))  # over the other one
    drag(two_rois, (145, 145), (200, 200))
    assert place(two_rois, "BC_L") == (190, 190, 20, 20)
    assert place(two_rois, "BC_R") == (140, 140, 10, 10)


# Circles


def test_c_makes_a_circle_and_gives_the_rectangle_back(editor):
    before = place(editor)
    press(editor, "c")
    circle = editor.settings.make_roi("M1_L")
    assert isinstance(circle, Circle)
    assert math.dist(circle.centre(), Rect("a", *before).centre()) < 1
    press(editor, "c")
    assert place(editor) == before


def test_a_circle_that_was_moved_becomes_a_square_where_it_is(editor):
    press(editor, "c")
    drag(editor, (80, 118), (100, 128))
    x, y, r = place(editor)
    press(editor, "c")
    assert place(editor) == (x - r, y - r, 2 * r + 1, 2 * r + 1)


def test_a_circle_is_drawn_from_its_centre(editor):
    press(editor, "c")
    drag(editor, (150.5, 100.5), (161, 100.5))
    assert place(editor) == (150, 100, 10)


def test_a_tiny_circle_is_refused(editor):
    press(editor, "c")
    before = place(editor)
    drag(editor, (150.5, 100.5), (152, 100.5))
    assert (editor.refused, place(editor)) == (True, before)
    assert "M1_L would be 3 x 3 px" in editor.said


# Own ROIs


def test_an_own_roi_is_named_by_typing_and_appears_under_the_pointer(editor):
    editor.move(60.0, 200.0, is_pressed=False)
    press(editor, "a")
    assert editor.line() == "name of the new ROI: _   (Enter; Esc cancels)"
    press(editor, *"spit", BACKSPACES[0], BACKSPACES[1], *"ot_2")
    assert editor.line().startswith("name of the new ROI: spot_2_ ")
    press(editor, ENTER)
    assert (editor.selected, editor.settings.own_rois) == ("spot_2", ("spot_2",))
    assert place(editor, "spot_2") == (56, 196, 8, 8)


def test_letters_of_a_name_are_no_commands(editor):
    press(editor, "a", *KEYS)
    assert editor.typed == KEYS
    assert editor.settings is editor.start
    assert not editor.shows_help


def test_escape_cancels_the_typing_and_starts_nothing(editor):
    press(editor, "a", *"spot")
    assert editor.key(ESC) is False
    assert (editor.asking, editor.settings is editor.start, editor.said) == (None, True, "cancelled")
    assert editor.key(ESC) is True


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "'' is no name"),
        ("2nd", "'2nd' is no name"),
        ("a.b", "'a.b' is no name"),
        ("m1_l", "m1_l is the name of another ROI or of a site"),
        ("bc_r", "bc_r is the name of another ROI or of a site"),
        ("ppmm", "ppmm is the name of a setting or a column"),
        ("roi", "roi is the name of a setting or a column"),
        ("spot", "spot is the name of another ROI or of a site"),
    ],
)
def test_names_that_cannot_be(editor, name, why):
    before = own(editor).settings
    press(editor, "a")
    answer(editor, name)
    assert (editor.refused, editor.settings) == (True, before)
    assert editor.said.startswith(why)
    assert editor.asking is not None, "it is asked again"


def test_renaming_keeps_the_place(editor):
    drag(own(editor), (30, 30), (50, 44))
    press(editor, "n")
    answer(editor, "other")
    assert (editor.selected, editor.settings.own_rois) == ("other", ("other",))
    assert editor.settings.placed == {"other": (30, 30, 20, 14)}


def test_deleting_leaves_no_trace(editor):
    own(editor)
    press(editor, "d")
    assert editor.settings == editor.start
    assert editor.selected == "M1_L"


@pytest.mark.parametrize("key", ["d", "u"], ids=["deleted", "undone"])
def test_an_roi_that_is_gone_while_it_is_dragged_does_not_come_back(editor, key):
    own(editor)
    x, y = editor.roi().centre()
    editor.press(x, y)
    editor.move(x + 20, y + 10, is_pressed=True)
    press(editor, key)
    editor.release()
    assert editor.settings == editor.start


@pytest.mark.parametrize(("key", "what"), [("d", "deleted"), ("n", "renamed")])
def test_a_trained_roi_can_be_neither_deleted_nor_renamed(editor, key, what):
    press(editor, key)
    assert editor.said == f"M1_L is trained (roi), so it cannot be {what}"
    assert (editor.refused, editor.asking) == (True, None)


# Measuring


def test_bregma_is_where_the_click_is(editor):
    press(editor, "b")
    assert editor.line() == "click on bregma   (Esc cancels)"
    click(editor, 120.9, 130.2)
    assert editor.settings.bregma == (130.0, 120.0)
    assert place(editor) == (76 - 8, 114 - 5, 8, 8), "an ROI at its site moves with it"


def test_a_placed_roi_stays_where_bregma_goes_and_that_is_said(editor):
    drag(editor, (80, 118), (100, 128))
    press(editor, "b")
    click(editor, 120, 130)
    assert place(editor) == (96, 124, 8, 8)
    assert editor.said.endswith("M1_L stays where it was placed (r: to its site)")


@pytest.mark.parametrize("angle", [-30.0, -4.2, 0.0, 12.5, 40.0])
def test_lambda_turns_all_sites(editor, angle):
    x = 128 - 100 * math.sin(math.radians(angle))
    y = 135 + 100 * math.cos(math.radians(angle))
    press(editor, "l")
    click(editor, x + 0.5, y + 0.5)
    assert editor.settings.head_angle == pytest.approx(angle, abs=0.5)
    seeds = editor.settings.seeds()
    for name, seed in CortexEditor(editor.start).settings.seeds().items():
        before, after = (math.dist((s["ML"], s["AP"]), (128, 135)) for s in (seed, seeds[name]))
        assert after == pytest.approx(before, abs=1.5), "turned about bregma, not moved"


@pytest.mark.parametrize("nose", "udlr")
@pytest.mark.parametrize("angle", [-30.0, -7.3, 0.0, 20.0])
def test_the_seed_of_lambda_falls_on_the_line_that_was_clicked(settings, nose, angle):
    editor = CortexEditor(settings(nose=nose), zoom=ZOOM)
    row, col = editor.settings.bregma
    x, y = (math.floor(at + 0.5) for at in editor.settings.head()._replace(angle=angle).to_px(0, -2))
    press(editor, "l")
    click(editor, x + 0.5, y + 0.5)
    seed = editor.settings.head().seeds({"LAMBDA": {"ML": 0.0, "AP": -3.9}})["LAMBDA_L"]
    clicked, seen = complex(x - col, y - row), complex(seed["ML"] - col, seed["AP"] - row)
    along = seen * clicked.conjugate() / abs(clicked)  # its imaginary part is the distance to the line, px
    assert along.real > 0, "behind bregma, not ahead of it"
    assert abs(along.imag) < 2, "whole px of the click and of the seed, and 0.1 degrees"


@pytest.mark.parametrize(
    ("at", "why"), [((128, 30), "click on lambda, or correct nose"), ((129, 138), "at least 10 px are needed")]
)
def test_a_lambda_that_cannot_be(editor, at, why):
    press(editor, "l")
    click(editor, *at)
    assert (editor.refused, editor.settings is editor.start) == (True, True)
    assert why in editor.said


def test_the_ruler_sets_the_scale(editor):
    press(editor, "m")
    click(editor, 20, 30)
    click(editor, 50, 70)
    assert editor.line() == "mm between the marks (50.0 px): _   (Enter; Esc cancels)"
    answer(editor, "2.5")
    assert editor.settings.ppmm == 20
    assert editor.said.startswith("ppmm = 20 px/mm")
    assert place(editor)[2:] == (6, 6), "an ROI at its site is as large in mm as before"


@pytest.mark.parametrize("text", ["", "0", ".", "1.2.3", "five", "0.0001", "100000"])
def test_a_length_that_cannot_be(editor, text):
    press(editor, "m")
    click(editor, 20, 30)
    click(editor, 50, 70)
    answer(editor, text)
    assert (editor.refused, editor.settings is editor.start) == (True, True)
    assert editor.asking is not None, "it is asked again"


def test_marks_that_are_too_near(editor):
    press(editor, "m")
    click(editor, 20, 30)
    click(editor, 22, 30)
    assert editor.said == "the marks are 2.0 px apart; at least 10 px are needed"
    assert (editor.asking, editor.picking) == (None, None)


@pytest.mark.parametrize("key", "blm")
def test_escape_cancels_a_measurement(editor, key):
    press(editor, key)
    assert editor.key(ESC) is False
    click(editor, 120, 130)
    assert editor.settings is editor.start


def test_a_bregma_that_leaves_no_room_for_an_roi_is_refused(editor):
    press(editor, "b")
    click(editor, 10, 130)
    assert (editor.refused, editor.settings is editor.start) == (True, True)
    assert "M1_L" in editor.said
    assert "does not lie in the image" in editor.said


# What is written next to the picture


def test_the_pointer_in_px_and_mm_and_the_site_under_it(editor):
    seed = editor.settings.seeds()["BC_R"]
    editor.move(seed["ML"] + 0.5, seed["AP"] + 0.5, is_pressed=False)
    assert f"x {seed['ML']}, y {seed['AP']} px" in editor.pointer_line()
    assert editor.pointer_line().endswith("site BC_R: ML 3.46 R, AP -1.73 mm")
    editor.leave()
    assert editor.pointer_line() == ""


@pytest.mark.parametrize(("off_px", "is_named"), [(2.5, True), (3.5, False)], ids=["5 px off", "7 px off"])
def test_a_site_is_named_within_six_px_of_the_window(editor, off_px, is_named):
    seed = editor.settings.seeds()["BC_R"]
    editor.move(seed["ML"] + 0.5 + off_px, seed["AP"] + 0.5, is_pressed=False)
    assert editor.hovered().startswith("BC_R: ") is is_named


def test_place_size_area_and_distance_of_the_roi(editor):
    drag(editor, (80, 118), (90, 118))
    size, centre = editor.roi_lines()
    assert "rectangle, 8 x 8 px, 0.31 x 0.31 mm, area 64 px = 0.098 mm2" in size
    assert centre.startswith("centre  x 89.5, y 117.5 px;  ML 1.50 L, AP +0.68 mm;")
    distance = math.dist(((128 - 89.5) / 25.6, (135 - 117.5) / 25.6), (1.8603, 0.64181))
    assert centre.endswith(f"{distance:.2f} mm from its site")


def test_an_roi_at_its_site_has_no_warning(editor):
    assert editor.warnings() == []


@pytest.mark.parametrize(
    ("x", "warning"),
    [(102, "M1_L is nearer to "), (128, "M1_L lies across the midline"), (170, "M1_L lies in the other hemisphere")],
)
def test_warnings(editor, x, warning):
    drag(editor, (80, 118), (x, 118))
    assert [sentence for sentence in editor.warnings() if sentence.startswith(warning)]


def test_an_own_roi_that_is_not_trained_has_no_warning(editor):
    drag(own(editor), (120, 100), (140, 120))
    assert editor.warnings() == []


# Help, and any sequence of events


def test_help_is_shown_until_the_next_key_and_escape_only_hides_it(editor):
    press(editor, "h")
    assert editor.shows_help
    drag(editor, (80, 118), (100, 128))
    assert editor.settings is editor.start, "what lies below cannot be seen"
    assert editor.key(ESC) is False
    assert not editor.shows_help


def test_help_names_every_command(editor, circles):
    for one in (editor, circles):
        named = {key for keys, _ in one.HELP for key in keys.replace(",", "").split()}
        assert one.commands().keys() | {"s", "Esc", "Tab"} <= named


@given(
    st.lists(
        st.one_of(
            st.sampled_from([*KEYS.encode(), TAB, ENTER, *BACKSPACES, *b"59.x"]),
            st.tuples(st.sampled_from(["press", "move", "drag"]), st.integers(-20, 300), st.integers(-20, 300)),
            st.just("release"),
        ),
        max_size=40,
    )
)
def test_no_sequence_of_events_leaves_the_image_or_breaks_the_settings(events):
    start = load(TwoRoiSettings, ROOT / "config.ini", TwoRoiSettings.section, {"seed": "1"})[0]
    editor = CortexEditor(start, zoom=ZOOM)
    for event in events:
        if event == "release":
            editor.release()
        elif isinstance(event, int):
            assert editor.key(event) is False, "only Esc starts"
        elif event[0] == "press":
            editor.press(*event[1:])
        else:
            editor.move(*event[1:], is_pressed=event[0] == "drag")
        assert list(editor.settings.contradictions()) == []
        assert editor.selected in editor.settings.shown_rois()
        editor.line(), editor.pointer_line(), editor.roi_lines(), editor.warnings()
    editor.release()
    for roi in editor.rois():
        left, top, right, bottom = roi.box()
        assert 0 <= left < right <= IMAGE
        assert 0 <= top < bottom <= IMAGE


# CLMF


def test_a_circle_of_clmf_is_moved_resized_and_reset(circles):
    before = place(circles, "start_roi")
    drag(circles, (590.5, 115), (500.5, 155))
    assert place(circles, "start_roi") == (500, 150, 14)
    drag(circles, (514.5, 150.5), (520.5, 150.5))
    assert place(circles, "start_roi") == (500, 150, 20)
    press(circles, "r")
    assert place(circles, "start_roi") == before
    press(circles, "u", "u", "u")
    assert circles.settings == circles.start


def test_an_empty_place_of_clmf_draws_nothing_and_cortical_keys_do_nothing(circles):
    drag(circles, (100, 100), (150, 150))
    press(circles, *"abcdlmn")
    assert (circles.settings is circles.start, circles.asking, circles.picking) == (True, None, None)


# The mouse events of OpenCV

DOWN, UP, MOVE, LEFT = cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONUP, cv2.EVENT_MOUSEMOVE, cv2.EVENT_FLAG_LBUTTON
MAP = 520  # px of the window


@pytest.fixture
def pointer(editor):
    return Pointer(editor, (0, MAP), 512, 512, ZOOM)


@pytest.mark.parametrize("left", [0, MAP])
def test_image_and_map_are_one_place(editor, pointer, left):
    pointer.on_mouse(DOWN, left + 300, 200, LEFT)
    pointer.on_mouse(MOVE, left + 340, 224, LEFT)
    pointer.on_mouse(UP, left + 340, 224, 0)
    assert place(editor) == (150, 100, 20, 12)


def test_a_drag_from_the_image_over_the_map_does_not_jump(editor, pointer):
    pointer.on_mouse(DOWN, 160, 236, LEFT)
    pointer.on_mouse(MOVE, MAP + 10, 236, LEFT)
    pointer.on_mouse(UP, MAP + 10, 236, 0)
    assert place(editor) == (IMAGE - 8, 114, 8, 8)


@pytest.mark.parametrize("at", [(515, 100), (100, 512), (MAP + 512, 100), (-1, 100)])
def test_a_press_next_to_both_does_nothing(editor, pointer, at):
    pointer.on_mouse(DOWN, *at, LEFT)
    pointer.on_mouse(MOVE, 300, 300, LEFT)
    pointer.on_mouse(UP, 300, 300, 0)
    assert editor.settings is editor.start
    pointer.on_mouse(MOVE, *at, 0)
    assert editor.pointer is None


@pytest.mark.parametrize("event", [cv2.EVENT_RBUTTONDOWN, cv2.EVENT_MBUTTONDOWN, cv2.EVENT_MOUSEWHEEL, MOVE])
def test_other_gestures_take_hold_of_nothing(editor, pointer, event):
    pointer.on_mouse(event, 160, 236, LEFT)
    pointer.on_mouse(MOVE, 300, 300, LEFT)
    pointer.on_mouse(UP, 300, 300, 0)
    assert editor.settings is editor.start


def test_the_second_press_of_a_quick_pair_takes_hold_too(editor, pointer):
    pointer.on_mouse(cv2.EVENT_LBUTTONDBLCLK, 160, 236, LEFT)
    pointer.on_mouse(MOVE, 200, 256, LEFT)
    pointer.on_mouse(UP, 200, 256, 0)
    assert place(editor) == (96, 124, 8, 8)
