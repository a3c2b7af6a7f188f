"""What a camera driver needs to know."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rig.settings import original
from rig.settings.fields import CAMERA, COMPUTER, FILES, TRIALS, Corner, Hdf5Name, PathText, Size, setting

HDF5_ENDINGS = {".hdf5", ".h5"}


class CameraSettings(BaseModel):
    """What a camera driver needs to know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    vid_source: str = setting(CAMERA, "camera: the name of a *Stream.py file of the top folder", "name")
    vid_root: PathText = setting(CAMERA, "VideoStream: session folder, HDF5 or movie file to replay", "path", "")
    opencv_source: str = setting(CAMERA, "OpenCVCameraStream: number of the camera, or a pipeline or address", "", "0")
    genicam_id: str = setting(
        CAMERA,
        "AravisCameraStream: id or network address of the camera; the only one if empty",
        "as `arv-tool-0.8` lists it",
        "",
    )
    resolution: Size = setting(CAMERA, "size of the image", "width, height px")
    crop: Corner | None = setting(
        CAMERA,
        "upper left corner of `resolution` within what the camera sees; if empty, AravisCameraStream takes the middle, "
        "and OpenCVCameraStream crops nothing",
        "x, y px",
        None,
    )
    framerate: float = setting(CAMERA, "frames that the camera takes per second", "frames/s", gt=0, le=500)
    awb_mode: Literal["off"] = setting(
        CAMERA, "white balance: off, because ΔF/F of two colours means nothing while their gains drift", default="off"
    )
    shutter_speed: int = setting(CAMERA, "exposure time", "µs", 60000, gt=0)
    iso: int = setting(CAMERA, "analogue gain times 100", "ISO", 800, ge=100, le=3200)
    gain: float | None = setting(
        CAMERA,
        "AravisCameraStream, OpenCVCameraStream: gain; if empty the lowest (Aravis), or as it is (OpenCV)",
        "unit of the camera, mostly dB",
        None,
        ge=-1000,
        le=100000,
    )
    black_level: float | None = setting(
        CAMERA, "AravisCameraStream: black level; as it is if empty", "unit of the camera", None, ge=-100000, le=100000
    )
    binning: int = setting(
        CAMERA, "AravisCameraStream: pixels that the camera joins, in each direction", "px", 1, ge=1, le=16
    )
    pixel_format: str = setting(
        CAMERA,
        "AravisCameraStream: form of the pixels; of Mono10, Mono12 and the like the upper 8 bits are kept",
        "name",
        "Mono8",
    )
    packet_size: int | None = setting(
        CAMERA,
        "AravisCameraStream, GigE: size of a packet; the largest that goes through if empty",
        "bytes",
        None,
        ge=576,
        le=65535,
    )
    mono: bool = setting(
        CAMERA,
        "OpenCVCameraStream, SimCameraStream: grey pictures, stored with one channel; AravisCameraStream gives them "
        "with a Mono pixel_format",
        "0, 1",
        False,
    )
    camera_trigger: str = setting(
        CAMERA,
        "AravisCameraStream: input that starts each exposure; the camera runs freely if empty",
        "name, as Line1",
        "",
    )
    camera_trigger_delay_us: float = setting(
        CAMERA, "AravisCameraStream: delay from that signal to the exposure", "µs", 0.0, ge=0, le=1e6
    )
    sensor_mode: int = setting(
        CAMERA, "PiCameraStream: sensor mode by its old number; 0 lets the library choose", "", 7, ge=0
    )
    linear: bool = setting(
        CAMERA,
        "PiCameraStream: pictures linear in light, as ΔF/F needs; 0 gives processed ones, to continue an old cohort",
        "0, 1",
        True,
    )
    max_saturated: float = setting(
        CAMERA,
        "share of the pixels that may be at 255; above it the preview starts no session, and a running one is flagged",
        "0..1",
        0.01,
        ge=0,
        le=1,
    )
    camera_timeout_s: float = setting(
        CAMERA, "the session ends when no new frame has come for this time", "s", 1.0, gt=0, le=60
    )
    sim_camera_fails_at_s: float = setting(
        CAMERA, "SimCameraStream: time at which it stops giving frames; 0 never", "s", 0.0, ge=0
    )
    raw_image_file: Hdf5Name = setting(FILES, "name of the HDF5 file with the frames", "file name", "image_stream.hdf5")
    seed: int | None = setting(
        TRIALS,
        "seed of the order of silent trials and of every simulation; drawn at random without one",
        "",
        None,
        ge=0,
    )

    realtime: bool = setting(
        COMPUTER,
        "ask the system to let guard, camera and loop run before all other programs; without its leave nothing changes",
        "0, 1",
        True,
    )

    def recording(self) -> Path:
        """Return the HDF5 or movie file that `vid_root` names, itself or by its folder."""
        path = Path(self.vid_root).expanduser()
        return original.with_session(path) / self.raw_image_file if path.is_dir() else path

    def frame_period_s(self) -> float:
        """Return the time between two frames in s."""
        return 1 / self.framerate
