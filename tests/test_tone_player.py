"""The tone: its samples, and what a real sound server really played."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, needs, wait_until
from helper import get_freqs
from rig.errors import ToneError
from rig.events import Events
from rig.tone_player import RATE_HZ, SimTone, Synthesizer, TonePlayer, open_tone


def render(changes, block=64):
    """Return the samples of [(hz, seconds), ...]."""
    synthesizer = Synthesizer()
    blocks = [
        synthesizer.render(hz, 0.5, block) for hz, seconds in changes for _ in range(round(seconds * RATE_HZ / block))
    ]
    return np.concatenate(blocks)


def pitch(samples):
    """Return the frequency of a steady tone, Hz: the peak of the spectrum, interpolated."""
    windowed = samples * np.hanning(len(samples))
    spectrum = np.log(np.abs(np.fft.rfft(windowed, 8 * len(samples))) + 1e-12)
    peak = int(spectrum.argmax())
    a, b, c = spectrum[peak - 1 : peak + 2]
    return (peak + 0.5 * (a - c) / (a - 2 * b + c)) * RATE_HZ / (8 * len(samples))


@pytest.mark.parametrize("hz", list(get_freqs(19).values()))
def test_every_tone_of_the_ladder_is_pure(hz):
    samples = render([(hz, 0.2)])[2000:]
    assert pitch(samples) == pytest.approx(hz, rel=1e-4)
    assert np.sqrt(2 * np.mean(samples**2)) == pytest.approx(0.5, rel=0.01)


def test_no_click_at_any_change():
    """No step between samples exceeds what the steepest of the tones does by itself, ramps included."""
    changes = [(0, 0.01), (1000, 0.05), (4000, 0.03), (1000, 0.031), (0, 0.05), (2000, 0.002), (0, 0.02)]
    steps = np.abs(np.diff(render(changes)))
    steepest = 0.5 * 2 * np.pi * 4000 / RATE_HZ + 0.5 / (0.005 * RATE_HZ)
    assert steps.max() <= steepest
    low = np.abs(np.diff(render([(0, 0.01), (1000, 0.0512), (0, 0.05)])))
    assert low.max() <= 0.5 * 2 * np.pi * 1000 / RATE_HZ + 0.5 / (0.005 * RATE_HZ)


def test_ramps_last_five_milliseconds():
    samples = np.abs(render([(0, 0.01), (3000, 0.02)]))
    start = int(np.flatnonzero(samples)[0])
    half = start + 120  # 2.5 ms
    assert samples[start : start + 16].max() < 0.05
    assert samples[half - 8 : half + 8].max() == pytest.approx(0.25, abs=0.03)
    assert samples[start + 240 : start + 280].max() == pytest.approx(0.5, abs=0.01)
    assert render([(3000, 0.02), (0, 0.006), (0, 0.02)])[-900:].max() == 0, "silence is silence"


def test_simulated_contract():
    events = Events()
    with open_tone("simulated", 0.5, events) as tone:
        assert isinstance(tone, SimTone)
        for hz in (1000.0, 1000.0, 0.0, 2000.0):
            tone.play(hz)
            assert tone.hz == hz
        assert (tone.trouble(), tone.underflows) == ("", 0)
    tone.stop()
    assert [event.value for event in sorted(events.since(0))] == [1000, 0, 2000, 0], "changes, and silence at the end"


def pulse(test):
    """Mark a test that needs a sound server; it runs alone, because sound that stutters is no measurement."""
    return pytest.mark.alone(needs("pulseaudio", "pactl", "parec")(test))


@pulse
def test_what_a_real_sound_server_played(loudspeaker, monkeypatch):
    for key, value in loudspeaker.env.items():
        monkeypatch.setenv(key, value)
    events, tones = Events(), [1000.0, 2378.4, 19027.3]
    with open_tone("pyaudio", 0.5, events) as tone:
        assert isinstance(tone, TonePlayer)
        for hz in tones:
            tone.play(hz)
            time.sleep(0.4)
            tone.play(0)
            time.sleep(0.3)
            assert tone.trouble() == ""
        tone.play(1000.0)
        time.sleep(0.3)
        tone.play(2000.0)
        time.sleep(0.3)
        underflows = tone.underflows
    tone.stop()
    time.sleep(0.3)
    assert [event.value for event in sorted(events.since(0))] == [1000, 0, tones[1], 0, tones[2], 0, 1000, 2000, 0]

    samples = loudspeaker.samples()
    exactness = 1e-3 if underflows == 0 else 1e-2  # a dropout shifts the phase
    loud = np.flatnonzero(np.abs(samples) > 1e-3)
    gaps = np.flatnonzero(np.diff(loud) > 0.15 * RATE_HZ)  # a busy machine may leave shorter ones inside a tone
    bursts = [samples[part[0] : part[-1]] for part in np.split(loud, gaps + 1)]
    assert len(bursts) == 4, f"tones with silence between them; {underflows} underflows"
    for burst, hz in zip(bursts, tones, strict=False):
        assert 0.3 < len(burst) / RATE_HZ < 0.6
        assert pitch(burst[4000:12000]) == pytest.approx(hz, rel=exactness)
    assert pitch(bursts[3][3000:9000]) == pytest.approx(1000, rel=exactness)
    assert pitch(bursts[3][-9000:-3000]) == pytest.approx(2000, rel=exactness)
    if underflows == 0:
        steepest = 0.5 * 2 * np.pi * 2000 / RATE_HZ + 0.5 / (0.005 * RATE_HZ)
        assert np.abs(np.diff(bursts[3])).max() <= steepest * 1.01, "no click where the pitch changes"


@pulse
def test_watchdog_sees_a_dead_server_and_a_dead_player(loudspeaker, monkeypatch):
    for key, value in loudspeaker.env.items():
        monkeypatch.setenv(key, value)
    with TonePlayer(0.5, Events()) as tone:
        tone.play(1000)
        subprocess.run(["pactl", "exit"], env=os.environ | loudspeaker.env, check=True)
        wait_until(lambda: "sound has stopped" in tone.trouble(), timeout_s=5)
        os.kill(tone._player.pid, signal.SIGKILL)
        wait_until(lambda: "has died" in tone.trouble(), timeout_s=5)


@pytest.fixture
def no_sound(monkeypatch):
    """No sound device can be found."""
    cards = Path("/proc/asound/cards")
    if cards.exists() and "no soundcards" not in cards.read_text():
        pytest.skip("this machine has a sound card")
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")


def test_no_device_is_one_sentence(no_sound):
    with pytest.raises(ToneError, match=r"^no sound device can play .* try without: --set tone=simulated$"):
        TonePlayer(0.5, Events())


def test_no_pyaudio_is_one_sentence(monkeypatch, tmp_path):
    (tmp_path / "pyaudio.py").write_text("raise ImportError('none here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToneError, match=r"PyAudio is not installed; .*none here"):
        TonePlayer(0.5, Events())


def test_check_says_in_one_sentence_that_there_is_no_sound(no_sound):
    done = subprocess.run(
        [sys.executable, "-m", "rig.tone_player", "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("no sound device can play")
    assert len(done.stderr.splitlines()) == 1


@pulse
def test_silence_when_the_script_is_killed(loudspeaker):
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from rig.events import Events\nfrom rig.tone_player import TonePlayer\n"
        "tone = TonePlayer(0.5, Events())\ntone.play(1000)\nprint(tone._player.pid, flush=True)\ntime.sleep(60)"
    )
    script = subprocess.Popen([sys.executable, "-c", code], env=os.environ | loudspeaker.env, stdout=subprocess.PIPE)
    player = int(script.stdout.readline())
    time.sleep(0.5)
    script.kill()
    script.wait()
    script.stdout.close()
    wait_until(lambda: not os.path.exists(f"/proc/{player}") or is_zombie(player), timeout_s=5)
    wait_until(lambda: np.abs(loudspeaker.samples()[-4800:]).max() < 1e-3, timeout_s=10)
    assert np.abs(loudspeaker.samples()).max() > 0.4


def is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().split()[2] == "Z"
