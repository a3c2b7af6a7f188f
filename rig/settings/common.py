"""What every experiment has: files, trials, tone, outputs, lick sensor."""

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from typing_extensions import Self

from helper import SessionType
from rig.protocol.adaptive import Staircase
from rig.protocol.chance import QUIET_S
from rig.protocol.session_types import RULES
from rig.protocol.trials import Plan
from rig.settings import original
from rig.settings.camera import CameraSettings
from rig.settings.fields import (
    FILES,
    LICK,
    PINS,
    ROOT,
    TONE,
    TRIALS,
    WATER,
    Adaptive,
    Box,
    FileName,
    Folder,
    MovieName,
    Names,
    PathText,
    is_file_of_ours,
    setting,
)
from rig.settings.sentences import nearest
from rig.settings.summary_values import SummaryValues
from roi_manager import Circle, Rect

REPORT_NEEDS = ("matplotlib", "jinja2")
LONGEST_FRAME_PULSE_S = 0.005

# Of sound cards that sit on the pins of a Raspberry Pi, and the pins that these use; those of a Jetson lie at the same
# places of the header.
I2S_NAMES = ("i2s", "hifiberry", "snd_rpi", "sndrpi", "iqaudio", "max98357", "justboom", "pcm51", "voicehat", "wm8960")
I2S_PINS = {"BCM": (18, 19, 20, 21), "BOARD": (12, 35, 40, 38)}


