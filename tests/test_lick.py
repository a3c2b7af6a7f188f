"""Lick sensors: the real MPR121 driver on an I2C bus in memory, the real rpi-lgpio on a chip in memory."""

import importlib.util
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from conftest import ROOT, gpio_env, wait_until
from rig.errors import LickError
from rig.events import Events
from rig.lick import LickDetector, Mpr121, NoLick, SimLick, open_lick

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
    detector = LickDetector(Mpr121(bus, ADDRESS, 0), events)
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


def test_pulled_cable_is_told_and_mends():
    bus, events = FakeBus(), Events()
    detector = LickDetector(Mpr121(bus, ADDRESS, 0), events)
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
        open_lick(settings(lick="mpr121"), Events())


LICK_ON_GPIO = """
import sys, time, pathlib
sys.path.insert(0, {root!r})
from rig.events import Events
from rig.lick import open_lick
from rig.settings import OneRoiSettings, ROOT, load
cfg, _ = load(OneRoiSettings, ROOT / "config.ini", OneRoiSettings.section,
              {{"vid_source": "SimCameraStream", "lick": "gpio", "lick_pin": "23"}})
lick = open_lick(cfg, Events())
inputs = pathlib.Path({inputs!r})
for high in ("", "23", "22", "23"):
    inputs.write_text(high)
    time.sleep(0.1)
    lick.touched()
    print(int(lick.touched()))
lick.close()
"""


@pytest.mark.skipif(importlib.util.find_spec("RPi") is None, reason="rpi-lgpio is not installed")
def test_gpio_lick_through_the_real_library(tmp_path):
    inputs = str(tmp_path / "inputs")
    done = subprocess.run(
        [sys.executable, "-c", LICK_ON_GPIO.format(root=str(ROOT), inputs=inputs)],
        env=os.environ | gpio_env(tmp_path / "edges", LGPIO_INPUTS=inputs),
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "1", "0", "1"], done.stderr


def test_without_a_sensor_nothing_is_ever_touched(settings):
    lick = open_lick(settings(lick="none"), Events())
    assert isinstance(lick, NoLick)
    assert (lick.touched(), lick.trouble()) == (False, "")
    lick.close()


def test_simulated_mouse_licks_after_a_reward():
    reward, events = SimpleNamespace(count=0), Events()
    lick = SimLick(framerate=15, events=events)
    lick.let_sense(reward)
    before = sum(lick.touched() for _ in range(15 * 60))
    reward.count += 1
    after = sum(lick.touched() for _ in range(30))
    assert before < 10
    assert 4 <= after <= 16, "about six licks a second for one and a half seconds"
    assert len(licks(events)) == before + after


def test_events_of_threads_come_in_order():
    events = Events()
    events.add("lick", 1)
    events.add("reward", 1, time_s=time.monotonic() - 5)
    assert [event.device for event in sorted(events.since(0))] == ["reward", "lick"]
