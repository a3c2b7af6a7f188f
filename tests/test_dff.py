import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rig.dff import RoiHistory, average_dff, dff_map


def direct_formula(crops, n):
    """ΔF/F of every crop against the mean of up to n before it, as behaviour.md writes it."""
    values = []
    for i, crop in enumerate(crops):
        before = crops[max(0, i - n) : i].astype(float)
        f0 = before.mean(axis=0) if len(before) else np.zeros(crop.shape)
        dff = np.divide(crop - f0, f0, out=np.zeros(crop.shape), where=f0 != 0)
        values.append((dff[..., 1] - dff[..., 0]).mean())
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
    values = [average_dff(crop, history) for crop in crops]
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, direct_formula(crops, n), rtol=0, atol=1e-12)


def test_sum_does_not_drift_over_a_day():
    random = np.random.default_rng(0)
    history, crops = RoiHistory(90), random.integers(0, 256, (500, 2, 2, 3), dtype=np.uint8)
    for i in range(100_000):
        history.append(crops[i % 500])
    last = np.array([crops[i % 500] for i in range(100_000 - 90, 100_000)])
    np.testing.assert_array_equal(history.baseline(), last[..., :2].mean(axis=0))


def test_black_pixels_and_first_frame_give_zero():
    history = RoiHistory(5)
    bright = np.full((4, 4, 3), 255, np.uint8)
    assert average_dff(bright, history) == 0.0, "no frame before the first one"
    history = RoiHistory(5)
    average_dff(np.zeros((4, 4, 3), np.uint8), history)
    assert average_dff(bright, history) == 0.0, "F0 is 0 everywhere"


def test_sign_and_size():
    history = RoiHistory(5)
    average_dff(np.full((2, 2, 3), 100, np.uint8), history)
    crop = np.zeros((2, 2, 3), np.uint8)
    crop[...] = (105, 120, 77)  # blue +5 %, green +20 %; red does not count
    np.testing.assert_allclose(average_dff(crop, history), 0.15, atol=1e-15)


def test_history_keeps_its_own_copy():
    history, image = RoiHistory(3), np.full((4, 4, 3), 9, np.uint8)
    history.append(image[1:3, 1:3])
    image[:] = 0
    assert history[0].max() == 9


def test_map_is_per_pixel():
    image = np.zeros((2, 1, 3), np.uint8)
    image[1] = (0, 50, 0)
    baseline = np.full((2, 1, 2), 40.0)
    np.testing.assert_allclose(dff_map(image, baseline)[:, 0], [-1 - -1, 0.25 - -1])
