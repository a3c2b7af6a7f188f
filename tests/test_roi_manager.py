import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_manager import Circle, Rect, annots

WIDTH, HEIGHT = 64, 48
DOWN, UP, MOVE, LEFT = cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONUP, cv2.EVENT_MOUSEMOVE, cv2.EVENT_FLAG_LBUTTON


def placing(*rois, scale=2.0):
    return annots("window", rois, np.zeros((HEIGHT, WIDTH, 3), np.uint8), scale)


def drag(holder, start, *stops, scale=2.0):
    """Press at start, move over the stops, release: image px."""
    holder.on_mouse(DOWN, round(start[0] * scale), round(start[1] * scale), LEFT)
    for x, y in stops:
        holder.on_mouse(MOVE, round(x * scale), round(y * scale), LEFT)
    holder.on_mouse(UP, round(stops[-1][0] * scale), round(stops[-1][1] * scale), 0)


def inside(roi):
    if isinstance(roi, Rect):
        return (
            0 <= roi.x
            and 0 <= roi.y
            and roi.w >= 1
            and roi.h >= 1
            and roi.x + roi.w <= WIDTH
            and roi.y + roi.h <= HEIGHT
        )
    return roi.r >= 1 and roi.r <= roi.x < WIDTH - roi.r and roi.r <= roi.y < HEIGHT - roi.r


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


def test_circle_crops_and_contains():
    image = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    roi = Circle("a", x=10, y=20, r=3)
    assert roi.crop(image).shape == (7, 7)
    assert roi.crop(image)[3, 3] == 20 * WIDTH + 10
    assert Circle("edge", x=0, y=0, r=3).crop(image).shape == (4, 4), "as far as the image reaches"
    assert [roi.contains(*p) for p in ((10, 20), (13, 20), (12, 22), (13, 21))] == [True, True, True, False]


def test_drag_moves_by_as_much_as_the_pointer():
    roi = Rect("a", 10, 10, 12, 12)
    holder = placing(roi)
    drag(holder, (13, 14), (20, 20), (33, 24))
    assert roi.place() == (30, 20, 12, 12)
    assert holder.moved == {"a"}


def test_drag_at_the_corner_resizes():
    roi = Rect("a", 10, 10, 12, 12)
    drag(placing(roi), (22, 22), (30, 27))
    assert roi.place() == (10, 10, 20, 17)


def test_drag_at_the_edge_of_a_circle_resizes_it_and_inside_moves_it():
    roi = Circle("a", 30, 24, 10)
    holder = placing(roi)
    drag(holder, (40, 24), (36, 24))
    assert (roi.x, roi.y, roi.r) == (30, 24, 6)
    drag(holder, (31, 24), (21, 20))
    assert (roi.x, roi.y, roi.r) == (20, 20, 6)


@given(
    st.sampled_from(["rect", "circle"]),
    st.lists(st.tuples(st.integers(0, WIDTH), st.integers(0, HEIGHT)), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=1, max_size=6),
)
def test_never_leaves_the_image(kind, presses, stops):
    roi = Rect("a", 10, 10, 12, 12) if kind == "rect" else Circle("a", 30, 24, 10)
    holder = placing(roi)
    for press in presses:
        drag(holder, press, *stops)
        assert inside(roi), vars(roi)


@pytest.mark.parametrize("event", [cv2.EVENT_LBUTTONDBLCLK, cv2.EVENT_RBUTTONDOWN, cv2.EVENT_MOUSEWHEEL, MOVE])
def test_other_gestures_do_nothing(event):
    roi = Rect("a", 10, 10, 12, 12)
    holder = placing(roi)
    holder.on_mouse(event, 26, 26, 0)
    holder.on_mouse(MOVE, 60, 60, 0)
    assert roi.place() == (10, 10, 12, 12)
    assert holder.moved == set()


def test_a_release_outside_the_window_lets_go():
    roi = Rect("a", 10, 10, 12, 12)
    holder = placing(roi)
    holder.on_mouse(DOWN, 26, 26, LEFT)
    holder.on_mouse(MOVE, 60, 60, 0)  # the button came up where the window did not see it
    holder.on_mouse(MOVE, 80, 80, LEFT)
    assert roi.place() == (10, 10, 12, 12)


def test_press_next_to_every_roi_holds_nothing():
    roi = Rect("a", 10, 10, 12, 12)
    holder = placing(roi)
    drag(holder, (50, 40), (20, 20))
    assert (roi.place(), holder.moved) == ((10, 10, 12, 12), set())


def test_draws_on_an_enlarged_canvas():
    canvas = np.zeros((HEIGHT * 2, WIDTH * 2, 3), np.uint8)
    placing(Rect("a", 10, 10, 12, 12, (0, 0, 255)), Circle("b", 50, 24, 8, (0, 200, 0))).draw(canvas)
    assert canvas[30, 20, 2] > 200
    assert canvas[48, 116, 1] > 150
    assert canvas[34, 32].max() == 0, "the inside stays visible"
