"""The pins: the guard on simulated pins, and on the real rpi-lgpio over a chip in memory."""

import importlib.util
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT, gpio_env, read_edges, wait_until
from rig.errors import OutputError
from rig.events import Events
from rig.outputs import NAMES, Outputs
from rig.valve_guard import Guard, SimulatedPins

PINS = {"reward": 27, "fail": 12, "light": 21, "trigger": 17}
needs_lgpio = pytest.mark.skipif(importlib.util.find_spec("RPi") is None, reason="rpi-lgpio is not installed")


@pytest.fixture(params=["simulated", pytest.param("gpio", marks=needs_lgpio)])
def kind(request, monkeypatch, tmp_path):
    """Both kinds of pins; the real library finds a chip in memory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if request.param == "gpio":
        for key, value in gpio_env(tmp_path / "edges").items():
            monkeypatch.setenv(key, value)
    return request.param


def edges(events, name):
    return [
        (event.value, event.time_s)
        for event in sorted(events.since(0))
        if event.device == name and event.detail == "driven"
    ]


def test_contract(kind, settings):
    events = Events()
    with Outputs(settings(outputs=kind), events) as outputs:
        outputs.light.on()
        outputs.light.off()
        for _ in range(2):
            outputs.reward.pulse(0.1)
            time.sleep(0.25)
        outputs.trigger.on()
        assert outputs.reward.count == 2
    outputs.close()  # closing twice is harmless
    reward = edges(events, "reward")
    assert [level for level, _ in reward] == [1, 0, 1, 0], "two pulses"
    assert reward[1][1] - reward[0][1] == pytest.approx(0.1, abs=0.05)
    assert [level for level, _ in edges(events, "light")] == [1, 0]
    assert [level for level, _ in edges(events, "trigger")] == [1, 0]
    with pytest.raises(OutputError):
        outputs.reward.on()


def test_pulses_overlap_and_all_off_ends_them(kind, settings):
    events = Events()
    with Outputs(settings(outputs=kind), events) as outputs:
        outputs.reward.pulse(0.5)
        outputs.fail.pulse(0.2)
        wait_until(lambda: len(edges(events, "fail")) == 2)
        assert [level for level, _ in edges(events, "reward")] == [1]
        outputs.all_off()
        wait_until(lambda: len(edges(events, "reward")) == 2)
    assert edges(events, "reward")[1][1] - edges(events, "reward")[0][1] < 0.45


@needs_lgpio
def test_the_real_library_drives_the_documented_pins(settings, tmp_path, monkeypatch):
    for key, value in gpio_env(tmp_path / "edges").items():
        monkeypatch.setenv(key, value)
    with Outputs(settings(outputs="gpio"), Events()) as outputs:
        assert {gpio: level for _, gpio, level in read_edges(tmp_path / "edges")} == dict.fromkeys(PINS.values(), 0)
        for name, gpio in PINS.items():
            getattr(outputs, name).on()
            wait_until(lambda gpio=gpio: (gpio, 1) in [edge[1:] for edge in read_edges(tmp_path / "edges")])


@needs_lgpio
def test_board_numbering(settings, tmp_path, monkeypatch):
    for key, value in gpio_env(tmp_path / "edges").items():
        monkeypatch.setenv(key, value)
    changes = {"pin_numbering": "BOARD", "reward_pin": 7, "fail_pin": 12, "light_pin": 40, "trigger_pin": 13}
    with Outputs(settings(outputs="gpio", **changes), Events()):
        pass
    assert {gpio for _, gpio, _ in read_edges(tmp_path / "edges")} == {4, 18, 21, 27}, (
        "pins 7, 12, 40 and 13 of the header"
    )


def test_the_bench_takes_the_pins_of_the_section():
    done = bench("light", "--simulate", "--seconds", "0.01", "--section", "sentech_dlclive")
    assert done.returncode == 0, done.stderr
    assert "pin 40 (BOARD)" in done.stdout


@needs_lgpio
def test_a_second_process_is_told_who_holds_the_pins(tmp_path):
    env = gpio_env(tmp_path / "edges")
    first = subprocess.Popen(
        [sys.executable, "-m", "rig.outputs", *["light"] * 9, "--seconds", "0.9"],
        cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: (21, 1) in [edge[1:] for edge in read_edges(tmp_path / "edges")])
    second = bench("fail", env=env)
    first.terminate()
    first.communicate(timeout=20)
    assert (first.returncode, second.returncode) == (143, 1)
    assert f"the output pins are held by process {first.pid} since" in second.stderr
    assert "light light --seconds 0.9; end that first" in second.stderr
    assert bench("fail", "--seconds", "0.05", env=env).returncode == 0, "free again"


def test_a_lock_of_somebody_else_is_one_sentence(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "clopy_pins.lock").mkdir()  # as little to be opened as a file of another user
    with pytest.raises(OutputError, match=r"the lock of the output pins cannot be taken .*; remove "):
        Outputs(settings(outputs="gpio"), Events())


SCRIPT_THAT_DIES = """
import os, sys, time
sys.path.insert(0, {root!r})
from rig.events import Events
from rig.outputs import Outputs
from rig.settings import OneRoiSettings, ROOT, load
cfg, _ = load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section, {{"vid_source": "SimCameraStream"}})
outputs = Outputs(cfg, Events())
outputs.reward.pulse(0.9)
outputs.light.on()
print("open", flush=True)
time.sleep(60)
"""


@needs_lgpio
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
def test_valve_closes_when_the_script_dies(number, tmp_path):
    log = tmp_path / "edges"
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT_THAT_DIES.format(root=str(ROOT))],
        env=os.environ | gpio_env(log), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert script.stdout.readline() == b"open\n"
    wait_until(lambda: (21, 1) in [edge[1:] for edge in read_edges(log)])
    died_s = time.monotonic()
    script.send_signal(number)
    script.wait()
    script.stdout.close()
    wait_until(lambda: {edge[1:] for edge in read_edges(log)[-4:]} == {(gpio, 0) for gpio in PINS.values()})
    closed_s = next(t for t, gpio, level in read_edges(log) if gpio == 27 and level == 0 and t > died_s)
    opened_s = next(t for t, gpio, level in read_edges(log) if gpio == 27 and level == 1)
    assert closed_s < opened_s + 0.85, "before the end of the pulse of 0.9 s"


def test_a_dead_guard_is_noticed_before_the_next_reward_and_at_the_end(kind, settings):
    with pytest.raises(OutputError, match="has died"), Outputs(settings(outputs=kind), Events()) as outputs:
        os.kill(outputs._guard.pid, signal.SIGKILL)
        outputs._guard.wait()
        wait_until(lambda: outputs._error)
        for action in (lambda: outputs.reward.pulse(0.1), outputs.check, outputs.all_off):
            with pytest.raises(OutputError, match="guard of the output pins has died"):
                action()


@needs_lgpio
@pytest.mark.parametrize(
    "numbers", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGHUP)], ids=str
)
def test_a_guard_that_is_told_to_end_closes_the_valve(settings, tmp_path, monkeypatch, numbers):
    for key, value in gpio_env(tmp_path / "edges").items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OutputError), Outputs(settings(outputs="gpio"), Events()) as outputs:
        outputs.reward.pulse(0.9)
        outputs.light.on()
        wait_until(lambda: (21, 1) in [edge[1:] for edge in read_edges(tmp_path / "edges")])
        for number in numbers:
            os.kill(outputs._guard.pid, number)
        outputs._guard.wait(10)
        levels = {gpio: level for _, gpio, level in read_edges(tmp_path / "edges")}
        assert levels == dict.fromkeys(PINS.values(), 0)


def test_a_stuck_guard_is_noticed_and_ended(kind, settings, monkeypatch):
    monkeypatch.setattr("rig.outputs.ANSWERS_WITHIN_S", 0.3)
    with pytest.raises(OutputError), Outputs(settings(outputs=kind), Events()) as outputs:
        outputs.check()
        wait_until(lambda: outputs._pinged_s == 0)
        outputs.check()
        os.kill(outputs._guard.pid, signal.SIGSTOP)
        time.sleep(0.1)
        with pytest.raises(OutputError, match="does not answer"):
            for _ in range(20):
                outputs.check()
                time.sleep(0.1)
        assert outputs._guard.wait(5) == -signal.SIGKILL


def test_a_guard_that_is_stuck_at_the_end_is_ended(kind, settings, monkeypatch):
    monkeypatch.setattr("rig.outputs.ANSWERS_WITHIN_S", 0.3)
    with pytest.raises(OutputError), Outputs(settings(outputs=kind), Events()) as outputs:
        os.kill(outputs._guard.pid, signal.SIGSTOP)
        with pytest.raises(OutputError, match="does not answer"):
            outputs.all_off()
    assert outputs._guard.poll() == -signal.SIGKILL


@needs_lgpio
def test_a_pin_that_fails_takes_the_others_low_and_says_so(settings, tmp_path, monkeypatch):
    for key, value in gpio_env(tmp_path / "edges", LGPIO_FAIL_GPIO="12").items():
        monkeypatch.setenv(key, value)
    with pytest.raises(OutputError), Outputs(settings(outputs="gpio"), Events()) as outputs:
        outputs.light.on()
        outputs.fail.pulse(0.05)  # going low fails
        wait_until(lambda: outputs._error)
        with pytest.raises(OutputError, match="output pins failed"):
            outputs.check()
    assert read_edges(tmp_path / "edges")[-1][1:] in {(21, 0), (17, 0)}
    assert [level for _, gpio, level in read_edges(tmp_path / "edges") if gpio == 21][-1] == 0


def test_without_the_library_it_is_one_sentence(settings, monkeypatch, tmp_path):
    (tmp_path / "RPi").mkdir()
    (tmp_path / "RPi" / "__init__.py").write_text("raise ImportError('none here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(OutputError, match=r"apt install python3-rpi-lgpio.*--set outputs=simulated"):
        Outputs(settings(outputs="gpio"), Events())


class Recorder(SimulatedPins):
    """Simulated pins that remember."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, pin, level):
        super().write(pin, level)
        self.writes.append((pin, level))


