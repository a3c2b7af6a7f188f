"""The map from edges that another machine recorded to the clock of a session, and when there is none."""

import numpy as np
import pytest

from rig.devices.sync_lines import EVERY_S, edges_of
from rig.errors import AlignmentError
from rig.files.alignment import align
from rig.files.session_tables import FRAME, PULSE, SYNC_NOW

DRIFT, BEGAN_S = 50e-6, 4321.5
NO_FRAMES = np.zeros(0, FRAME)
WITHIN_S = 1e-4


def table(line, rose_s, fell_s, values):
    """Return a table /sync."""
    pulses = np.zeros(len(rose_s), PULSE)
    pulses["line"], pulses["value"] = line, values
    pulses["rose_s"], pulses["fell_s"] = np.round(rose_s, 6), np.round(fell_s, 6)
    return pulses


def frame_pulses(n=600, framerate=15, jitter_s=1.5e-4, seed=0, line=b"frame"):
    """Return /sync of a session: pulses of frames, a fraction of a millisecond late now and then, two frames lost."""
    dice = np.random.default_rng(seed)
    numbers = np.delete(np.arange(n), [n // 3, n // 2])
    rose_s = 5000 + numbers / framerate + dice.gamma(2, jitter_s / np.sqrt(2), len(numbers))
    return table(line, rose_s, rose_s + 0.005, numbers)


def barcode_pulses(n=12, seed=0):
    """Return /sync of a session with n barcodes."""
    dice, rows = np.random.default_rng(seed), []
    for i, value in enumerate(dice.integers(0, 2**32, n).tolist()):
        edges = np.array([at_s for at_s, _ in edges_of(value)]) + 5000 + i * EVERY_S + dice.gamma(2, 1e-4)
        rows.append(table(b"barcode", edges[::2], edges[1::2], value))
    return np.concatenate(rows)


def by_the_other_clock(session_s):
    """Return times of the session on the clock of another machine: it began at another time, and runs slower."""
    return (np.asarray(session_s) - BEGAN_S) * (1 - DRIFT)


def seen(session_s, seed=1, noise_s=2e-5, missing=0.0, extra=0):
    """Return edges as another machine sees them: on its clock, with noise, some missing, and some that are none."""
    dice = np.random.default_rng(seed)
    other_s = by_the_other_clock(session_s) + dice.normal(0, noise_s, len(session_s))
    other_s = other_s[dice.random(len(other_s)) >= missing]
    glitches_s = dice.uniform(other_s.min() - 20, other_s.max() + 20, extra)
    return np.sort(np.concatenate([other_s, glitches_s]))


def assert_aligned(found, pulses, at_most_s=WITHIN_S):
    """See that the map is right to 0.1 ms, within the session and a little around it, and that it goes both ways."""
    truth_s = np.linspace(pulses["rose_s"].min() - 1, pulses["rose_s"].max() + 1, 200)
    assert np.abs(found.to_session(by_the_other_clock(truth_s)) - truth_s).max() < at_most_s
    assert np.abs(found.to_other(truth_s) - by_the_other_clock(truth_s)).max() < at_most_s
    assert found.scale == pytest.approx(1 / (1 - DRIFT), abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({}, "a recorder of 30 kHz"),
        ({"noise_s": 3e-4}, "one of 1 kHz"),
        ({"missing": 0.05}, "edges are missing"),
        ({"missing": 0.3}, "many are"),
        ({"extra": 20}, "glitches"),
        ({"missing": 0.05, "extra": 20, "noise_s": 1e-4}, "everything"),
    ],
)
def test_frames_are_aligned(how, why, seed):
    pulses = frame_pulses(seed=seed)
    rising_s = seen(pulses["rose_s"], seed=seed + 100, **how)
    found = align(pulses, SYNC_NOW, NO_FRAMES, rising_s)
    assert_aligned(found, pulses)
    assert found.line == "frame"
    assert found.residual_s < 3 * how.get("noise_s", 2e-5)
    share = 1 - how.get("missing", 0)
    assert found.matched == pytest.approx(share * len(pulses), abs=0.08 * len(pulses))
    assert abs(found.missing + found.matched - len(pulses)) <= 3, "those at the ends may be out of the recording"


@pytest.mark.parametrize(("skipped", "kept"), [(200, 598), (0, 300), (250, 330)], ids=["late", "early", "both"])
def test_a_recording_may_begin_late_and_end_early(skipped, kept):
    pulses = frame_pulses()
    found = align(pulses, SYNC_NOW, NO_FRAMES, seen(pulses["rose_s"][skipped:kept]))
    middle_s = pulses["rose_s"][skipped:kept].mean()
    assert found.to_session(by_the_other_clock(middle_s)) == pytest.approx(middle_s, abs=WITHIN_S)
    assert (found.matched, found.missing, found.extra) == (kept - skipped, 0, 0)


def test_one_recording_of_two_sessions_finds_each():
    one, other = frame_pulses(seed=1), frame_pulses(seed=2)
    other["rose_s"] += 100
    both_s = np.sort(np.concatenate([seen(one["rose_s"]), seen(other["rose_s"], seed=3)]))
    for pulses in (one, other):
        assert_aligned(align(pulses, SYNC_NOW, NO_FRAMES, both_s), pulses)


def test_a_trigger_in_step_with_the_frames_serves_as_well():
    pulses = frame_pulses(line=b"trigger")
    found = align(pulses, SYNC_NOW, NO_FRAMES, seen(pulses["rose_s"]))
    assert_aligned(found, pulses)
    assert found.line == "trigger"


def test_the_frame_line_comes_before_the_trigger():
    both = np.concatenate([frame_pulses(), frame_pulses(line=b"trigger", seed=9)])
    assert align(both, SYNC_NOW, NO_FRAMES, seen(frame_pulses()["rose_s"])).line == "frame"


def test_a_clock_that_wanders_is_followed():
    pulses = frame_pulses(n=15 * 60 * 15)
    truth_s = pulses["rose_s"]
    wander_s = 2e-3 * np.sin((truth_s - truth_s[0]) / 200)  # a crystal in a room that warms up and cools down
    found = align(pulses, SYNC_NOW, NO_FRAMES, seen(truth_s + wander_s))
    inside = slice(30 * 15, -30 * 15)
    off_s = found.to_session(by_the_other_clock((truth_s + wander_s)[inside])) - truth_s[inside]
    assert np.abs(off_s).max() < 2 * WITHIN_S
    assert np.sqrt((off_s**2).mean()) < WITHIN_S
    np.testing.assert_allclose(found.to_other(found.to_session(seen(truth_s))), seen(truth_s), rtol=0, atol=1e-9)


def test_times_come_back_on_the_clock_of_the_experiment():
    """In a simulated session that is not the monotonic clock."""
    pulses = frame_pulses()
    frames = np.zeros(len(pulses), FRAME)
    frames["captured_s"], frames["time_s"] = pulses["rose_s"] - 1e-3, pulses["value"] / 15
    found = align(pulses, SYNC_NOW, frames, seen(pulses["rose_s"]))
    captured_s = by_the_other_clock(frames["captured_s"])
    np.testing.assert_allclose(found.to_session(captured_s), frames["time_s"], rtol=0, atol=WITHIN_S)
    np.testing.assert_allclose(found.to_other(frames["time_s"]), captured_s, rtol=0, atol=WITHIN_S)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [60, 600])
