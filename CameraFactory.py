"""One wrapper around every camera driver: it opens the driver by name, and counts what is lost."""

import importlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol

from rig.errors import CameraError
from rig.frames import Frame
from rig.settings import CameraSettings, to_strings


class Driver(Protocol):
    """What a camera file of the top folder must offer; see 'Adding a camera' in the README."""

    def start(self) -> "Driver":
        """Open the camera and let it run; return the driver itself."""

    def read(self) -> Frame | None:
        """Return the next new frame, or None when a recording has ended."""

    def stop(self) -> None:
        """Close the camera; harmless when repeated."""


class CameraFactory:
    """A camera, whatever the driver.

    Parameters
    ----------
    camera_instance : Driver
        A started driver: `CameraFactory(PiCameraStream(cfgDict).start())`.

    Attributes
    ----------
    lost : int
        Frames that the camera counted and nobody saw, since `begin_session`.
    """

    def __init__(self, camera_instance: Any) -> None:
        self.camera = camera_instance
        self.begin_session()

    @classmethod
    def open(cls, settings: CameraSettings, fast: bool = False) -> "CameraFactory":
        """Start the driver that `vid_source` names.

        Parameters
        ----------
        settings : CameraSettings
        fast : bool
            Simulated and replayed frames come as fast as they can.

        Raises
        ------
        CameraError
            The camera is missing or refuses its settings.
        """
        try:
            driver = getattr(importlib.import_module(settings.vid_source), settings.vid_source)
        except (ImportError, AttributeError) as error:
            raise CameraError(f"vid_source = {settings.vid_source}: the camera file cannot be used ({error})") from None
        return cls(driver(to_strings(settings) | {"fast": str(int(fast))}).start())

    def begin_session(self) -> None:
        """Number frames from 0 again and forget old losses; recordings and simulations start from their beginning."""
        self.lost = 0
        self._first_number: int | None = None
        self._next_number = 0
        if hasattr(self.camera, "begin_session"):
            self.camera.begin_session()

    def let_sense(self, tone: Any, reward: Any) -> None:
        """Let a simulated mouse, where there is one, hear `tone` and taste `reward`."""
        if hasattr(self.camera, "let_sense"):
            self.camera.let_sense(tone, reward)

    def read(self) -> Frame | None:
        """Return the next new frame, or None when a recording has ended.

        Raises
        ------
        CameraError
            The camera stopped giving frames, or gave one out of order.
        """
        frame: Frame | None = self.camera.read()
        if frame is None:
            return None
        if self._first_number is None:
            self._first_number = frame.number
        number = frame.number - self._first_number
        if number < self._next_number:
            raise CameraError(f"the camera gave frame {number} after frame {self._next_number - 1}; restart the camera")
        self.lost += number - self._next_number
        self._next_number = number + 1
        return frame._replace(number=number)

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame until a recording ends."""
        while (frame := self.read()) is not None:
            yield frame

    def stop(self) -> None:
        """Close the camera; harmless when repeated."""
        self.camera.stop()

    def __enter__(self) -> "CameraFactory":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
