"""The tone: its samples, and what a real sound server really played."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from helper import get_freqs
from rig.devices.tone_player import TonePlayer, open_tone
from rig.devices.tone_process import RATE_HZ, Synthesizer
from rig.errors import ToneError
from rig.events import Events
from rig.simulated.tone import SimTone
from support.places import ROOT
from support.processes import child_of, command, has_ended
from support.sound import needs_sound, pitch
from support.waiting import wait_until

VOLUME, RAMP_S = 0.5, 0.005
AUDIBLE = 1e-3


# The samples


def render(changes, block=64):
    """Return the samples of [(hz, seconds), ...]."""
    synthesizer = Synthesizer()
    blocks = [
        synthesizer.render(hz, VOLUME, block)
        for hz, seconds in changes
        for _ in range(round(seconds * RATE_HZ / block))
    ]
    return np.concatenate(blocks)


def steepest(hz):
    """Return the largest step between two samples of a tone, its ramps included."""
    return VOLUME * 2 * np.pi * hz / RATE_HZ + VOLUME / (RAMP_S * RATE_HZ)


@pytest.mark.parametrize("hz", list(get_freqs(19).values()))
def test_every_tone_of_the_ladder_is_pure(hz):
    samples = render([(hz, 0.2)])[2000:]
    assert pitch(samples) == pytest.approx(hz, rel=1e-4)
    assert np.sqrt(2 * np.mean(samples**2)) == pytest.approx(VOLUME, rel=0.01)


@pytest.mark.parametrize(
    "changes",
    [
        [(0, 0.01), (1000, 0.05), (4000, 0.03), (1000, 0.031), (0, 0.05), (2000, 0.002), (0, 0.02)],
        [(0, 0.01), (1000, 0.0512), (0, 0.05)],
    ],
    ids=["changes of pitch", "on and off"],
)
def test_no_click_at_any_change(changes):
    """No step between samples exceeds what the steepest of the tones does by itself."""
    assert np.abs(np.diff(render(changes))).max() <= steepest(max(hz for hz, _ in changes))


def test_ramps_last_five_milliseconds():
    samples = np.abs(render([(0, 0.01), (3000, 0.02)]))
    start = int(np.flatnonzero(samples)[0])
    half = start + 120  # 2.5 ms
    assert samples[start : start + 16].max() < 0.05
    assert samples[half - 8 : half + 8].max() == pytest.approx(VOLUME / 2, abs=0.03)
    assert samples[start + 240 : start + 280].max() == pytest.approx(VOLUME, abs=0.01)


def test_silence_after_a_tone_is_silence():
    samples = render([(3000, 0.02), (0, 0.006), (0, 0.02)])
    assert np.abs(samples[:900]).max() > 0.4
    assert np.abs(samples[-900:]).max() == 0


# The simulated tone


def test_simulated_tone_is_what_was_commanded():
    with open_tone("simulated", VOLUME, Events()) as tone:
        assert isinstance(tone, SimTone)
        for hz in (1000.0, 1000.0, 0.0, 2000.0):
            tone.play(hz)
            assert tone.hz == hz


def test_simulated_tone_has_no_trouble():
    with open_tone("simulated", VOLUME, Events()) as tone:
        tone.play(1000.0)
        assert (tone.trouble(), tone.underflows) == ("", 0)


def test_simulated_tone_notes_changes_and_the_silence_at_the_end():
    events = Events()
    with open_tone("simulated", VOLUME, events) as tone:
        for hz in (1000.0, 1000.0, 0.0, 2000.0):
            tone.play(hz)
    tone.stop()
    assert [event.value for event in events.since(0)] == [1000, 0, 2000, 0]


# A real sound server


def alone_with_sound(test):
    """Mark a test that needs a sound server; it runs alone, because sound that stutters is no measurement."""
    return pytest.mark.alone(needs_sound(test))


@pytest.fixture
def sound(loudspeaker, monkeypatch):
    """The loudspeaker, as the sound device of this process."""
    for key, value in loudspeaker.env.items():
        monkeypatch.setenv(key, value)
    return loudspeaker


def play(tone, *parts):
    """Play [(Hz, seconds), ...]."""
    for hz, seconds in parts:
        tone.play(hz)
        time.sleep(seconds)
        assert tone.trouble() == ""


def bursts(samples):
    """Return the parts of a recording that lie between silences; a busy machine may leave short gaps in a tone."""
    loud = np.flatnonzero(np.abs(samples) > AUDIBLE)
    silences = np.flatnonzero(np.diff(loud) > 0.15 * RATE_HZ)
    return [samples[part[0] : part[-1]] for part in np.split(loud, silences + 1)]


@alone_with_sound
def test_tones_and_silences_are_heard_as_commanded(sound):
    events, tones = Events(), [1000.0, 2378.4, 19027.3]
    with open_tone("pyaudio", VOLUME, events) as tone:
        assert isinstance(tone, TonePlayer)
        play(tone, *((hz, seconds) for each in tones for hz, seconds in ((each, 0.4), (0.0, 0.3))))
        underflows = tone.underflows
    time.sleep(0.3)
    assert [event.value for event in events.since(0)] == [tones[0], 0, tones[1], 0, tones[2], 0]
    heard = bursts(sound.samples())
    assert len(heard) == len(tones), f"tones with silence between them; {underflows} underflows"
    for burst, hz in zip(heard, tones, strict=True):
        assert 0.3 < len(burst) / RATE_HZ < 0.6
        assert pitch(burst[4000:12000]) == pytest.approx(hz, rel=exactness(underflows))


def exactness(underflows):
    """Return how exactly a pitch can be measured; a dropout shifts the phase."""
    return 1e-3 if underflows == 0 else 1e-2


@alone_with_sound
def test_a_change_of_pitch_is_heard_without_a_click(sound):
    events = Events()
    with open_tone("pyaudio", VOLUME, events) as tone:
        play(tone, (1000.0, 0.3), (2000.0, 0.3))
        underflows = tone.underflows
    tone.stop()
    time.sleep(0.3)
    assert [event.value for event in events.since(0)] == [1000, 2000, 0], "silence at the end, once"
    (burst,) = bursts(sound.samples())
    assert pitch(burst[3000:9000]) == pytest.approx(1000, rel=exactness(underflows))
    assert pitch(burst[-9000:-3000]) == pytest.approx(2000, rel=exactness(underflows))
    if underflows == 0:
        assert np.abs(np.diff(burst)).max() <= steepest(2000) * 1.01


@alone_with_sound
def test_watchdog_sees_a_dead_server(sound):
    with TonePlayer(VOLUME, Events()) as tone:
        tone.play(1000)
        subprocess.run(["pactl", "exit"], check=True)
        wait_until(lambda: "sound has stopped" in tone.trouble(), timeout_s=5)


@alone_with_sound
def test_watchdog_sees_a_dead_player(sound):
    with TonePlayer(VOLUME, Events()) as tone:
        tone.play(1000)
        os.kill(child_of(os.getpid(), "rig.devices.tone_process"), signal.SIGKILL)
        wait_until(lambda: "has died" in tone.trouble(), timeout_s=5)


@alone_with_sound
def test_silence_when_the_script_is_killed(sound):
    script = subprocess.Popen([sys.executable, "-m", "rig.commands.tones"], cwd=ROOT, stdout=subprocess.PIPE)
    assert b"(the default)" in script.stdout.readline(), "which device it plays on"
    assert b"1000 Hz" in script.stdout.readline()
    player = child_of(script.pid, "rig.devices.tone_process")
    wait_until(lambda: np.abs(sound.samples()[-4800:]).max(initial=0) > 0.4, timeout_s=10)
    script.kill()
    script.communicate()
    wait_until(lambda: has_ended(player), timeout_s=5)
    wait_until(lambda: np.abs(sound.samples()[-4800:]).max() < AUDIBLE, timeout_s=10)


@alone_with_sound
def test_check_says_that_sound_works(sound):
    done = command("tones", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sound works" in done.stdout


# No sound


@pytest.fixture
def no_sound(monkeypatch):
    """No sound device can be found."""
    cards = Path("/proc/asound/cards")
    if cards.exists() and "no soundcards" not in cards.read_text():
        pytest.skip("this machine has a sound card")
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")


def test_no_device_is_one_sentence(no_sound):
    with pytest.raises(ToneError, match=r"^no sound device can play .* try without: --set tone=simulated$"):
        TonePlayer(VOLUME, Events())


def test_no_pyaudio_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "pyaudio.py").write_text("raise ImportError('none here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToneError, match=r"PyAudio is not installed; .*none here"):
        TonePlayer(VOLUME, Events())


def test_check_says_in_one_sentence_that_there_is_no_sound(no_sound):
    done = command("tones", "--check")
    assert done.returncode == 1
    assert done.stderr.startswith("no sound device can play")
    assert len(done.stderr.splitlines()) == 1
