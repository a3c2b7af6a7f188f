"""Runs a recorded session again through the `run_session` of its own script, which is not changed for that."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.replay.devices import NoOutputs, RecordedCamera, RecordedLick, RecordedPose
from analysis.replay.recorded import Recorded, pose_of
from behavior import cla_dlc_trials_speed
from brain import cla_reward_punish_1roi, cla_reward_punish_2roi
from CameraFactory import CameraFactory
from helper import SessionType
from rig.devices.water import Water, dose_of
from rig.errors import SettingsError
from rig.events import Events
from rig.files.reader import INTEGERS, Event, Session
from rig.files.yokes import YOKE_FILE, own_yoke
from rig.options import Options
from rig.protocol.tally import Tally
from rig.protocol.trials import Course
from rig.protocol.yoked import Score, course_of
from rig.screen.preview_cortex import make_rois
from rig.screen.preview_paw import PoseMarks, make_circles
from rig.screen.window import NoWindow
from rig.session import Act, Rig
from rig.settings.clmf import ClmfSettings
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.settings.ini import to_strings
from rig.settings.one_roi import OneRoiSettings
from rig.simulated.tone import SimTone

Columns = dict[str, np.ndarray]


class MemoryBooks:
    """Books that are kept in memory only; see `rig.books.Books`."""

    def __init__(self) -> None:
        self.notes: dict[str, int | float | str] = {}
        self._rows: list[dict[str, Any]] = []

    def write(self, act: Act, **values: object) -> None:
        """Keep a row."""
        self._rows.append({"frame": act.frame.number} | act.columns() | values)

    def columns(self) -> Columns:
        """Return the rows as the reader gives those of VideoTimestamp.txt."""
        names = self._rows[0] if self._rows else ()
        return {name: np.array([row[name] for row in self._rows], kind_of(name)) for name in names}


def kind_of(column: str) -> type:
    """Return the type that the reader gives a column."""
    return int if column in INTEGERS else float


def run_again(recorded: Recorded, settings: RigSettings, as_baseline: bool = False) -> Session:
    """Run a recorded session again; return it with the rows that it has now.

    Parameters
    ----------
    recorded : Recorded
    settings : RigSettings
        Its own, or others.
    as_baseline : bool
        Without trials, as a baseline was recorded.
    """
    camera = RecordedCamera(recorded.frames(settings.light_boxes().values()))
    course = course_of(settings.plan(), math.inf if as_baseline else None, score_to_play(recorded, settings))
    rig = rig_in_memory(recorded, settings, camera, course)
    books: Any = MemoryBooks()
    if isinstance(settings, ClmfSettings):
        dlc = RecordedPose(camera, recorded.body_parts, pose_of(recorded.session))
        marks, (start_roi_manager, _) = PoseMarks(settings, dlc.body_parts), make_circles(settings)
        cla_dlc_trials_speed.run_session(settings, rig, dlc, start_roi_manager, marks, books)
    elif isinstance(settings, ClnfSettings):
        script = cla_reward_punish_1roi if isinstance(settings, OneRoiSettings) else cla_reward_punish_2roi
        script.run_session(settings, rig, make_rois(settings), books)
    withheld = [Event(*each) for each in rig.events.since(0) if each.device == "water"]
    return replace(recorded.session, columns=books.columns(), settings=to_strings(settings), events=withheld)


def score_to_play(recorded: Recorded, settings: RigSettings) -> Score | None:
    """Return what a session was yoked to, by its own copy; None where the settings yoke it to nothing."""
    if settings.session_type is not SessionType.yoked:
        return None
    yoke = own_yoke(recorded.session.folder)
    if yoke is None:
        raise SettingsError(
            f"{recorded.session.folder}: session_type = yoked cannot be tried, as {YOKE_FILE} is missing: nobody knows "
            "what it would be yoked to; try another session_type"
        )
    return yoke.score


def rig_in_memory(recorded: Recorded, settings: RigSettings, camera: RecordedCamera, course: Course) -> Rig:
    """Return the rig of a session that is run again: the real loop, delays, trials and water caps, without devices."""
    events, tally, outputs = Events(), Tally(), NoOutputs()
    config = recorded.session.folder / "config.ini"
    dose = dose_of(settings, config)
    options = Options(settings, settings, config, recorded.section, False, True, None, course, dose, {}, "", 0.0, False)
    water = Water(settings, dose, outputs.reward, events, tally, 0.0)
    lick = RecordedLick(camera, recorded.licks())
    no_pins: Any = outputs
    return Rig(
        options, course, CameraFactory(camera), no_pins, SimTone(events), lick, water, NoWindow(), events, tally, []
    )


def without_the_clock(columns: Mapping[str, np.ndarray]) -> Columns:
    """Return the columns but `time`, the wall clock, which no two runs share."""
    return {name: column for name, column in columns.items() if name != "time"}
