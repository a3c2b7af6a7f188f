"""A frame whose age nobody knows is left out: after a stall a driver hands over old frames as if they were new."""

import pytest

from rig.devices.arrivals import Arrivals

PERIOD_S = 0.1


def arrivals(stamp_s=0.0, lasted_s=0.3, is_file=False):
    """A source that was opened at 100 s, and gave its first four frames in this time."""
    found = Arrivals(PERIOD_S)
    found.see_first(stamp_s, 100.0, 100.0 + lasted_s, 4, is_file)
    return found


def played(source, reads, stamps=None):
    """Ask for frames: reads are (s until asked, s until given); return which were taken."""
    now_s, taken = 100.3, []
    for i, (away_s, waited_s) in enumerate(reads):
        asked_s = now_s + away_s
        now_s = asked_s + waited_s
        captured_s = source.captured_s(0.0 if stamps is None else stamps[i], asked_s, now_s)
        taken.append(captured_s)
    return taken


USUAL = (0.0001, 0.0999)
AT_ONCE = (0.0001, 0.001)


@pytest.mark.parametrize(
    ("reads", "expected", "why"),
    [
        ([USUAL] * 5, [1, 1, 1, 1, 1], "a camera that is read all the time"),
        ([USUAL, (2.0, 0.001), AT_ONCE, AT_ONCE, USUAL, USUAL], [1, 0, 0, 0, 1, 1], "the loop was away for 2 s"),
        ([USUAL, (0.0001, 3.0), AT_ONCE, AT_ONCE, USUAL], [1, 0, 0, 0, 1], "stopped while it waited for a frame"),
        ([USUAL, (0.0001, 3.0), USUAL], [1, 0, 1], "stopped, and nothing had waited"),
        ([USUAL, (0.0001, 0.15), USUAL], [1, 1, 1], "jitter of half a period"),
        ([USUAL, (0.05, 0.05), USUAL], [1, 1, 1], "away for half a period"),
        ([(0.0001, 0.35)] * 9, [0, 0, 0, 0, 0, 1, 1, 1, 1], "a camera that is slower than asked for is learned"),
    ],
)
def test_what_is_taken_without_stamps(reads, expected, why):
    taken = played(arrivals(), reads)
    assert [captured_s is not None for captured_s in taken] == [bool(e) for e in expected], why


def test_a_stamp_is_trusted_however_old_it_is():
    source = arrivals(stamp_s=100.25)
    stamps = [100.4, 97.0, 101.0]
    assert played(source, [USUAL, (3.0, 0.001), USUAL], stamps) == [100.4, 97.0, 101.0]


def test_a_stamp_is_never_in_the_future():
    source = arrivals(stamp_s=100.25)
    assert played(source, [USUAL], [200.0]) == [pytest.approx(100.4)]


def test_stamps_on_another_clock_are_not_used():
    assert played(arrivals(stamp_s=3.2), [USUAL], [3.3]) == [pytest.approx(100.4)]


def test_a_file_gives_every_frame():
    source = arrivals(lasted_s=0.002)
    assert None not in played(source, [AT_ONCE, (2.0, 0.001), AT_ONCE, AT_ONCE])


def test_a_file_gives_every_frame_on_a_busy_computer_too():
    source = arrivals(is_file=True)
    assert None not in played(source, [AT_ONCE, (2.0, 0.001), AT_ONCE, AT_ONCE])
