"""Opens all devices of a session, places the ROIs, and acts: the one place where tone and valve are commanded."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from CameraFactory import CameraFactory
from rig.devices.frames import Frame
from rig.devices.input_line import Input, NoInput
from rig.devices.lick import open_lick
from rig.devices.outputs import Outputs
from rig.devices.paw_line import open_paw_line
from rig.devices.same_place import MOVED
from rig.devices.tone_player import Tone, open_tone
from rig.devices.water import Water
from rig.ending import signals
from rig.errors import NoSession
from rig.events import PAUSE_ASKED, PAUSE_ENDS, Events
from rig.files.auto_threshold import after_the_preview
from rig.files.blue_fit import blue_after_the_preview
from rig.files.first_day import FIRST_DAY_FILE
from rig.files.places import PLACES_FILE, change_of, update_places
from rig.files.report import make_reports, say_commands
from rig.files.rows import ROWS_FILE
from rig.options import Options
from rig.protocol.chance import Chance
from rig.protocol.tally import Tally
from rig.protocol.trials import FAIL, SUCCESS, Course, Step
from rig.registering import keep_day, register_unseen, say_first_day
from rig.screen.drawing import save_picture
from rig.screen.summary_table import print_summaries
from rig.screen.window import NoWindow, Preview, Window, open_window
from rig.settings.common import RigSettings
from rig.settings.ini import save_lines
from rig.terminal import console
from roi_manager import Circle, Rect

Roi = Rect | Circle


class Act(NamedTuple):
    """What the rig did on a frame.

    Attributes
    ----------
    frame : Frame
    step : Step
        What the protocol said.
    age_s : float
        How old the frame was when it was decided on, s.
    is_fresh : bool
        It was young enough to earn water and to change the tone.
    gave_water : bool
        A reward was given; not one that a water cap withheld.
    hz : float
        The tone commanded, 0 is silence.
    licked : bool
        The spout was touched since the frame before.
    acted_s : float
        When tone and outputs had been commanded, monotonic clock, s.
    """

    frame: Frame
    step: Step
    age_s: float
    is_fresh: bool
    gave_water: bool
    hz: float
    licked: bool
    acted_s: float

    @property
    def reward(self) -> int:
        """What the log's column says: -1 failure, 1 success or a free reward, else 0."""
        return SUCCESS if self.gave_water else self.step.outcome

    def columns(self) -> dict[str, int]:
        """Return the columns that all experiments share, as VideoTimestamp.txt has them."""
        sounds = {"freq": round(self.hz), "audio": int(self.hz > 0)}
        return sounds | {"reward": self.reward, "trial": self.step.trial, "lick": int(self.licked)}


