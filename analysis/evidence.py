"""What a session offers to its report: rows, times, trials, settings, and what its frames give, computed once."""

import contextlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from analysis.derived.aligned import rows_of_then
from analysis.frame_sample import FrameSample, movement, sample_frames
from analysis.outcomes import threshold_column, unit_of
from analysis.replay.experiment import run_again
from analysis.replay.recorded import Recorded, open_recorded, typed_settings
from rig.errors import RigError, SettingsError
from rig.files.reader import Session, read_session
from rig.protocol.trials import SUCCESS
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.settings.fields import Box


class Missing(Exception):  # noqa: N818 - it is not an error
    """A figure or a check cannot be made; the text says why, as a sentence."""


@dataclass
class Evidence:
    """A session and what can be computed from it.

    Attributes
    ----------
    session : Session
    recorded : Recorded or None
        To run it again; None where it cannot be.
    settings : RigSettings or None
        None where config.ini is missing, or is not one of this rig.
    why_not : str
        Why recorded and settings are None.
    """

    session: Session
    recorded: Recorded | None
    settings: RigSettings | None
    why_not: str

    @cached_property
    def time_s(self) -> np.ndarray:
        """The time of each row since the first, s; (n_rows,)."""
        if "frame" not in self.session.columns or not len(self.session):
            return np.zeros(0)
        time_s = self.session.row_times_s()
        if np.isnan(time_s).any():
            time_s = wall_clock_s(self.session.columns.get("time", np.zeros(0)))
        return time_s - time_s[0] if len(time_s) else np.arange(len(self.session)) / 1.0

    @property
    def period_s(self) -> float:
        """The time between two frames, s: as measured, because what was asked for is not what always came."""
        steps = np.diff(self.time_s)
        return float(np.median(steps)) if len(steps) else 1 / 15

    @cached_property
    def signal_name(self) -> str:
        """The column with the signal; '' without one."""
        wanted = getattr(self.settings, "signal_column", "")
        names = list(self.session.columns)
        like = [name for name in names if name == "cj_speed" or (name.endswith("dff") and name != "global_dff")]
        return wanted if wanted in names else (like[-1] if like else "")

    @property
    def unit(self) -> str:
        """The unit of the signal, in words."""
        return unit_of(self.session)

    @property
    def signal(self) -> np.ndarray:
        """The signal of each row.

        Raises
        ------
        Missing
            None was logged.
        """
        if not self.signal_name:
            raise Missing("no signal was logged: VideoTimestamp.txt is missing or has no such column")
        if len(self.session) < 2:
            raise Missing(f"the log has {len(self.session)} rows, and two are needed")
        signal: np.ndarray = self.session.columns[self.signal_name]
        return signal

    @property
    def trusted(self) -> np.ndarray:
        """The signal of each row, NaN where the paw was not tracked: such a speed earns nothing."""
        tracked = self.session.columns.get("tracked", np.ones(len(self.session), int))
        return np.where(tracked.astype(bool), self.signal, np.nan)

    @cached_property
    def threshold(self) -> np.ndarray | None:
        """The threshold of each row, None where none was logged."""
        return threshold_column(self.session)

    @cached_property
    def trials(self) -> np.ndarray:
        """The trials, of dtype `rig.files.reader.TRIAL`, with times since the first row, s.

        Raises
        ------
        Missing
            There is none.
        """
        trials: np.ndarray = self.session.trials.copy()
        if not len(trials):
            raise Missing("the session has no trial" + (": it is a baseline" if self.is_baseline else ""))
        column = self.session.columns["trial"]
        for trial in trials:
            rows = np.flatnonzero(column == trial["number"])
            trial["start_s"] = self.time_s[rows[0]]
            trial["end_s"] = self.time_s[rows[-1]] if trial["outcome"] else np.nan
        trials["latency_s"] = trials["end_s"] - trials["start_s"]
        return trials

    @cached_property
    def rewards(self) -> np.ndarray:
        """The rows on which a reward was given.

        Raises
        ------
        Missing
            There is none.
        """
        rows = np.flatnonzero(self.session.columns.get("reward", np.zeros(0)) == SUCCESS)
        if not len(rows):
            raise Missing("the session has no reward")
        return rows

    @property
    def earning_rows(self) -> np.ndarray:
        """The rows whose signal earned each reward: reward_delay before it.

        Raises
        ------
        Missing
            There is no reward.
        """
        return rows_of_then(self.time_s, self.rewards, self.reward_delay_s)

    @property
    def is_baseline(self) -> bool:
        """Whether the session was recorded without trials."""
        return self.session.attributes.get("session_type") == "baseline"

    @property
    def reward_delay_s(self) -> float:
        """How long before its reward the signal crossed, s."""
        return as_number(self.session.settings.get("reward_delay"), 0.0)

    @cached_property
    def sites(self) -> dict[str, Box]:
        """{site: x, y, w, h px} of the cortical sites that lie in the image, as large as an ROI; midline ones once."""
        if not isinstance(self.settings, ClnfSettings):
            return {}
        width, height = self.settings.resolution
        w, h = (max(1, round(mm * self.settings.ppmm)) for mm in self.settings.roi_size)
        found: dict[str, Box] = {}
        for name, seed in self.settings.seeds().items():
            box = seed["ML"] - w // 2, seed["AP"] - h // 2, w, h
            inside = 0 <= box[0] <= width - w and 0 <= box[1] <= height - h
            if inside and box not in found.values():
                found[name] = box
        return found

    @cached_property
    def again(self) -> Session:
        """The session run again with its own settings; the pixels of ROIs and sites are read for that.

        Raises
        ------
        Missing
            It cannot be run again.
        """
        if self.recorded is None or self.settings is None:
            raise Missing(self.why_not)
        if not len(self.session.frames):
            raise Missing("the times of the frames were not stored, so the session cannot be run again as it was")
        boxes = [*self.settings.light_boxes().values(), *self.sites.values()]
        self.recorded.read_patches(boxes, lambda _share: None)
        try:
            return run_again(self.recorded, self.settings, self.is_baseline)
        except RigError as error:
            raise Missing(f"the session cannot be run again: {error}") from None

    @cached_property
    def sample(self) -> FrameSample:
        """A second of the frames, every few seconds.

        Raises
        ------
        Missing
            There are no frames.
        """
        if self.session.images is None or not len(self.session.images):
            raise Missing("the session has no frames: image_stream.hdf5 is missing, or empty")
        return sample_frames(self.session.images, self.period_s)

    @cached_property
    def shifts(self) -> np.ndarray:
        """How far each sampled second lies from the first, (n, 2): x, y px; NaN where that cannot be found."""
        return movement(self.sample)


