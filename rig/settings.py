"""config.ini -> one checked, frozen settings object per experiment.

`python -m rig.settings` prints the table of all settings that the README shows.
"""

import contextlib
import difflib
import json
import math
import os
import re
import secrets
import shutil
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from configparser import Error as IniError
from configparser import RawConfigParser
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from configupdater import ConfigUpdater
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from helper import Position, SessionType, generate_seeds
from rig.errors import SettingsError
from rig.rule import Rule

ROOT = Path(__file__).resolve().parents[1]

PLACES_OF_PAWS = frozenset({"start_roi", "target_roi"})

HDF5_ENDINGS = {".hdf5", ".h5"}

# Keys that configurations of the original system carry and this one does not need.
KEYS_OF_THE_ORIGINAL = frozenset(
    {
        "dff_range",
        "moghistory",
        "offline_video_file",
        "reward_threshold_mm",
        "sensor_mode_v1",
        "sessionduration",
        "spont_sess_duration",
        "start_freq",
        "var_threshold",
    }
)

# What the summary CSV can hold, besides every setting.
SUMMARY_VALUES = frozenset(
    {
        "data_path",
        "duration",
        "end",
        "ended_by",
        "fails",
        "fps",
        "frames",
        "latency_median_ms",
        "latency_of_first_frames_ms",
        "latency_p99_ms",
        "lost_frames",
        "mouse_id",
        "rewards",
        "session",
        "stale_frames",
        "start",
        "success_rate",
        "trials",
        "unsaved_frames",
        "water_day_ul",
        "water_ul",
        "withheld_rewards",
    }
)


def split_commas(value: object) -> object:
    """Turn '256, 256' into ['256', '256']; leave everything but text alone."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def parse_json(value: object) -> object:
    """Turn JSON text into what it says."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON: {error.msg} at character {error.pos + 1}") from None


def expand_model(value: Path) -> Path:
    """Make a path absolute: below the current folder, else below the top folder, where the shipped model is."""
    here = value.expanduser().absolute()
    return here if here.exists() else ROOT / value.expanduser()


def expand_folder(value: Path) -> Path:
    """Make a path absolute, with ~ for the home folder."""
    return value.expanduser().absolute()


Pixels = Annotated[int, Field(gt=0, le=8192)]


def check_rule(text: str) -> str:
    """Return the rule if it can be computed."""
    Rule(text)
    return text


Size = Annotated[tuple[Pixels, Pixels], BeforeValidator(split_commas)]
Coordinate = Annotated[float, Field(ge=-8192, le=8192)]
Place = Annotated[tuple[Coordinate, Coordinate], BeforeValidator(split_commas)]
Millimetres = Annotated[float, Field(gt=0, le=10000)]
SizeInMm = Annotated[tuple[Millimetres, Millimetres], BeforeValidator(split_commas)]
Folder = Annotated[Path, AfterValidator(expand_folder)]
Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
Box = tuple[int, int, int, int]
Centre = tuple[int, int]
Hdf5Name = Annotated[str, Field(pattern=r"^[^/\\]+\.(hdf5|h5)$")]
MovieName = Annotated[str, Field(pattern=r"^[^/\\]+\.(mp4|mov)$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\]*[^/\\.][^/\\]*$")]


class Site(BaseModel):
    """A cortical site in mm from bregma: lateral and anterior."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ML: Annotated[float, Field(ge=-50, le=50)]
    AP: Annotated[float, Field(ge=-50, le=50)]


def setting(meaning: str, unit: str = "", default: Any = ..., **limits: Any) -> Any:
    """Declare a setting; without a default it must stand in config.ini."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit}, **limits)