@pytest.mark.parametrize("command", ["pulse reward 3600", "on reward"])
def test_the_valve_closes_at_the_hard_maximum(capfd, command):
    pins = Recorder()
    guard = Guard(pins, {"reward": 27, "fail": 12}, {"reward": 0.05})
    guard.command(command)
    assert 0 < guard.end_due_pulses() <= 0.05
    time.sleep(0.03)
    guard.command(command)  # another one while it is open does not keep it open for longer
    assert 0 < guard.end_due_pulses() <= 0.02
    time.sleep(0.03)
    assert guard.end_due_pulses() is None
    assert (pins.levels[27], pins.writes[-1]) == (0, (27, 0))


def test_only_the_valve_has_a_maximum(capfd):
    pins = Recorder()
    guard = Guard(pins, {"reward": 27, "fail": 12}, {"reward": 0.05})
    guard.command("pulse fail 0.2")
    guard.command("on fail")
    assert guard.end_due_pulses() is None, "on for good"
    guard.command("off fail")
    assert pins.writes[-1] == (12, 0)


def test_guard_takes_every_pin_low_even_if_one_fails(capfd):
    class Broken(Recorder):
        def write(self, pin, level):
            if pin == 27:
                raise OSError("stuck")
            super().write(pin, level)

    pins = Broken()
    Guard(pins, PINS, {}).all_low()
    assert pins.writes == [(12, 0), (21, 0), (17, 0)]
    assert "error reward could not be taken low: stuck" in capfd.readouterr().out


def bench(*arguments, env=None):
    return subprocess.run(
        [sys.executable, "-m", "rig.outputs", *arguments],
        cwd=ROOT, env=os.environ | (env or {}), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@needs_lgpio
def test_bench_pulses_each_output_by_name(tmp_path):
    done = bench("--seconds", "0.05", env=gpio_env(tmp_path / "edges"))
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(NAMES)
    rising = [gpio for _, gpio, level in read_edges(tmp_path / "edges") if level]
    assert rising == list(PINS.values())


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [(("valve",), "known are reward, fail, light, trigger"), (("--seconds", "9"), "at most max_valve_open_s, 1 s")],
)
def test_bench_refuses(arguments, fragment):
    done = bench("--simulate", *arguments)
    assert done.returncode == 2
    assert fragment in done.stderr
