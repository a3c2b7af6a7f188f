"""What an NWB file of a session is made from: the session, typed settings, lab and mouse, and the clock."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from analysis.evidence import Evidence
from analysis.exports.stored_frames import refuse_unfinished
from analysis.replay.recorded import typed_settings
from rig.errors import SettingsError
from rig.files.reader import Images, Session
from rig.files.subject import SUBJECT_FILE, read_subject
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.settings.lab import Lab, Subject

OF_LIGHT = ("indicator", "green_excitation_nm", "green_emission_nm", "blue_excitation_nm", "blue_emission_nm")
OF_LAB = ("experimenter", "institution")
OF_MOUSE = ("sex", "date_of_birth", "species")
REGULAR_S = 1e-9  # steps that differ by less are one rate
NOT_IN_NAMES = re.compile(r"[_*\\/<>:|\"'?%@;,.\s]")
"""What DANDI takes in no name of a file; its own program writes `-` for it, too."""
Made = TypeVar("Made")


class Timing:
    """When the samples of some series were taken: a rate where they are regular, else timestamps, stored once.

    Parameters
    ----------
    times_s : array (n,)
        Since the first frame.
    framerate : float
        As it was asked for, 1/s.
    """

    def __init__(self, times_s: np.ndarray, framerate: float) -> None:
        self._first: Any = None
        self._how: dict[str, Any] = {"timestamps": times_s}
        steps = np.diff(times_s)
        if len(steps) > 1 and np.ptp(steps) < REGULAR_S:
            is_as_asked = abs(steps.mean() - 1 / framerate) < REGULAR_S
            rate = framerate if is_as_asked else float(1 / steps.mean())
            self._how = {"starting_time": float(times_s[0]), "rate": float(rate)}

    def make(self, kind: Callable[..., Made], **fields: Any) -> Made:
        """Return a series of this kind at these times; later ones point to the timestamps of the first."""
        how = self._how if self._first is None else {"timestamps": self._first}
        made = kind(**fields, **how)
        if "timestamps" in self._how and self._first is None:
            self._first = made
        return made


@dataclass
class Source:
    """A session, and what is known about it.

    Attributes
    ----------
    session : Session
    settings : RigSettings
        Typed.
    lab : Lab
    subject : Subject
        What the session says about its mouse; what is empty there, subject.ini of the mouse says.
    utc_offset : timedelta or None
    """

    session: Session
    settings: RigSettings
    lab: Lab
    subject: Subject
    utc_offset: timedelta | None

    @property
    def mouse(self) -> str:
        """The ID of the mouse."""
        return self.session.metadata.mouse_id or self.session.folder.resolve().parent.name

    @property
    def session_id(self) -> str:
        """The name of the session."""
        return self.session.folder.resolve().name

    @property
    def is_cortex(self) -> bool:
        """Whether light of the cortex was measured."""
        return isinstance(self.settings, ClnfSettings)

    @cached_property
    def evidence(self) -> Evidence:
        """The rows, trials and thresholds, with times since the first row."""
        return Evidence(self.session, None, self.settings, "")

    @cached_property
    def rows(self) -> Timing:
        """When the rows were taken."""
        return Timing(self.evidence.time_s, self.settings.framerate)

    @cached_property
    def frames(self) -> Timing:
        """When the frames were taken: at the same times as the rows, unless a file lacks some of them."""
        times_s, rows_s = self.frame_times_s, self.evidence.time_s
        is_same = len(times_s) == len(rows_s) and bool(np.all(np.abs(times_s - rows_s) < REGULAR_S))
        return self.rows if is_same else Timing(times_s, self.settings.framerate)

    @property
    def frame_times_s(self) -> np.ndarray:
        """The time of each frame since the first one, s; those of the rows where they were not stored."""
        times_s = self.session.frames["time_s"] - self.zero_s if len(self.session.frames) else self.evidence.time_s
        return times_s if self.session.images is None else times_s[: len(self.session.images)]

    @property
    def zero_s(self) -> float:
        """The time of the first frame on the clock of the experiment, s; from there all times of the file count."""
        return float(self.session.frames["time_s"][0]) if len(self.session.frames) else 0.0

    @property
    def began(self) -> datetime:
        """The wall clock of the first frame; as if it were UTC where nobody says how far from UTC it was."""
        wall = datetime.fromisoformat(str(self.session.columns["time"][0]))
        return wall.replace(tzinfo=timezone(self.utc_offset or timedelta()))

    @property
    def born(self) -> datetime | None:
        """The day on which the mouse was born, at midnight where the session was run."""
        day = self.subject.date_of_birth
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=self.began.tzinfo)

    @property
    def weight_g(self) -> float | None:
        """The weight of the mouse on the day of the session, g; None where nobody weighed it."""
        return self.session.weights_g.get(self.began.date())

    @property
    def pictures(self) -> Images | None:
        """The frames of the cortex; None without any, and of a paw, whose movie stands for them."""
        images = self.session.images
        return images if self.is_cortex and images is not None and len(images) else None

    @property
    def movie(self) -> Path | None:
        """The movie of the session, None without one."""
        name = self.session.settings.get("video_file", "")
        path = self.session.folder / name
        return path if name and path.is_file() else None


def source_of(session: Session, utc_offset: timedelta | None = None) -> Source:
    """Gather what is known about a session.

    Parameters
    ----------
    session : Session
    utc_offset : timedelta, optional
        How far its wall clock was ahead of UTC, if it does not say that itself.

    Raises
    ------
    SettingsError
        It has not been finished, or lacks what no file can do without.
    """
    folder = session.folder
    refuse_unfinished(session)
    if not len(session) or not {"frame", "time"} <= session.columns.keys():
        raise SettingsError(f"{folder}: VideoTimestamp.txt is missing, has no row, or does not say frame and time")
    offset = session.metadata.utc_offset if session.metadata.utc_offset is not None else utc_offset
    source = Source(session, typed_settings(folder / "config.ini"), session.lab, subject_of(session), offset)
    refuse_impossible_times(source)
    if source.pictures is not None and source.pictures.shape[-1] != 3:
        raise SettingsError(f"{folder}: the frames are grey: there is no green and no blue, which NWB keeps apart here")
    return source


def subject_of(session: Session) -> Subject:
    """Return what the session says about its mouse, and where that is nothing, what the mouse's own file says."""
    of_mouse = read_subject(session.folder.resolve().parent / SUBJECT_FILE)
    if not (session.folder / SUBJECT_FILE).is_file():
        return of_mouse
    said = {key: value for key, value in session.subject.model_dump().items() if value not in ("", None)}
    return of_mouse.model_copy(update=said)


