"""The numbers behind the figures of a report, against what was put in."""

import cv2
import numpy as np
import pytest

from analysis.derived.aligned import around, by_trial
from analysis.derived.learning import in_words, running_success
from analysis.derived.licks import rate, relative, share_taken
from analysis.derived.maps import RewardMaps, reward_maps
from analysis.derived.paws import opposite_of, share_by_second, speed_of
from analysis.derived.sites import correlation, trace_of
from analysis.derived.thresholds import at_threshold, curve
from analysis.frame_sample import FrameSample, brain_mask, brightness, movement, sample_frames
from rig.files.reader import TRIAL, Images
from rig.protocol.dff import RoiHistory
from support.recordings import write_recording


@pytest.fixture
def stored(tmp_path):
    """Store frames (n, height, width, 3), and return them as a session has them."""

    def store(images):
        write_recording(tmp_path, images)
        return Images(tmp_path / "image_stream.hdf5")

    return store


def vessels(seed=1, shape=(96, 96)):
    """Return a picture with detail, as a brain with vessels has it, 60 to 180 of 255."""
    noise = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return 120 + 60 * smooth / np.abs(smooth).max()


def test_a_signal_is_cut_out_around_moments():
    found = around(np.arange(100.0), np.array([1, 50]), 0.5, before_s=1, after_s=2)
    assert found.time_s.tolist() == [-1, -0.5, 0, 0.5, 1, 1.5, 2]
    assert np.isnan(found.values[0, 0])
    assert found.values[1].tolist() == [48, 49, 50, 51, 52, 53, 54]
    assert found.mean()[2] == (1 + 50) / 2
    assert found.sem()[2] == pytest.approx(49 / 2)
    assert np.isnan(found.sem()[0]), "only one moment has this sample"


def test_a_trial_ends_at_its_outcome():
    trial = np.array([0, 1, 1, 0, 2, 2, 2, 0])
    found = by_trial(np.arange(8.0), trial, 1.0)
    assert np.array_equal(found.values, [[1, 2, np.nan], [4, 5, 6]], equal_nan=True)


def test_running_success():
    outcome = np.array([1, -1, 1, 1, 0])
    assert running_success(outcome, over=2).tolist() == [1.0, 0.5, 0.5, 1.0]


def trials(*outcomes):
    """Return a table of trials with these outcomes, each of 3 s."""
    rows = [(i, 10.0 * i, 10.0 * i + 3, outcome, 3.0, 0.1, True) for i, outcome in enumerate(outcomes, start=1)]
    return np.array(rows, TRIAL)


@pytest.mark.parametrize(
    ("outcomes", "is_baseline", "said"),
    [
        ((1,) * 41 + (-1,) * 19, False, "The mouse took part until trial 41, then stopped: 19 failures in a row."),
        ((1, -1, 1, -1), False, "The mouse took part to the end, in 4 trials."),
        ((-1, -1), False, "The mouse had no success in 2 trials."),
        ((-1,), False, "The mouse had no success in 1 trial."),
        ((0,), False, "The only trial was cut short."),
        ((), False, "No trial began."),
        ((), True, "A baseline was recorded"),
    ],
)
def test_how_the_mouse_took_part(outcomes, is_baseline, said):
    assert in_words(trials(*outcomes), is_baseline).startswith(said)


def test_threshold_curve_against_counting():
    signal = np.sin(np.linspace(0, 40 * np.pi, 1200))  # twenty periods in two minutes
    found = curve(signal, 0.1, 1.0)
    assert at_threshold(found, 0.5) == pytest.approx(10)
    i = 60
    assert found.frames_per_min[i] == np.count_nonzero(signal > found.thresholds[i]) / 2


def test_licks_and_taken_rewards():
    licks_s = np.array([1.0, 1.2, 5.0, 20.5])
    assert share_taken(licks_s, np.array([0.9, 10.0, 20.0, 30.0])) == 0.5
    found = relative(licks_s, np.array([1.0, 20.0]), 1, 2)
    assert [times.round(3).tolist() for times in found] == [[0.0, 0.2], [0.5]]
    time_s, per_s = rate(found, 1, 2, 0.5)
    assert time_s.tolist() == [-0.75, -0.25, 0.25, 0.75, 1.25, 1.75]
    assert per_s.tolist() == [0, 0, 2, 1, 0, 0]


