"""Frame pulses and barcodes as the guard drives them: never in the way of the valve, and low whenever all is low."""

import itertools
import random
import time

import numpy as np
import pytest

from rig.devices.sync_lines import BIT_S, EVERY_S, FIRST_BIT_S, LENGTH_S, START_S, Barcodes, Wire, edges_of
from rig.devices.valve_guard import Guard
from rig.files.barcodes import decode
from support.pins import PINS, SYNC_PINS, RecordingPins
from support.waiting import wait_until

NAMES = PINS | SYNC_PINS
FRAME_PULSE_S = 0.005


@pytest.fixture
def pins():
    return RecordingPins()


@pytest.fixture
def guard(pins, capfd):
    """A guard with a line for frames, the trigger in step with it, and one for barcodes."""
    return Guard(pins, NAMES, {"reward": 1.0}, frame_pulses_s={"trigger": FRAME_PULSE_S, "frame": FRAME_PULSE_S})


def said(capfd, name):
    """Return (value, rose, fell) of the pulses that the guard has reported."""
    words = [line.split() for line in capfd.readouterr().out.splitlines()]
    return [(int(w[2]), float(w[3]), float(w[4])) for w in words if w[:2] == ["synced", name]]


def serve_until(guard, condition):
    """Let the guard drive what is due, as its loop does, until something holds."""

    def step():
        guard.end_due_pulses()
        return condition()

    wait_until(step)


def test_the_valve_goes_before_the_pulse_of_its_frame(guard, pins):
    guard.command("pulse reward 0.1")
    guard.command("frame 7")
    assert pins.writes == [(27, 1), (17, 1), (5, 1)]


def test_a_frame_is_a_pulse_on_each_of_its_lines(guard, pins, capfd):
    guard.command("frame 7")
    assert 0 < guard.end_due_pulses() <= FRAME_PULSE_S
    serve_until(guard, lambda: pins.levels[5] == pins.levels[17] == 0)
    assert guard.end_due_pulses() is None, "nothing is due any more"
    out = capfd.readouterr().out
    assert "edge" not in out, "/events has no edge for each frame"
    lines = [line.split() for line in out.splitlines()]
    assert [line[:3] for line in lines] == [["synced", "trigger", "7"], ["synced", "frame", "7"]]
    assert all(float(fell) - float(rose) >= FRAME_PULSE_S * 0.99 for *_, rose, fell in lines)


def test_frames_that_come_at_once_have_a_pulse_each(guard, pins, capfd):
    for number in range(4):
        guard.command(f"frame {number}")
    serve_until(guard, lambda: len(pins.edges(5)) == 8)
    pulses = said(capfd, "frame")
    assert [value for value, *_ in pulses] == [0, 1, 2, 3]
    for (_, _, fell), (_, rose, _) in itertools.pairwise(pulses):
        assert rose - fell >= FRAME_PULSE_S * 0.99, "long enough to be seen as two"


def test_a_guard_without_lines_does_nothing_on_a_frame(pins, capfd):
    guard = Guard(pins, PINS, {})
    guard.command("frame 1")
    guard.command("barcodes")
    assert (pins.writes, guard.end_due_pulses()) == ([], None)


def test_a_barcode_never_holds_the_guard(guard, pins):
    guard.command("barcodes")
    held_s = []
    for number in range(60):
        began_s = time.monotonic()
        wait_s = guard.end_due_pulses()
        guard.command(f"pulse reward {0.001 + number * 1e-5}")
        held_s.append(time.monotonic() - began_s)
        assert pins.writes[-1] == (27, 1), "the valve goes at once"
        assert wait_s <= EVERY_S, "it waits in select, where a command wakes it"
        time.sleep(0.01)
    assert np.median(held_s) < START_S / 2, "no edge is waited for"
    assert pins.edges(6)[:2] == [1, 0], "a barcode was under way"


def test_barcodes_come_every_five_seconds_and_can_be_read_back():
    now_s, driven, reported = 0.0, [], []
    wire = Wire(lambda level: driven.append((now_s, level)), lambda value, *_: reported.append(value))
    barcodes = Barcodes(wire)
    barcodes.begin(0.0)
    for now_s in np.arange(0, 3 * EVERY_S - BIT_S, 1e-3):
        barcodes.begin(now_s)  # again and again: what runs goes on
        barcodes.drive_due(now_s)
    rising_s, falling_s = (np.array([at_s for at_s, level in driven if level == wanted]) for wanted in (1, 0))
    found = decode(rising_s, falling_s)
    assert list(found) == list(dict.fromkeys(reported)), "each pulse is reported with the barcode that it belongs to"
    np.testing.assert_allclose(list(found.values()), [0, EVERY_S, 2 * EVERY_S], atol=2e-3)
    assert driven[-1][1] == 0, "low until the next one"


