"""A recorded session, ready to be run again: its settings, frames, licks and poses."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from configparser import Error as IniError
from configparser import RawConfigParser
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import numpy as np

from rig.devices.frames import Frame
from rig.devices.pose import columns_of
from rig.errors import SettingsError
from rig.files.reader import STREAM_FILE, Session, read_session
from rig.files.rows import ROWS_FILE
from rig.protocol.crossings import Auto
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.settings.fields import CAMERA, COMPUTER, FILES, LICK, PINS, Box
from rig.settings.loading import experiment_of, load

# The devices of the recording are not here, and no rig is at risk; the day's earlier water is not known.
IN_MEMORY = {
    "vid_source": "VideoStream",
    "outputs": "simulated",
    "tone": "simulated",
    "lick": "none",
    "pose": "simulated",
    "max_day_ul": "",
    "report": "0",
    "data_root": ".",
}
OF_THE_RECORDING = frozenset({CAMERA, COMPUTER, FILES, LICK, PINS})
OF_THE_POSE = frozenset({"pose", "dlc_model_path", "dlc_resize", "dlc_device"})
OF_THE_START = frozenset({"registration", "max_registration_mm", "sim_head_moved", "blind"})
"""What had its say before the session began."""
SCRIPTS = frozenset({"cla_reward_punish_1roi.py", "cla_reward_punish_2roi.py", "cla_dlc_trials_speed.py"})
MEASURED = "global_dff", "movement_px"
READ_AT_ONCE = 256  # frames: opening the file takes longer than reading some
MOST_BYTES = 2**29  # of ROIs kept in memory; larger ones are read again for each setting
Images = Iterable[np.ndarray]


@dataclass
class Recorded:
    """A recorded session.

    Attributes
    ----------
    session : Session
    model : type
        Its settings class.
    section : str
        Of its config.ini.
    patches : dict of Box to array (n_frames, h, w, 3)
        The pixels of the ROIs, once they have been read.
    """

    session: Session
    model: type[RigSettings]
    section: str
    patches: dict[Box, np.ndarray] = field(default_factory=dict)

    @property
    def is_baseline(self) -> bool:
        """Whether the session was a baseline, without trials."""
        return self.session.attributes.get("session_type") == "baseline"

    @property
    def needs_frames(self) -> bool:
        """Whether the signal is computed from the frames, and not from the logged pose."""
        return not self.body_parts

    @property
    def body_parts(self) -> tuple[str, ...]:
        """The body parts of the log, in its order; none in CLNF."""
        return body_parts_of(self.session)

    def settings(self, overrides: Mapping[str, str]) -> RigSettings:
        """Return the settings of the session with some of them changed.

        Raises
        ------
        SettingsError
            They cannot be used, or cannot be changed afterwards.
        """
        for key in overrides:
            refuse_what_was_recorded(self.model, key)
        in_memory = {key: value for key, value in IN_MEMORY.items() if key in self.model.model_fields}
        settings = load(self.model, self.session.folder / "config.ini", self.section, in_memory | dict(overrides))[0]
        refuse_auto(settings)
        if isinstance(settings, ClnfSettings) and settings.veto and "veto" not in self.session.columns:
            raise SettingsError(
                f"veto = {', '.join(settings.veto)}: {self.session.folder} has no column veto, so nobody knows when "
                "light or picture changed; leave veto empty"
            )
        return settings

    def licks(self) -> np.ndarray:
        """Return for each row whether the spout was touched."""
        return self.session.columns.get("lick", np.zeros(len(self.session), int))

    def n_frames(self) -> int:
        """Return how many frames can be run again: those that have a row, and an image where one is needed."""
        images = self.session.images
        return min(len(self.session), len(images) if images is not None and self.needs_frames else len(self.session))

    def read_patches(self, boxes: Iterable[Box], progress: Callable[[float], None]) -> None:
        """Read the pixels of ROIs from all frames, in one pass, unless they are too many to be kept.

        Parameters
        ----------
        boxes : iterable of Box
            x, y, w, h px.
        progress : callable
            Is given the share that has been read, 0 to 1.
        """
        wanted, n = sorted(set(boxes)), self.n_frames()
        images = self.session.images
        if images is None or not wanted or n * sum(w * h * 3 for _, _, w, h in wanted) > MOST_BYTES:
            return
        self.patches = {box: np.empty((n, box[3], box[2], 3), np.uint8) for box in wanted}
        for start in range(0, n, READ_AT_ONCE):
            frames = images[start : min(start + READ_AT_ONCE, n)]
            for (x, y, w, h), patch in self.patches.items():
                patch[start : start + len(frames)] = frames[:, y : y + h, x : x + w]
            progress((start + len(frames)) / n)

    def frames(self, boxes: Iterable[Box]) -> Iterator[Frame]:
        """Yield the frames as the loop received them; black outside these ROIs where only ROIs were kept."""
        numbers, times_s, ages_s = self._clock()
        paused, moved = self.session.was_to_pause(numbers), self.session.paw_moved(len(numbers))
        kept = zip(numbers, times_s, ages_s, self._images(list(boxes)), paused, moved, self._measured(), strict=False)
        for number, time_s, age_s, image, was_paused, paw_moved, measured in kept:
            yield Frame(number, time_s, 0.0, image, age_s, was_paused, paw_moved, measured)

    def _measured(self) -> Iterator[tuple[float, float] | None]:
        """Yield what was measured in the whole picture of each frame, of which only the ROIs may be kept."""
        logged = [self.session.columns[name].tolist() for name in MEASURED if name in self.session.columns]
        if len(logged) < len(MEASURED):
            return repeat(None)
        return zip(*logged, strict=True)

    def _images(self, boxes: list[Box]) -> Iterator[np.ndarray]:
        n, images = self.n_frames(), self.session.images
        if not self.needs_frames:
            black = np.zeros((1, 1, 3), np.uint8)
            yield from (black for _ in range(n))
        elif images is not None and not self.patches.keys() >= set(boxes):
            yield from (image for image, _ in zip(images, range(n), strict=False))
        elif images is not None:
            image = np.zeros(images.shape[1:], np.uint8)  # one for all frames: the loop copies what it keeps
            for i in range(n):
                for x, y, w, h in boxes:
                    image[y : y + h, x : x + w] = self.patches[x, y, w, h][i]
                yield image

    def _clock(self) -> tuple[list[int], list[float], list[float]]:
        """Return number, time (s) and age (s) of the frame of each row; as by the settings where they were not kept."""
        n, frames = self.n_frames(), self.session.frames
        if len(frames) >= n:
            return frames["number"][:n].tolist(), frames["time_s"][:n].tolist(), frames["age_s"][:n].tolist()
        period_s = self.session.frame_period_s()
        return list(range(n)), [i * period_s for i in range(n)], [0.0] * n


def body_parts_of(session: Session) -> tuple[str, ...]:
    """Return the body parts of the log, in its order; none in CLNF."""
    ending = "_likelihood"
    return tuple(name.removesuffix(ending) for name in session.columns if name.endswith(ending))


def pose_of(session: Session) -> np.ndarray:
    """Return the logged pose, (n_rows, n_parts, 3): x, y (px) and likelihood."""
    body_parts = body_parts_of(session)
    columns = [session.columns[name] for name in columns_of(body_parts)]
    return np.stack(columns, axis=1).reshape(len(session), len(body_parts), 3)


def open_recorded(folder: Path) -> Recorded:
    """Open a session to run it again.

    Raises
    ------
    SettingsError
        It lacks what that needs.
    """
    session = read_session(folder)
    if not session.settings:
        raise SettingsError(f"{folder}: there is no config.ini here that names its section, so its rule is not known")
    if not len(session):
        raise SettingsError(f"{folder}: {ROWS_FILE} is missing or has no row, so there is nothing to compare with")
    script = str(session.attributes.get("script") or "")
    if script and script not in SCRIPTS:
        raise SettingsError(
            f"{folder}: it was run by {script}, which is no script of this rig, so its rule is not known"
        )
    section = section_of(session.folder / "config.ini")
    recorded = Recorded(session, experiment_of(session.folder / "config.ini", section), section)
    tracks = recorded.model.scene == "paws"
    if tracks and not recorded.body_parts:
        raise SettingsError(f"{folder}: {ROWS_FILE} has no columns PART_x, PART_y, PART_likelihood: no pose was logged")
    if not tracks and not session.images:
        raise SettingsError(f"{folder}: there are no frames ({STREAM_FILE}), and ΔF/F is computed from them")
    return recorded


def section_of(config: Path) -> str:
    """Return the section that the config.ini of a session names."""
    parser = RawConfigParser()
    try:
        parser.read(config, encoding="utf-8-sig")
        return parser.get("configsection", "config")
    except (IniError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} cannot be read as INI ({' '.join(str(error).split())})") from None


def typed_settings(config: Path) -> RigSettings:
    """Return the settings of a session, typed, with no device that would have to be here.

    Raises
    ------
    SettingsError
        The config.ini of the session is missing, or is not one of this rig.
    """
    section = section_of(config)
    model = experiment_of(config, section)
    in_memory = {key: value for key, value in IN_MEMORY.items() if key in model.model_fields}
    return load(model, config, section, in_memory)[0]


def refuse_auto(settings: RigSettings) -> None:
    """Raise SettingsError for a threshold that only the start of a session can find."""
    value = getattr(settings, settings.threshold_setting)
    if isinstance(value, Auto):
        raise SettingsError(
            f"{settings.threshold_setting} = {value}: this is for the start of a session; give a number"
        )


def refuse_what_was_recorded(model: type[RigSettings], key: str) -> None:
    """Raise SettingsError for a setting that a recording cannot be given afterwards."""
    extra = model.model_fields[key].json_schema_extra if key in model.model_fields else None
    group = str(extra.get("group", "")) if isinstance(extra, dict) else ""
    if group in OF_THE_RECORDING or key in OF_THE_POSE | OF_THE_START:
        raise SettingsError(
            f"{key} cannot be changed afterwards: the frames, their times and the pose stay as they were recorded; "
            "what can be changed are settings of the cortex, the paw, the trials, the tone and the water"
        )
