"""The books of a running session: its files, its window, its status line, its troubles."""

import re
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from CameraFactory import LINEAR_IN_WORDS
from rig.devices import realtime
from rig.devices.camera_watch import CameraWatch
from rig.devices.image_check import image_trouble
from rig.ending import signals
from rig.errors import ToneError
from rig.events import PAUSE_BEGINS
from rig.files.about import About
from rig.files.first_day import save_registration
from rig.files.log import SessionLog
from rig.files.session_tables import EVENT
from rig.files.subject import SUBJECT_FILE, lines_of
from rig.files.yokes import YOKE_FILE, Yoke, text_of
from rig.protocol.chance import against_chance, in_words
from rig.protocol.trials import FAIL, NONE, SUCCESS, Step
from rig.screen.status_line import StatusLine
from rig.screen.window import Mark
from rig.screen.wishes import TypedLines
from rig.session import Act, Rig, Roi
from rig.settings.told import Told
from rig.terminal import clock


@contextmanager
def recording(rig: Rig, rois: Sequence[Roi], columns: Sequence[str], marks: Sequence[Mark] = ()) -> Iterator["Books"]:
    """Begin a session: folder, light, trigger; on leaving, silence, all outputs low, the files, the summary.

    Parameters
    ----------
    rig : Rig
    rois : sequence of Rect or Circle
    columns : sequence of str
        Of VideoTimestamp.txt.
    marks : sequence of Mark
        What is drawn on the frame besides the ROIs.
    """
    options = rig.options
    used = options.settings.with_places(rois)
    told = Told(used.blind)
    with signals.at_safe_points():
        log = SessionLog(
            used,
            about_session(rig),
            list(columns),
            rig.events,
            rig.tally,
            rig.water,
            options.fast,
            rig.camera.channels,
        )
        try:
            with (
                log,
                TypedLines(rig.window.wishes),
                StatusLine(used.signal_unit, rig.tally, told) as status,
            ):
                books = Books(rig, rois, marks, log, status)
                try:
                    with running(rig), in_real_time(rig):
                        yield books
                    books.end(rig.ended_by)
                except BaseException as error:
                    books.end(str(error) or type(error).__name__)
                    raise
        finally:
            rig.summaries.append((log.summary(), log.notes))


def about_session(rig: Rig) -> About:
    """Return what a session says about itself."""
    options = rig.options
    return About(
        options.mouse_id,
        rig.trials.session_type,
        linear=LINEAR_IN_WORDS[rig.camera.is_linear],
        simulated=tuple(options.simulated),
        replay_of=options.replay_of,
        script=options.script,
        rig=options.lab.rig,
        lab=lines_of(options.lab),
        files=subject_of(options.settings.data_root / options.mouse_id) | copy_of(options.yoke),
    )


def subject_of(folder: Path) -> dict[str, str]:
    """Return the subject.ini of a mouse as it is now, {name: text}; nothing where it has none."""
    path = folder / SUBJECT_FILE
    return {SUBJECT_FILE: path.read_text(encoding="utf-8-sig")} if path.exists() else {}


def copy_of(yoke: Yoke | None) -> dict[str, str]:
    """Return the file with what a session is yoked to, {name: text}, from which it can be replayed."""
    return {} if yoke is None else {YOKE_FILE: text_of(yoke.score)}


@contextmanager
def running(rig: Rig) -> Iterator[None]:
    """Trigger and light on, and the camera from its first frame; on leaving, silence and all outputs low."""
    try:
        rig.outputs.begin_session()
        rig.outputs.light.on()
        rig.camera.begin_session()  # last: the first frame must not have waited
        yield
    finally:
        rig.tone.play(0.0)
        rig.tone.rest()
        rig.outputs.all_off()
        if rig.options.settings.trigger_stop_edge:
            rig.outputs.trigger.stop_edge()
            rig.outputs.all_off()


@contextmanager
def in_real_time(rig: Rig) -> Iterator[None]:
    """Let the loop run before all other programs, where setting and system allow it; note whether they do."""
    if rig.options.fast:  # it would take a whole core for itself
        yield
        return
    with realtime.loop_in_real_time(rig.options.settings.realtime) as found:
        rig.events.add("realtime", float(found == realtime.IN_FORCE), found)
        yield


def without_numbers(trouble: str) -> str:
    """Return a trouble without its numbers, which change from frame to frame."""
    return re.sub(r"\d+(\.\d+)?", "#", trouble)


def parts_of(note: str) -> list[str]:
    """Return a note in parts that events can keep, of 120 bytes each."""
    return [note] if len(note.encode()) <= EVENT["detail"].itemsize else textwrap.wrap(note, MOST_LETTERS)


