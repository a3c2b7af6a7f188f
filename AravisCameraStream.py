"""Any GenICam camera, by USB3 Vision or GigE Vision (Sentech, FLIR, Basler, IDS, Allied Vision ...), through Aravis.

`python AravisCameraStream.py` shows what it captures; with `--linearity` it measures whether that follows the light.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from rig.devices import genicam, pixel_formats
from rig.devices.camera_clock import CameraClock, FrameIds
from rig.devices.exposure import must_fit
from rig.devices.frames import Frame, FrameQueue
from rig.errors import CameraError, SettingsError
from rig.settings.camera import CameraSettings
from rig.settings.loading import from_strings

QUEUE_FRAMES = 64
BUFFERS = 32
WAIT_US = 100_000  # for a frame, before the thread sees whether it is to stop
SMALLER = "set packet_size to what every part of the network takes (1500 without jumbo frames), or lower framerate"
SETTLING_FRAMES = 8  # a new exposure waits behind those that are under way


class AravisCameraStream:
    """A GenICam camera.

    Frames are numbered by the camera's own count, and timed by its own clock, brought to the monotonic one.  A frame of
    which a part was lost on the way is left out; its number is missing, so it counts as lost.

    Parameters
    ----------
    cfgDict : mapping of str to str
        `genicam_id`, `resolution` and `crop` (the region of the sensor; nothing is scaled), `binning`, `pixel_format`,
        `framerate` or `camera_trigger` and `camera_trigger_delay_us`, `shutter_speed`, `gain`, `black_level`,
        `packet_size`; each is read back.

    Attributes
    ----------
    channels : int
        1 with a Mono pixel format, else 3.
    is_linear : bool or None
        True for grey and mosaic pictures: gamma is off.  None where the camera makes colours of its mosaic itself.
    """

    stands_in: ClassVar[str] = ""
    can_be_fast: ClassVar[bool] = False
    replays: ClassVar[bool] = False
    gains_are_locked: ClassVar[bool | None] = True  # every automatic function is switched off, and read back

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CameraSettings, cfgDict, "AravisCameraStream")
        self.is_linear: bool | None = pixel_formats.is_raw(self._settings.pixel_format) or None
        self.channels = pixel_formats.channels_of(self._settings.pixel_format)
        self._queue = FrameQueue(QUEUE_FRAMES, self._settings.camera_timeout_s, self._settings.realtime)
        self._ids, self._clock = FrameIds(self._settings.framerate), CameraClock()
        self._incomplete = 0
        self._camera: Any = None
        self._stream: Any = None
        self._running = False
        self._thread = threading.Thread(target=self._capture, name="GenICam camera", daemon=True)

    @staticmethod
    def refuse(settings: CameraSettings) -> None:
        """Raise SettingsError for pixels in a form that is not known here, or an exposure longer than a frame."""
        if not pixel_formats.is_known(settings.pixel_format):
            raise SettingsError(f"pixel_format = {settings.pixel_format}: choose one of {pixel_formats.KNOWN}")
        must_fit(settings)

    def start(self) -> "AravisCameraStream":
        """Open the camera, set it, and read back what it was set to.

        Raises
        ------
        CameraError
            Aravis or the camera is missing, another program holds it, or it does not take a setting.
        """
        self.refuse(self._settings)
        self._aravis = genicam.load()
        self._camera = genicam.open_camera(self._aravis, self._settings.genicam_id)
        try:
            self._configure()
            self._run()
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
        with genicam.refusals(f"exposure of {exposure_us} µs"):
            low, high = genicam.bounds(self._camera.get_exposure_time_bounds())
            self._camera.set_exposure_time(min(max(exposure_us, low), high))
            exposed_us = self._camera.get_exposure_time()
        self._queue.settle(SETTLING_FRAMES)
        return float(exposed_us)

    def stop(self) -> None:
        """Close the camera; harmless when repeated."""
        self._running = False
        if self._thread.is_alive():
            self._thread.join(self._settings.camera_timeout_s + 1)
        if self._camera is not None:
            with suppress(CameraError), genicam.refusals("stop"):  # one that is unplugged stands still already
                self._camera.stop_acquisition()
        self._stream = self._camera = None  # which closes them

    def _configure(self) -> None:
        settings, features = self._settings, genicam.Features(self._camera)
        with genicam.refusals("the camera does not stop what it was doing; switch it off and on"):
            self._camera.stop_acquisition()
            self._camera.set_acquisition_mode(self._aravis.AcquisitionMode.CONTINUOUS)
        self._set_picture()
        features.switch_off_what_changes_pictures()
        self._set_start_of_frames(features)
        features.set_number("shutter_speed", settings.shutter_speed, "exposure_time", "µs")
        features.set_number("gain", self._lowest_gain() if settings.gain is None else settings.gain, "gain", "(gain)")
        if settings.black_level is not None:
            features.set_number("black_level", settings.black_level, "black_level", "(black level)")
        if self._camera.is_gv_device():
            self._set_packet_size()

    def _lowest_gain(self) -> float:
        with genicam.refusals("gain: the camera does not say which it can do"):
            return genicam.bounds(self._camera.get_gain_bounds())[0] if self._camera.is_gain_available() else 0.0

    def _set_picture(self) -> None:
        """Set the form of the pixels, then binning, which changes what the region can be, then the region."""
        settings, camera = self._settings, self._camera
        with genicam.refusals(f"pixel_format = {settings.pixel_format}"):
            formats = camera.dup_available_pixel_formats_as_strings()
            if settings.pixel_format not in formats:
                usable = ", ".join(name for name in formats if pixel_formats.is_known(name))
                raise CameraError(f"pixel_format = {settings.pixel_format}: the camera has {usable}")
            camera.set_pixel_format_from_string(settings.pixel_format)
        with genicam.refusals(f"binning = {settings.binning}"):
            if camera.is_binning_available():
                camera.set_binning(settings.binning, settings.binning)
            got = tuple(camera.get_binning()) if camera.is_binning_available() else (1, 1)
        if got != (settings.binning, settings.binning):
            raise CameraError(
                f"binning = {settings.binning}: the camera joins {got[0]}, {got[1]} px; set binning = {got[0]}"
            )
        self._set_region()

    def _set_region(self) -> None:
        camera, (width, height) = self._camera, self._settings.resolution
        said = f"resolution = {width}, {height}"
        with genicam.refusals(said, "set a size that the camera has"):
            camera.set_region(0, 0, width, height)
            widest, highest = (
                int(genicam.bounds(of)[1]) for of in (camera.get_width_bounds(), camera.get_height_bounds())
            )
            x, y = self._settings.crop or self._middle(max(0, widest - width), max(0, highest - height))
            fits = x + width <= widest and y + height <= highest
            if fits:
                camera.set_region(x, y, width, height)
            region = camera.get_region()
            steps = f"{camera.get_width_increment()}, {camera.get_height_increment()}"
        if not fits or (region.x, region.y, region.width, region.height) != (x, y, width, height):
            raise CameraError(
                f"{said} with its corner at {x}, {y}: the camera gives {region.width}, {region.height} px at "
                f"{region.x}, {region.y}; it has {widest}, {highest} px in steps of {steps}"
            )

    def _middle(self, spare_width: int, spare_height: int) -> tuple[int, int]:
        """Return the corner of a region in the middle, in the steps that the camera can do."""
        x_step, y_step = self._camera.get_x_offset_increment(), self._camera.get_y_offset_increment()
        return spare_width // 2 // x_step * x_step, spare_height // 2 // y_step * y_step

    def _set_start_of_frames(self, features: genicam.Features) -> None:
        """Let the camera run at `framerate`, or let a signal start each frame."""
        line, delay_us = self._settings.camera_trigger, self._settings.camera_trigger_delay_us
        if not line:
            with genicam.refusals("camera_trigger: the camera does not run freely"):
                self._camera.clear_triggers()
            features.set_number("framerate", self._settings.framerate, "frame_rate", "frames/s")
            return
        said = f"camera_trigger = {line}"
        with genicam.refusals(said):
            lines = self._camera.dup_available_trigger_sources()
            if line not in lines:
                raise CameraError(f"{said}: the camera has {', '.join(lines)}")
            self._camera.set_trigger(line)
        features.set("TriggerSource", line, said)
        features.set("TriggerMode", "On", said)
        if delay_us:
            name = "TriggerDelay" if features.has("TriggerDelay") else "TriggerDelayAbs"
            features.set(name, delay_us, f"camera_trigger_delay_us = {delay_us:g}", 0.01)

    def _set_packet_size(self) -> None:
        wanted = self._settings.packet_size
        with genicam.refusals("packet_size"):
            if wanted is None:
                self._camera.gv_auto_packet_size()
                return
            self._camera.gv_set_packet_size_adjustment(self._aravis.GvPacketSizeAdjustment.NEVER)
            self._camera.gv_set_packet_size(wanted)
            got = self._camera.gv_get_packet_size()
        if got != wanted:
            raise CameraError(f"packet_size = {wanted}: the camera takes {got} bytes; set that, or leave it empty")

    def _run(self) -> None:
        """Let the camera give frames; wait for the first one, unless a signal starts it."""
        settings = self._settings
        self._decode = pixel_formats.decoder(settings.pixel_format, *settings.resolution)
        with genicam.refusals("the camera cannot be started"):
            self._stream = self._camera.create_stream(None, None)
            if self._stream is None:
                raise CameraError("the camera gives no stream of frames; another program may hold it")
            for _ in range(BUFFERS):
                self._stream.push_buffer(self._aravis.Buffer.new_allocate(self._camera.get_payload()))
            genicam.when_lost(self._camera, self._queue.fail)
            self._camera.start_acquisition()
        self._running = True
        self._thread.start()
        if not settings.camera_trigger:
            self._wait_for_first()

    def _wait_for_first(self) -> None:
        """Take the first frames, which show where the clock of the camera lies."""
        try:
            for _ in range(SETTLING_FRAMES):
                self._queue.get()
        except CameraError as error:
            raise CameraError(
                f"{self._incomplete} frames came in part: {SMALLER}" if self._incomplete else str(error)
            ) from None

    def _capture(self) -> None:
        stream = self._stream
        while self._running:
            buffer = stream.timeout_pop_buffer(WAIT_US)
            if buffer is None:
                continue
            arrived_s = time.monotonic()
            try:
                self._take(buffer, arrived_s)
            except CameraError as error:
                self._queue.fail(error)
                break
            stream.push_buffer(buffer)

    def _take(self, buffer: Any, arrived_s: float) -> None:
        """Hand one frame over."""
        if buffer.get_status() != self._aravis.BufferStatus.SUCCESS:
            self._incomplete += 1
            return
        stamp_ns = buffer.get_timestamp()
        number = self._ids.number(buffer.get_frame_id(), stamp_ns)
        captured_s = self._clock.captured_s(stamp_ns, arrived_s)
        self._queue.put(Frame(number, captured_s, captured_s, self._decode(buffer.get_data())))


if __name__ == "__main__":
    from rig.commands.camera import bench

    bench(AravisCameraStream)