def test_edges_that_come_late_do_not_shift_those_after_them():
    now_s, driven = 0.0, []
    barcodes = Barcodes(Wire(lambda level: driven.append((now_s, level)), lambda *_: None))
    barcodes.begin(0.0)
    now_s = BIT_S
    barcodes.drive_due(now_s)  # both edges of the start pulse are late
    assert driven == [(BIT_S, 1), (BIT_S, 0)]
    assert barcodes.due_s() in {FIRST_BIT_S + BIT_S * bit for bit in range(32)} | {EVERY_S}


@pytest.mark.parametrize("command", ["all_off", "off barcode"])
def test_a_barcode_ends_when_its_pin_is_to_be_low(guard, pins, capfd, command):
    guard.command("barcodes")
    serve_until(guard, lambda: pins.levels[6] == 1)
    guard.command(command)
    assert pins.levels[6] == 0
    assert len(said(capfd, "barcode")) == 1, "what was driven is reported"
    assert guard.end_due_pulses() is None, "and no further one is due"


def test_frames_that_wait_are_forgotten_when_all_goes_low(guard, pins):
    for number in range(3):
        guard.command(f"frame {number}")
    guard.all_low()
    assert set(pins.levels.values()) == {0}
    assert guard.end_due_pulses() is None


def test_without_a_beat_the_lines_go_low_too(pins, capfd):
    guard = Guard(pins, NAMES, {}, max_silence_s=0.05, frame_pulses_s={"frame": 60.0})
    guard.command("beat")
    guard.command("barcodes")
    guard.command("frame 1")
    assert pins.levels[5] == 1
    serve_until(guard, lambda: set(pins.levels.values()) == {0} and "silent" in capfd.readouterr().out)
    assert guard.end_due_pulses() is None


def test_a_line_that_fails_keeps_no_other_pin_high(capfd):
    class Broken(RecordingPins):
        def write(self, pin, level):
            if pin in (5, 6) and not level:
                raise OSError("stuck")
            super().write(pin, level)

    pins = Broken()
    guard = Guard(pins, NAMES, {}, frame_pulses_s={"frame": FRAME_PULSE_S})
    guard.command("on reward")
    guard.command("frame 1")
    guard.all_low()
    assert pins.levels[27] == 0
    assert "error frame could not be taken low: stuck" in capfd.readouterr().out


VALUES = [0, 1, 2**31, 2**32 - 1, 0x55555555, 0xAAAAAAAA, *random.Random(1).sample(range(2**32), 20)]


def recorded(value, began_s=100.0, rate=1.0):
    """Return rising and falling edges of a barcode, as another machine has them."""
    edges = [(began_s + at_s * rate, level) for at_s, level in edges_of(value)]
    return tuple(np.array([at_s for at_s, level in edges if level == wanted]) for wanted in (1, 0))


@pytest.mark.parametrize("value", VALUES, ids=hex)
def test_every_barcode_has_edges_of_its_own(value):
    edges = edges_of(value)
    assert [level for _, level in edges] == [1, 0] * (len(edges) // 2)
    assert edges[-1][0] <= LENGTH_S
    rising_s, falling_s = recorded(value, rate=1 + 5e-5)
    assert decode(rising_s, falling_s) == {value: 100.0}


def test_barcodes_are_found_among_each_other():
    parts = [recorded(value, 100 + EVERY_S * i) for i, value in enumerate(VALUES)]
    rising_s, falling_s = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    noise = np.random.default_rng(0).normal(0, 1e-3, (2, 2000))
    found = decode(rising_s + noise[0, : len(rising_s)], falling_s + noise[1, : len(falling_s)])
    assert list(found) == VALUES


@pytest.mark.parametrize("place", range(3))
def test_a_barcode_with_an_edge_too_few_is_left_out(place):
    rising_s, falling_s = recorded(0x5A5A1234)
    assert decode(np.delete(rising_s, place), falling_s) == {}
    assert 0x5A5A1234 not in decode(rising_s, np.delete(falling_s, place))


def test_a_barcode_with_a_glitch_is_left_out():
    rising_s, falling_s = recorded(0x5A5A1234)
    assert decode(np.append(rising_s, 100.21), np.append(falling_s, 100.2101)) == {}
    assert decode(np.zeros(0), np.zeros(0)) == {}