class CameraSettings(BaseModel):
    """What a camera driver needs to know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    vid_source: str = setting("camera: the name of a *Stream.py file of the top folder", "name")
    vid_root: str = setting("VideoStream: session folder, HDF5 or movie file to replay", "path", "")
    opencv_source: str = setting("OpenCVCameraStream: number of the camera, or a pipeline or address", "", "0")
    raw_image_file: Hdf5Name = setting("name of the HDF5 file with the frames", "file name", "image_stream.hdf5")
    resolution: Size = setting("size of the image", "width, height px")
    framerate: float = setting("frames the camera takes", "frames/s", gt=0, le=500)
    awb_mode: Literal["off"] = setting(
        "white balance: off, because ΔF/F of two colours means nothing while their gains drift", default="off"
    )
    shutter_speed: int = setting("exposure time", "µs", 60000, gt=0)
    iso: int = setting("analogue gain times 100", "ISO", 800, ge=100, le=3200)
    sensor_mode: int = setting("PiCameraStream: sensor mode by its old number; 0 lets the library choose", "", 7, ge=0)
    max_saturated: float = setting(
        "share of pixels at 255; with more the preview starts no session, and a running one is flagged",
        "0..1",
        0.01,
        ge=0,
        le=1,
    )
    camera_timeout_s: float = setting("without a new frame for so long the session ends", "s", 1.0, gt=0, le=60)
    sim_camera_fails_at_s: float = setting("SimCameraStream: stop giving frames then; 0 never", "s", 0.0, ge=0)
    seed: int | None = setting(
        "seed of the order of silent trials and of every simulation; drawn at random without one", "", None, ge=0
    )

    def recording(self) -> Path:
        """Return the HDF5 or movie file that `vid_root` names, itself or by its folder."""
        path = Path(self.vid_root).expanduser()
        return path / self.raw_image_file if path.is_dir() else path

    def frame_period_s(self) -> float:
        """Return the time between two frames in s."""
        return 1 / self.framerate


class CortexSettings(CameraSettings):
    """Where the cortex lies in the image."""

    ppmm: float = setting("scale of the image", "px/mm", gt=0, le=10000)
    bregma: Place = setting("bregma in the image", "row, col px")
    nose: Literal["u", "d", "l", "r"] = setting("where the nose points: up, down, left, right", default="u")
    seeds_mm: Annotated[dict[str, Site], BeforeValidator(parse_json)] = setting(
        "cortical sites, lateral and anterior of bregma", 'JSON {"name": {"ML": mm, "AP": mm}}'
    )

    def seeds(self) -> dict[str, dict[str, int]]:
        """Return {'SITE_L': {'ML': column, 'AP': row}, ...} in px."""
        sites = {name: {"ML": site.ML, "AP": site.AP} for name, site in self.seeds_mm.items()}
        return generate_seeds(Position(*self.bregma), sites, self.ppmm, self.nose)


class RigSettings(CameraSettings):
    """What every experiment has: files, trials, tone, outputs, lick."""

    section: ClassVar[str]
    place_form: ClassVar[str]
    """What a placed ROI looks like in config.ini."""

    data_root: Folder = setting("sessions are stored below it", "folder")
    video_file: MovieName = setting(
        "a movie beside the log, same frames in the same order; none without it", "file name", ""
    )
    summary_file: FileName = setting("one row per session, below data_root", "file name", "expt_summary.csv")
    summary_header: Names = setting(
        "columns of the summary: settings and " + ", ".join(sorted(SUMMARY_VALUES)),
        "names",
        ("mouse_id", "session", "start", "duration", "trials", "rewards", "session_type"),
    )

    session_type: SessionType = setting("what the mouse hears and earns", "", SessionType.normal_audio_normal_reward)
    total_trials: int = setting("trials of a session", "trials", 60, gt=0, le=10000)
    max_trial_dur: float = setting("a trial without success fails after it", "s", 30.0, gt=0, le=86400)
    tail_dur: float = setting("recorded at the very end with the light off", "s", 0.0, ge=0, le=60)
    initial_rest_dur: float = setting("rest before the first trial", "s", 30.0, ge=0, le=86400)
    success_rest_dur: float = setting("rest after a success", "s", 10.0, ge=0, le=86400)
    fail_rest_dur: float = setting("rest after a failure", "s", 15.0, ge=0, le=86400)
    audio: float = setting("share of the trials that have a tone", "0..1", 1.0, ge=0, le=1)
    n_tones: int = setting("tones of the ladder, quarter octaves from 1000 Hz", "count", 18, ge=3, le=19)
    audio_delay: float = setting("from signal to tone", "s", 0.0, ge=0, le=86400)
    reward_delay: float = setting("from signal to reward test", "s", 1.0, ge=0, le=86400)
    adaptive_threshold: bool = setting("let the threshold follow the rewards", "0, 1", False)
    random_reward_per_min: float = setting(
        "no_audio_random_reward: mean rate of free rewards", "1/min", 1.8, ge=0, le=60
    )

    outputs: Literal["gpio", "simulated"] = setting("valve, LEDs and triggers", "", "gpio")
    pin_numbering: Literal["BCM", "BOARD"] = setting("how the pins below are counted", "", "BCM")
    reward_pin: int = setting("valve and success LED", "pin", 27, ge=0, le=40)
    fail_pin: int = setting("failure LED", "pin", 12, ge=0, le=40)
    light_pin: int = setting("excitation light TTL", "pin", 21, ge=0, le=40)
    trigger_pin: int = setting("high for the whole session; starts the other camera", "pin", 17, ge=0, le=40)
    trigger_stop_edge: bool = setting(
        "end with low, high, low on the trigger pin: frame grabbers that start on a rising edge stop on one",
        "0, 1",
        False,
    )
    max_frame_age_ms: float | None = setting(
        "a decision on an older frame pays nothing and changes no tone; two frame periods without it", "ms", None, gt=0
    )
    reward_s: float = setting("length of the reward pulse", "s", 0.3, gt=0, le=60)
    reward_ul: float | None = setting("volume of a reward, in place of reward_s; needs a calibration", "µl", None, gt=0)
    fail_s: float = setting("length of the failure pulse", "s", 0.5, gt=0, le=60)
    max_rewards_per_min: int = setting("more rewards in 60 s are not paid", "1/min", 60, gt=0)
    max_session_ul: float | None = setting("more water in a session is not paid; needs a calibration", "µl", None, gt=0)
    max_day_ul: float | None = setting("more water for a mouse in a day on this rig is not paid", "µl", None, gt=0)
    at_water_cap: Literal["continue", "end"] = setting("what the session does then", "", "continue")
    max_valve_open_s: float = setting("the guard closes the valve after it", "s", 1.0, gt=0, le=10)

    tone: Literal["pyaudio", "simulated"] = setting("the loudspeaker", "", "pyaudio")
    tone_required: bool = setting("without sound the session ends", "0, 1", False)
    tone_volume: float = setting("loudness of the tone, full scale = 1", "0..1", 0.5, gt=0, le=1)

    lick: Literal["none", "mpr121", "gpio", "simulated"] = setting("the lick sensor", "", "none")
    lick_channel: int = setting("mpr121: electrode of the spout", "channel", 0, ge=0, le=11)
    lick_i2c_bus: int = setting("mpr121: number of the bus; 1 on a Raspberry Pi", "/dev/i2c-N", 1, ge=0, le=99)
    lick_i2c_address: int = setting("mpr121: address (90 = 0x5A)", "I2C address", 0x5A, ge=8, le=119)
    lick_pin: int = setting("gpio: input that is high while the tongue touches", "pin", 23, ge=0, le=40)

    @classmethod
    def placeable(cls, values: Mapping[str, str]) -> set[str]:
        """Return the keys, lower case, with which these values may place an ROI."""
        raise NotImplementedError

    def with_places(self, rois: Iterable[Any]) -> Self:
        """Return these settings with the ROIs (Rect or Circle) where they are now."""
        boxes = {roi.name.lower(): roi.place() for roi in rois}
        return self.model_copy(update={"placed": getattr(self, "placed", {}) | boxes})

    def max_frame_age_s(self) -> float:
        """Return how old a frame may be when it is decided on, s."""
        return 2 * self.frame_period_s() if self.max_frame_age_ms is None else self.max_frame_age_ms / 1e3

    def pins(self) -> dict[str, int]:
        """Return {output name: pin}."""
        return {
            "reward": self.reward_pin,
            "fail": self.fail_pin,
            "light": self.light_pin,
            "trigger": self.trigger_pin,
        }

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid alone but not with the others."""
        if not (ROOT / f"{self.vid_source}.py").is_file() or not self.vid_source.endswith("Stream"):
            known = ", ".join(sorted(path.stem for path in ROOT.glob("*Stream.py")))
            yield f"vid_source = {self.vid_source}: there is no camera of this name; known are {known}"
        pins = self.pins() | ({"lick": self.lick_pin} if self.lick == "gpio" else {})
        for name, pin in pins.items():
            others = [other for other in pins if other != name and pins[other] == pin]
            if others and name < others[0]:
                yield f"{name}_pin = {pin}: {' and '.join(others)} has the same pin; each needs its own"
        longest = max(("reward_delay", "audio_delay"), key=lambda key: getattr(self, key))
        for key in ("initial_rest_dur", "success_rest_dur", "fail_rest_dur"):
            if getattr(self, key) < getattr(self, longest):
                yield (
                    f"{key} = {getattr(self, key):g}: must be at least {longest}, {getattr(self, longest):g} s, "
                    "or the signal of one trial would count in the next"
                )
        if self.video_file and any(side % 2 for side in self.resolution):
            width, height = self.resolution
            yield f"resolution = {width}, {height}: a movie needs even numbers; change it, or leave video_file empty"
        if self.reward_s > self.max_valve_open_s:
            yield f"reward_s = {self.reward_s:g}: must not be longer than max_valve_open_s, {self.max_valve_open_s:g} s"
        allowed = SUMMARY_VALUES | type(self).model_fields.keys()
        for name in self.summary_header:
            if name not in allowed:
                yield f"summary_header = ... {name} ...: there is no such value{nearest(name, allowed)}"


