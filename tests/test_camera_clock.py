"""Frames of a camera with a count and a clock of its own, on simulated clocks."""

import numpy as np
import pytest

from rig.devices.camera_clock import LAST_OF_16_BITS, CameraClock, FrameIds
from rig.errors import CameraError

RATE = 60.0
FASTEST_S = 0.004  # of the transfers
START_S, STAMP_NS = 1000.0, 1_795_618_637_000_000_000


def stamps(captured_s, drift=0.0):
    """The clock of a camera that runs slower by this share than the monotonic one, ns."""
    return [STAMP_NS + int(elapsed * 1e9 / (1 + drift)) for elapsed in captured_s - START_S]


def transfers(rng, n):
    """Most frames come within a millisecond of the fastest, some are held up."""
    held_up = np.where(rng.random(n) < 0.05, rng.exponential(0.02, n), 0)
    return FASTEST_S + rng.exponential(0.001, n) + held_up


def errors_of(seconds, drift=0.0, seed=0, tracked=True):
    """By how much the times are late against the fastest transfer, s."""
    rng = np.random.default_rng(seed)
    captured_s = START_S + np.arange(int(seconds * RATE)) / RATE
    arrived_s = np.maximum.accumulate(captured_s + transfers(rng, len(captured_s)))
    clock = CameraClock()
    seen = [clock.captured_s(*frame) for frame in zip(stamps(captured_s, drift), arrived_s, strict=True)]
    assert (np.array(seen) <= arrived_s + 1e-9).all(), "no frame is from the future"
    assert (np.diff(seen) > 0).all()
    return np.array(seen) - captured_s - FASTEST_S, clock


def test_jitter_of_the_transfer_is_not_in_the_times():
    errors_s, clock = errors_of(120)
    assert np.abs(errors_s[300:]).max() < 0.0005
    assert abs(clock.drift) < 5e-6


@pytest.mark.parametrize("drift", [50e-6, -50e-6])
def test_clocks_that_drift_stay_together(drift):
    """In ten minutes they go apart by 30 ms."""
    errors_s, clock = errors_of(600, drift)
    assert np.abs(errors_s[int(15 * RATE) :]).max() < 0.0005
    assert clock.drift == pytest.approx(drift, abs=5e-6)


def test_a_first_frame_that_was_held_up_is_still_the_first():
    clock = CameraClock()
    first = clock.captured_s(STAMP_NS, START_S + 0.1)
    seen = [clock.captured_s(STAMP_NS + int(n * 1e9 / RATE), START_S + n / RATE) for n in range(1, 12)]
    assert first < seen[0] < seen[1]
    assert seen[-1] == pytest.approx(START_S + 11 / RATE, abs=1e-5)


def test_frames_that_waited_are_as_old_as_they_are():
    """The rig stood still for 3 s; then the frames of these seconds come at once."""
    captured_s = START_S + np.arange(int(30 * RATE)) / RATE
    arrived_s = captured_s + FASTEST_S
    stalled = (captured_s > START_S + 20) & (captured_s < START_S + 23)
    arrived_s[stalled] = START_S + 23
    clock = CameraClock()
    seen = np.array([clock.captured_s(*frame) for frame in zip(stamps(captured_s), arrived_s, strict=True)])
    np.testing.assert_allclose(seen, captured_s + FASTEST_S, atol=1e-5)


@pytest.mark.parametrize("to", [0, STAMP_NS, STAMP_NS + 29_000_000_000])
def test_a_clock_that_is_set_back_is_a_restart(to):
    clock = CameraClock()
    for n in range(1800):
        clock.captured_s(STAMP_NS + int(n * 1e9 / RATE), START_S + n / RATE)
    with pytest.raises(CameraError, match="it has restarted, and nobody knows its exposure"):
        clock.captured_s(to, START_S + 30)


def test_a_clock_that_jumps_ahead_is_a_restart():
    clock = CameraClock()
    for n in range(1800):
        clock.captured_s(STAMP_NS + int(n * 1e9 / RATE), START_S + n / RATE)
    with pytest.raises(CameraError, match=r"jumped by 5\.0 s: it has restarted"):
        clock.captured_s(STAMP_NS + 35_000_000_000, START_S + 30)


def number(ids, kept):
    """Number the frames (id, its time in periods) that arrive."""
    counter = FrameIds(RATE)
    return [counter.number(ids[n], STAMP_NS + int(n * 1e9 / RATE)) for n in kept]


def test_gaps_of_the_ids_are_gaps_of_the_numbers():
    kept = [0, 1, 2, 5, 6, 40]
    assert number(range(1000, 2000), kept) == kept


@pytest.mark.parametrize("kept", [range(20), [0, 3, 4, 15], [0, 19]])
def test_a_count_of_16_bits_goes_round(kept):
    """65535 is followed by 1."""
    ids = [(n + LAST_OF_16_BITS - 6) % LAST_OF_16_BITS + 1 for n in range(20)]
    assert {LAST_OF_16_BITS, 1} < set(ids)
    assert 0 not in ids
    assert number(ids, kept) == list(kept)


def test_a_count_of_64_bits_does_not_go_round_at_16():
    assert number(range(65530, 65550), range(20)) == list(range(20))


@pytest.mark.parametrize(("before", "after"), [(5000, 1), (5000, 4990), (5000, 5000), (70000, 1), (5000, 9000)])
def test_a_count_that_jumps_is_a_restart(before, after):
    with pytest.raises(CameraError, match=f"gave its frame {after} after {before}: it has restarted"):
        number([before, after], [0, 1])
