"""Makes the sound: a separate process, started by `rig.devices.tone_player`, that no other work can hold up.

It imports next to nothing: 64 samples are so few that plain Python makes them about as fast as numpy would.  Script and
process share one page of memory.  Its values are written eight bytes at a time, so no lock is needed.
"""

import math
import mmap
import sys
import time
from array import array
from typing import Any

RATE_HZ = 48000
BUFFER_FRAMES = 64  # 1.3 ms: a tone is heard 9 ms after it was commanded
RAMP_S = 0.005
MISSING = (
    "PyAudio is not installed; run 'make setup', or on a Raspberry Pi 'sudo apt install python3-pyaudio', "
    "or try without sound: --set tone=simulated"
)
DEVICE = "device "  # the first line that it says: which one it plays on
VALUES = ("hz", "volume", "callbacks", "underflows", "called_back_s", "silent_at_s")


class Shared:
    """The page of memory that script and process share.

    Parameters
    ----------
    fd : int
        Of a file of one page.

    Attributes
    ----------
    hz, volume : float
        Commanded; 0 Hz is silence.
    callbacks, underflows : float
        Counted by the process.
    called_back_s : float
        When it last made samples, on the monotonic clock.
    silent_at_s : float
        When the tone falls silent by itself, because the loop stands still, on the monotonic clock; 0 never.
    """

    hz: float
    volume: float
    callbacks: float
    underflows: float
    called_back_s: float
    silent_at_s: float

    def __init__(self, fd: int) -> None:
        self.__dict__["_values"] = memoryview(mmap.mmap(fd, mmap.PAGESIZE)).cast("d")

    def __getattr__(self, name: str) -> float:
        return float(self.__dict__["_values"][VALUES.index(name)])

    def __setattr__(self, name: str, value: float) -> None:
        self.__dict__["_values"][VALUES.index(name)] = value


class Synthesizer:
    """Makes the samples: one phase that never jumps, and 5 ms ramps at on and off.

    Parameters
    ----------
    rate_hz : int
    """

    def __init__(self, rate_hz: int = RATE_HZ) -> None:
        self._rate_hz = rate_hz
        self._phase = self._gain = self._hz = 0.0

    def render(self, hz: float, volume: float, n: int) -> "array[float]":
        """Return the next `n` samples, float32; 0 Hz fades out at the old pitch."""
        if hz > 0:
            self._hz = hz
        step, ramp = math.tau * self._hz / self._rate_hz, volume / (RAMP_S * self._rate_hz)
        target = volume if hz > 0 else 0.0
        phase, self._phase = self._phase, (self._phase + n * step) % math.tau
        if self._gain == target:
            sin = math.sin
            return array("f", [target * sin(phase + i * step) for i in range(1, n + 1)] if target else bytes(4 * n))
        samples = array("f")
        for i in range(1, n + 1):
            up = self._gain < target
            self._gain = min(self._gain + ramp, target) if up else max(self._gain - ramp, target)
            samples.append(math.sin(phase + i * step) * self._gain)
        return samples


def outputs_of(audio: Any) -> dict[int, str]:
    """Return {number: name} of the devices that can play."""
    infos = (audio.get_device_info_by_index(i) for i in range(audio.get_device_count()))
    return {int(info["index"]): str(info["name"]) for info in infos if info["maxOutputChannels"] > 0}


def choose(devices: dict[int, str], wanted: str, default: int | None) -> int:
    """Return the number of the device that is meant.

    Parameters
    ----------
    devices : dict
        {number: name} of those that can play.
    wanted : str
        A number, or a part of a name in any case; the default device if empty.
    default : int or None
        The number of the default device, where there is one.

    Raises
    ------
    ValueError
        With a sentence: none or several are meant.
    """
    if not wanted:
        if default is None:
            raise ValueError(
                "no sound device can play (there is none); connect one, or try without: --set tone=simulated"
            )
        return default
    if wanted.isdecimal():
        found = [number for number in devices if number == int(wanted)]
    else:
        found = [number for number, name in devices.items() if wanted.lower() in name.lower()]
        found = [number for number in found if devices[number].lower() == wanted.lower()] or found
    if len(found) != 1:
        known = "; ".join(f"{number} {name}" for number, name in devices.items()) or "none"
        many = "several sound devices have" if found else "no sound device that can play has"
        raise ValueError(f"tone_device = {wanted}: {many} this number or name; known are {known}")
    return found[0]


def default_of(audio: Any) -> int | None:
    """Return the number of the default device, None where there is none."""
    try:
        return int(audio.get_default_output_device_info()["index"])
    except OSError:
        return None


def show_devices(audio: Any) -> int:
    """Print the devices that can play; return the exit status."""
    devices, default = outputs_of(audio), default_of(audio)
    for number, name in devices.items():
        print(f"{number:3}  {name}" + ("  (default)" if number == default else ""))
    if not devices:
        print("no sound device can play")
    return int(not devices)


def open_audio() -> tuple[Any, Any]:
    """Return the module PyAudio, and what it opens devices with; ValueError where it is missing."""
    try:
        import pyaudio
    except ImportError as error:
        raise ValueError(f"{MISSING} ({error})") from None
    return pyaudio, pyaudio.PyAudio()


def serve(fd: int, wanted: str) -> int:
    """Play what the shared memory says until standard input ends; return the exit status."""
    pyaudio, audio = open_audio()
    shared, synthesizer = Shared(fd), Synthesizer()

    def callback(_input: object, n: int, _time: object, status: int) -> tuple[bytes, int]:
        now_s, silent_at_s = time.monotonic(), shared.silent_at_s
        samples = synthesizer.render(0.0 if 0 < silent_at_s < now_s else shared.hz, shared.volume, n)
        shared.callbacks += 1
        shared.underflows += bool(status & pyaudio.paOutputUnderflow)
        shared.called_back_s = now_s
        return samples.tobytes(), pyaudio.paContinue

    try:
        number = choose(outputs_of(audio), wanted, default_of(audio))
        stream = audio.open(
            RATE_HZ,
            1,
            pyaudio.paFloat32,
            output=True,
            output_device_index=number,
            frames_per_buffer=BUFFER_FRAMES,
            stream_callback=callback,
        )
    except OSError as error:
        named = f"tone_device = {wanted}" if wanted else "the default one"
        audio.terminate()
        raise ValueError(
            f"no sound device can play ({named}: {error.args[-1]}); connect one, or try without: --set tone=simulated"
        ) from None
    print(DEVICE + audio.get_device_info_by_index(number)["name"], flush=True)
    sys.stdin.buffer.read()
    shared.hz = 0.0
    time.sleep(4 * RAMP_S)  # let it fade
    stream.stop_stream()
    stream.close()
    audio.terminate()
    return 0


def main(arguments: list[str]) -> int:
    """List the devices, or play on one of them: `--list`, or `FD DEVICE`."""
    try:
        if arguments == ["--list"]:
            return show_devices(open_audio()[1])
        return serve(int(arguments[0]), arguments[1])
    except ValueError as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