def test_paws():
    columns = {"fl_l_x": np.array([0.0, 3, 3]), "fl_l_y": np.array([0.0, 4, 4])}
    assert speed_of(columns, "fl_l").tolist() == [0, 5, 0]
    parts = ("fl_l", "fl_r", "nose")
    assert [opposite_of(part, parts) for part in parts] == ["fl_r", "fl_l", None]
    time_s, share = share_by_second(np.array([True, False, True]), np.array([0.0, 0.5, 1.5]), 1.0)
    assert (time_s.tolist(), share.tolist()) == ([0.5, 1.5], [0.5, 1.0])


def test_a_trace_of_one_pixel_is_that_of_the_rig():
    """The mean light of one pixel is the pixel, so both ways of computing ΔF/F must agree."""
    patch = np.random.default_rng(1).integers(50, 200, (40, 1, 1, 3)).astype(np.uint8)
    history, expected = RoiHistory(6), []
    for crop in patch:
        blue, green = history.dff(crop)
        expected.append(green - blue)
    assert trace_of(patch, 6).tolist() == pytest.approx(expected)


def test_correlation_of_known_traces():
    wave, random = np.sin(np.linspace(0, 20, 500)), np.random.default_rng(1)
    traces = np.stack([wave, -2 * wave + 5, random.standard_normal(500), np.zeros(500)])
    found = correlation(traces)
    assert found[0, 1] == pytest.approx(-1)
    assert abs(found[0, 2]) < 0.2
    assert found[3].tolist() == [0, 0, 0, 0]


def test_the_map_peaks_where_light_was_added_before_rewards(stored):
    images = np.full((400, 40, 50, 3), 100, np.uint8)
    rewards = np.array([2, 100, 200, 300, 395])  # the first and the last are too close to the ends
    for row in rewards[1:-1]:
        images[row - 15 : row, 8:13, 30:35, 1] = 140  # the second before each reward, at row 10, column 32
    found = reward_maps(stored(images), rewards, 1 / 15)
    assert found.n_rewards == 3
    which, row, column = found.peak(np.ones((40, 50), bool))
    assert (found.from_s[which], row, column) == (-1, 10, 32)
    assert found.maps[which, 10, 32] == pytest.approx(0.4)
    assert np.abs(found.maps[:which]).max() == 0


def test_maps_without_a_reward_far_from_the_ends(stored):
    found = reward_maps(stored(np.zeros((30, 8, 8, 3), np.uint8)), np.array([3]), 1 / 15)
    assert isinstance(found, RewardMaps)
    assert found.n_rewards == 0


def test_the_injected_shift_is_found(stored):
    """The brain moves by 1.4 px to the right and 0.7 px up in the middle of the session."""
    brain = np.repeat(vessels()[..., None], 3, axis=2)
    moved = cv2.warpAffine(brain, np.float32([[1, 0, 1.4], [0, 1, -0.7]]), (96, 96), borderMode=cv2.BORDER_REFLECT)
    random = np.random.default_rng(2)
    still = [brain + random.normal(0, 3, brain.shape) for _ in range(300)]
    after = [moved + random.normal(0, 3, brain.shape) for _ in range(300)]
    images = np.clip(np.stack(still + after), 0, 255).astype(np.uint8)
    sample = sample_frames(stored(images), 1 / 15)
    found = movement(sample)
    assert np.abs(found[sample.time_s < 20]).max() < 0.1
    assert found[sample.time_s > 20] == pytest.approx(np.array([[1.4, -0.7]] * 4), abs=0.15)


def test_brightness_of_both_colours(stored):
    images = np.zeros((300, 20, 20, 3), np.uint8)
    images[:150], images[150:] = (60, 120, 10), (60, 90, 10)
    sample = sample_frames(stored(images), 1 / 15)
    blue, green = brightness(sample, brain_mask(sample.mean))
    assert blue.tolist() == [60] * 4
    assert green.tolist() == [120, 120, 90, 90]
    assert sample.time_s.tolist() == pytest.approx([0.5, 5.5, 10.5, 15.5])


def test_a_short_session_has_a_sample(stored):
    sample = sample_frames(stored(np.full((2, 8, 8, 3), 7, np.uint8)), 1 / 15)
    assert isinstance(sample, FrameSample)
    assert (len(sample.time_s), sample.mean.max()) == (1, 7)


def test_images_that_cannot_be_laid_over_each_other_have_no_shift(stored):
    images = np.zeros((300, 32, 32, 3), np.uint8)
    assert np.isnan(movement(sample_frames(stored(images), 1 / 15))).all()