@dataclass
class Rig:
    """The open devices, and where the session stands.

    Attributes
    ----------
    options : Options
    trials : Course
        The trials of this session, or its baseline.
    camera, outputs, tone, lick, water, window
        The devices.
    events : Events
    tally : Tally
    summaries : list
        Of the sessions that were run, with their notes; shown when all devices are closed.
    ended_by : str
        Why the session has ended; '' while it runs.
    stalls : list of float
        How long the loop stood still, s, each time that the outputs went low without it.
    paw : Input
        Says whether the mouse moves.
    wants_pause : bool
        The user wants the session to pause; the trials heed it from the next frame on.
    """

    options: Options[Any]
    trials: Course
    camera: CameraFactory
    outputs: Outputs
    tone: Tone
    lick: Input
    water: Water
    window: Window | NoWindow
    events: Events
    tally: Tally
    summaries: list[tuple[Mapping[str, str], Mapping[str, object]]]
    ended_by: str = ""
    stalls: list[float] = field(default_factory=list)
    paw: Input = field(default_factory=NoInput)
    wants_pause: bool = False
    _is_to_pause: bool = False
    _aged: tuple[Frame | None, float] = (None, 0.0)
    """The newest frame that was asked about, and its age."""

    def frames(self) -> Iterator[Frame]:
        """Yield every frame of the session; what happens until the next one is noted under its number."""
        for frame in self.camera:
            signals.stop_if_asked()
            self.events.frame = frame.number
            if self.camera.lost != self.tally.lost:
                self.events.add("camera", self.camera.lost - self.tally.lost, "frames lost before this one")
                self.tally.lost = self.camera.lost
            self.beat()
            self._heed_pause(self.wants_pause or frame.was_paused)
            if self.trials.is_over(frame.time_s):
                self.ended_by = "finished"
                return
            yield frame
            self.ended_by = "stopped with Esc" if self.window.stopped else self.water.ends_session() or self._stalled()
            if self.ended_by:
                return
        self.ended_by = "the recording ended"

    def is_fresh(self, frame: Frame) -> bool:
        """Return whether a frame is young enough to be decided on: a late decision gives no water."""
        return bool(self._age_s(frame) <= self.options.settings.max_frame_age_s())

    def act(self, frame: Frame, step: Step, hz: float) -> Act:
        """Do what a frame has decided: the tone first, then water and outputs; the pulse of the frame is last.

        Parameters
        ----------
        frame : Frame
        step : Step
            What the protocol says.
        hz : float
            The tone, 0 for silence.
        """
        is_fresh = self.is_fresh(frame)
        if is_fresh or hz == 0:  # silence is always allowed
            self.tone.play(hz)
        gave_water = step.water and self.water.give(frame.time_s)
        if step.outcome == FAIL:
            self.outputs.fail.pulse(self.options.settings.fail_s)
        if step.goes_dark:
            self.outputs.light.off()
        acted_s = time.monotonic()
        if step.missed:
            self.events.add("water", self.water.session_ul, "missed: its moment fell into a gap, or on late frames")
        self.outputs.mark(frame.number)
        return Act(frame, step, self._age_s(frame), is_fresh, gave_water, self.tone.hz, self.lick.touched(), acted_s)

    def beat(self) -> None:
        """Let guard and tone know that the loop is alive; note where they had to go silent without it."""
        self.tone.beat()
        if silent_s := self.outputs.beat():
            self.stalls.append(silent_s + self.options.settings.silence_limit_s())
            self.events.add("stall", 0, f"the loop is back after {self.stalls[-1]:.1f} s; light and trigger as before")

    def rest(self) -> None:
        """Let guard and tone know that there is no loop for now."""
        self.tone.rest()
        self.outputs.rest()

    def _heed_pause(self, wanted: bool) -> None:
        """Tell the trials of a pause that is wanted, or no longer; its event has the number of the frame."""
        if wanted != self._is_to_pause and self.trials.pause(wanted):
            self._is_to_pause = wanted
            self.events.add("pause", float(wanted), PAUSE_ASKED if wanted else PAUSE_ENDS)

    def _stalled(self) -> str:
        """Return why the session ends after a loop that stood still, nothing where it goes on."""
        if not self.stalls or self.options.settings.at_stall == "continue":
            return ""
        return f"the loop stood still for {self.stalls[-1]:.1f} s, and at_stall = end"

    def _age_s(self, frame: Frame) -> float:
        """Return how old a frame was when it was first asked about, which is when it is decided on."""
        if self._aged[0] is not frame:
            self._aged = frame, frame.age_s()
        return self._aged[1]


@contextmanager
def open_rig(options: Options[Any]) -> Iterator[Rig]:
    """Open every device; on leaving, outputs go low first, and the summary is printed last.

    Raises
    ------
    RigError
        A device is missing or fails, in a sentence.
    """
    settings, events, tally = options.settings, Events(), Tally(chance=Chance(options.settings.quiet_s()))
    summaries: list[tuple[Mapping[str, str], Mapping[str, object]]] = []
    with (
        ExitStack() as at_the_end,
        CameraFactory.open(settings, options.fast) as camera,
        closing(open_window(settings, options.window, camera.is_linear)) as window,
        open_tone(
            settings.tone, settings.tone_volume, events, settings.silence_limit_s(), settings.tone_device
        ) as tone,
        closing(open_lick(settings, events, tally)) as lick,
        closing(open_paw_line(settings, events, camera.camera.replays)) as paw,
        Outputs(settings, events, keeps_time(options)) as outputs,  # opened last, so closed first
    ):
        at_the_end.push(reporting(summaries, settings.report))  # last: no device is open then
        at_the_end.callback(print_summaries, summaries)
        camera.let_sense(tone, tally)
        water = Water(settings, options.dose, outputs.reward, events, tally, options.today_ul)
        if settings.outputs == "gpio":
            outputs.on_driven = water.driven
        yield Rig(
            options, options.trials, camera, outputs, tone, lick, water, window, events, tally, summaries, paw=paw
        )


def keeps_time(options: Options[Any]) -> bool:
    """Return whether frames come at the pace of a camera: those of a replay, or of --fast, were never now."""
    return not (options.fast or options.replay_of)


