"""Lick sensors: the real MPR121 driver on an I2C bus in memory, the real rpi-lgpio on a chip in memory."""

import os
import signal
import subprocess
import sys
import time

import pytest

from rig.devices.input_line import NoInput, Watch
from rig.devices.lick import WORDS, Mpr121, open_lick
from rig.errors import LickError
from rig.events import Events
from rig.protocol.tally import Tally
from rig.simulated.lick import SimLick
from support.pins import gpio_env, needs_lgpio
from support.places import ROOT
from support.processes import command
from support.waiting import end, wait_until

SOFT_RESET, CONFIG2, ADDRESS = 0x80, 0x5D, 0x5A


class FakeBus:
    """An I2C bus with one MPR121: registers, soft reset, touch status; the cable can be pulled."""

    def __init__(self, address=ADDRESS):
        self.address, self.registers, self.touched, self.pulled = address, bytearray(256), 0, False

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def _answer(self, address):
        if self.pulled or address != self.address:
            raise OSError(121, "Remote I/O error")

    def writeto(self, address, buffer, *, start=0, end=None, **_):
        self._answer(address)
        data = bytes(buffer)[start:end]
        if len(data) == 2:
            self.registers[data[0]] = data[1]
        if data[:1] == bytes([SOFT_RESET]):
            self.registers = bytearray(256)
            self.registers[CONFIG2] = 0x24

    def readfrom_into(self, address, buffer, *, start=0, end=None, **_):
        self._answer(address)

    def writeto_then_readfrom(self, address, out, into, *, out_start=0, out_end=None, in_start=0, in_end=None, **_):
        self._answer(address)
        self.registers[0], self.registers[1] = self.touched & 0xFF, self.touched >> 8
        end = len(into) if in_end is None else in_end
        for i in range(in_start, end):
            into[i] = self.registers[out[0] + i - in_start]


def licks(events, device="lick"):
    return [event.value for event in sorted(events.since(0)) if event.device == device]


def test_mpr121_touches_are_latched_and_noted():
    bus, events = FakeBus(), Events()
    detector = Watch(Mpr121(bus, ADDRESS, 0), events, WORDS)
    assert not detector.touched()
    bus.touched = 0b1
    wait_until(detector.touched)
    assert detector.touched(), "still on"
    bus.touched = 0
    wait_until(lambda: not detector.touched())
    bus.touched = 0b1
    wait_until(lambda: len(licks(events)) == 3)
    bus.touched = 0
    wait_until(lambda: len(licks(events)) == 4)
    assert detector.touched(), "a lick between two frames is not missed"
    assert not detector.touched()
    detector.close()
    assert licks(events) == [1, 0, 1, 0]


def test_only_the_channel_of_the_spout_counts():
    bus = FakeBus()
    sensor = Mpr121(bus, ADDRESS, 3)
    bus.touched = 0b0111
    assert not sensor.read()
    bus.touched = 0b1000
    assert sensor.read()


def test_pulled_cable_is_reported_and_mends():
    bus, events = FakeBus(), Events()
    detector = Watch(Mpr121(bus, ADDRESS, 0), events, WORDS)
    assert detector.trouble() == ""
    bus.pulled = True
    wait_until(lambda: "does not answer" in detector.trouble())
    assert not detector.touched()
    bus.pulled = False
    wait_until(lambda: detector.trouble() == "")
    detector.close()
    assert licks(events, "lick sensor") == [0, 1]


@pytest.mark.parametrize("address", [0x5B, 0x10])
def test_absent_chip_is_one_sentence(address):
    with pytest.raises(LickError, match=rf"no MPR121 answers at I2C address {address:#x} .* set lick = none"):
        Mpr121(FakeBus(), address, 0)


@pytest.mark.skipif(os.path.exists("/dev/i2c-1"), reason="this machine has an I2C bus")
def test_absent_bus_is_one_sentence(settings):
    with pytest.raises(LickError, match="raspi-config"):
        open_lick(settings(lick="mpr121"), Events(), Tally())


@needs_lgpio
def test_gpio_lick_through_the_real_library(tmp_path):
    inputs = str(tmp_path / "inputs")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.lick_on_gpio", inputs],
        cwd=ROOT, env=os.environ | gpio_env(tmp_path / "edges", LGPIO_INPUTS=inputs),
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "1", "0", "1"], done.stderr


@needs_lgpio
def test_the_bench_shows_licks_until_ctrl_c(tmp_path):
    inputs = tmp_path / "inputs"
    inputs.write_text("23")  # the tongue touches
    bench = subprocess.Popen(
        [sys.executable, "-m", "rig.commands.lick", "--set", "lick=gpio", "--set", "vid_source=SimCameraStream"],
        cwd=ROOT, env=os.environ | gpio_env(tmp_path / "edges", LGPIO_INPUTS=str(inputs)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert bench.stdout.readline() == "touch the spout; Ctrl-C ends\n"
        shown = ""
        while "lick lick" not in shown:
            more = bench.stdout.read(1)
            assert more, shown
            shown += more
        bench.send_signal(signal.SIGINT)
        bench.communicate(timeout=20)
    finally:
        end(bench)
    assert bench.returncode == 130


def test_the_bench_without_a_sensor_is_one_sentence():
    done = command("lick")
    assert done.returncode == 1
    assert done.stderr == "lick = none: there is no sensor to try; add --set lick=mpr121 or --set lick=gpio\n"


def test_the_simulated_mouse_is_opened_with_the_tally_of_the_session(settings):
    tally, events = Tally(), Events()
    lick = open_lick(settings(lick="simulated", framerate=15), events, tally)
    assert isinstance(lick, SimLick)
    tally.rewards += 1
    assert sum(lick.touched() for _ in range(30)) >= 4
    lick.close()


def test_without_a_sensor_nothing_is_ever_touched(settings):
    lick = open_lick(settings(lick="none"), Events(), Tally())
    assert isinstance(lick, NoInput)
    assert (lick.touched(), lick.trouble()) == (False, "")
    lick.close()


def test_simulated_mouse_licks_after_a_reward():
    tally, events = Tally(), Events()
    lick = SimLick(15, events, tally)
    before = sum(lick.touched() for _ in range(15 * 60))
    tally.rewards += 1
    after = sum(lick.touched() for _ in range(30))
    assert before < 10
    assert 4 <= after <= 16, "about six licks a second for one and a half seconds"
    assert len(licks(events)) == before + after


def test_events_of_threads_come_in_order():
    events = Events()
    events.add("lick", 1)
    events.add("reward", 1, time_s=time.monotonic() - 5)
    assert [event.device for event in sorted(events.since(0))] == ["reward", "lick"]