class ClnfSettings(RigSettings, CortexSettings):
    """Closed-loop neurofeedback: ΔF/F of cortical ROIs."""

    dff_history: float = setting("baseline of ΔF/F: the frames before, for so long", "s", 6.0, gt=0, le=600)
    roi_size: SizeInMm = setting("size of an ROI that was not placed by hand", "width, height mm", (0.3, 0.3))
    reward_threshold: float = setting("a signal above it is a success", "ΔF/F", gt=0, lt=10)
    placed: dict[str, Annotated[Box, BeforeValidator(split_commas)]] = Field(default_factory=dict, exclude=True)
    """ROIs placed in the window, {lower-case name: (x, y, w, h)} in px: lines like `m1_l = 76,114,8,8`."""

    def history_frames(self) -> int:
        """Return how many frames the baseline spans."""
        return max(1, round(self.dff_history * self.framerate))

    spontaneous_rate: float = setting("--baseline: crossings of the threshold to look for", "1/min", 2.0, gt=0)

    place_form: ClassVar[str] = "x, y, w, h, four whole numbers (px)"
    rois_key: ClassVar[str]
    """The setting that names the ROIs."""

    @classmethod
    def placeable(cls, values: Mapping[str, str]) -> set[str]:
        """Return the sites of seeds_mm and the ROIs that the experiment names."""
        names = re.findall(r"[^\W\d]\w*", values.get(cls.rois_key, ""))
        with contextlib.suppress(json.JSONDecodeError):  # told where the value itself is checked
            sites = json.loads(values.get("seeds_mm", "{}"))
            names += [f"{name}_{side}" for name in sites for side in "LR"] if isinstance(sites, dict) else []
        return {name.lower() for name in names}

    def roi_names(self) -> list[str]:
        """Return the ROIs of the experiment, in order."""
        raise NotImplementedError

    def roi_box(self, name: str) -> Box:
        """Return x, y, w, h in px: where the ROI was placed, else centred on its site."""
        if name.lower() in self.placed:
            return self.placed[name.lower()]
        site = self.seeds()[name]
        w, h = (max(1, round(mm * self.ppmm)) for mm in self.roi_size)
        return math.floor(site["ML"] - w / 2), math.floor(site["AP"] - h / 2), w, h

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid alone but not with the others."""
        yield from super().contradictions()
        width, height = self.resolution
        seeds = self.seeds()
        value = f"{self.rois_key} = {getattr(self, self.rois_key)}"
        for name in self.roi_names():
            if name not in seeds and name.lower() not in self.placed:
                site = nearest(name, seeds)
                yield f"{value}: there is no such site as {name}{site}; sites are the names of seeds_mm with _L or _R"
                continue
            if min(self.roi_size) * self.ppmm < 0.5 and name.lower() not in self.placed:
                yield (
                    f"roi_size = {self.roi_size[0]:g}, {self.roi_size[1]:g} mm: smaller than a pixel at "
                    f"ppmm = {self.ppmm:g} px/mm; make the ROI larger"
                )
            x, y, w, h = self.roi_box(name)
            if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
                yield (
                    f"{value}: the ROI {name} at x, y, w, h = {x}, {y}, {w}, {h} px does not lie in the image of "
                    f"{width} x {height} px; correct bregma, ppmm, roi_size or the line {name.lower()}"
                )


class OneRoiSettings(ClnfSettings):
    """Settings of brain/cla_reward_punish_1roi.py."""

    section: ClassVar[str] = "raspicambrain_reward_punish_1roi"

    rois_key: ClassVar[str] = "roi"

    roi: str = setting("the ROI that is trained", "SITE_L or SITE_R")

    def roi_names(self) -> list[str]:
        """Return the one ROI."""
        return [self.roi]


class TwoRoiSettings(ClnfSettings):
    """Settings of brain/cla_reward_punish_2roi.py."""

    section: ClassVar[str] = "raspicambrain_reward_punish_2roi"
    rois_key: ClassVar[str] = "roi_operation"

    roi_operation: Annotated[str, AfterValidator(check_rule)] = setting(
        "the rule: names of ROIs and numbers with + - * / % and parentheses", "expression"
    )

    def roi_names(self) -> list[str]:
        """Return the ROIs that the rule names."""
        return Rule(self.roi_operation).names

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid alone but not with the others."""
        yield from super().contradictions()
        if "roi" in self.roi_names():
            yield f"roi_operation = {self.roi_operation}: no ROI may be called roi; roi_dff is the column of the rule"