def reporting(summaries: Sequence[tuple[Mapping[str, str], Mapping[str, object]]], wanted: bool) -> Any:
    """Return what makes the reports of the sessions, or, where none is wanted or an error ends the rig, says how."""

    def report(_kind: object, error: BaseException | None, _traceback: object) -> None:
        act = make_reports if wanted and error is None else say_commands
        act(Path(values["data_path"]) for values, _ in summaries)

    return report


def place_rois(rig: Rig, rois: Sequence[Roi], preview: Preview) -> list[Any]:
    """Show the preview, in which the user places the ROIs; what was changed there is saved.

    Parameters
    ----------
    rig : Rig
        Its settings are those of the preview from now on.
    rois : sequence of Rect or Circle
    preview : Preview
        What the experiment shows.

    Returns
    -------
    list of Rect or Circle
        The ROIs of these names where they are now, in the same order.

    Raises
    ------
    NoSession
        The window was closed.
    """
    rig.outputs.light.on()  # without the light there is nothing to place an ROI on
    options, editor, same_place = rig.options, preview.editor, rig.options.same_place
    folder = options.settings.data_root / options.mouse_id
    say_first_day(same_place)
    if not isinstance(rig.window, Window):
        if same_place is None:
            return list(rois)
        settings = register_unseen(same_place, rig.camera, options.settings, rig.beat)
        rig.rest()
        return start_with(rig, settings, folder, rois)
    editor.as_read, editor.same_place = options.as_read, same_place
    with signals.at_safe_points():  # an exception in the callback of the pointer would be lost
        starts = rig.window.place_rois(
            rig.camera, rig.lick, preview, rig.beat, lambda picture: save_picture(folder, picture)
        )
    rig.rest()
    if not starts:
        raise NoSession("The window was closed: no session.")
    if same_place is None or same_place.first is None:
        keep_changes(options, editor.settings)
    return start_with(rig, editor.settings, folder, rois)


def start_with(rig: Rig, settings: Any, folder: Path, rois: Sequence[Roi]) -> list[Any]:
    """Take the settings with which the session starts; return the ROIs of these names, in the same order.

    A first day (registration) is kept in the folder of the mouse.
    """
    options = rig.options
    with saying_what_fails(folder / FIRST_DAY_FILE):
        keep_day(options, settings, folder)
    were_moved = have_moved(options, settings)
    threshold_from = after_the_preview(options.threshold_from, settings, were_moved)
    settings, blue_from = blue_after_the_preview(options.blue_from, settings, were_moved)
    rig.options = options._replace(settings=settings, threshold_from=threshold_from, blue_from=blue_from)
    return [settings.make_roi(roi.name, roi.color) for roi in rois]


def have_moved(options: Options[Any], after: RigSettings) -> bool:
    """Return whether the ROIs lie elsewhere than where a baseline of the day had them."""
    same_place = options.same_place
    if same_place is None or same_place.first is None:
        return bool(options.settings.light_boxes() != after.light_boxes())
    return same_place.used != MOVED


@contextmanager
def saying_what_fails(path: Path) -> Iterator[None]:
    """Say that a file cannot be written; the session has everything in its own copy in any case."""
    try:
        yield
    except OSError as error:
        console.print(f"{path}: nothing could be saved there ({error.strerror})", soft_wrap=True)


def keep_changes(options: Options[RigSettings], after: RigSettings) -> None:
    """Write places into the file of the mouse, and what was measured into the user's configuration.

    The configuration in the folder of a recorded session says what that was run with, so nothing is changed then.
    """
    change = change_of(options.as_read, options.settings, after)
    if not (change.lines or change.places or change.forgotten):
        return
    if (options.config.resolve().parent / ROWS_FILE).exists():
        console.print(
            f"{options.config}: this is the configuration of a recorded session, so it stays as it is; the places of "
            "the ROIs, and what was measured, are in the new session only",
            soft_wrap=True,
        )
        return
    path = options.settings.data_root / options.mouse_id / PLACES_FILE
    with saying_what_fails(options.config):
        save_lines(options.config, options.section, change.lines)
    with saying_what_fails(path):
        update_places(path, change)
    for key, text in change.lines.items():
        console.print(f"{options.config}: {key} {'is deleted' if text is None else f'= {text}'}", soft_wrap=True)
    for name in (name for name in after.shown_rois() if name.lower() in change.places):
        console.print(f"{name}: {after.describe_place(name)}, kept for {options.mouse_id} in {path}", soft_wrap=True)