def test_another_session_is_refused(seed, n):
    ours, theirs = frame_pulses(n, seed=seed), frame_pulses(n + 40, seed=seed + 50)
    with pytest.raises(AlignmentError, match=r"it is not certain that these \d+ edges are of this session"):
        align(ours, SYNC_NOW, NO_FRAMES, seen(theirs["rose_s"]))


def test_frames_that_are_too_regular_are_refused():
    """Shifted by a frame they would fit as well."""
    pulses = frame_pulses(jitter_s=0)[:150]
    with pytest.raises(AlignmentError, match=r"nor which edge is which frame .*align by barcodes \(barcode_pin\)"):
        align(pulses, SYNC_NOW, NO_FRAMES, seen(pulses["rose_s"]))


def test_a_clock_that_runs_too_fast_is_no_clock_of_this_session():
    pulses = frame_pulses()
    with pytest.raises(AlignmentError, match="it is not certain"):
        align(pulses, SYNC_NOW, NO_FRAMES, pulses["rose_s"] * 1.01)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise_s", [2e-5, 3e-4])
@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_barcodes_are_aligned(seed, noise_s, missing):
    pulses = barcode_pulses(n=24, seed=seed)
    edges = [
        seen(pulses[name], seed=seed + i, noise_s=noise_s, missing=missing)
        for i, name in enumerate(("rose_s", "fell_s"))
    ]
    found = align(pulses, SYNC_NOW, NO_FRAMES, *edges)
    assert_aligned(found, pulses)
    assert (found.line, found.residual_s < 2 * noise_s) == ("barcode", True)
    assert found.matched > 0.9 * 2 * len(pulses), "all edges, also those of barcodes that could not be read"


def test_regular_frames_with_barcodes_leave_no_doubt():
    pulses = np.concatenate([frame_pulses(jitter_s=0), barcode_pulses(n=8)])
    ours = pulses[pulses["line"] == b"barcode"]
    assert_aligned(align(pulses, SYNC_NOW, NO_FRAMES, seen(ours["rose_s"]), seen(ours["fell_s"], seed=2)), ours)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_shared_barcodes_are_refused(n):
    ours, others = barcode_pulses(), barcode_pulses(seed=7)
    cut = np.searchsorted(ours["rose_s"], 5000 + n * EVERY_S - 1)
    theirs = np.concatenate([ours[:cut], others[others["rose_s"] > 5000 + n * EVERY_S - 1]])
    with pytest.raises(AlignmentError, match=rf"has \d+ barcodes, this session 12, and they share {n}; two are needed"):
        align(ours, SYNC_NOW, NO_FRAMES, seen(theirs["rose_s"]), seen(theirs["fell_s"], seed=2))


@pytest.mark.parametrize(
    ("pulses", "version", "edges", "fragment"),
    [
        (frame_pulses()[:0], None, [range(100)], r"has no pulses for other machines; for the next one set frame_pin"),
        (frame_pulses(), "2", [range(100)], r"/sync has version 2, and this code reads version 1"),
        (frame_pulses()[:10], SYNC_NOW, [range(100)], "this session has 10 rising edges of frames; at least 20"),
        (frame_pulses(), SYNC_NOW, [range(5)], "the recording has 5 rising edges of frames; at least 20"),
        (frame_pulses(), SYNC_NOW, [range(100), range(100)], r"this session sent no barcodes \(barcode_pin\)"),
        (frame_pulses(), SYNC_NOW, [[[1, 2], [3, 4]]], "rising: a list of times is needed"),
        (frame_pulses(), SYNC_NOW, [[1, np.nan]], "rising: a list of times is needed"),
        (barcode_pulses(), SYNC_NOW, [[1.0], ["x"]], "falling: a list of times is needed"),
        (barcode_pulses(), SYNC_NOW, [[], []], "the recording has 0 barcodes, this session 12, and they share 0"),
    ],
)
def test_what_cannot_be_aligned_is_said(pulses, version, edges, fragment):
    with pytest.raises(AlignmentError, match=fragment):
        align(pulses, version, NO_FRAMES, *edges)
