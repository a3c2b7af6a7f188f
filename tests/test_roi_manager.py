import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_manager import CENTRE, HANDLES, Circle, Rect, annots, draw_handles

WIDTH, HEIGHT = 64, 48


def test_rect_as_documented():
    roi = Rect("M1_L", x=100, y=100, w=20, h=20, color=[0, 0, 255])
    assert (roi.name, roi.x, roi.y, roi.w, roi.h, roi.color) == ("M1_L", 100, 100, 20, 20, [0, 0, 255])
    assert roi.area() == 400
    assert roi.avgDff == 0.0


def test_circle_as_documented():
    roi = Circle("start", x=100, y=100, r=30, color=[0, 200, 0])
    assert (roi.name, roi.x, roi.y, roi.r, roi.color) == ("start", 100, 100, 30, [0, 200, 0])
    assert roi.area() == math.pi * 900


def test_annots_as_documented():
    roi, image = Rect("M1_L", 1, 2, 3, 4), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    holder = annots("window", [roi], image, frame_n=7)
    assert annots().rois == {}
    assert (holder.rois, holder.image is image, holder.frame_n, holder.wname) == ({"M1_L": roi}, True, 7, "window")


def test_a_name_is_enough_for_an_roi():
    rect, circle = Rect("M1_L"), Circle("start")
    assert (rect.x, rect.y, rect.w, rect.h, rect.area()) == (0, 0, 6, 6, 36)
    assert (circle.x, circle.y, circle.r) == (0, 0, 6)


def test_the_class_itself_holds_rois_and_no_window_shares_them(monkeypatch):
    monkeypatch.setattr(annots, "rois", {})
    annots.rois["M1_L"] = Rect("M1_L")
    assert (annots.image.shape, annots.frame_n, annots.wname) == ((0, 0, 3), 0, "")
    assert annots("window").rois == {}
    assert annots.rois.keys() == {"M1_L"}


def test_rect_crops_and_contains():
    image = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    roi = Rect("a", x=5, y=7, w=3, h=2)
    assert roi.crop(image).tolist() == [[7 * WIDTH + x for x in (5, 6, 7)], [8 * WIDTH + x for x in (5, 6, 7)]]
    assert roi.crop(image).base is not None, "a view, not a copy"
    assert [roi.contains(*p) for p in ((5, 7), (7.9, 8.9), (8, 7), (5, 9), (4.9, 7))] == [
        True,
        True,
        False,
        False,
        False,
    ]


@given(x=st.integers(-90, 90), y=st.integers(-90, 90), size=st.integers(1, 30), is_circle=st.booleans())
def test_what_lies_outside_the_image_is_left_out(x, y, size, is_circle):
    image = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    roi = Circle("a", x, y, size) if is_circle else Rect("a", x, y, size, size + 2)
    inside = [row * WIDTH + column for row in range(HEIGHT) for column in range(WIDTH) if roi.contains(column, row)]
    assert roi.crop(image).ravel().tolist() == inside
    assert roi.crop(np.zeros((HEIGHT, WIDTH, 3))).shape[-1] == 3


def test_circle_crops_and_contains():
    image = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    roi = Circle("a", x=10, y=20, r=3)
    cropped = roi.crop(image)
    assert cropped.shape == (1, 29), "a disc, no square"
    assert {20 * WIDTH + 10, 20 * WIDTH + 13, 17 * WIDTH + 10} <= set(cropped.ravel().tolist())
    assert Circle("edge", x=0, y=0, r=3).crop(image).shape == (1, 11), "as far as the image reaches"
    assert [roi.contains(*p) for p in ((10, 20), (13, 20), (12, 22), (13, 21))] == [True, True, True, False]


RECT, CIRCLE = Rect("a", 10, 10, 12, 12), Circle("a", 30, 24, 10)


@pytest.mark.parametrize(
    ("roi", "at", "grip", "why"),
    [
        (RECT, (16, 16), CENTRE, "the middle moves"),
        (RECT, (22, 22), (1, 1), "lower right corner"),
        (RECT, (10, 10), (-1, -1), "upper left corner"),
        (RECT, (16, 10), (0, -1), "the middle of the upper edge"),
        (RECT, (22, 16), (1, 0), "the middle of the right edge"),
        (RECT, (40, 40), None, "next to it"),
        (CIRCLE, (30.5, 24.5), CENTRE, "the middle moves"),
        (CIRCLE, (41, 24.5), (1, 0), "its edge"),
        (CIRCLE, (55, 24.5), None, "next to it"),
        (Rect("tiny", 10, 10, 1, 1), (10.5, 10.5), CENTRE, "a collapsed one can still be moved"),
    ],
)
def test_what_a_press_takes_hold_of(roi, at, grip, why):
    assert roi.grip_at(*at, 2.0) == grip, why


@pytest.mark.parametrize(
    ("grip", "to", "place"),
    [
        ((1, 1), (30, 27), (10, 10, 20, 17)),
        ((-1, 0), (4, 40), (4, 10, 18, 12)),
        ((0, -1), (0, 2), (10, 2, 12, 20)),
        ((1, 1), (4, 4), (4, 4, 6, 6)),
        ((1, 1), (500, 500), (10, 10, WIDTH - 10, HEIGHT - 10)),
    ],
)
def test_a_rectangle_is_resized_by_any_handle_and_over_its_other_edge(grip, to, place):
    assert RECT.stretched(grip, *to, WIDTH, HEIGHT).place() == place
    assert RECT.place() == (10, 10, 12, 12), "the one before stays"


def test_a_circle_is_resized_by_its_edge():
    assert CIRCLE.stretched((1, 0), 37.0, 24.5, WIDTH, HEIGHT).place() == (30, 24, 6)


@given(
    st.sampled_from([RECT, CIRCLE]),
    st.sampled_from(["shifted", "stretched", "drawn"]),
    st.lists(st.integers(-500, 500), min_size=4, max_size=4),
    st.sampled_from(HANDLES),
)
def test_never_leaves_the_image(roi, gesture, numbers, handle):
    arguments = {"shifted": numbers[:2], "stretched": [handle, *numbers[:2]], "drawn": numbers}[gesture]
    changed = getattr(roi, gesture)(*arguments, WIDTH, HEIGHT)
    left, top, right, bottom = changed.box()
    assert 0 <= left <= right <= WIDTH, vars(changed)
    assert 0 <= top <= bottom <= HEIGHT, vars(changed)


def test_draws_on_an_enlarged_canvas():
    canvas = np.zeros((HEIGHT * 2, WIDTH * 2, 3), np.uint8)
    rois = [Rect("a", 10, 10, 12, 12, (0, 0, 255)), Circle("b", 50, 24, 8, (0, 200, 0))]
    annots("window", rois, scale=2.0).draw(canvas)
    assert canvas[30, 20, 2] > 200
    assert canvas[49, 118, 1] > 150
    assert canvas[34, 32].max() == 0, "the inside stays visible"


def test_handles_leave_the_inside_of_a_small_roi_visible():
    canvas = np.zeros((HEIGHT * 2, WIDTH * 2, 3), np.uint8)
    draw_handles(canvas, Rect("small", 10, 10, 8, 8), 2.0)
    assert canvas[18:23, 18:23].max() == canvas[34:39, 34:39].max() == 255, "corners"
    assert canvas[23:34, 23:34].max() == canvas[18:23, 26:31].max() == 0
    draw_handles(canvas, Rect("large", 30, 10, 20, 20), 2.0)
    assert canvas[18:23, 78:83].max() == canvas[38:43, 58:63].max() == 255, "middles of the edges, too"
