"""One wrapper around every camera driver: it opens the driver by name, and counts what is lost."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import TracebackType
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from typing_extensions import Self

from rig.devices.frames import Frame
from rig.devices.tone_player import Tone
from rig.errors import CameraError, SettingsError
from rig.protocol.tally import Tally
from rig.settings.camera import CameraSettings
from rig.settings.common import RigSettings
from rig.settings.ini import to_strings


class Driver(Protocol):
    """What the class in a camera file of the top folder must offer; see 'Adding a camera' in CONTRIBUTING.md.

    Attributes
    ----------
    stands_in : str
        What it shows in place of a real animal, in words; '' for a camera.
    can_be_fast : bool
        Its frames need not come at their own pace, so `--fast` can be used.
    replays : bool
        It gives the frames of a recording, which has an end.
    gains_are_locked : bool or None
        Whether exposure, gain and colours are known to stay as they are; None where nobody can say.
    is_linear : bool or None
        Whether each colour of a pixel is proportional to its light; None where nobody can say.
    channels : int
        Of a pixel: 3 for blue, green and red, 1 for grey.  Known before `start`; 3 where a driver does not say.
    """

    stands_in: ClassVar[str]
    can_be_fast: ClassVar[bool]
    replays: ClassVar[bool]
    gains_are_locked: ClassVar[bool | None]

    @property
    def is_linear(self) -> bool | None:
        """See above; a plain attribute will do, of the class or, where it depends on the settings, of the object."""

    @property
    def channels(self) -> int:
        """See above; a plain attribute will do here, too."""

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        """Take the settings, {name: text}; nothing is opened yet."""

    def start(self) -> Self:
        """Open the camera and let it run; return the driver itself.

        Raises
        ------
        CameraError
            In a sentence with the cure.
        """

    def begin_session(self) -> None:
        """Forget the frames that wait; recordings and simulations start from their beginning."""

    def read(self) -> Frame | None:
        """Return the next new frame, or None when a recording has ended."""

    def stop(self) -> None:
        """Close the camera; harmless when repeated."""


@runtime_checkable
class Senses(Protocol):
    """A driver that simulates a mouse."""

    def let_sense(self, tone: Tone, tally: Tally) -> None:
        """Let the mouse hear the tone, and taste the rewards that the tally counts."""


@runtime_checkable
class Exposes(Protocol):
    """A driver that can change its exposure while it runs."""

    def expose(self, exposure_us: int) -> float:
        """Expose from now on for this time, µs, or the nearest that the camera can do.

        Returns
        -------
        float
            The exposure time, µs, of the frames that `read` gives from now on.
        """


@runtime_checkable
class Refuses(Protocol):
    """A driver that can tell before it is opened that it cannot do what the settings ask for."""

    @staticmethod
    def refuse(settings: CameraSettings) -> None:
        """Raise SettingsError, in a sentence with the cure, if it cannot."""


IN_COLOUR = 3  # channels: blue, green, red
LINEAR_IN_WORDS = {True: "yes", False: "no", None: "unknown"}
"""Whether pictures are linear in light, as sessions and summaries say it."""


class CameraFactory:
    """A camera, whatever the driver.

    Parameters
    ----------
    camera_instance : Driver
        A started driver: `CameraFactory(PiCameraStream(cfgDict).start())`.
    resolution : tuple of int, optional
        Width, height px that every frame must have.

    Attributes
    ----------
    lost : int
        Frames that the camera counted and the rig did not receive, since `begin_session`.
    """

    def __init__(self, camera_instance: Driver, resolution: tuple[int, int] | None = None) -> None:
        self.camera = camera_instance
        self._resolution = resolution
        self.begin_session()

    @staticmethod
    def driver(vid_source: str) -> type[Driver]:
        """Return the class of a driver by its name; nothing is opened.

        Raises
        ------
        CameraError
            The camera file cannot be imported, or does not hold the class.
        """
        try:
            driver: type[Driver] = getattr(importlib.import_module(vid_source), vid_source)
        except (ImportError, AttributeError) as error:
            raise CameraError(f"vid_source = {vid_source}: the camera file cannot be used ({error})") from None
        return driver

    @classmethod
    def refuse(cls, settings: RigSettings) -> None:
        """Raise SettingsError if the driver of these settings says that it cannot do them; no camera is opened."""
        driver = cls.driver(settings.vid_source)
        if isinstance(driver, Refuses):
            driver.refuse(settings)
        if settings.mono and cls.channels_of(settings) == IN_COLOUR:
            raise SettingsError(f"mono = 1: vid_source = {settings.vid_source} gives three colours; set mono = 0")
        if settings.needs_colours and cls.channels_of(settings) != IN_COLOUR:
            raise SettingsError(
                f"vid_source = {settings.vid_source}: it gives grey pictures, and ΔF/F needs green and blue; "
                "set mono = 0 or another pixel_format, or use a camera with colours"
            )

    @classmethod
    def channels_of(cls, settings: RigSettings) -> int:
        """Return how many channels the pictures will have with these settings; no camera is opened."""
        return channels_of(cls.driver(settings.vid_source)(driver_settings(settings)))

    @classmethod
    def open(cls, settings: RigSettings, fast: bool = False) -> "CameraFactory":
        """Start the driver that `vid_source` names.

        Parameters
        ----------
        settings : RigSettings
        fast : bool
            Simulated and replayed frames come as fast as they can.

        Raises
        ------
        CameraError
            The camera is missing or refuses its settings.
        """
        return cls(cls.driver(settings.vid_source)(driver_settings(settings, fast)).start(), settings.resolution)

    def begin_session(self) -> None:
        """Number frames from 0 again and forget old losses; recordings and simulations start from their beginning."""
        self.lost = 0
        self._first_number: int | None = None
        self._next_number = 0
        self.camera.begin_session()

    def let_sense(self, tone: Tone, tally: Tally) -> None:
        """Let a simulated mouse, where there is one, hear the tone and taste the rewards that the tally counts."""
        if isinstance(self.camera, Senses):
            self.camera.let_sense(tone, tally)

    @property
    def is_linear(self) -> bool | None:
        """Whether the pictures are linear in light; None where the driver does not know, or does not say."""
        is_linear: bool | None = getattr(self.camera, "is_linear", None)
        return is_linear

    @cached_property  # every frame is compared with it, and a recording is opened to find out
    def channels(self) -> int:
        """How many channels a pixel has: 3 for blue, green and red, 1 for grey."""
        return channels_of(self.camera)

    @property
    def can_expose(self) -> bool:
        """Whether the exposure can be changed while the camera runs."""
        return isinstance(self.camera, Exposes)

    def expose(self, exposure_us: int) -> float:
        """Change the exposure (µs); return that of the frames from now on.

        Raises
        ------
        CameraError
            This camera cannot.
        """
        if not isinstance(self.camera, Exposes):
            raise CameraError(
                f"{type(self.camera).__name__} cannot change its exposure while it runs; "
                "set it by hand to a half and a quarter, and see that the means follow"
            )
        return self.camera.expose(exposure_us)

    def read(self) -> Frame | None:
        """Return the next new frame, or None when a recording has ended.

        Raises
        ------
        CameraError
            The camera stopped giving frames, gave one out of order, or one of another form.
        """
        frame = self.camera.read()
        if frame is None:
            return None
        self._check_form(frame.image)
        if self._first_number is None:
            self._first_number = frame.number
        number = frame.number - self._first_number
        if number < self._next_number:
            raise CameraError(f"the camera gave frame {number} after frame {self._next_number - 1}; restart the camera")
        self.lost += number - self._next_number
        self._next_number = number + 1
        return frame._replace(number=number)

    def get_image(self) -> np.ndarray | None:
        """Return the next new image, (height, width, channels) uint8, BGR or grey; None when a recording has ended."""
        frame = self.read()
        return None if frame is None else frame.image

    def _check_form(self, image: np.ndarray) -> None:
        """Raise CameraError where the signal cannot be computed from an image."""
        if self._resolution is None:
            return
        width, height = self._resolution
        if image.shape != (height, width, self.channels) or image.dtype != np.uint8:
            colours = "three colours" if self.channels == IN_COLOUR else "one grey channel"
            raise CameraError(
                f"the camera gives {form_of(image)} where resolution = {width}, {height} and {colours} of uint8 "
                "are needed; correct resolution, or the format of the camera"
            )

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


def driver_settings(settings: RigSettings, fast: bool = False) -> dict[str, str]:
    """Return what a driver is made with (`cfgDict`)."""
    return to_strings(settings) | {"fast": str(int(fast)), "scene": settings.scene}


def channels_of(driver: Driver) -> int:
    """Return how many channels the pictures of a driver have; those that do not say have three."""
    return int(getattr(driver, "channels", IN_COLOUR))


def form_of(image: np.ndarray) -> str:
    """Return in words what an image is, as in '64, 48 px, grey, of uint16'."""
    if image.ndim not in (2, 3):
        return f"an array of {image.ndim} dimensions"
    height, width = image.shape[:2]
    channels = "grey, " if image.ndim == 2 else "" if image.shape[2] == IN_COLOUR else f"{image.shape[2]} channels, "
    return f"{width}, {height} px, {channels}of {image.dtype}"