def refuse_impossible_times(source: Source) -> None:
    """Raise SettingsError where the session has no wall clock, or the mouse was born after it."""
    folder, first = source.session.folder, source.session.columns["time"][0]
    try:
        began = source.began
    except ValueError:
        raise SettingsError(f"{folder}: the time of its first row, {first}, is not YYYY-MM-DD HH:MM:SS") from None
    born = source.subject.date_of_birth
    if born is not None and born > began.date():
        raise SettingsError(f"{folder}: the mouse was born after the session (date_of_birth = {born}); correct it")


def missing_metadata(source: Source) -> str:
    """Return what an archive needs and nobody said, and where it belongs, in one sentence; '' where all is there."""
    folder, lab = source.session.folder, (*OF_LAB, *(OF_LIGHT if source.is_cortex else ()))
    parts = (
        (unsaid(source.lab, lab), f"[lab] of {folder / 'config.ini'}"),
        (unsaid(source.subject, OF_MOUSE), f"[subject] of {folder.resolve().parent / SUBJECT_FILE}"),
        (["how far its clock was from UTC"] if source.utc_offset is None else [], "the command: --utc-offset +01:00"),
    )
    found = "; ".join(f"add {', '.join(keys)} to {where}" for keys, where in parts if keys)
    return f"{folder}: an archive needs to know more: {found}; or write it without: --incomplete" if found else ""


def unsaid(known: Lab | Subject, keys: Iterable[str]) -> list[str]:
    """Return those of the keys that are empty."""
    return [key for key in keys if getattr(known, key) in ("", None)]


def in_name(text: str) -> str:
    """Return a text as a part of the name of a file in DANDI."""
    return NOT_IN_NAMES.sub("-", text)


def name_of(source: Source) -> str:
    """Return the name of the file without its ending, as DANDI wants it."""
    pictures = "+ophys" if source.is_cortex else "+image" if source.movie else ""
    return f"sub-{in_name(source.mouse)}_ses-{in_name(source.session_id)}_behavior{pictures}"
