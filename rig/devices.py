"""Opens all that a session needs, and closes it again whatever happens."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NamedTuple

import numpy as np

from CameraFactory import CameraFactory
from rig.cli import Options, signals, simulated_devices
from rig.errors import ToneError
from rig.events import Events
from rig.frames import Frame
from rig.image_check import image_trouble
from rig.lick import LickDetector, NoLick, open_lick
from rig.outputs import Outputs
from rig.preview import Mark, NoWindow, Preview, Window, open_window
from rig.session_log import SessionLog
from rig.settings import save_lines, to_strings
from rig.status import StatusLine, clock, console, print_summaries
from rig.tone_player import SimTone, TonePlayer, open_tone
from rig.trials import Baseline, Step, Trials
from rig.water import Water
from roi_manager import Circle, Rect

Roi = Rect | Circle


class Rig(NamedTuple):
    """The open devices."""

    options: Options[Any]
    camera: CameraFactory
    outputs: Outputs
    tone: TonePlayer | SimTone
    lick: NoLick | LickDetector
    water: Water
    window: Window | NoWindow
    events: Events
    logs: list[SessionLog]
    """Of the sessions that were run: their summaries are shown when all devices are closed."""

    def frames(self) -> Iterator[Frame]:
        """Yield every frame of the camera; what happens until the next one is noted under its number."""
        lost = 0
        for frame in self.camera:
            signals.stop_if_asked()
            self.events.frame = frame.number
            if self.camera.lost != lost:
                self.events.add("camera", self.camera.lost - lost, "frames lost before this one")
                lost = self.camera.lost
            yield frame


@contextmanager
def open_rig(options: Options[Any]) -> Iterator[Rig]:
    """Open every device; on leaving, outputs go low first.

    Raises
    ------
    RigError
        A device is missing or fails, in a sentence.
    """
    settings, events = options.settings, Events()
    logs: list[SessionLog] = []
    with (
        ExitStack() as at_the_end,
        CameraFactory.open(settings, options.fast) as camera,
        closing(open_window(settings, options.window)) as window,
        open_tone(settings.tone, settings.tone_volume, events) as tone,
        closing(open_lick(settings, events)) as lick,
        Outputs(settings, events) as outputs,  # opened last, so closed first
    ):
        at_the_end.callback(print_summaries, logs)
        camera.let_sense(tone, outputs.reward)
        lick.let_sense(outputs.reward)
        water = Water(settings, options.dose, outputs.reward, events, options.today_ul)
        yield Rig(options, camera, outputs, tone, lick, water, window, events, logs)


def place_rois(rig: Rig, rois: Sequence[Roi], preview: Preview) -> bool:
    """Show the preview, in which the user places the ROIs; what was moved is saved in the configuration.

    Parameters
    ----------
    rig : Rig
    rois : sequence of Rect or Circle
        Moved in place.
    preview : Preview
        What the experiment shows.

    Returns
    -------
    bool
        False when the window was closed: no session is wanted.
    """
    rig.outputs.light.on()  # without the light there is nothing to place an ROI on
    if isinstance(rig.window, Window):
        with signals.at_safe_points():  # an exception in the callback of the pointer would be lost
            placed = rig.window.place_rois(rig.camera, rig.lick, rois, preview)
        if placed is None:
            return False
        keep_places(rig.options, [roi for roi in rois if roi.name in placed.moved])
    return True


def keep_places(options: Options[Any], moved: Sequence[Roi]) -> None:
    """Write placed ROIs into the user's configuration; the session has them in its own copy in any case."""
    before, after = (to_strings(settings) for settings in (options.settings, options.settings.with_places(moved)))
    try:
        save_lines(options.config, options.section, {k: v for k, v in after.items() if before.get(k) != v})
    except OSError as error:
        console.print(
            f"{options.config}: the places of the ROIs could not be saved there ({error.strerror})", soft_wrap=True
        )


@contextmanager
def recording(
    rig: Rig, rois: Sequence[Roi], columns: Sequence[str], unit: str, marks: Sequence[Mark] = ()
) -> Iterator["Recording"]:
    """Begin a session: folder, light, trigger; on leaving, silence, all outputs low, the files, the summary.

    Parameters
    ----------
    rig : Rig
    rois : sequence of Rect or Circle
    columns : sequence of str
        Of VideoTimestamp.txt.
    unit : str
        Of the signal, as in 'ΔF/F'.
    marks : sequence of Mark
        What is drawn on the frame besides the ROIs.
    """
    used = rig.options.settings.with_places(rois)
    with signals.at_safe_points():
        log = SessionLog(used, rig.options.mouse_id, list(columns), rig.events, rig.water, rig.options.fast)
        if rig.options.baseline_s is not None:
            log.kind = "baseline"
        rig.logs.append(log)
        with log, StatusLine(unit, log) as status:
            try:
                rig.outputs.trigger.on()
                rig.outputs.light.on()
                rig.camera.begin_session()  # last: the first frame must not have waited
                yield Recording(rig, rois, marks, log, status)
            finally:
                rig.tone.play(0.0)
                log.lost = rig.camera.lost
                log.notes["tone_underflows"] = rig.tone.underflows
                rig.outputs.all_off()
                if used.trigger_stop_edge:
                    rig.outputs.trigger.stop_edge()
                    rig.outputs.all_off()


