"""The tone: PyAudio in a process of its own, so that nothing the script does can make it stutter.

`python -m rig.tone_player` plays the ladder of tones.
"""

import argparse
import mmap
import os
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from rig.errors import ToneError
from rig.events import Events

RATE_HZ = 48000
BUFFER_FRAMES = 64  # 1.3 ms: a tone is heard 9 ms after it was commanded
RAMP_S = 0.005
STARTED_WITHIN_S = 10.0
SILENT_FOR_S = 1.0  # without a callback for so long the sound is gone

MISSING = (
    "PyAudio is not installed; run 'make setup', or on a Raspberry Pi 'sudo apt install python3-pyaudio', "
    "or try without sound: --set tone=simulated"
)

# What the script and the player share, in one page of memory; eight bytes are written at once, so no lock is needed.
SHARED = np.dtype(
    [
        ("hz", "f8"),  # commanded; 0 is silence
        ("volume", "f8"),
        ("callbacks", "i8"),
        ("underflows", "i8"),
        ("called_back_s", "f8"),  # monotonic clock
    ]
)


class Tone(Protocol):
    """What plays the tone."""

    hz: float

    def play(self, hz: float) -> None:
        """Play this frequency from now on; 0 is silence."""

    def trouble(self) -> str:
        """Return what is wrong with the sound, nothing when all is well."""

    def stop(self) -> None:
        """End; harmless when repeated."""


class Synthesizer:
    """Makes the samples: one phase that never jumps, and 5 ms ramps at on and off.

    Parameters
    ----------
    rate_hz : int
    """

    def __init__(self, rate_hz: int = RATE_HZ) -> None:
        self._rate_hz = rate_hz
        self._phase = 0.0
        self._gain = 0.0
        self._hz = 0.0

    def render(self, hz: float, volume: float, n: int) -> np.ndarray:
        """Return the next `n` samples, float32; 0 Hz fades out at the old pitch."""
        if hz > 0:
            self._hz = hz
        step = 2 * np.pi * self._hz / self._rate_hz
        phases = self._phase + step * np.arange(1, n + 1)
        self._phase = float(phases[-1] % (2 * np.pi))
        target = volume if hz > 0 else 0.0
        ramp = volume / (RAMP_S * self._rate_hz) * np.arange(1, n + 1)
        up = target >= self._gain
        gains = np.minimum(self._gain + ramp, target) if up else np.maximum(self._gain - ramp, target)
        self._gain = float(gains[-1])
        samples: np.ndarray = (np.sin(phases) * gains).astype(np.float32)
        return samples


