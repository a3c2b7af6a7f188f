"""How the head lies in the image: pixels, mm from bregma, and the angle by lambda."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import helper as clh
from rig.settings.head import Head, in_words

SITES = {"M1": {"ML": 1.8603, "AP": 0.64181}, "LAMBDA": {"ML": 0.0, "AP": -3.9}}
noses = st.sampled_from("udlr")
angles = st.floats(-45, 45)


@given(noses)
def test_without_an_angle_sites_are_those_of_generate_seeds(nose):
    head = Head((135, 128), 25.6, nose, 0.0)
    assert head.seeds(SITES) == clh.generate_seeds(clh.Position(135, 128), SITES, 25.6, nose)


@given(noses, angles, st.floats(-5, 5), st.floats(-5, 5))
def test_mm_and_pixels_are_the_inverse_of_each_other(nose, angle, left, anterior):
    head = Head((135.0, 128.0), 25.6, nose, angle)
    assert head.to_mm(*head.to_px(left, anterior)) == pytest.approx((left, anterior), abs=1e-9)


@given(noses, angles)
def test_sites_lie_where_pixels_of_their_mm_are(nose, angle):
    head = Head((135.0, 128.0), 25.6, nose, angle)
    for name, seed in head.seeds(SITES).items():
        site = SITES[name[:-2]]
        x, y = head.to_px(site["ML"] if name.endswith("L") else -site["ML"], site["AP"])
        assert (seed["ML"], seed["AP"]) == (pytest.approx(x - 0.5, abs=0.51), pytest.approx(y - 0.5, abs=0.51))


@given(noses, angles)
def test_a_click_on_lambda_gives_the_angle(nose, angle):
    head = Head((135.0, 128.0), 25.6, nose, angle)
    assert head._replace(angle=0.0).angle_by(*head.to_px(0, -3.9)) == pytest.approx(angle)


@pytest.mark.parametrize(
    ("nose", "ahead", "clockwise"),
    [("u", (0, -1), (1, 0)), ("r", (1, 0), (0, 1)), ("d", (0, 1), (-1, 0)), ("l", (-1, 0), (0, -1))],
)
def test_a_positive_angle_turns_the_nose_clockwise(nose, ahead, clockwise):
    """x to the right, y down: from up over right and down to left."""
    x, y = Head((0, 0), 1.0, nose, 30.0).to_px(0, 1)
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    assert (x, y) == pytest.approx(tuple(cosine * a + sine * c for a, c in zip(ahead, clockwise, strict=True)))


@pytest.mark.parametrize(("nose", "left"), [("u", (-1, 0)), ("d", (1, 0)), ("l", (0, 1)), ("r", (0, -1))])
def test_the_left_of_the_mouse(nose, left):
    assert Head((0, 0), 1.0, nose, 0.0).to_px(1, 0) == pytest.approx(left)


def test_in_words():
    assert in_words(1.8603, 0.64181) == "ML 1.86 L, AP +0.64 mm"
    assert in_words(-0.5, -3.9) == "ML 0.50 R, AP -3.90 mm"
    assert in_words(0.0, 0.0) == "ML 0.00, AP +0.00 mm"
