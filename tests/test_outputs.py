"""The pins: the guard on simulated pins, and on the real rpi-lgpio over a chip in memory."""

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from rig.devices.outputs import NAMES, Outputs
from rig.devices.valve_guard import Guard
from rig.errors import OutputError
from rig.events import Events
from support.pins import PINS, SYNC, SYNC_PINS, RecordingPins, all_low, gpio_env, levels, needs_lgpio, read_edges
from support.places import ROOT
from support.processes import child_of, command, has_ended
from support.waiting import end, wait_until


@pytest.fixture(params=["simulated", pytest.param("gpio", marks=needs_lgpio)])
def kind(request):
    """Both kinds of pins; the real library finds a chip in memory."""
    if request.param == "gpio":
        request.getfixturevalue("chip")
    return request.param


@pytest.fixture
def chip(monkeypatch, tmp_path):
    """The real library on a chip in memory; yields the log of its edges."""
    log = tmp_path / "edges"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for key, value in gpio_env(log).items():
        monkeypatch.setenv(key, value)
    return log


def edges(events, name):
    return [
        (event.value, event.time_s)
        for event in sorted(events.since(0))
        if event.device == name and event.detail == "driven"
    ]


def commanded(events, name):
    return [event.value for event in events.since(0) if event.device == name and event.detail.startswith("commanded")]


def went_high(log, gpio):
    """Return whether the chip in memory has seen this GPIO high."""
    return (gpio, 1) in [edge[1:] for edge in read_edges(log)]


def guard_of():
    """Return the process number of the guard that this test has started."""
    return child_of(os.getpid(), "rig.devices.valve_guard")


def test_contract(kind, settings):
    events = Events()
    with Outputs(settings(outputs=kind), events) as outputs:
        outputs.light.on()
        outputs.light.off()
        for _ in range(2):
            outputs.reward.pulse(0.1)
            time.sleep(0.25)
        outputs.trigger.on()
    outputs.close()  # closing twice is harmless
    assert commanded(events, "reward") == [1, 1]
    reward = edges(events, "reward")
    assert [level for level, _ in reward] == [1, 0, 1, 0], "two pulses"
    assert reward[1][1] - reward[0][1] == pytest.approx(0.1, abs=0.05)
    assert [level for level, _ in edges(events, "light")] == [1, 0]
    assert [level for level, _ in edges(events, "trigger")] == [1, 0]
    with pytest.raises(OutputError):
        outputs.reward.on()


def test_lines_for_other_machines(kind, settings):
    """The contract of frame pulses and barcodes: each pulse is reported as it was driven, and none is an event."""
    events = Events()
    with Outputs(settings(outputs=kind, framerate=50, trigger_mode="frames", **SYNC), events) as outputs:
        outputs.begin_session()
        for number in range(5):
            outputs.mark(number)
            time.sleep(0.02)
        wait_until(lambda: len({pulse.line for pulse in events.pulses}) == 3)
        outputs.all_off()
    by_line = {line: [p for p in events.pulses if p.line == line] for line in ("frame", "trigger", "barcode")}
    assert [pulse.value for pulse in by_line["frame"]] == [pulse.value for pulse in by_line["trigger"]] == [*range(5)]
    assert len({pulse.value for pulse in by_line["barcode"]}) == 1, "pulses of one barcode"
    for pulses in by_line.values():
        assert all(pulse.rose_s < pulse.fell_s for pulse in pulses)
        assert all(one.fell_s < other.rose_s for one, other in itertools.pairwise(pulses))
    assert not [event for event in events.since(0) if event.device in by_line]


def test_level_is_how_the_trigger_was_always(kind, settings):
    events = Events()
    with Outputs(settings(outputs=kind), events) as outputs:
        outputs.begin_session()
        outputs.mark(0)
        outputs.all_off()
    assert [level for level, _ in edges(events, "trigger")] == [1, 0]
    assert not events.pulses


def test_frames_of_a_replay_have_no_pulse(kind, settings):
    events = Events()
    with Outputs(settings(outputs=kind, **SYNC), events, marks_frames=False) as outputs:
        outputs.begin_session()
        outputs.mark(0)
        outputs.all_off()
    assert not events.pulses
    assert [level for level, _ in edges(events, "trigger")] == [1, 0], "the level says that a session runs"


