"""A real sound server without a sound card, and what was played on it."""

import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rig.devices.tone_process import RATE_HZ
from support.waiting import end, needs, wait_until

needs_sound = needs("pulseaudio", "pactl", "parec")


class Loudspeaker:
    """A null sink of a sound server of our own, and a recording of what was played on it."""

    def __init__(self, folder, env):
        self.env = env
        self.recording = folder / "played.f32"

    def samples(self):
        """Return what was played, float32 at 48 kHz."""
        data = self.recording.read_bytes()
        return np.frombuffer(data[: len(data) // 4 * 4], np.float32)


@contextmanager
def sound_server():
    """A real sound server without a sound card."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"XDG_RUNTIME_DIR": name, "PULSE_SERVER": f"unix:{name}/native", "HOME": name}
        server = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--log-level=error",
                "-L", f"module-native-protocol-unix auth-anonymous=1 socket={name}/native",
                "-L", "module-null-sink sink_name=rig rate=48000 channels=1 format=float32le channel_map=mono",
            ],
            env=os.environ | env, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        speaker = Loudspeaker(folder, env)
        wait_until(lambda: subprocess.run(["pactl", "info"], env=os.environ | env, capture_output=True).returncode == 0)
        subprocess.run(["pactl", "set-default-sink", "rig"], env=os.environ | env, check=True)
        with speaker.recording.open("wb") as file:
            recorder = subprocess.Popen(
                ["parec", "-d", "rig.monitor", "--format=float32le", "--rate=48000", "--channels=1",
                 "--latency-msec=2", "--raw"],
                env=os.environ | env, stdout=file, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            time.sleep(2.4)  # an idle null sink has a block of two seconds outstanding; a stream opened earlier stalls
            yield speaker
        end(recorder)
        end(server)


def pitch(samples):
    """Return the frequency of a steady tone, Hz: the peak of the spectrum, interpolated."""
    windowed = samples * np.hanning(len(samples))
    spectrum = np.log(np.abs(np.fft.rfft(windowed, 8 * len(samples))) + 1e-12)
    peak = int(spectrum.argmax())
    a, b, c = spectrum[peak - 1 : peak + 2]
    return (peak + 0.5 * (a - c) / (a - 2 * b + c)) * RATE_HZ / (8 * len(samples))
