"""Which sound device plays: chosen by number or name, listed, and named in the log and by `--check`."""

import pytest

from rig.devices.tone_player import TonePlayer, list_devices
from rig.devices.tone_process import choose
from rig.errors import ToneError
from rig.events import Events
from support.places import SHORT
from support.processes import command
from support.runner import finished
from support.sound import needs_sound

DEVICES = {
    0: "vc4-hdmi-0: - (hw:0,0)",
    3: "USB Audio: - (hw:2,0)",
    5: "USB Audio 2: - (hw:3,0)",
    6: "pulse",
    9: "default",
}
# A PyAudio with these devices: it plays nothing, and asks for samples as a real one does.
PYAUDIO = f"""
import threading, time
paFloat32, paContinue, paOutputUnderflow = 1, 0, 4
NAMES = {DEVICES}
class Stream:
    def __init__(self, callback):
        self.on = True
        threading.Thread(target=self.play, args=(callback,), daemon=True).start()
    def play(self, callback):
        while self.on:
            callback(None, 64, None, 0)
            time.sleep(0.001)
    def stop_stream(self): self.on = False
    def close(self): pass
class PyAudio:
    def get_device_count(self): return 10
    def get_device_info_by_index(self, i):
        return {{"index": i, "name": NAMES.get(i, "microphone"), "maxOutputChannels": int(i in NAMES)}}
    def get_default_output_device_info(self): return self.get_device_info_by_index(9)
    def open(self, *_, output_device_index, stream_callback, **__):
        if output_device_index == 6:
            raise OSError(-9985, "Device unavailable")
        return Stream(stream_callback)
    def terminate(self): pass
"""


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Install that PyAudio; return the environment that finds it."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "pyaudio.py").write_text(PYAUDIO)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize(
    ("wanted", "number"), [("", 9), ("3", 3), ("hdmi", 0), ("USB AUDIO 2", 5), ("hw:2", 3), ("default", 9)]
)
def test_a_device_is_meant_by_number_or_name(wanted, number):
    assert choose(DEVICES, wanted, 9) == number


@pytest.mark.parametrize(
    ("wanted", "fragment"),
    [
        ("usb", "several sound devices have this number or name; known are 0 vc4-hdmi-0"),
        ("hifiberry", "no sound device that can play has this number or name"),
        ("4", "no sound device that can play has"),
    ],
)
def test_none_or_several_are_refused_with_those_there_are(wanted, fragment):
    with pytest.raises(ValueError, match=r"^tone_device = ") as caught:
        choose(DEVICES, wanted, 9)
    assert fragment in str(caught.value)


def test_a_name_in_full_is_meant_before_a_part():
    assert choose({1: "USB", 2: "USB 2"}, "usb", None) == 1


def test_no_default_is_a_sentence():
    with pytest.raises(
        ValueError, match=r"^no sound device can play \(there is none\); connect one, .* --set tone=simulated$"
    ):
        choose({}, "", None)


def test_the_player_says_on_which_it_plays(card):
    for wanted, name in (("", "default"), ("hw:2", DEVICES[3])):
        with TonePlayer(0.5, Events(), device=wanted) as tone:
            assert tone.device == name


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("usb", r"^tone_device = usb: several "),
        ("pulse", r"^no sound device can play \(tone_device = pulse: Device unav"),
    ],
)
def test_a_device_that_cannot_be_had_is_one_sentence(card, wanted, sentence):
    with pytest.raises(ToneError, match=sentence):
        TonePlayer(0.5, Events(), device=wanted)


def test_the_list(card):
    lines = list_devices().splitlines()
    assert lines == ["  0  vc4-hdmi-0: - (hw:0,0)", "  3  USB Audio: - (hw:2,0)", "  5  USB Audio 2: - (hw:3,0)",
                     "  6  pulse", "  9  default  (default)"]  # fmt: skip
    done = command("tones", "--list")
    assert done.stdout.splitlines() == lines


def test_the_command_plays_on_the_device_of_the_settings(card):
    assert command("tones", "--check").stdout.startswith("default (the default)\n")
    assert command("tones", "--check", "--set", "tone_device=3").stdout.startswith(DEVICES[3] + "\n")


def test_check_and_log_name_it(run, card):
    settings = SHORT | {"tone": "pyaudio", "total_trials": "1", "framerate": "60"}
    done = run("--check", settings=settings, fast=False, mouse=None, seed=None, env=card)
    assert "tone: default, the default sound device, takes samples" in done.stdout
    finished(run(settings=settings | {"tone_device": "hdmi"}, env=card))
    assert run.session().notes["tone_device"] == DEVICES[0]


@needs_sound
@pytest.mark.alone
def test_the_real_library_lists_and_names_a_device(loudspeaker):
    assert "(default)" in command("tones", "--list", env=loudspeaker.env).stdout
    assert "(the default)" in command("tones", "--check", env=loudspeaker.env).stdout
