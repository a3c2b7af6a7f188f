"""The Raspberry Pi camera, through picamera2, with every automatic control off, and linear in light.

`python PiCameraStream.py` shows what it captures; with `--linearity` it measures whether that follows the light.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from rig.devices import tuning
from rig.devices.exposure import must_fit
from rig.devices.frames import Frame, FrameQueue, Numbering
from rig.errors import CameraError
from rig.settings.camera import CameraSettings
from rig.settings.loading import from_strings

QUEUE_FRAMES = 64
BUFFERS = 6
SETTLING_FRAMES = 16  # a new exposure waits behind the buffers that are under way, and a few frames in the sensor

# Neither sharpening nor a change of colours and contrast; libcamera's defaults but for the first.
NEUTRAL = {"Sharpness": 0.0, "Saturation": 1.0, "Contrast": 1.0, "Brightness": 0.0}
# What a camera with a moving lens has.  Its lens is moved by no one then; 0 is "manual".
FOCUS, BY_HAND = "AfMode", 0
IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0, 1)

# Sizes of the sensor modes by their old numbers, which configurations still use (picamera documentation,
# "Sensor modes"): v1 camera module, v2 camera module, HQ camera.
SENSOR_MODES: dict[str, dict[int, tuple[int, int]]] = {
    "ov5647": {1: (1920, 1080), 2: (2592, 1944), 3: (2592, 1944), 4: (1296, 972), 6: (640, 480), 7: (640, 480)},
    "imx219": {1: (1920, 1080), 2: (3280, 2464), 3: (3280, 2464), 4: (1640, 1232), 7: (640, 480)},
    "imx477": {1: (2028, 1080), 2: (2028, 1520), 3: (4056, 3040), 4: (1332, 990)},
}

MISSING = (
    "picamera2 is not installed; on a Raspberry Pi run 'sudo apt install python3-picamera2' and 'make setup', "
    "or add --simulate to try without a camera"
)


class PiCameraStream:
    """A Raspberry Pi camera.

    Every frame that the camera completes is copied in the camera's own thread and waits its turn.  The times
    are those of the sensor, and a gap in them is a loss: libcamera numbers requests, not frames of the sensor.

    Parameters
    ----------
    cfgDict : mapping of str to str
        `resolution`, `framerate`, `shutter_speed`, `iso`, `awb_mode`, `sensor_mode`, `linear`; each is verified in
        what the camera reports.

    Attributes
    ----------
    is_linear : bool
        What `linear` asks for; a camera that does otherwise is not started.
    """

    stands_in: ClassVar[str] = ""
    can_be_fast: ClassVar[bool] = False
    replays: ClassVar[bool] = False
    channels: ClassVar[int] = 3
    gains_are_locked: ClassVar[bool | None] = True  # `_verify` reads it back from the camera

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CameraSettings, cfgDict, "PiCameraStream")
        self.is_linear: bool | None = self._settings.linear
        self._queue = FrameQueue(QUEUE_FRAMES, self._settings.camera_timeout_s, self._settings.realtime)
        self._numbering = Numbering(self._settings.framerate)
        self._metadata: dict[str, Any] = {}
        self._camera: Any = None

    @staticmethod
    def refuse(settings: CameraSettings) -> None:
        """Raise SettingsError where the exposure does not fit into a frame."""
        must_fit(settings)

    def start(self) -> "PiCameraStream":
        """Open the camera, lock its gains and verify them.

        Raises
        ------
        CameraError
            picamera2 or the camera is missing, another program holds it, or it does not take a setting.
        """
        self.refuse(self._settings)
        try:
            from picamera2 import Picamera2
        except (ImportError, ValueError) as error:  # ValueError: built for another numpy than ours
            raise CameraError(f"{MISSING} ({error})") from None
        found = Picamera2.global_camera_info()
        if not found:
            raise CameraError("no camera was found; check its cable, and try 'rpicam-hello --list-cameras'")
        tuned = {"tuning": linear_tuning(Picamera2, found[0]["Model"])} if self._settings.linear else {}
        try:
            self._camera = Picamera2(**tuned)
        except RuntimeError as error:
            reason = error.__cause__ or error  # picamera2 wraps what libcamera said
            raise CameraError(f"the camera cannot be opened, another program may hold it ({reason})") from None
        try:
            self._configure()
            self._camera.pre_callback = self._take
            self._camera.start()
            self._verify()
        except RuntimeError as error:
            self.stop()
            raise CameraError(f"the camera cannot be started with these settings ({error})") from None
        except BaseException:
            self.stop()
            raise
        return self

    def begin_session(self) -> None:
        """Forget the frames that wait."""
        self._queue.clear()

    def read(self) -> Frame:
        """Return the next frame; CameraError when none comes."""
        return self._queue.get()

    def expose(self, exposure_us: int) -> float:
        """Change the exposure, and pass over the frames that still have the one before."""
        self._camera.set_controls({"ExposureTime": exposure_us})
        self._queue.settle(SETTLING_FRAMES)
        return float(self._metadata["ExposureTime"])

    def stop(self) -> None:
        """Close the camera; harmless when repeated."""
        if self._camera is not None:
            # It also stops the camera; stop() would wait for the camera's thread, which may have died.
            self._camera.close()
            self._camera = None

    def _controls(self) -> dict[str, Any]:
        period_us = round(1e6 / self._settings.framerate)
        has_lens = FOCUS in self._camera.camera_controls
        linear = NEUTRAL | ({FOCUS: BY_HAND} if has_lens else {}) if self._settings.linear else {}
        return linear | {
            "AeEnable": False,
            "AwbEnable": False,
            "ColourGains": (1.0, 1.0),
            "ExposureTime": self._settings.shutter_speed,
            "AnalogueGain": self._settings.iso / 100,
            "FrameDurationLimits": (period_us, period_us),
            "NoiseReductionMode": 0,  # off
        }

    def _configure(self) -> None:
        controls = self._controls()
        lacking = sorted(controls.keys() - self._camera.camera_controls.keys())
        if lacking:
            raise CameraError(
                f"the camera has no control {', '.join(lacking)}, so its gains cannot be locked; "
                "ΔF/F needs a camera with fixed exposure, gain and colour"
            )
        size = self._settings.resolution
        # picamera2 names formats back to front: RGB888 gives arrays in the order blue, green, red.
        main = {"size": size, "format": "RGB888"}
        config = self._camera.create_video_configuration(main, raw=None, buffer_count=BUFFERS, controls=controls)
        config["sensor"] = self._sensor()
        self._camera.configure(config)
        got = self._camera.camera_configuration()
        if tuple(got["main"]["size"]) != size or got["main"]["format"] != "RGB888":
            width, height = got["main"]["size"]
            raise CameraError(
                f"resolution = {size[0]}, {size[1]}: the camera would give {width}, {height} px; "
                "set a resolution that it has"
            )

    def _sensor(self) -> dict[str, Any] | None:
        """Return the sensor configuration of `sensor_mode`, None to let the library choose."""
        mode = self._settings.sensor_mode
        if mode == 0:
            return None
        model = self._camera.camera_properties.get("Model", "unknown")
        size = SENSOR_MODES.get(model, {}).get(mode)
        fitting = [] if size is None else [found for found in self._camera.sensor_modes if tuple(found["size"]) == size]
        if not fitting:
            raise CameraError(
                f"sensor_mode = {mode}: the camera {model} has no such mode; "
                "set sensor_mode = 0 to let the library choose"
            )
        return {"output_size": size, "bit_depth": max(found["bit_depth"] for found in fitting)}

    def _take(self, request: Any) -> None:
        """Copy one completed frame and hand it over; runs in the camera's thread, which an exception would end."""
        try:
            metadata = request.get_metadata()
            captured_s = metadata["SensorTimestamp"] / 1e9  # on the clock of time.monotonic()
            self._metadata = metadata
            number = self._numbering.number(captured_s)
            self._queue.put(Frame(number, captured_s, captured_s, request.make_array("main")))
        except Exception as error:
            self._queue.fail(CameraError(f"the camera gave a frame that cannot be used ({error!r})"))

    def _verify(self) -> None:
        """Compare what the camera reports for a frame with the settings."""
        self._queue.get()
        period_us = 1e6 / self._settings.framerate
        for key, name, wanted, tolerance, unit in (
            ("shutter_speed", "ExposureTime", self._settings.shutter_speed, 0.01, "µs"),
            ("iso", "AnalogueGain", self._settings.iso / 100, 0.05, "times"),
            ("framerate", "FrameDuration", period_us, 0.01, "µs a frame"),
        ):
            got = self._metadata.get(name, math.nan)
            if not abs(got - wanted) <= tolerance * wanted:
                raise CameraError(
                    f"{key}: the camera gives {got:g} {unit} ({name}) where {wanted:g} was asked for; "
                    "set a value that it can do"
                )
        gains = self._metadata.get("ColourGains", (math.nan, math.nan))
        if not all(abs(gain - 1) <= 0.02 for gain in gains):
            raise CameraError(f"awb_mode = off: the camera still uses the colour gains {gains} instead of 1, 1")
        if self._settings.linear:
            self._verify_linear(self._metadata)

    def _verify_linear(self, first: Mapping[str, Any]) -> None:
        """See in what the camera reports that nothing bends or mixes the light, and that its lens does not move."""
        matrix = tuple(first.get("ColourCorrectionMatrix", ()))
        # libcamera multiplies the matrix by one for the saturation, which is the identity only to 0.001.
        if len(matrix) != 9 or not all(abs(got - one) <= 0.01 for got, one in zip(matrix, IDENTITY, strict=True)):
            shown = ", ".join(f"{value:.2f}" for value in matrix) or "none that it reports"
            raise CameraError(
                f"linear = 1: the camera mixes the colours with the matrix {shown}; "
                "update libcamera and picamera2, or set linear = 0 for processed pictures"
            )
        gain = first.get("DigitalGain", math.nan)
        if not abs(gain - 1) <= 0.02:
            raise CameraError(
                f"linear = 1: the camera multiplies its pictures by {gain:g} (DigitalGain); "
                "set shutter_speed and iso to values that it can do"
            )
        if "LensPosition" in first:
            for _ in range(SETTLING_FRAMES):
                self._queue.get()
            before, now = first["LensPosition"], self._metadata.get("LensPosition", math.nan)
            if not abs(now - before) <= 0.01:
                raise CameraError(
                    f"linear = 1: the lens of the camera moves, from {before:g} to {now:g} dioptres; "
                    "let no other program focus it"
                )


def linear_tuning(picamera2: Any, sensor: str) -> tuning.Tuning:
    """Return the tuning of a sensor's own file, made linear.

    Parameters
    ----------
    picamera2 : type
        picamera2.Picamera2.
    sensor : str
        As libcamera names it.

    Raises
    ------
    CameraError
        There is no such file.
    """
    try:
        return tuning.linear(picamera2.load_tuning_file(f"{sensor}.json"))
    except (RuntimeError, OSError, ValueError, KeyError):  # none, or not one of libcamera's
        raise CameraError(
            f"linear = 1: there is no tuning file {sensor}.json for the sensor of this camera, so its pictures cannot "
            "be made linear in light; use a camera that Raspberry Pi OS knows, or set linear = 0 for processed pictures"
        ) from None


if __name__ == "__main__":
    from rig.commands.camera import bench

    bench(PiCameraStream)
