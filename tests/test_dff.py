import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rig.protocol.dff import RoiHistory, dff_map
from roi_manager import Circle


def corrected(history, crop):
    """ΔF/F as the scripts use it: green minus blue."""
    blue, green = history.dff(crop)
    return green - blue


def direct_formula(crops, n):
    """ΔF/F of blue and green of every crop against the mean of up to n before it: (n_crops, 2)."""
    values = []
    for i, crop in enumerate(crops):
        before = crops[max(0, i - n) : i].astype(float)
        f0 = before.mean(axis=0) if len(before) else np.zeros(crop.shape)
        dff = np.divide(crop - f0, f0, out=np.zeros(crop.shape), where=f0 != 0)
        values.append((dff[..., 0].mean(), dff[..., 1].mean()))
    return np.array(values)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 30),
    length=st.integers(1, 60),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    top=st.sampled_from([2, 20, 256]),
)
def test_equals_the_direct_formula_and_is_finite(seed, n, length, size, top):
    crops = np.random.default_rng(seed).integers(0, top, (length, *size, 3), dtype=np.uint8)
    history = RoiHistory(n)
    values = np.array([history.dff(crop) for crop in crops])
    assert np.isfinite(values).all()
    expected = direct_formula(crops, n)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(values[:, 1] - values[:, 0], expected[:, 1] - expected[:, 0], rtol=0, atol=1e-12)


@given(
    seed=st.integers(0, 2**32 - 1),
    x=st.integers(0, 29),
    y=st.integers(0, 19),
    r=st.integers(0, 12),
    n=st.integers(1, 9),
)
def test_a_circle_equals_the_direct_formula_over_the_pixels_that_it_contains(seed, x, y, r, n):
    """Also where it reaches over the edge of the image."""
    images = np.random.default_rng(seed).integers(0, 256, (12, 20, 30, 3), dtype=np.uint8)
    roi, history = Circle("a", x, y, r), RoiHistory(n)
    values = [history.dff(roi.crop(image)) for image in images]
    inside = np.array([[roi.contains(column, row) for column in range(30)] for row in range(20)])
    assert roi.crop(images[0]).shape == (1, inside.sum(), 3)
    expected = direct_formula(images[:, inside], n)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_sum_does_not_drift_over_a_day():
    random = np.random.default_rng(0)
    history, crops = RoiHistory(90), random.integers(0, 256, (500, 2, 2, 3), dtype=np.uint8)
    for i in range(100_000):
        history.append(crops[i % 500])
    last = np.array([crops[i % 500] for i in range(100_000 - 90, 100_000)])
    np.testing.assert_array_equal(history.baseline(), last[..., :2].mean(axis=0).transpose(2, 0, 1))


def test_the_first_frame_gives_zero():
    history = RoiHistory(5)
    assert history.baseline() is None
    assert history.dff(np.full((4, 4, 3), 255, np.uint8)) == (0.0, 0.0), "no frame before the first one"


def test_black_pixels_give_zero():
    history = RoiHistory(5)
    history.dff(np.zeros((4, 4, 3), np.uint8))
    assert history.dff(np.full((4, 4, 3), 255, np.uint8)) == (0.0, 0.0), "F0 is 0 everywhere"


def test_sign_and_size_of_each_colour():
    history = RoiHistory(5)
    history.dff(np.full((2, 2, 3), 100, np.uint8))
    crop = np.zeros((2, 2, 3), np.uint8)
    crop[...] = (105, 120, 77)  # blue +5 %, green +20 %; red does not count
    blue, green = history.dff(crop)
    np.testing.assert_allclose((blue, green), (0.05, 0.2), atol=1e-15)
    np.testing.assert_allclose(green - blue, 0.15, atol=1e-15)


def test_colours_are_told_apart():
    """Only blue changes: green stays 0, and the corrected signal falls."""
    history = RoiHistory(5)
    history.dff(np.full((2, 2, 3), 100, np.uint8))
    assert corrected(history, np.array([[[110, 100, 100]] * 2] * 2, np.uint8)) == -0.1


def test_history_is_no_longer_than_its_length():
    history = RoiHistory(3)
    for level in (10, 20, 30, 40):
        history.append(np.full((1, 1, 3), level, np.uint8))
    assert len(history) == 3
    assert (history.baseline() == 30).all(), "the mean of 20, 30 and 40"


def test_history_keeps_its_own_copy():
    history, image = RoiHistory(3), np.full((4, 4, 3), 9, np.uint8)
    history.append(image[1:3, 1:3])
    history.dff(image[1:3, 1:3])
    image[:] = 0
    history.append(image[1:3, 1:3])
    history.append(image[1:3, 1:3])  # the first one leaves; what is taken off the sum must be what was added
    assert (history.baseline() == 3).all(), "the mean of 9, 0 and 0"


def test_map_is_per_pixel():
    image = np.zeros((2, 1, 3), np.uint8)
    image[1] = (0, 50, 0)
    baseline = np.full((2, 2, 1), 40.0)
    np.testing.assert_allclose(dff_map(image, baseline)[:, 0], [-1 - -1, 0.25 - -1])


def test_map_without_a_baseline_is_zero():
    assert not dff_map(np.full((2, 3, 3), 9, np.uint8), None).any()


def test_the_map_over_an_roi_is_its_signal():
    crops = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), dtype=np.uint8)
    history = RoiHistory(8)
    for crop in crops[:-1]:
        history.append(crop)
    expected = dff_map(crops[-1], history.baseline()).mean()
    np.testing.assert_allclose(corrected(history, crops[-1]), expected, rtol=0, atol=1e-12)
