import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.protocol.tones import get_bins, tone_index


@pytest.mark.parametrize(
    ("signal", "index", "why"),
    [
        (-1.0, 0, "below 0 plays the lowest"),
        (0.0, 0, "0 itself too"),
        (1e-9, 1, "just above 0 leaves it"),
        (0.01, 1, "16 bins of 0.01 between 0 and 0.16; an edge belongs to the bin below"),
        (0.0100001, 2, "second bin"),
        (0.16, 16, "the threshold itself is not above the threshold"),
        (0.1600001, 17, "above plays the highest"),
        (9.0, 17, "far above too"),
    ],
)
def test_tone_of_a_signal(signal, index, why):
    assert tone_index(signal, get_bins(0.16, 18)) == index, why


@given(
    st.floats(1e-6, 50),
    st.integers(3, 19),
    st.lists(st.floats(-100, 100), min_size=2, max_size=2),
)
def test_in_range_and_never_falling(threshold, n_tones, signals):
    bins = get_bins(threshold, n_tones)
    low, high = (tone_index(signal, bins) for signal in sorted(signals))
    assert 0 <= low <= high <= n_tones - 1
    assert tone_index(np.nextafter(threshold, np.inf), bins) == n_tones - 1
    assert tone_index(0.0, bins) == 0
    assert len(bins) == n_tones - 1