class ClmfSettings(RigSettings):
    """Closed-loop movement feedback, behavior/cla_dlc_trials_speed.py: the speed of a body part."""

    section: ClassVar[str] = "sentech_dlclive"
    place_form: ClassVar[str] = "x, y of its centre, two whole numbers (px)"

    # The pins of the Jetson, and what else differs from CLNF.
    pin_numbering: Literal["BCM", "BOARD"] = setting("how the pins below are counted", "", "BOARD")
    reward_pin: int = setting("valve and success LED", "pin", 7, ge=0, le=40)
    light_pin: int = setting("excitation light TTL", "pin", 40, ge=0, le=40)
    trigger_pin: int = setting("high for the whole session; starts the other camera", "pin", 13, ge=0, le=40)
    trigger_stop_edge: bool = setting(
        "end with low, high, low on the trigger pin: frame grabbers that start on a rising edge stop on one",
        "0, 1",
        True,
    )
    reward_s: float = setting("length of the reward pulse", "s", 0.1, gt=0, le=60)
    tail_dur: float = setting("recorded at the very end with the light off", "s", 2.0, ge=0, le=60)

    pose: Literal["dlclive", "simulated"] = setting("what finds the body parts", "", "dlclive")
    dlc_model_path: Annotated[Path, AfterValidator(expand_model)] = setting(
        "exported DeepLabCut model: a .pt file, or a TensorFlow folder", "path"
    )
    dlc_resize: float = setting("the model sees the image so many times as large", "factor", 1.0, gt=0, le=4)
    dlc_device: Literal["auto", "cpu", "cuda"] = setting("where a PyTorch model runs", "", "auto")
    control_point: str = setting("the body part that is trained", "body part of the model")
    min_likelihood: float = setting(
        "a control point less likely earns nothing and changes no tone", "0..1", 0.5, ge=0, le=1
    )
    max_jump_px: float = setting("a control point that moves further earns nothing either", "px/frame", 100.0, gt=0)
    ppmm: float = setting("scale of the image", "px/mm", 3.5, gt=0, le=10000)
    joint_history_sec: float = setting(
        "trial_start = stable: mean speed below 1 px/frame for so long", "s", 5.0, gt=0, le=600
    )
    start_center: Place = setting("start circle", "x, y px", (590.0, 110.0))
    target_center: Place = setting("target circle", "x, y px", (590.0, 80.0))
    start_radius_mm: Millimetres = setting("radius of the start circle", "mm", 4.0)
    target_radius_mm: Millimetres = setting("radius of the target circle", "mm", 6.0)
    speed_threshold: float = setting("a speed above it is a success", "px/frame", 20.0, gt=0, le=10000)
    trial_start: Literal["stable", "start_roi", "immediate"] = setting(
        "a trial begins when the control point is still, is in the start circle, or at once", "", "stable"
    )
    placed: dict[str, Annotated[Centre, BeforeValidator(split_commas)]] = Field(default_factory=dict, exclude=True)
    """Circles placed in the window, {'start_roi': (x, y)} in px: lines like `start_roi = 590,110`."""

    @classmethod
    def placeable(cls, values: Mapping[str, str]) -> set[str]:  # noqa: ARG003 - as the others
        """Return the two circles."""
        return set(PLACES_OF_PAWS)

    def with_places(self, rois: Iterable[Any]) -> Self:
        """Return these settings with the circles where they are and as large as they are now."""
        circles = list(rois)
        resized = [c for c in circles if c.r != self.circle(c.name)[2]]
        radii = {f"{c.name.removesuffix('_roi')}_radius_mm": round(c.r / self.ppmm, 4) for c in resized}
        return super().with_places(circles).model_copy(update=radii)

    def circle(self, name: str) -> tuple[int, int, int]:
        """Return x, y, r in px of 'start_roi' or 'target_roi': where it was placed, else as the settings say."""
        which = name.removesuffix("_roi")
        x, y = self.placed.get(name, getattr(self, f"{which}_center"))
        return round(x), round(y), max(1, round(getattr(self, f"{which}_radius_mm") * self.ppmm))

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid alone but not with the others."""
        yield from super().contradictions()
        width, height = self.resolution
        for name in sorted(PLACES_OF_PAWS):
            x, y, r = self.circle(name)
            if x < r or y < r or x + r >= width or y + r >= height:
                yield (
                    f"{name}: the circle at x, y = {x}, {y} px with the radius {r} px does not lie in the image of "
                    f"{width} x {height} px; correct {name.removesuffix('_roi')}_center, its radius, or the line {name}"
                )
        if self.speed_threshold >= self.max_jump_px:
            yield (
                f"speed_threshold = {self.speed_threshold:g}: nothing can be earned, because faster than "
                f"max_jump_px = {self.max_jump_px:g} px/frame counts as a jump; lower one or raise the other"
            )
        if self.pose == "dlclive" and not self.dlc_model_path.exists():
            yield f"dlc_model_path = {self.dlc_model_path}: there is no such model; name a .pt file or a folder"


EXPERIMENTS: tuple[type[RigSettings], ...] = (OneRoiSettings, TwoRoiSettings, ClmfSettings)

Model = TypeVar("Model", bound=CameraSettings)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean X?', or nothing where no known name is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    match = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[match[0]]}?" if match else ""


def describe(error: Mapping[str, Any], raw: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Turn one complaint of pydantic into a sentence with key, value, what is expected and the unit."""
    key, *inside = error["loc"]
    if key == "placed":
        name = inside[0]
        form = model.place_form if issubclass(model, RigSettings) else ""
        return f"{name} = {raw[key][name]}: expected the place of an ROI: {form}"
    field = model.model_fields[key]
    unit = unit_of(field)
    expected = f"expected: {field.description}" + (f" ({unit})" if unit else "")
    if error["type"] == "missing" and not inside:
        return f"{key} is missing; {expected}"
    value = str(raw[key])
    value = value if len(value) <= 60 else value[:57] + "..."
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    where = " at " + ".".join(str(part) for part in inside) if inside else ""
    return f"{key} = {value}{where}: {message}; {expected}"