MOST_LETTERS = 30  # of four bytes each, in an event
REWARDS_WITHOUT_LICK = 3  # from which on it is worth a note
UNSYNCED_S = 1.0  # when more than this is not on disk yet, that is a trouble
LATE_FOR_S = 1.0  # when decisions are late for longer, that is a trouble


class Books:
    """The books of a running session.

    Attributes
    ----------
    notes : dict
        What else should be remembered; shown in the summary, stored as attributes of the HDF5 file.
    """

    def __init__(
        self, rig: Rig, rois: Sequence[Roi], marks: Sequence[Mark], log: SessionLog, status: StatusLine
    ) -> None:
        self.notes, self.folder = log.notes, log.folder
        self.notes.update(save_registration(log.folder, rig.options.same_place))
        if rig.tone.device:
            self.notes["tone_device"] = rig.tone.device
        if rig.options.blue_from:
            self.notes["blue_coefficient_fit"] = rig.options.blue_from
        if rig.options.threshold_from:
            self.notes[f"{rig.options.settings.threshold_setting}_from"] = rig.options.threshold_from
        if rig.options.yoke is not None:
            self.notes["yoked_to_session"] = rig.options.yoke.name
        self._told = Told(rig.options.settings.blind)
        self._rig, self._marks, self._log, self._status = rig, [*rois, *marks], log, status
        measured = {roi.name for roi in rig.options.settings.light_rois()}
        self._measured = [roi for roi in rois if roi.name in measured]
        self._trouble, self._troubles = "", dict[str, str]()
        self._is_paused = False
        self._trial, self._is_dark, self._late_s, self._was_licked = 0, False, 0.0, False
        self._camera_watch = CameraWatch(rig.options.settings.framerate)
        if rig.options.settings.outputs == "gpio":  # a simulated valve gives no water
            rig.water.book = log.ledger

    def write(self, act: Act, **values: object) -> None:
        """Store the frame and its row, and show where the session stands.

        Parameters
        ----------
        act : Act
            What the rig did on this frame; gives the columns freq, reward, trial, audio and lick.
        **values
            The experiment's own columns.

        Raises
        ------
        RigError
            The disk is full or fails, the frame has the wrong size, or a device has failed.
        """
        step = act.step
        if not act.is_fresh:
            self._rig.tally.stale += 1
            self._rig.events.add("stale frame", act.age_s * 1e3, "ms old; no water")
        self._late_s = 0.0 if act.is_fresh else self._late_s + self._rig.options.settings.frame_period_s()
        self._is_dark = self._is_dark or step.goes_dark
        self._was_licked = self._was_licked or act.licked
        self._camera_watch.see(act.frame)
        self._count(step)
        if act.is_fresh:
            counts = not (step.paused or step.idle)
            self._rig.tally.chance.see(act.frame.time_s, step.trial, step.crossed, counts)
        self._log.write(act.frame, act.columns() | values, act.age_s, act.acted_s)
        self._heed_wishes()
        self._show(act, values)

    def end(self, reason: str) -> None:
        """Say why the session has ended, also of the trial that was running."""
        self._log.ended_by = reason
        self.notes["tone_underflows"] = self._rig.tone.underflows
        if self._rig.stalls:
            self.notes["stalls_s"] = ", ".join(f"{seconds:.1f}" for seconds in self._rig.stalls)
        if missed := self._rig.trials.missed_rewards:
            self.notes[f"missed_{'random' if self._rig.options.yoke is None else 'yoked'}_rewards"] = missed
        if said := in_words(against_chance(self._rig.tally.chance.blocks)):
            self.notes["chance"] = said
        rewards, has_sensor = self._rig.tally.rewards, self._rig.options.settings.lick != "none"
        if has_sensor and not self._was_licked and rewards >= REWARDS_WITHOUT_LICK:
            self.notes["licks"] = f"none, although {rewards} rewards were given: check the lick sensor"
        if vetoed := self._rig.tally.vetoed:
            self.notes["vetoed_crossings"] = vetoed
        if self._trial:
            self._rig.events.add("trial", self._trial, f"end: {reason}")

    def _heed_wishes(self) -> None:
        """Note what the user has typed, and pass a wish for a pause on to the rig."""
        rig = self._rig
        rig.window.take_key(time.monotonic())
        while rig.window.wishes:
            wish = rig.window.wishes.popleft()
            if wish.what == "pause":
                rig.wants_pause = not rig.wants_pause
                continue
            for number, part in enumerate(parts_of(wish.text)):
                rig.events.add("note", number, part, wish.time_s)

    def _count(self, step: Step) -> None:
        tally, events = self._rig.tally, self._rig.events
        if step.trial and step.trial != self._trial:
            events.add("trial", step.trial, "start")
        self._trial = step.trial if step.running else 0
        if step.paused and not self._is_paused:
            events.add("pause", 1, PAUSE_BEGINS)
        self._is_paused = step.paused
        if step.outcome != NONE:
            tally.trials += 1
            tally.fails += step.outcome == FAIL
            events.add("trial", step.trial, f"end: {'success' if step.outcome == SUCCESS else 'time is over'}")

    def _show(self, act: Act, values: dict[str, object]) -> None:
        """Show where the session stands, a few times a second."""
        now_s = time.monotonic()
        window_due, status_due = self._rig.window.due(now_s), self._status.due(now_s)
        if not (window_due or status_due):
            return
        settings, trials, step = self._rig.options.settings, self._rig.trials, act.step
        self._rig.outputs.check()
        self._note_trouble(act.frame.image)
        signal, threshold = (float(str(values[name])) for name in (settings.signal_column, settings.threshold_column))
        left_s, where = trials.seconds_left(act.frame.time_s), self._told.where(trials.describe(step))
        if status_due:
            self._status.show(
                f"{where} | {self._told.arm(trials.session_type)}",
                signal,
                threshold,
                left_s,
                self._trouble,
                self._log.longest_unsynced_s(),
            )
        if window_due:
            state = "trouble" if self._trouble else "trial" if step.running else "rest"
            lines = {where: ""} | self._told.lines(self._lines(signal, threshold, left_s))
            drawn = self._told.threshold(threshold)
            self._rig.window.show(act.frame, self._marks, signal, drawn, lines, state)

    def _note_trouble(self, image: np.ndarray) -> None:
        """Look at everything that can go wrong without ending the session; note what is new."""
        settings, unsaved = self._rig.options.settings, self._rig.tally.unsaved
        tone = self._rig.tone.trouble()
        disk = f"the disk is too slow: {unsaved} frames not stored" if unsaved else ""
        unsynced_s = self._log.unsynced_s()
        behind = f"the disk is slow: the last {unsynced_s:.1f} s are not on it yet" if unsynced_s > UNSYNCED_S else ""
        picture = "" if self._is_dark else image_trouble(image, settings.max_saturated, self._measured)
        camera = "" if picture or self._is_dark else self._camera_watch.trouble()  # a black image never changes
        late = f"decisions are late, for {self._late_s:.0f} s now" if self._late_s > LATE_FOR_S else ""
        valve = self._rig.outputs.trouble()
        inputs = self._rig.lick.trouble(), self._rig.paw.trouble()
        found = list(filter(None, (valve, late, tone, *inputs, disk, behind, picture, camera)))
        trouble = "; ".join(found)
        if without_numbers(trouble) != without_numbers(self._trouble):
            self._rig.events.add("trouble", float(bool(trouble)), trouble or "over")
            for one in found:
                self._troubles.setdefault(without_numbers(one), one)
            self.notes["troubles"] = "; ".join(self._troubles.values())
        self._trouble = trouble
        if tone and settings.tone_required:
            raise ToneError(f"{tone}; the session ends, because tone_required = 1")

    def _lines(self, signal: float, threshold: float, left_s: float) -> dict[str, str]:
        """Return what stands next to the picture, {label: value}."""
        rig, tally = self._rig, self._rig.tally
        lines = {roi.name: f"{roi.avgDff:+.4f}" for roi in self._measured} if len(self._measured) > 1 else {}
        lines |= {
            "signal": f"{signal:+.4f}",
            "threshold": f"{threshold:.4f}",
            "tone": f"{rig.tone.hz:.0f} Hz" if rig.tone.hz else "silence",
            "trials": f"{tally.trials} done",
            "rewards": f"{tally.rewards}{rig.water.describe()}",
            **({"crossings": chance} if (chance := tally.chance.describe()) else {}),
            "frames": f"{tally.frames}, {tally.lost} lost, {tally.stale} late",
            "time left": f"at most {clock(left_s)}",
            "mouse": rig.options.mouse_id,
        }
        if tally.vetoed:
            lines["vetoed"] = f"{tally.vetoed} crossing{'s' * (tally.vetoed > 1)}"
        if rig.options.simulated:
            lines["simulated"] = ", ".join(rig.options.simulated)
        if self._trouble:
            lines["trouble"] = self._trouble
        return lines