@needs_lgpio
def test_a_loop_that_comes_back_sends_barcodes_again(settings, chip, monkeypatch):
    events = Events()
    with Outputs(settings(outputs="gpio", max_silence_s=0.1, camera_timeout_s=0.1, **SYNC), events) as outputs:
        outputs.begin_session()
        outputs.beat()
        wait_until(lambda: [event for event in events.since(0) if event.device == "stall"])
        assert levels(chip) == dict.fromkeys((PINS | SYNC_PINS).values(), 0)
        first = {pulse.value for pulse in events.pulses if pulse.line == "barcode"}
        assert outputs.beat() > 0
        outputs.rest()
        wait_until(lambda: {pulse.value for pulse in events.pulses if pulse.line == "barcode"} - first)


@needs_lgpio
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("dies", ["script", "guard"])
def test_the_lines_go_low_when_somebody_dies(dies, number, tmp_path):
    log = tmp_path / "edges"
    script = subprocess.Popen(
        [sys.executable, "-m", "tests.support.mark_frames"],
        cwd=ROOT, env=os.environ | gpio_env(log), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert script.stdout.readline() == b"marking\n"
        wait_until(lambda: went_high(log, SYNC_PINS["frame"]) and went_high(log, SYNC_PINS["barcode"]))
        os.kill(script.pid if dies == "script" else child_of(script.pid, "rig.devices.valve_guard"), number)
        script.wait(20)
    finally:
        end(script)
        script.stdout.close()
    wait_until(lambda: levels(log) == dict.fromkeys((PINS | SYNC_PINS).values(), 0))


def test_pulses_overlap_and_all_off_ends_them(kind, settings):
    events = Events()
    with Outputs(settings(outputs=kind), events) as outputs:
        outputs.reward.pulse(0.5)
        outputs.fail.pulse(0.2)
        wait_until(lambda: len(edges(events, "fail")) == 2)
        assert [level for level, _ in edges(events, "reward")] == [1]
        outputs.all_off()
        assert len(edges(events, "reward")) == 2, "it waits until all pins are low"
    assert edges(events, "reward")[1][1] - edges(events, "reward")[0][1] < 0.45


def test_a_device_that_stops_on_a_rising_edge_gets_its_last_one(kind, settings):
    events = Events()
    with Outputs(settings(outputs=kind), events) as outputs:
        outputs.trigger.on()
        outputs.trigger.stop_edge()
    assert [level for level, _ in edges(events, "trigger")] == [1, 0, 1, 0]


@needs_lgpio
def test_the_real_library_drives_the_documented_pins(settings, chip):
    with Outputs(settings(outputs="gpio"), Events()) as outputs:
        assert all_low(chip)
        for name, gpio in PINS.items():
            getattr(outputs, name).on()
            wait_until(lambda gpio=gpio: went_high(chip, gpio))


@needs_lgpio
def test_board_numbering(settings, chip):
    changes = {"pin_numbering": "BOARD", "reward_pin": 7, "fail_pin": 12, "light_pin": 40, "trigger_pin": 13}
    with Outputs(settings(outputs="gpio", **changes), Events()):
        pass
    assert {gpio for _, gpio, _ in read_edges(chip)} == {4, 18, 21, 27}, "pins 7, 12, 40 and 13 of the header"


def test_the_bench_takes_the_pins_of_the_section():
    done = command("outputs", "light", "--simulate", "--seconds", "0.01", "--section", "sentech_dlclive")
    assert done.returncode == 0, done.stderr
    assert "pin 40 (BOARD)" in done.stdout


@needs_lgpio
def test_a_second_process_learns_who_holds_the_pins(tmp_path):
    env = gpio_env(tmp_path / "edges")
    first = subprocess.Popen(
        [sys.executable, "-m", "rig.commands.outputs", *["light"] * 9, "--seconds", "0.9"],
        cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_until(lambda: went_high(tmp_path / "edges", PINS["light"]))
        second = command("outputs", "fail", env=env)
        first.terminate()
        first.communicate(timeout=20)
    finally:
        end(first)
    assert (first.returncode, second.returncode) == (143, 1)
    assert f"the output pins are held by process {first.pid} since" in second.stderr
    assert "light light --seconds 0.9; end that first" in second.stderr
    assert command("outputs", "fail", "--seconds", "0.05", env=env).returncode == 0, "free again"


def test_a_lock_of_somebody_else_is_one_sentence(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("CLOPY_LOCK_DIR", str(tmp_path))
    (tmp_path / "clopy_pins.lock").mkdir()  # as little to be opened as a file of another user
    with pytest.raises(OutputError, match=r"the lock of the output pins cannot be taken .*; remove "):
        Outputs(settings(outputs="gpio"), Events())


@needs_lgpio
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
def test_valve_closes_when_the_script_dies(number, tmp_path):
    log = tmp_path / "edges"
    script = subprocess.Popen(
        [sys.executable, "-m", "tests.support.open_valve"],
        cwd=ROOT, env=os.environ | gpio_env(log), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert script.stdout.readline() == b"open\n"
    wait_until(lambda: went_high(log, PINS["light"]))
    died_s = time.monotonic()
    script.send_signal(number)
    script.wait()
    script.stdout.close()
    wait_until(lambda: {edge[1:] for edge in read_edges(log)[-4:]} == {(gpio, 0) for gpio in PINS.values()})
    closed_s = next(t for t, gpio, level in read_edges(log) if gpio == 27 and level == 0 and t > died_s)
    opened_s = next(t for t, gpio, level in read_edges(log) if gpio == 27 and level == 1)
    assert closed_s < opened_s + 0.85, "before the end of the pulse of 0.9 s"


@pytest.mark.parametrize("action", ["reward", "check", "all_off"])
def test_a_dead_guard_is_noticed_by_whatever_comes_next(kind, settings, action):
    with pytest.raises(OutputError, match="has died"), Outputs(settings(outputs=kind), Events()) as outputs:
        guard = guard_of()
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: has_ended(guard))
        act = {"reward": lambda: outputs.reward.pulse(0.1), "check": outputs.check, "all_off": outputs.all_off}[action]
        with pytest.raises(OutputError, match="guard of the output pins has died"):
            act()


def test_a_dead_guard_stays_noticed_until_the_end(kind, settings):
    with pytest.raises(OutputError, match="has died"), Outputs(settings(outputs=kind), Events()) as outputs:
        os.kill(guard_of(), signal.SIGKILL)
        with pytest.raises(OutputError, match="guard of the output pins has died"):
            wait_until(outputs.check)
        for act in (lambda: outputs.reward.pulse(0.1), outputs.check, outputs.all_off):
            with pytest.raises(OutputError, match="guard of the output pins has died"):
                act()


@needs_lgpio
@pytest.mark.parametrize(
    "numbers", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGHUP)], ids=str
)
def test_a_guard_that_is_asked_to_end_closes_the_valve(settings, chip, numbers):
    with pytest.raises(OutputError), Outputs(settings(outputs="gpio"), Events()) as outputs:
        outputs.reward.pulse(0.9)
        outputs.light.on()
        wait_until(lambda: went_high(chip, PINS["light"]))
        guard = guard_of()
        for number in numbers:
            with suppress(ProcessLookupError):  # the first signal may have ended it already
                os.kill(guard, number)
        wait_until(lambda: has_ended(guard), 10)
        assert all_low(chip)


def test_a_stuck_guard_is_noticed_and_ended(kind, settings, monkeypatch):
    monkeypatch.setattr("rig.devices.outputs.ANSWERS_WITHIN_S", 0.3)
    with pytest.raises(OutputError), Outputs(settings(outputs=kind), Events()) as outputs:
        for _ in range(5):
            outputs.check()  # a guard that answers
            time.sleep(0.1)
        guard = guard_of()
        os.kill(guard, signal.SIGSTOP)
        time.sleep(0.1)
        with pytest.raises(OutputError, match="does not answer"):
            for _ in range(20):
                outputs.check()
                time.sleep(0.1)
        wait_until(lambda: has_ended(guard), 5)  # a stopped process ends by SIGKILL only


def test_a_guard_that_is_stuck_at_the_end_is_ended(kind, settings, monkeypatch):
    monkeypatch.setattr("rig.devices.outputs.ANSWERS_WITHIN_S", 0.3)
    with pytest.raises(OutputError), Outputs(settings(outputs=kind), Events()) as outputs:
        guard = guard_of()
        os.kill(guard, signal.SIGSTOP)
        with pytest.raises(OutputError, match="does not answer"):
            outputs.all_off()
    assert has_ended(guard)


@needs_lgpio
def test_a_pin_that_fails_takes_the_others_low_and_is_reported(settings, chip, monkeypatch):
    monkeypatch.setenv("LGPIO_FAIL_GPIO", "12")
    with pytest.raises(OutputError), Outputs(settings(outputs="gpio"), Events()) as outputs:
        outputs.light.on()
        outputs.fail.pulse(0.05)  # going low fails
        with pytest.raises(OutputError, match="output pins failed"):
            wait_until(outputs.check)
    assert read_edges(chip)[-1][1:] in {(21, 0), (17, 0)}
    assert levels(chip)[PINS["light"]] == 0


def test_without_the_library_it_is_one_sentence(settings, monkeypatch, tmp_path):
    (tmp_path / "RPi").mkdir()
    (tmp_path / "RPi" / "__init__.py").write_text("raise ImportError('none here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OutputError, match=r"apt install python3-rpi-lgpio.*--set outputs=simulated"):
        Outputs(settings(outputs="gpio"), Events())


@pytest.mark.parametrize("command", ["pulse reward 3600", "on reward"])
def test_the_valve_closes_at_the_hard_maximum(capfd, command):
    pins = RecordingPins()
    guard = Guard(pins, {"reward": 27, "fail": 12}, {"reward": 0.5})
    guard.command(command)
    assert 0 < guard.end_due_pulses() <= 0.5
    time.sleep(0.3)
    guard.command(command)  # another one while it is open does not keep it open for longer
    assert 0 < guard.end_due_pulses() <= 0.2
    time.sleep(0.3)
    assert guard.end_due_pulses() is None
    assert (pins.levels[27], pins.writes[-1]) == (0, (27, 0))


def test_only_the_valve_has_a_maximum(capfd):
    pins = RecordingPins()
    guard = Guard(pins, {"reward": 27, "fail": 12}, {"reward": 0.05})
    guard.command("pulse fail 0.2")
    guard.command("on fail")
    assert guard.end_due_pulses() is None, "on for good"
    guard.command("off fail")
    assert pins.writes[-1] == (12, 0)


def test_guard_takes_every_pin_low_even_if_one_fails(capfd):
    class Broken(RecordingPins):
        def write(self, pin, level):
            if pin == 27:
                raise OSError("stuck")
            super().write(pin, level)

    pins = Broken()
    Guard(pins, PINS, {}).all_low()
    assert pins.writes == [(12, 0), (21, 0), (17, 0)]
    assert "error reward could not be taken low: stuck" in capfd.readouterr().out


@needs_lgpio
def test_bench_pulses_each_output_by_name(tmp_path):
    done = command("outputs", "--seconds", "0.05", env=gpio_env(tmp_path / "edges"))
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(NAMES)
    rising = [gpio for _, gpio, level in read_edges(tmp_path / "edges") if level]
    assert rising == list(PINS.values())


@needs_lgpio
def test_bench_pulses_the_lines_for_other_machines(tmp_path):
    given = ("--set", "frame_pin=5", "--set", "barcode_pin=6")
    done = command("outputs", "frame", "barcode", "--seconds", "0.05", *given, env=gpio_env(tmp_path / "edges"))
    assert done.returncode == 0, done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines()] == [["frame", "pin", "5"], ["barcode", "pin", "6"]]
    assert [gpio for _, gpio, level in read_edges(tmp_path / "edges") if level] == [5, 6]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("frame",), "there is no output frame; known are reward, fail, light, trigger"),
        (("valve",), "known are reward, fail, light, trigger"),
        (("--seconds", "9"), "at most max_valve_open_s, 1 s"),
    ],
)
def test_bench_refuses(arguments, fragment):
    done = command("outputs", "--simulate", *arguments)
    assert done.returncode == 2
    assert fragment in done.stderr