class RigSettings(CameraSettings):
    """What every experiment has: files, trials, tone, outputs, lick sensor.

    An experiment is a subclass with its own settings.  These attributes say what the rig needs to know about it.

    Attributes
    ----------
    section : str
        Its section of config.ini.
    label : str
        Its short name.
    own_key : str
        A setting that no other experiment has, by which a section with another name is recognised.
    must_be_given : frozenset of str
        Settings without a default in this experiment: its own section must say them, [DEFAULT] does not count.
    needs_colours : bool
        Whether its signal is computed from several colours, so that grey pictures are no use.
    scene : str
        What the simulated camera draws: the name of a module of `rig.simulated` with a class `Scene`.
    has_baseline : bool
        Whether `--baseline` can record its signal without trials.
    waits_for : str
        What a trial may have to wait for before it begins, in words.
    signal_column, threshold_column, signal_unit : str
        The columns of VideoTimestamp.txt with the signal and with its threshold, and their unit.
    threshold_setting : str
        The setting that the threshold begins with.
    place_form : str
        What a placed ROI looks like in config.ini.
    """

    section: ClassVar[str]
    label: ClassVar[str]
    own_key: ClassVar[str]
    must_be_given: ClassVar[frozenset[str]] = frozenset()
    needs_colours: ClassVar[bool] = False
    scene: ClassVar[str]
    has_baseline: ClassVar[bool] = False
    waits_for: ClassVar[str] = ""
    signal_column: ClassVar[str]
    threshold_column: ClassVar[str]
    threshold_setting: ClassVar[str]
    signal_unit: ClassVar[str]
    place_form: ClassVar[str] = ""

    data_root: Folder = setting(FILES, "folder below which sessions are stored", "folder")
    network_data_root: bool = setting(
        FILES,
        "store on a network file system; another computer may then write there, and locks and syncs may not reach it",
        "0, 1",
        False,
    )
    video_file: MovieName = setting(
        FILES, "movie next to the log, with the same frames in the same order; none if empty", "file name", ""
    )
    store: Literal["hdf5", "movie", "both"] | None = setting(
        FILES,
        "what holds the frames; movie needs movie_codec = ffv1; if empty, both with a video_file, else hdf5",
        "hdf5, movie, both",
        None,
    )
    movie_codec: Literal["h264", "ffv1"] = setting(
        FILES, "form of the movie: h264 is small and lossy, for viewing; ffv1 is lossless, in a .mkv file", "", "h264"
    )
    summary_file: FileName = setting(FILES, "one row per session, below data_root", "file name", "expt_summary.csv")
    summary_header: Names = setting(
        FILES,
        f"columns of the summary: settings and {', '.join(sorted(SummaryValues._fields))}; "
        "CLMF also start_radius, target_radius (px)",
        "names",
        ("mouse_id", "session", "start", "duration", "trials", "rewards", "session_type", "simulated"),
    )

    ask_weight: bool = setting(
        FILES, "ask for the weight of the mouse at the start; kept with the day in its subject.ini", "0, 1", False
    )

    report: bool = setting(
        FILES, "make the report of the session when it has ended; needs 'make setup-analysis'", "0, 1", False
    )

    session_type: SessionType = setting(
        TRIALS, "what the mouse hears and earns", "", SessionType.normal_audio_normal_reward
    )
    total_trials: int = setting(TRIALS, "trials of a session", "trials", 60, gt=0, le=10000)
    max_trial_dur: float = setting(TRIALS, "a trial without success fails after this time", "s", 30.0, gt=0, le=86400)
    initial_rest_dur: float = setting(TRIALS, "rest before the first trial", "s", 30.0, ge=0, le=86400)
    success_rest_dur: float = setting(TRIALS, "rest after a success", "s", 10.0, ge=0, le=86400)
    fail_rest_dur: float = setting(TRIALS, "rest after a failure", "s", 15.0, ge=0, le=86400)
    tail_dur: float = setting(TRIALS, "recorded at the very end, with the light off", "s", 0.0, ge=0, le=60)
    reward_delay: float = setting(TRIALS, "delay from the signal to its reward test", "s", 1.0, ge=0, le=86400)
    adaptive_threshold: Adaptive = setting(
        TRIALS,
        "let the threshold follow the rewards: 0 no, 1 as published, or steps towards a success rate",
        "0, 1, staircase:TARGET",
        False,
    )
    max_frame_age_ms: float | None = setting(
        TRIALS,
        "a decision on an older frame gives no water and changes no tone; two frame periods if empty",
        "ms",
        None,
        gt=0,
    )
    yoked_to: PathText = setting(
        TRIALS,
        "session_type = yoked: the session whose trials, tones and rewards this one has, or a mouse: its newest one",
        "MOUSE/SESSION, folder or mouse",
        "",
    )
    blind: bool = setting(
        TRIALS,
        "arms.csv in data_root decides session_type and yoked_to, and nothing that is shown gives them away",
        "0, 1",
        False,
    )

    audio: float = setting(TONE, "share of the trials that have a tone", "0..1", 1.0, ge=0, le=1)
    n_tones: int = setting(TONE, "number of tones, in quarter octaves from 1000 Hz", "count", 18, ge=3, le=19)
    audio_delay: float = setting(TONE, "delay from the signal to its tone", "s", 0.0, ge=0, le=86400)
    tone: Literal["pyaudio", "simulated"] = setting(TONE, "the loudspeaker", "", "pyaudio")
    tone_device: str = setting(
        TONE,
        "pyaudio: the sound device, by its number or a part of its name; the default one if empty "
        "(python -m rig.commands.tones --list)",
        "name or number",
        "",
    )
    tone_required: bool = setting(TONE, "end the session when there is no sound", "0, 1", False)
    tone_volume: float = setting(TONE, "loudness of the tone; full scale is 1", "0..1", 0.5, gt=0, le=1)

    reward_s: float = setting(WATER, "length of the reward pulse", "s", 0.3, gt=0, le=60)
    reward_ul: float | None = setting(
        WATER, "volume of a reward, instead of reward_s; needs a calibration", "µl", None, gt=0
    )
    random_reward_per_min: float = setting(
        WATER, "no_audio_random_reward: mean rate of free rewards", "1/min", 1.8, ge=0, le=60
    )
    max_rewards_per_min: int = setting(WATER, "further rewards within 60 s are withheld", "1/min", 60, gt=0)
    max_session_ul: float | None = setting(
        WATER, "rewards above this volume per session are withheld; needs a calibration", "µl", None, gt=0
    )
    max_day_ul: float | None = setting(
        WATER, "rewards above this volume per mouse and day on this rig are withheld", "µl", None, gt=0
    )
    at_water_cap: Literal["continue", "end"] = setting(WATER, "what the session does at a cap", "", "continue")
    max_valve_open_s: float = setting(WATER, "the guard closes the valve after this time", "s", 1.0, gt=0, le=10)

    outputs: Literal["gpio", "simulated"] = setting(PINS, "valve, LEDs and triggers", "", "gpio")
    pin_numbering: Literal["BCM", "BOARD"] = setting(PINS, "how all pins are counted", "", "BCM")
    reward_pin: int = setting(PINS, "valve and success LED", "pin", 27, ge=0, le=40)
    fail_pin: int = setting(PINS, "failure LED", "pin", 12, ge=0, le=40)
    light_pin: int = setting(PINS, "excitation light TTL", "pin", 21, ge=0, le=40)
    trigger_pin: int = setting(PINS, "starts the other camera, as trigger_mode says", "pin", 17, ge=0, le=40)
    trigger_mode: Literal["level", "frames"] = setting(
        PINS, "trigger pin: high during the whole session, or a pulse for every frame of it", "", "level"
    )
    trigger_stop_edge: bool = setting(
        PINS,
        "end with low, high, low on the trigger pin: frame grabbers that start on a rising edge stop on one",
        "0, 1",
        False,
    )
    frame_pin: int | None = setting(
        PINS, "a pulse for every frame of the session, to align recordings of other machines", "pin", None, ge=0, le=40
    )
    barcode_pin: int | None = setting(
        PINS, "a random barcode of 32 bits every 5 s, to align recordings of other machines", "pin", None, ge=0, le=40
    )
    max_silence_s: float = setting(
        PINS,
        "all outputs go low and the tone falls silent when the loop has stood still for this time; "
        "at least camera_timeout_s + 1 is used",
        "s",
        2.0,
        gt=0,
        le=60,
    )
    at_stall: Literal["continue", "end"] = setting(
        PINS, "what the session does when the loop comes back from that", "", "continue"
    )
    fail_s: float = setting(PINS, "length of the failure pulse", "s", 0.5, gt=0, le=60)

    lick: Literal["none", "mpr121", "gpio", "simulated"] = setting(LICK, "the lick sensor", "", "none")
    lick_channel: int = setting(LICK, "mpr121: electrode of the spout", "channel", 0, ge=0, le=11)
    lick_i2c_bus: int = setting(LICK, "mpr121: number of the bus; 1 on a Raspberry Pi", "/dev/i2c-N", 1, ge=0, le=99)
    lick_i2c_address: int = setting(LICK, "mpr121: address (90 = 0x5A)", "I2C address", 0x5A, ge=8, le=119)
    lick_pin: int = setting(LICK, "gpio: input that is high while the tongue touches", "pin", 23, ge=0, le=40)

    @classmethod
    def placeable(cls, values: Mapping[str, str]) -> set[str]:  # noqa: ARG003 - for the experiments that place ROIs
        """Return the keys, lower case, with which these values may place an ROI."""
        return set()

    def with_places(self, rois: Iterable[Any]) -> Self:
        """Return these settings with the ROIs (Rect or Circle) where they are now."""
        if not (boxes := {roi.name.lower(): roi.place() for roi in rois}):
            return self
        return self.model_copy(update={"placed": getattr(self, "placed", {}) | boxes})

    def without_place(self, name: str, as_read: Self | None = None) -> Self:  # noqa: ARG002
        """Return these settings with an ROI where it is without a place of its own.

        Parameters
        ----------
        name : str
        as_read : RigSettings, optional
            Those of the configuration, which may say its size.
        """
        return self

    def make_roi(self, name: str, color: Sequence[int] = (0, 0, 255)) -> Any:
        """Return an ROI (Rect or Circle) where it is now."""
        raise NotImplementedError

    def shown_rois(self) -> list[str]:
        """Return the names of the ROIs that the preview shows."""
        return []

    def light_rois(self) -> list[Rect | Circle]:
        """Return the ROIs whose light is measured; nothing where it is not."""
        return []

    def light_boxes(self) -> dict[str, Box]:
        """Return {name: (x, y, w, h) px} of the ROIs whose light is measured, or of the squares around them."""
        edges = {roi.name: roi.box() for roi in self.light_rois()}
        return {
            name: (int(left), int(top), int(right - left), int(bottom - top))
            for name, (left, top, right, bottom) in edges.items()
        }

    def finds_places(self) -> bool:
        """Return whether the places of the ROIs are found anew in each session, by registration."""
        return False

    def place_keys(self, name: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return the settings, besides the line with its name, that say where an ROI is."""
        return ()

    def describe_place(self, name: str) -> str:
        """Return where an ROI is, and how far from where it would be without a place of its own."""
        raise NotImplementedError

    def placed_under(self, name: str) -> tuple[str, ...]:  # noqa: ARG002
        """Return the settings that decide where an ROI is without a place of its own."""
        return ("resolution",)

    def further_values(self) -> dict[str, str]:
        """Return what the summary can hold besides settings and `SummaryValues`, {name: text}."""
        return {}

    def has_movie(self) -> bool:
        """Return whether a session stores a movie."""
        return bool(self.video_file) and self.store != "hdf5"

    def has_hdf5_frames(self) -> bool:
        """Return whether the HDF5 file holds the frames, and not only a movie."""
        return self.store != "movie"

    def quiet_s(self) -> float:
        """Return how long the signal must have been quiet before a crossing counts in `rig.protocol.chance`, s."""
        return QUIET_S

    def max_frame_age_s(self) -> float:
        """Return how old a frame may be when it is decided on, s."""
        return 2 * self.frame_period_s() if self.max_frame_age_ms is None else self.max_frame_age_ms / 1e3

    def silence_limit_s(self) -> float:
        """Return how long the loop may stand still, s: a camera that pauses is noticed before."""
        return max(self.max_silence_s, self.camera_timeout_s + 1)

    def pins(self) -> dict[str, int]:
        """Return {output name: pin} of the outputs that have one."""
        pins = {
            "reward": self.reward_pin,
            "fail": self.fail_pin,
            "light": self.light_pin,
            "trigger": self.trigger_pin,
            "frame": self.frame_pin,
            "barcode": self.barcode_pin,
        }
        return {name: pin for name, pin in pins.items() if pin is not None}

    def input_pins(self) -> dict[str, int]:
        """Return {name: pin} of the inputs that have one."""
        return {"lick": self.lick_pin} if self.lick == "gpio" else {}

    def frame_lines(self) -> tuple[str, ...]:
        """Return the outputs with a pulse for every frame."""
        by_trigger = ("trigger",) if self.trigger_mode == "frames" else ()
        return by_trigger + (("frame",) if self.frame_pin is not None else ())

    def frame_pulse_s(self) -> float:
        """Return the length of such a pulse, s; two of them, with the time between, fit into a frame period."""
        return min(LONGEST_FRAME_PULSE_S, self.frame_period_s() / 4)

    def i2s_pins(self) -> tuple[int, ...]:
        """Return the pins that a sound card on the header (I2S) uses."""
        return I2S_PINS[self.pin_numbering]

    def describe_i2s_pins(self) -> str:
        """Return them in words."""
        return f"{self.pin_numbering} {', '.join(str(pin) for pin in sorted(self.i2s_pins()))}"

    def plan(self) -> Plan:
        """Return what the trials need to know."""
        return Plan(
            session_type=self.session_type,
            total_trials=self.total_trials,
            max_trial_dur=self.max_trial_dur,
            initial_rest_dur=self.initial_rest_dur,
            success_rest_dur=self.success_rest_dur,
            fail_rest_dur=self.fail_rest_dur,
            tail_dur=self.tail_dur,
            audio=self.audio,
            n_tones=self.n_tones,
            random_reward_per_min=self.random_reward_per_min,
            frame_period_s=self.frame_period_s(),
            seed=self.seed,
            waits_for=self.waits_for,
        )

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid by itself but not together with the others."""
        if not is_driver(self.vid_source):
            known = ", ".join(sorted(path.stem for path in ROOT.glob("*Stream.py")))
            why = original.camera(self.vid_source) or f"there is no camera of this name; known are {known}"
            yield f"vid_source = {self.vid_source}: {why}"
        yield from self._pin_contradictions()
        longest = max(("reward_delay", "audio_delay"), key=lambda key: getattr(self, key))
        for key in ("initial_rest_dur", "success_rest_dur", "fail_rest_dur"):
            if getattr(self, key) < getattr(self, longest):
                yield (
                    f"{key} = {getattr(self, key):g}: must be at least {longest}, {getattr(self, longest):g} s, "
                    "or the signal of one trial would count in the next"
                )
        yield from self._movie_that_cannot_be()
        if self.report and (absent := [name for name in REPORT_NEEDS if importlib.util.find_spec(name) is None]):
            yield f"report = 1: {' and '.join(absent)} not installed; run 'make setup-analysis', or set report = 0"
        if isinstance(self.adaptive_threshold, Staircase) and not RULES[self.session_type].ends_trial:
            yield (
                f"adaptive_threshold = {self.adaptive_threshold}: in {self.session_type.name} no trial "
                "ends with success; set it to 0"
            )
        yield from self._yoke_that_cannot_be()
        if self.reward_s > self.max_valve_open_s:
            yield f"reward_s = {self.reward_s:g}: must not be longer than max_valve_open_s, {self.max_valve_open_s:g} s"
        yield from self._summary_that_cannot_be()

    def _yoke_that_cannot_be(self) -> Iterable[str]:
        """Yield a sentence where only one of session_type and yoked_to speaks of another session."""
        is_yoked = self.session_type is SessionType.yoked
        if is_yoked and not self.yoked_to:
            yield "session_type = yoked: yoked_to is missing; name the session, or the mouse, that this one is yoked to"
        if self.yoked_to and not is_yoked:
            yield (
                f"yoked_to = {self.yoked_to}: session_type = {self.session_type.name} is yoked to nothing; "
                "set session_type = yoked, or leave yoked_to empty"
            )

    def _movie_that_cannot_be(self) -> Iterable[str]:
        """Yield a sentence for every movie that could not be made, or would not keep the frames as they were."""
        if self.store in ("movie", "both") and not self.video_file:
            yield f"store = {self.store}: the movie has no name; set video_file, as in video_file = frames.mkv"
        if not self.has_movie():
            return
        if self.movie_codec == "ffv1" and not self.video_file.endswith(".mkv"):
            yield f"video_file = {self.video_file}: a movie with movie_codec = ffv1 needs a name that ends in .mkv"
        if self.movie_codec == "h264" and any(side % 2 for side in self.resolution):
            width, height = self.resolution
            yield f"resolution = {width}, {height}: a movie needs even numbers; change it, or leave video_file empty"
        if self.store == "movie" and self.movie_codec == "h264":
            yield (
                "store = movie: an H.264 movie is lossy, and the session could not be replayed frame for frame; "
                "set movie_codec = ffv1, or store = both"
            )

    def _summary_that_cannot_be(self) -> Iterable[str]:
        if is_file_of_ours(self.summary_file):
            yield f"summary_file = {self.summary_file}: this is the name of another file of the rig; choose another one"
        allowed = {*SummaryValues._fields} | type(self).model_fields.keys() | self.further_values().keys()
        for name in self.summary_header:
            if name not in allowed:
                yield f"summary_header = ... {name} ...: there is no such value{nearest(name, allowed)}"

    def _pin_contradictions(self) -> Iterable[str]:
        """Yield a sentence for every pin that two things would use."""
        pins = self.pins() | self.input_pins()
        for name, pin in pins.items():
            others = [other for other in pins if other != name and pins[other] == pin]
            if others and name < others[0]:
                yield f"{name}_pin = {pin}: this is also the pin of {' and '.join(others)}; each needs its own"
        if self.trigger_mode == "frames" and self.trigger_stop_edge:
            yield (
                "trigger_stop_edge = 1: with trigger_mode = frames its edge would be a pulse without a frame; "
                "set trigger_stop_edge = 0"
            )
        if self.outputs != "gpio" or self.tone != "pyaudio" or not is_i2s(self.tone_device):
            return
        for name, pin in pins.items():
            if pin in self.i2s_pins():
                yield (
                    f"{name}_pin = {pin}: tone_device = {self.tone_device} is a sound card on the header (I2S), which "
                    f"uses {self.describe_i2s_pins()}; choose another pin, and wire it"
                )


def is_i2s(device: str) -> bool:
    """Return whether this is the name of a sound card that sits on the pins of a Raspberry Pi."""
    return any(name in device.lower() for name in I2S_NAMES)


def is_driver(name: str) -> bool:
    """Return whether a camera driver of this name lies next to the others, or elsewhere on the module path."""
    return name.isidentifier() and name.endswith("Stream") and importlib.util.find_spec(name) is not None
