"""The tone: PyAudio in a separate process, so that nothing the script does can make it stutter.

`python -m rig.commands.tones` plays all tones.
"""

import math
import mmap
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

from rig.devices.tone_process import DEVICE, Shared
from rig.errors import ToneError
from rig.events import Events
from rig.settings.fields import ROOT

PROCESS = "rig.devices.tone_process"
STARTED_WITHIN_S = 10.0
SILENT_FOR_S = 1.0  # when there was no callback for this time, the sound is gone


class Tone(Protocol):
    """What plays the tone.

    Attributes
    ----------
    hz : float
        Commanded frequency, 0 for silence.
    device : str
        The name of the sound device, nothing where there is none.
    underflows : int
        How often the loudspeaker ran out of samples.
    """

    hz: float
    device: str

    @property
    def underflows(self) -> int: ...

    def play(self, hz: float) -> None:
        """Play this frequency from now on; 0 is silence."""

    def beat(self) -> None:
        """Say that the loop is alive: once a frame; without it for the limit of silence the tone falls silent."""

    def rest(self) -> None:
        """Say that there is no loop for now, so that no beat is expected."""

    def trouble(self) -> str:
        """Return what is wrong with the sound, nothing when all is well."""

    def stop(self) -> None:
        """Fade out and end; harmless when repeated."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


class TonePlayer:
    """The loudspeaker; see `Tone`.

    Parameters
    ----------
    volume : float
        Full scale is 1.
    events : Events
        Every change of the commanded frequency is noted here.
    max_silence_s : float
        The tone falls silent when no beat has come for this time; from the first beat on.
    device : str
        As the setting `tone_device`.

    Raises
    ------
    ToneError
        There is no PyAudio, no loudspeaker, or it does not run.
    """

    def __init__(self, volume: float, events: Events, max_silence_s: float = math.inf, device: str = "") -> None:
        self.hz = 0.0
        self._events, self._max_silence_s = events, max_silence_s
        with tempfile.TemporaryFile() as file:
            file.truncate(mmap.PAGESIZE)
            self._shared = Shared(file.fileno())
            self._shared.volume = volume
            self._player = subprocess.Popen(
                [sys.executable, "-m", PROCESS, str(file.fileno()), device],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # ALSA writes a hundred lines on devices that are absent, and on underruns
                pass_fds=[file.fileno()],
                start_new_session=True,  # Ctrl-C must reach only the script
            )
        self.device = ""
        self._wait_until_it_runs()

    def play(self, hz: float) -> None:
        if hz != self.hz:
            self.hz = hz
            self._shared.hz = hz
            self._events.add("tone", hz)

    def beat(self) -> None:
        self._shared.silent_at_s = time.monotonic() + self._max_silence_s

    def rest(self) -> None:
        self._shared.silent_at_s = 0.0

    def trouble(self) -> str:
        if self._player.poll() is not None:
            return "the tone player has died"
        if time.monotonic() - self._shared.called_back_s > SILENT_FOR_S:
            return "the sound has stopped: the sound server or the device is gone"
        return ""

    @property
    def underflows(self) -> int:
        return int(self._shared.underflows)

    def stop(self) -> None:
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
        while self._shared.callbacks < 10:
            if self._player.poll() is not None:
                reason = self._said()
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
        self.device = self._said(1)

    def _said(self, n_lines: int = -1) -> str:
        """Return what the process says, all of it or so many lines, without the word for the device."""
        assert self._player.stdout is not None
        said = self._player.stdout.readline() if n_lines == 1 else self._player.stdout.read()
        return said.decode(errors="replace").strip().removeprefix(DEVICE)

    def __enter__(self) -> "TonePlayer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def open_tone(kind: str, volume: float, events: Events, max_silence_s: float = math.inf, device: str = "") -> Tone:
    """Open the loudspeaker that the settings `tone` and `tone_device` name."""
    if kind == "simulated":
        from rig.simulated.tone import SimTone

        return SimTone(events)
    return TonePlayer(volume, events, max_silence_s, device)


def list_devices() -> str:
    """Return a line for each sound device that can play; ToneError where none can."""
    done = subprocess.run(
        [sys.executable, "-m", PROCESS, "--list"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ToneError(done.stdout.strip() or f"the sound devices cannot be listed (status {done.returncode})")
    return done.stdout
