"""Which library may drive the pins: rpi-lgpio and Jetson.GPIO, not the original RPi.GPIO; what Jetson.GPIO warns of."""

import os
import subprocess
import sys

import pytest

from rig.devices.lick import open_gpio_lick
from rig.devices.outputs import Outputs, shared_with_sound
from rig.errors import LickError, OutputError, SettingsError
from rig.events import Events
from rig.preflight import FAIL, WARN, Preflight, check_outputs
from support.places import ROOT

ORIGINAL = {
    "RPi/__init__.py": "",
    "RPi/_GPIO.py": "VERSION = '0.7.1'\ndef setwarnings(on): pass\n",
    "RPi/GPIO/__init__.py": "from RPi._GPIO import *\n",
}
# As Jetson.GPIO 2.1.13 does it: it looks at the pinmux only while warnings are on.
WORDS = {
    "input": '[WARNING] User requested output for channel "{0}", but it is set to input.\n'
    "This can be resolved *temporarily* (until next restart) by running:\n"
    "    sudo busybox devmem 0x2434040 w 0x5\n",
    "secret": "Could not open /dev/mem for pinmux check. If you want pinmux checks, make sure your user may read it.",
    "unknown": "pinmux checks not implemented for current device.",
    "fine": "",
}
JETSON = """
import os, sys, warnings
BCM, BOARD, OUT, IN, LOW, PUD_DOWN = 11, 10, 0, 1, 0, 21
on = True
def setwarnings(state):
    global on
    on = state
def setmode(mode): pass
def output(pin, level): pass
def input(pin): return 0
def cleanup(pin): pass
def setup(pin, direction, pull_up_down=None, initial=None):
    if pull_up_down is not None:
        raise SystemExit("Jetson.GPIO ignores pull_up_down")
    if on and "WORDS" and pin in (7, 27):
        warnings.warn("WORDS".format(pin))
    if on:
        warnings.warn("This channel is already in use, continuing anyway.", RuntimeWarning)
"""