def given(model: type[BaseModel], values: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that are given; `key =` alone gives none that is required, or whose default is empty."""
    fields = {key: field for key, field in model.model_fields.items() if key in values and key != "placed"}
    may_be_empty = {key for key, field in fields.items() if field.is_required() or field.default in (None, "")}
    return {key: values[key] for key in fields if values[key] != "" or key not in may_be_empty}


def unit_of(field: Any) -> str:
    """Return the unit of a setting, or the words that it may be."""
    unit = str((field.json_schema_extra or {}).get("unit", ""))
    if unit:
        return unit
    if field.annotation is SessionType:
        return ", ".join(kind.name for kind in SessionType)
    return ", ".join(word for word in get_args(field.annotation) if isinstance(word, str))


def from_strings(model: type[Model], cfgDict: Mapping[str, str], source: str = "settings") -> Model:
    """Build a settings object from a plain dictionary of strings; keys that it does not have are passed over.

    Raises
    ------
    SettingsError
        With every complaint at once.
    """
    raw = given(model, cfgDict)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise complaints(source, [describe(one, raw, model) for one in error.errors()]) from None


def complaints(source: str, sentences: list[str]) -> SettingsError:
    """Put all that is wrong into one error."""
    sentences = list(dict.fromkeys(sentences))
    count = "one setting" if len(sentences) == 1 else f"{len(sentences)} settings"
    return SettingsError(f"{source}: {count} cannot be used\n" + "\n".join(f"  {sentence}" for sentence in sentences))


def read_section(path: Path, section: str) -> tuple[dict[str, str], set[str]]:
    """Return a section with what [DEFAULT] shares, and the keys that stand in [DEFAULT] alone."""
    if not path.is_file():
        raise SettingsError(f"{path}: there is no such file; name a configuration with --config FILE")
    parser = RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
        parser.read_string(text, str(path))
    except (IniError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: the file cannot be read as INI: {reason}") from None
    if section not in parser.sections():
        raise SettingsError(
            f"{path}: there is no section [{section}]{nearest(section, parser.sections())}; "
            f"the file has {', '.join(parser.sections()) or 'no section'}"
        )
    own = RawConfigParser(default_section="no section is shared here")
    own.read_string(text)
    shared = set(parser.defaults()) - set(own[section])
    return dict(parser[section]), shared


def parse_overrides(overrides: Iterable[str]) -> dict[str, str]:
    """Turn ['key=value', ...] of the command line into a dictionary."""
    values = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {override}: expected KEY=VALUE, as in --set total_trials=10")
        values[key.strip().lower()] = value.strip()
    return values


def add_config_arguments(parser: ArgumentParser, section: str) -> None:
    """Add --config, --section and --set, which every program of the rig understands."""
    parser.add_argument(
        "--config", metavar="FILE", default=str(ROOT / "config.ini"), help="settings; default %(default)s"
    )
    parser.add_argument("--section", metavar="NAME", default=section, help="its section (default: %(default)s)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="override a setting; may be repeated"
    )


def load(model: type[Model], path: Path, section: str, overrides: Mapping[str, str]) -> tuple[Model, list[str]]:
    """Read one section, check it, and return the settings and the keys that were not used.

    Parameters
    ----------
    model : type
        The settings class of the experiment.
    path : Path
        An INI file.
    section : str
        Its section.
    overrides : mapping
        Settings of the command line; checked like those of the file.

    Raises
    ------
    SettingsError
        With every complaint at once, each with key, value, what is expected and the unit.
    """
    values, shared = read_section(path, section)
    values |= overrides
    shared -= overrides.keys()
    known = set(model.model_fields) - {"placed"}
    elsewhere = KEYS_OF_THE_ORIGINAL | {key for m in EXPERIMENTS for key in m.model_fields} | PLACES_OF_PAWS
    placeable = model.placeable(values) if issubclass(model, RigSettings) else set()
    places = {key: values.pop(key) for key in placeable - known if key in values}
    unused = sorted(key for key in values if key in elsewhere - known and key not in shared)
    problems = [
        f"{key} = {values[key]}: there is no such setting{nearest(key, known)}"
        for key in sorted(values.keys() - known - elsewhere)
    ]
    raw = given(model, values)
    if places:
        raw["placed"] = places
    try:
        settings = model.model_validate(raw)
    except ValidationError as error:
        problems += [describe(one, raw, model) for one in error.errors()]
    else:
        problems += settings.contradictions() if isinstance(settings, RigSettings) else []
    if problems:
        raise complaints(f"{path} [{section}]", problems)
    if settings.seed is None:
        settings = settings.model_copy(update={"seed": secrets.randbelow(2**32)})
    return settings, unused


def experiment_of(path: Path, section: str) -> type[RigSettings]:
    """Return the settings class of a section: by its name, else by a key that one experiment alone has."""
    values, _ = read_section(path, section)
    if "control_point" in values:
        return ClmfSettings
    return TwoRoiSettings if "roi_operation" in values else OneRoiSettings


def to_text(value: Any) -> str:
    """Write a value as config.ini has it; `load` reads it back as the same value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return ", ".join(to_text(part) for part in value)
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def to_strings(settings: CameraSettings) -> dict[str, str]:
    """Return the settings as the plain dictionary of strings that camera drivers take (`cfgDict`)."""
    texts = {key: to_text(value) for key, value in settings.model_dump().items()}
    placed = getattr(settings, "placed", {})
    return texts | {name: ",".join(map(str, box)) for name, box in placed.items()}


def save_session_copy(settings: RigSettings, path: Path) -> None:
    """Write the section as used, and [configsection] that names it."""
    lines = ["[configsection]", f"config = {settings.section}", "", f"[{settings.section}]"]
    lines += [f"{key} = {text}".rstrip() for key, text in to_strings(settings).items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def save_lines(path: Path, section: str, lines: Mapping[str, str]) -> None:
    """Write lines back into the user's file, {key: value}; every other line stays as it is."""
    if not lines:
        return
    old = path.read_bytes().decode("utf-8")
    updater = ConfigUpdater()
    updater.read_string(old.replace("\r\n", "\n"))
    for key, text in lines.items():
        options = updater[section]
        if key in options:
            options[key].value = text
        elif options.options():
            options.option_blocks()[-1].add_after.option(key, text)
        else:
            updater.set(section, key, text)
    new = str(updater).replace("\n", "\r\n") if "\r\n" in old else str(updater)
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(new.encode("utf-8"))
    shutil.copymode(path, beside)
    os.replace(beside, path)  # the user's file is whole at every moment


def markdown_table(models: Iterable[type[RigSettings]] = EXPERIMENTS) -> str:
    """Return the table of all settings, as the README shows it; where CLMF differs, its default follows."""
    rows = ["| key | unit, form | default | meaning |", "|---|---|---|---|"]
    seen = {"placed"}
    for model in models:
        for key, field in model.model_fields.items():
            if key in seen:
                continue
            seen.add(key)
            default = default_of(field)
            if key in ClmfSettings.model_fields and default_of(ClmfSettings.model_fields[key]) != default:
                default += f"; CLMF: {default_of(ClmfSettings.model_fields[key])}"
            rows.append(f"| `{key}` | {unit_of(field)} | {default} | {field.description} |")
    return "\n".join(rows)


def default_of(field: Any) -> str:
    """Return the default of a setting as the table shows it."""
    return "must be given" if field.is_required() else to_text(field.default) or "none"


if __name__ == "__main__":
    print(markdown_table())