def kind_of(trouble: str) -> str:
    """Return a trouble without its numbers, which change from frame to frame."""
    return re.sub(r"\d+(\.\d+)?", "#", trouble)


class Recording:
    """The books of a running session: its files, its window and its status line.

    Attributes
    ----------
    log : SessionLog
    end : str
        Why the session ends now: Esc, or enough water; nothing where it goes on.
    """

    def __init__(
        self, rig: Rig, rois: Sequence[Roi], marks: Sequence[Mark], log: SessionLog, status: StatusLine
    ) -> None:
        self.log = log
        self._rig, self._marks, self._status = rig, [*rois, *marks], status
        self._rects = [roi for roi in rois if isinstance(roi, Rect)]
        self._trouble, self._troubles = "", dict[str, str]()
        self._is_dark = False

    @property
    def end(self) -> str:
        """Why the session ends now."""
        return "stopped with Esc" if self._rig.window.stopped else self._rig.water.ends_session()

    def write(self, frame: Frame, step: Step, fresh: bool, age_s: float, acted_s: float, **values: Any) -> None:
        """Store the frame and its row, see `SessionLog.write`; count decisions that came too late."""
        self._is_dark = self._is_dark or step.goes_dark
        if not fresh:
            self.log.stale += 1
            self._rig.events.add("stale frame", age_s * 1e3, "ms old; nothing paid")
        self.log.write(frame, step, age_s, acted_s, **values)

    def show(self, frame: Frame, step: Step, trials: Trials | Baseline, signal: float, threshold: float) -> None:
        """Show where the session stands, a few times a second."""
        now_s = time.monotonic()
        window_due, status_due = self._rig.window.due(now_s), self._status.due(now_s)
        if not (window_due or status_due):
            return
        self.log.lost = self._rig.camera.lost
        self._rig.outputs.check()
        self._note_trouble(frame.image)
        left_s, where = trials.seconds_left(frame.time_s), trials.describe(step)
        if status_due:
            self._status.show(f"{where} | {trials.kind}", signal, threshold, left_s, self._trouble)
        if window_due:
            state = "trouble" if self._trouble else "trial" if step.running else "rest"
            lines = {where: ""} | self._lines(signal, threshold, left_s)
            self._rig.window.show(frame, self._marks, signal, threshold, lines, state)

    def _note_trouble(self, image: np.ndarray) -> None:
        """Look at everything that can go wrong without ending the session; note what is new."""
        tone = self._rig.tone.trouble()
        unsaved = f"the disk is too slow: {self.log.unsaved} frames not stored" if self.log.unsaved else ""
        picture = "" if self._is_dark else image_trouble(image, self._rig.options.settings.max_saturated)
        trouble = "; ".join(filter(None, (tone, self._rig.lick.trouble(), unsaved, picture)))
        if kind_of(trouble) != kind_of(self._trouble):
            self._rig.events.add("trouble", float(bool(trouble)), trouble or "over")
            for one in filter(None, (tone, self._rig.lick.trouble(), unsaved, picture)):
                self._troubles.setdefault(kind_of(one), one)
            self.log.notes["troubles"] = "; ".join(self._troubles.values())
        self._trouble = trouble
        if tone and self._rig.options.settings.tone_required:
            raise ToneError(f"{tone}; the session ends, because tone_required = 1")

    def _lines(self, signal: float, threshold: float, left_s: float) -> dict[str, str]:
        log, settings = self.log, self._rig.options.settings
        lines = {roi.name: f"{roi.avgDff:+.4f}" for roi in self._rects} if len(self._rects) > 1 else {}
        lines |= {
            "signal": f"{signal:+.4f}",
            "threshold": f"{threshold:.4f}",
            "tone": f"{self._rig.tone.hz:.0f} Hz" if self._rig.tone.hz else "silence",
            "trials": f"{log.trials} done",
            "rewards": f"{log.rewards}{self._rig.water.describe()}",
            "frames": f"{log.frames}, {log.lost} lost, {log.stale} late",
            "time left": f"at most {clock(left_s)}",
            "mouse": self._rig.options.mouse_id,
        }
        if simulated := simulated_devices(settings):
            lines["simulated"] = ", ".join(simulated)
        if self._trouble:
            lines["trouble"] = self._trouble
        return lines
