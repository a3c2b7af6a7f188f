"""Opens all that a session needs, and closes it again whatever happens."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle
from typing import Any, NamedTuple

from CameraFactory import CameraFactory
from rig.cli import Options, signals, simulated_devices
from rig.events import Events
from rig.frames import Frame
from rig.lick import LickDetector, NoLick, open_lick
from rig.outputs import Outputs
from rig.preview import NoWindow, Window, open_window
from rig.session_log import SessionLog
from rig.settings import save_placed
from rig.status import StatusLine, clock, console, print_summaries
from rig.tone_player import SimTone, TonePlayer, open_tone
from rig.trials import Baseline, Step, Trials
from roi_manager import Rect

COLORS = ((0, 0, 255), (255, 200, 0), (0, 255, 255), (255, 0, 255), (0, 160, 255))  # of the ROIs, BGR


class Rig(NamedTuple):
    """The open devices."""

    options: Options[Any]
    camera: CameraFactory
    outputs: Outputs
    tone: TonePlayer | SimTone
    lick: NoLick | LickDetector
    window: Window | NoWindow
    events: Events
    logs: list[SessionLog]
    """Of the sessions that were run: their summaries are shown when all devices are closed."""

    def frames(self) -> Iterator[Frame]:
        """Yield every frame of the camera; what happens until the next one is noted under its number."""
        for frame in self.camera:
            signals.stop_if_asked()
            self.events.frame = frame.number
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
        yield Rig(options, camera, outputs, tone, lick, window, events, logs)


def place_rois(rig: Rig) -> list[Rect] | None:
    """Show the preview, in which the user places the ROIs; what was moved is saved in the configuration.

    Returns
    -------
    list of Rect or None
        None when the window was closed: no session is wanted.
    """
    settings = rig.options.settings
    rois = []
    for name, color in zip(settings.roi_names(), cycle(COLORS), strict=False):
        x, y, w, h = settings.roi_box(name)
        rois.append(Rect(name, x, y, w, h, color))
    rig.outputs.light.on()  # without the light there is nothing to place an ROI on
    if isinstance(rig.window, Window):
        with signals.at_safe_points():  # an exception in the callback of the pointer would be lost
            placed = rig.window.place_rois(rig.camera, rig.lick, rois)
        if placed is None:
            return None
        keep_places(rig.options, {name: placed.rois[name].place() for name in placed.moved})
    return rois


def keep_places(options: Options[Any], boxes: dict[str, Any]) -> None:
    """Write placed ROIs into the user's configuration; the session has them in its own copy in any case."""
    try:
        save_placed(options.config, options.section, boxes)
    except OSError as error:
        console.print(
            f"{options.config}: the places of the ROIs could not be saved there ({error.strerror})", soft_wrap=True
        )


@contextmanager
def recording(rig: Rig, rois: Sequence[Rect], columns: Sequence[str], unit: str) -> Iterator["Recording"]:
    """Begin a session: folder, light, trigger; on leaving, silence, all outputs low, the files, the summary."""
    settings = rig.options.settings
    boxes = {roi.name.lower(): roi.place() for roi in rois}
    used = settings.model_copy(update={"placed": settings.placed | boxes})
    with signals.at_safe_points():
        log = SessionLog(used, rig.options.mouse_id, list(columns), rig.events, wait=rig.options.fast)
        if rig.options.baseline_s is not None:
            log.kind = "baseline"
        rig.logs.append(log)
        with log, StatusLine(unit, log) as status:
            try:
                rig.outputs.trigger.on()
                rig.outputs.light.on()
                rig.camera.begin_session()  # last: the first frame must not have waited
                yield Recording(rig, rois, log, status)
            finally:
                rig.tone.play(0.0)
                log.lost = rig.camera.lost
                log.notes["tone_underflows"] = rig.tone.underflows
                rig.outputs.all_off()


class Recording:
    """The books of a running session: its files, its window and its status line.

    Attributes
    ----------
    log : SessionLog
    stopped : bool
        The user has pressed Esc.
    """

    def __init__(self, rig: Rig, rois: Sequence[Rect], log: SessionLog, status: StatusLine) -> None:
        self.log = log
        self._rig, self._rois, self._status = rig, rois, status
        self._trouble = ""

    @property
    def stopped(self) -> bool:
        """Return whether the user has pressed Esc."""
        return self._rig.window.stopped

    def write(self, frame: Frame, step: Step, fresh: bool, decided_s: float, acted_s: float, **values: Any) -> None:
        """Store the frame and its row, see `SessionLog.write`; count decisions that came too late."""
        if not fresh:
            self.log.stale += 1
            self._rig.events.add("stale frame", (decided_s - frame.captured_s) * 1e3, "ms old; nothing paid")
        self.log.write(frame, step, decided_s, acted_s, **values)

    def show(self, frame: Frame, step: Step, trials: Trials | Baseline, signal: float, threshold: float) -> None:
        """Show where the session stands, a few times a second."""
        now_s = time.monotonic()
        window_due, status_due = self._rig.window.due(now_s), self._status.due(now_s)
        if not (window_due or status_due):
            return
        self.log.lost = self._rig.camera.lost
        self._rig.outputs.check()
        self._note_trouble()
        left_s, where = trials.seconds_left(frame.time_s), trials.describe(step)
        if status_due:
            self._status.show(f"{where} | {trials.kind}", signal, threshold, left_s, self._trouble)
        if window_due:
            state = "trouble" if self._trouble else "trial" if step.running else "rest"
            lines = {where: ""} | self._lines(signal, threshold, left_s)
            self._rig.window.show(frame, self._rois, signal, threshold, lines, state)

    def _note_trouble(self) -> None:
        trouble = self._rig.tone.trouble() or self._rig.lick.trouble()
        if trouble != self._trouble:
            self._rig.events.add("trouble", float(bool(trouble)), trouble or "over")
            self._trouble = trouble

    def _lines(self, signal: float, threshold: float, left_s: float) -> dict[str, str]:
        log, settings = self.log, self._rig.options.settings
        lines = {roi.name: f"{roi.avgDff:+.4f}" for roi in self._rois} if len(self._rois) > 1 else {}
        lines |= {
            "signal": f"{signal:+.4f}",
            "threshold": f"{threshold:.4f}",
            "tone": f"{self._rig.tone.hz:.0f} Hz" if self._rig.tone.hz else "silence",
            "trials": f"{log.trials} done",
            "rewards": str(log.rewards),
            "frames": f"{log.frames}, {log.lost} lost, {log.stale} late",
            "time left": f"at most {clock(left_s)}",
            "mouse": self._rig.options.mouse_id,
        }
        if simulated := simulated_devices(settings):
            lines["simulated"] = ", ".join(simulated)
        if self._trouble:
            lines["trouble"] = self._trouble
        return lines
