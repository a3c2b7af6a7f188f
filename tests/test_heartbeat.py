"""Nobody is left under the light with a tone when the loop stands still; and a second Ctrl-C always works."""

import os
import signal
import time

import numpy as np
import pytest

from rig.devices.valve_guard import Guard
from rig.simulated.pins import SimulatedPins
from support.pins import gpio_env, levels, needs_lgpio, read_edges
from support.places import DRIVERS, SHORT
from support.waiting import end, needs, wait_until

LONG = SHORT | {"outputs": "gpio", "initial_rest_dur": "60", "max_silence_s": "2"}


class Recorder(SimulatedPins):
    """Simulated pins that count."""


def test_without_a_beat_all_pins_go_low(capfd):
    pins = Recorder()
    guard = Guard(pins, {"light": 21, "reward": 27}, {"reward": 1.0}, max_silence_s=0.05)
    guard.command("on light")
    assert guard.end_due_pulses() is None, "no beat is expected before the first"
    guard.command("beat")
    guard.command("pulse reward 0.9")
    assert 0 < guard.end_due_pulses() <= 0.05
    time.sleep(0.06)
    guard.end_due_pulses()
    assert pins.levels == {21: 0, 27: 0}
    assert "silent " in capfd.readouterr().out


@pytest.mark.parametrize("command", ["rest", "all_off"])
def test_no_beat_is_expected_after(capfd, command):
    guard = Guard(Recorder(), {"light": 21}, {}, max_silence_s=0.05)
    guard.command("beat")
    guard.command(command)
    assert guard.end_due_pulses() is None


@needs_lgpio
@pytest.mark.parametrize("at_stall", ["continue", "end"])
def test_a_stopped_script_goes_dark_and_comes_back(run, tmp_path, at_stall):
    log = tmp_path / "edges"
    process = run.start(settings=LONG | {"at_stall": at_stall}, fast=False, env=gpio_env(log))
    try:
        run.wait_for_rows(10)
        assert levels(log)[21] == 1
        process.send_signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        wait_until(lambda: levels(log)[21] == levels(log)[17] == 0, timeout_s=10)
        dark_s = [edge[0] for edge in read_edges(log) if edge[1:] == (21, 0)][-1]
        assert dark_s - stopped_s < 2.5
        process.send_signal(signal.SIGCONT)
        if at_stall == "continue":
            wait_until(lambda: levels(log)[21] == levels(log)[17] == 1, timeout_s=10)
            process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    finally:
        end(process)
    assert process.returncode == (143 if at_stall == "continue" else 0), output
    session = run.session()
    assert [event.value for event in session.of("stall")] == [1, 0], "low, and back"
    assert float(session.attributes["stalls_s"]) >= 2
    if at_stall == "end":
        assert session.attributes["ended_by"].startswith("the loop stood still for ")


HANGS = {"vid_source": "HangingStream"}


@needs_lgpio
def test_a_second_signal_ends_a_script_that_hangs_in_a_library(run, tmp_path):
    """The driver of this camera never returns, deaf to Python's handlers of signals."""
    log = tmp_path / "edges"
    env = gpio_env(log)
    env["PYTHONPATH"] += os.pathsep + str(DRIVERS)
    process = run.start(settings=LONG | HANGS, fast=False, env=env)
    try:
        folder = run.wait_for_rows(15)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None, "an impatient one changes nothing"
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=5)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 130
    assert "ended at once" in output
    wait_until(lambda: not any(levels(log).values()), timeout_s=5)
    done = run(mouse="other")
    assert f"{folder}: this session was cut short; its files are finished now" in done.stdout


@needs("pulseaudio", "pactl", "parec")
@pytest.mark.alone
def test_the_tone_of_a_stopped_script_falls_silent(run, loudspeaker):
    sounding = SHORT | {
        "tone": "pyaudio",
        "initial_rest_dur": "1",
        "max_trial_dur": "60",
        "session_type": "single_audio_normal_reward",
        "reward_threshold": "9",
    }
    process = run.start(settings=sounding, fast=False, env=loudspeaker.env)
    try:
        wait_until(lambda: len(loudspeaker.samples()) and np.abs(loudspeaker.samples()[-4800:]).max() > 0.4)
        process.send_signal(signal.SIGSTOP)
        time.sleep(3.0)
        quiet_from = len(loudspeaker.samples())
        time.sleep(0.5)
        assert np.abs(loudspeaker.samples()[quiet_from:]).max() < 1e-3
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: np.abs(loudspeaker.samples()[-4800:]).max() > 0.4, timeout_s=15)
    finally:
        process.send_signal(signal.SIGCONT)
        end(process)
        process.stdout.close()