class TonePlayer:
    """The loudspeaker.

    Parameters
    ----------
    volume : float
        Full scale is 1.
    events : Events
        Every change of the commanded frequency is noted here.

    Attributes
    ----------
    hz : float
        Commanded frequency, 0 for silence.

    Raises
    ------
    ToneError
        There is no PyAudio, no loudspeaker, or it does not run.
    """

    def __init__(self, volume: float, events: Events) -> None:
        self.hz = 0.0
        self._events = events
        with tempfile.TemporaryFile() as file:
            file.truncate(mmap.PAGESIZE)
            self._shared = map_shared(file.fileno())
            self._shared["volume"] = volume
            self._player = subprocess.Popen(
                [sys.executable, "-m", "rig.tone_player", "--serve", str(file.fileno())],
                cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # ALSA writes a hundred lines on devices that are absent, and on underruns
                pass_fds=[file.fileno()],
                start_new_session=True,  # Ctrl-C must reach the script alone
            )
        self._wait_until_it_runs()

    def play(self, hz: float) -> None:
        """Play this frequency from now on; 0 is silence."""
        if hz != self.hz:
            self.hz = hz
            self._shared["hz"] = hz
            self._events.add("tone", hz)

    def trouble(self) -> str:
        """Return what is wrong with the sound, nothing when all is well."""
        if self._player.poll() is not None:
            return "the tone player has died"
        if time.monotonic() - float(self._shared["called_back_s"]) > SILENT_FOR_S:
            return "the sound has stopped: the sound server or the device is gone"
        return ""

    @property
    def underflows(self) -> int:
        """How often the loudspeaker ran out of samples."""
        return int(self._shared["underflows"])

    def stop(self) -> None:
        """Fade out and end; harmless when repeated."""
        if self._player.poll() is None:
            self.play(0.0)
            assert self._player.stdin is not None
            self._player.stdin.close()
            try:
                self._player.wait(STARTED_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._player.kill()
                self._player.wait()
        for pipe in (self._player.stdin, self._player.stdout):
            assert pipe is not None
            pipe.close()

    def _wait_until_it_runs(self) -> None:
        deadline = time.monotonic() + STARTED_WITHIN_S
        while self._shared["callbacks"] < 10:
            if self._player.poll() is not None:
                assert self._player.stdout is not None
                reason = self._player.stdout.read().decode().strip()
                self.stop()
                status = self._player.returncode
                raise ToneError(
                    reason or f"the tone player did not start (status {status}); try without: --set tone=simulated"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise ToneError(
                    f"the sound device opened but played nothing for {STARTED_WITHIN_S:g} s; "
                    "check the sound server, or try without sound: --set tone=simulated"
                )
            time.sleep(0.01)

    def __enter__(self) -> "TonePlayer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


class SimTone:
    """A loudspeaker that makes no sound; the simulated mouse hears it all the same."""

    def __init__(self, events: Events) -> None:
        self.hz = 0.0
        self.underflows = 0
        self._events = events

    def play(self, hz: float) -> None:
        """Play this frequency from now on; 0 is silence."""
        if hz != self.hz:
            self.hz = hz
            self._events.add("tone", hz)

    def trouble(self) -> str:
        """Return nothing: all is well."""
        return ""

    def stop(self) -> None:
        """End; harmless when repeated."""
        self.play(0.0)

    def __enter__(self) -> "SimTone":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def open_tone(kind: str, volume: float, events: Events) -> TonePlayer | SimTone:
    """Open the loudspeaker that the setting `tone` names."""
    return TonePlayer(volume, events) if kind == "pyaudio" else SimTone(events)


def map_shared(fd: int) -> Any:
    """Return the memory that the script and the player share, one record of SHARED."""
    return np.frombuffer(mmap.mmap(fd, mmap.PAGESIZE), SHARED, count=1)[0]


def serve(fd: int) -> int:
    """Play what the shared memory says until standard input ends."""
    try:
        import pyaudio
    except ImportError as error:
        print(f"{MISSING} ({error})")
        return 1
    shared, synthesizer = map_shared(fd), Synthesizer()

    def callback(_input: object, n: int, _time: object, status: int) -> tuple[bytes, int]:
        samples = synthesizer.render(float(shared["hz"]), float(shared["volume"]), n)
        shared["callbacks"] += 1
        shared["underflows"] += bool(status & pyaudio.paOutputUnderflow)
        shared["called_back_s"] = time.monotonic()
        return samples.tobytes(), pyaudio.paContinue

    audio = pyaudio.PyAudio()
    try:
        stream = audio.open(
            RATE_HZ, 1, pyaudio.paFloat32, output=True, frames_per_buffer=BUFFER_FRAMES, stream_callback=callback
        )
    except OSError as error:
        print(f"no sound device can play ({error.args[-1]}); connect one, or try without: --set tone=simulated")
        audio.terminate()
        return 1
    sys.stdin.buffer.read()
    shared["hz"] = 0.0
    time.sleep(4 * RAMP_S)  # let it fade
    stream.stop_stream()
    stream.close()
    audio.terminate()
    return 0


def main() -> int:
    """Play the ladder, or serve a script."""
    from helper import get_freqs

    parser = argparse.ArgumentParser(prog="python -m rig.tone_player", description="Play the ladder of tones.")
    parser.add_argument("--n-tones", type=int, default=18, help="how many (default 18)")
    parser.add_argument("--volume", type=float, default=0.5, help="0 to 1 (default 0.5)")
    parser.add_argument("--check", action="store_true", help="only see whether sound can be played")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve is not None:
        return serve(args.serve)
    with TonePlayer(args.volume, Events()) as tone:
        for hz in [] if args.check else get_freqs(args.n_tones).values():
            print(f"{hz:7.0f} Hz", flush=True)
            tone.play(hz)
            time.sleep(0.4)
        if tone.trouble():
            raise ToneError(tone.trouble())
        print(f"sound works, {tone.underflows} underflows")
    return 0


if __name__ == "__main__":
    from rig.cli import run

    run(main)