def gather(folder: Path) -> Evidence:
    """Read a session for its report.

    Raises
    ------
    SettingsError
        There is nothing of a session at this place.
    """
    session = read_session(folder)
    try:
        recorded = open_recorded(folder)
        return Evidence(recorded.session, recorded, recorded.settings({}), "")
    except SettingsError as error:
        why_not = " ".join(str(error).replace(f"{folder}/", "").removeprefix(f"{folder}: ").split())
        return Evidence(session, None, settings_of(folder), why_not)


def settings_of(folder: Path) -> RigSettings | None:
    """Return the settings of a session that cannot be run again, None where they cannot be used either."""
    try:
        return typed_settings((folder if folder.is_dir() else folder.parent) / "config.ini")
    except SettingsError:
        return None


def wall_clock_s(texts: np.ndarray) -> np.ndarray:
    """Return wall clock times (YYYY-MM-DD HH:MM:SS.ffffff, or seconds) as s; nothing where they are neither."""
    for kind, per_s in ((float, 1.0), ("datetime64[us]", 1e6)):
        with contextlib.suppress(ValueError):
            return texts.astype(kind).astype(float) / per_s
    return np.zeros(0)


def as_number(text: str | None, otherwise: float) -> float:
    """Return the number that a setting says, or another one where it says none."""
    try:
        return float(text or "")
    except ValueError:
        return otherwise