def write_modules(folder, files, monkeypatch):
    """Make modules that are found before those of the environment, in this process and in the guard's."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in [name for name in sys.modules if name.split(".")[0] in ("RPi", "Jetson")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))


@pytest.fixture(autouse=True)
def forget_modules():
    """Let no later test meet the stand-ins."""
    before = dict(sys.modules)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("RPi", "Jetson")]:
        if sys.modules[name] is not before.get(name):
            del sys.modules[name]


@pytest.fixture
def jetson(tmp_path, monkeypatch):
    """Install a Jetson.GPIO that says this of its pinmux."""

    def install(pinmux):
        files = {
            "RPi/__init__.py": "",
            "RPi/GPIO/__init__.py": "from Jetson.GPIO import *\n",
            "Jetson/__init__.py": "",
            "Jetson/GPIO/__init__.py": JETSON.replace('"WORDS"', repr(WORDS[pinmux])),
        }
        write_modules(tmp_path, files, monkeypatch)

    return install


def test_the_original_library_is_refused_with_its_cure(settings, tmp_path, monkeypatch):
    write_modules(tmp_path, ORIGINAL, monkeypatch)
    with pytest.raises(OutputError, match=r"the original RPi\.GPIO, .* leave the valve open; remove .* 'make setup'"):
        Outputs(settings(outputs="gpio"), Events())
    with pytest.raises(LickError, match=r"^this is the original RPi\.GPIO"):
        open_gpio_lick(23, "BCM")


def test_a_user_without_permission_is_told_which_group(settings, tmp_path, monkeypatch):
    said = "The current user does not have permissions set to access the library functionalites. Please configure"
    files = {"RPi/__init__.py": "", "RPi/GPIO/__init__.py": f"raise RuntimeError({said!r})"}
    write_modules(tmp_path, files, monkeypatch)
    with pytest.raises(
        OutputError, match=r"on a Jetson join the group gpio and install its udev rule \(docs/jetson.md"
    ) as caught:
        Outputs(settings(outputs="gpio"), Events())
    assert "apt" not in str(caught.value)


def test_a_pin_that_the_pinmux_keeps_from_driving_is_a_trouble_with_its_cure(settings, jetson):
    jetson("input")
    events = Events()
    with Outputs(settings(outputs="gpio"), events) as outputs:
        (sentence,) = outputs.dead
        assert sentence.startswith("pin 27 does not drive")
        assert "'sudo busybox devmem 0x2434040 w 0x5'" in sentence
        assert sentence in outputs.trouble(), "it is shown as long as the session runs"
        assert outputs.doubts == []
    assert [event.detail for event in events.since(0) if event.device == "pins"] == [sentence]


@pytest.mark.parametrize(
    ("pinmux", "fragment"), [("secret", "only root may read /dev/mem"), ("unknown", "not implemented")]
)
def test_a_pinmux_that_cannot_be_read_is_a_doubt_once(settings, jetson, pinmux, fragment):
    jetson(pinmux)
    with Outputs(settings(outputs="gpio"), Events()) as outputs:
        (sentence,) = outputs.doubts
        assert fragment in sentence
        assert (outputs.dead, outputs.trouble()) == ([], "")


def test_other_warnings_are_not_ours(settings, jetson, capfd):
    jetson("fine")
    with Outputs(settings(outputs="gpio"), Events()) as outputs:
        assert (outputs.dead, outputs.doubts) == ([], [])
    assert "already in use" not in capfd.readouterr().err


@pytest.mark.parametrize(("pinmux", "verdict"), [("input", FAIL), ("secret", WARN)])
def test_the_check_says_it(settings, jetson, pinmux, verdict):
    from contextlib import ExitStack

    jetson(pinmux)
    flight = Preflight()
    with ExitStack() as devices:
        check_outputs(flight, settings(outputs="gpio"), Events(), devices)
    (finding,) = [each for each in flight.findings if each.verdict == verdict and each.what == "pins"]
    assert "pinmux" in finding.found
    assert finding.cure


def test_the_command_prints_it(jetson, tmp_path):
    jetson("input")
    done = subprocess.run(
        [sys.executable, "-m", "rig.commands.outputs", "light", "--seconds", "0.01"],
        cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pin 27 does not drive" in done.stdout


def test_a_lick_input_of_a_jetson_asks_for_no_pull_down(jetson):
    jetson("fine")
    lick = open_gpio_lick(23, "BCM")
    assert lick.read() is False
    lick.close()


def test_a_lick_input_that_the_pinmux_has_as_an_output_is_refused(jetson):
    jetson("input")
    with pytest.raises(LickError, match=r"^pin 7 does not feel, because this Jetson's pinmux has it as an output"):
        open_gpio_lick(7, "BOARD")


CARDS = """\
 0 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0
                      vc4-hdmi-0
 2 [sndrpihifiberry]: HifiberryDacp - snd_rpi_hifiberry_dacplus
                      snd_rpi_hifiberry_dacplus
"""


def test_a_sound_card_on_the_header_shares_the_pin_of_the_light(settings, tmp_path):
    cards = tmp_path / "cards"
    assert shared_with_sound(settings(), cards) == "", "a computer without sound"
    cards.write_text(CARDS)
    said = shared_with_sound(settings(), cards)
    assert said.startswith(
        "light_pin = 21: the sound card snd_rpi_hifiberry_dacplus of this computer uses BCM 18, 19, 20"
    )
    assert said.endswith("; choose other pins, and wire them")
    assert shared_with_sound(settings(light_pin=22), cards) == ""
    cards.write_text(CARDS[: CARDS.index(" 2 [")])
    assert shared_with_sound(settings(), cards) == "", "HDMI and USB use no pin"


@pytest.mark.parametrize("device", ["HiFiBerry", "snd_rpi_hifiberry_dac", "MAX98357A"])
def test_settings_that_name_such_a_card_are_refused(settings, device):
    real = {"outputs": "gpio", "tone": "pyaudio", "tone_device": device}
    with pytest.raises(SettingsError, match=f"light_pin = 21: tone_device = {device} is a sound card on the header"):
        settings(**real)
    settings(**real, light_pin=22)
    settings(**real | {"tone_device": "USB Audio"})
    settings(**real | {"outputs": "simulated"})
