"""Reading a session back: `read_session(folder)` opens everything that the rig has stored.

It reads sessions that have ended, are running, or were cut short (`*.part` files), an HDF5 file by itself, and folders
of the original CLoPy, which have fewer things: what is missing is listed, and empty.
"""

import contextlib
from collections.abc import Sequence
from configparser import Error as IniError
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

import helper
from rig.errors import SettingsError
from rig.events import PAUSE_BEGINS
from rig.files.alignment import Alignment, align
from rig.files.clocks import experiment_s
from rig.files.hdf5 import dataset, opened, plain_attributes, said_by
from rig.files.images import Images as Images  # also for those who read sessions
from rig.files.images import frames_file, open_images
from rig.files.matroska import is_lossless
from rig.files.metadata import ATTRIBUTES, Metadata, metadata_of
from rig.files.original import config_of, movie_of, rows_of, with_our_names
from rig.files.rows import ROWS_FILE
from rig.files.session_tables import ABOUT, PULSE, PULSES, SYNC_VERSION, TABLES, about_of, whole_records
from rig.files.subject import SUBJECT_FILE, read_lab, read_subject, read_weights_g
from rig.protocol.artefacts import PAW
from rig.settings.lab import Lab, Subject
from rig.settings.original import with_session

STREAM_FILE = "image_stream.hdf5"
INTEGERS = frozenset({"frame", "freq", "reward", "trial", "audio", "lick", "tracked", "veto"})
TRIAL = np.dtype(
    [("number", "i8"), ("start_s", "f8"), ("end_s", "f8"), ("outcome", "i8"), ("latency_s", "f8"), ("threshold", "f8"),
     ("tone", "?")]
)  # fmt: skip


class Event(NamedTuple):
    """Something that happened in a session.

    Attributes
    ----------
    time_s : float
        On the clock of the experiment, the one of `Session.frames["time_s"]`.
    frame : int
        The newest frame then; -1 before the session.
    device : str
    value : float
    detail : str
    """

    time_s: float
    frame: int
    device: str
    value: float
    detail: str


@dataclass
class Session:
    """A session as it was stored.

    Attributes
    ----------
    folder : Path
    settings : dict of str to str
        The section as used; empty without a config.ini.
    columns : dict of str to array (n_rows,)
        VideoTimestamp.txt: int64 for counts, float64 for signals, str for `time`.  ΔF/F of the original is there
        under its own names and under those of this rig.
    images : Images or None
        The frames, read when they are asked for.
    frames : structured array (n_frames,)
        Of dtype FRAME: number, time_s, captured_s, age_s, output_s.
    events : list of Event
        In order of time, on the clock of the experiment.
    attributes : dict
        Of the HDF5 file; `metadata`, `versions` and `notes` say what they mean.
    was_cut_short : bool
        It ended without its files being finished, or is still running.
    missing : list of str
        What this session does not have, in words.
    sync : structured array (n_pulses,)
        Of dtype PULSE: line, value, rose_s, fell_s of each pulse for other machines, on the clock of
        `frames["captured_s"]`.  Empty where there was no line for them.
    """

    folder: Path
    settings: dict[str, str]
    columns: dict[str, np.ndarray]
    images: Images | None
    frames: np.ndarray
    events: list[Event]
    attributes: dict[str, Any]
    was_cut_short: bool
    missing: list[str] = field(default_factory=list)
    sync: np.ndarray = field(default_factory=lambda: np.zeros(0, PULSE))

    def __len__(self) -> int:
        """Return the number of rows of VideoTimestamp.txt."""
        return len(next(iter(self.columns.values()), ()))

    def of(self, device: str, detail: str = "") -> list[Event]:
        """Return the events of a device whose detail begins with `detail`."""
        return [event for event in self.events if event.device == device and event.detail.startswith(detail)]

    def align(self, rising: Any, falling: Any = None) -> Alignment:
        """Find the map between the clock of another machine and that of this session.

        Parameters
        ----------
        rising : array (n,)
            When the other machine saw rising edges, by its own clock, s: of the line that marks frames (frame_pin, or
            the trigger with trigger_mode = frames); of the barcode line where `falling` is given.  Edges may be
            missing or too many, and the recording may begin late, end early, or go over several sessions.
        falling : array (m,), optional
            The falling edges of the barcode line.

        Returns
        -------
        Alignment
            `to_session(times)`, `to_other(times)`, and how good they are.

        Raises
        ------
        AlignmentError
            The edges are not certain to be those of this session.
        """
        return align(self.sync, self.attributes.get(SYNC_VERSION), self.frames, rising, falling)

    @property
    def barcodes(self) -> dict[int, float]:
        """{barcode: when it began, on the clock of the experiment, s}, in order of time."""
        rows = self.sync[self.sync["line"] == b"barcode"]
        _, first = np.unique(rows["value"], return_index=True)
        rows = rows[np.sort(first)]
        return dict(zip(rows["value"].tolist(), experiment_s(rows["rose_s"], self.frames).tolist(), strict=True))

    @property
    def versions(self) -> dict[str, str]:
        """{'code_version': ..., 'version_of_numpy': ...} of the session."""
        return {name: str(value) for name, value in self.attributes.items() if "version" in name}

    @property
    def notes(self) -> dict[str, Any]:
        """What else the session noted, as `troubles` or `divisions_by_zero`."""
        known = {*ATTRIBUTES, *self.versions}
        return {name: value for name, value in self.attributes.items() if name not in known}

    @property
    def metadata(self) -> Metadata:
        """What the session says about itself besides its settings."""
        return metadata_of(self.settings, self.attributes)

    @property
    def lab(self) -> Lab:
        """What the session says about the lab; all empty where it says nothing."""
        return read_lab(self.folder / "config.ini")

    @property
    def subject(self) -> Subject:
        """What the session says about the mouse; all empty where it says nothing."""
        return read_subject(self.folder / SUBJECT_FILE)

    @property
    def weights_g(self) -> dict[date, float]:
        """The weights of the mouse up to this session, {day: g}."""
        return read_weights_g(self.folder / SUBJECT_FILE)

    def was_to_pause(self, numbers: Sequence[int]) -> list[bool]:
        """Say for each of these frames, in order, whether a pause was asked for then: what the trials were told."""
        asked = sorted((event.frame, event.value == 1) for event in self.of("pause"))
        at = np.searchsorted([frame for frame, _ in asked], numbers, "right")
        return [bool(i) and asked[i - 1][1] for i in at.tolist()]

    def paw_moved(self, n: int) -> list[bool]:
        """Say for each of the first n frames whether the line of the paw was high; not where it was not logged."""
        bits = self.columns.get("veto", np.zeros(0, int))[:n]
        return [bool(each & PAW) for each in bits.tolist()] + [False] * (n - len(bits))

    @property
    def pauses(self) -> list[tuple[float, float]]:
        """When the session paused: from, to, on the clock of the experiment, s; NaN as the end of one that had none."""
        found: list[tuple[float, float]] = []
        for event in self.of("pause"):
            if event.detail == PAUSE_BEGINS:
                found.append((event.time_s, np.nan))
            elif event.value == 0 and found and np.isnan(found[-1][1]):
                found[-1] = found[-1][0], event.time_s
        return found

    @property
    def trials(self) -> np.ndarray:
        """The trials as a table of dtype TRIAL, one row for each that has begun.

        Times are on the clock of the experiment, s.  `outcome` is 1, -1, or 0 where the session ended first;
        `latency_s` is the time from the start to the outcome; `threshold` the one at the outcome, NaN where none was
        logged; `tone` whether the trial had one.  `end_s` and `latency_s` are NaN without an outcome.
        """
        if "trial" not in self.columns or not len(self):
            return np.zeros(0, TRIAL)
        trial, reward = self.columns["trial"], self.columns["reward"]
        thresholds = next((column for name, column in self.columns.items() if name.endswith("_threshold")), None)
        time_s, rows = self.row_times_s(), []
        for number in np.unique(trial[trial > 0]):
            within = np.flatnonzero(trial == number)
            first, last = within[0], within[-1]
            outcome = int(reward[last])
            end_s = float(time_s[last]) if outcome else np.nan
            threshold = np.nan if thresholds is None else float(thresholds[last])
            tone = bool(self.columns["audio"][within].any())
            rows.append((number, time_s[first], end_s, outcome, end_s - time_s[first], threshold, tone))
        return np.array(rows, TRIAL)

    def row_times_s(self) -> np.ndarray:
        """Return the time of each row on the clock of the experiment, s; (n_rows,)."""
        numbers = self.columns["frame"]
        known = dict(zip(self.frames["number"].tolist(), self.frames["time_s"].tolist(), strict=True))
        period_s = self.frame_period_s()
        return np.array([known.get(number, number * period_s) for number in numbers.tolist()], float)

    def frame_period_s(self) -> float:
        """Return the time between two frames by the settings, s; NaN where they do not say."""
        return 1 / float(self.settings["framerate"]) if "framerate" in self.settings else float("nan")


def read_session(folder: str | Path) -> Session:
    """Read a session.

    Parameters
    ----------
    folder : str or Path
        data_root/MOUSE/YYYYMMDDHHMMSS, or an HDF5 file with /raw_images, or a lossless movie of a session.  In a folder
        of the original the session may lie in S1.

    Returns
    -------
    Session

    Raises
    ------
    SettingsError
        There is nothing of a session at this place.
    """
    path, rows, stream, holder, settings = find_files(Path(folder).expanduser())
    missing = [what for what, exists in (
        ("config.ini: the settings", bool(settings)),
        (f"{ROWS_FILE}: the rows", rows.is_file()),
        (f"{holder.name}: the frames{movie_of(rows)}", holder.is_file()),
    ) if not exists]  # fmt: skip
    if not holder.is_file() and not rows.is_file():
        raise SettingsError(f"{folder}: there is no session here, neither {ROWS_FILE} nor {holder.name}")
    images = open_images(holder) if holder.is_file() else None
    (frames, raw_events, pulses), attributes, was_cut_short = read_tables(path, stream)
    if not len(frames):
        missing.append("/frames: the times of the frames")
    if not len(raw_events):
        missing.append("/events: what happened when")
    events = on_the_clock_of_frames(raw_events, frames)
    columns = with_our_names(read_rows(rows))
    return Session(path, settings, columns, images, frames, events, attributes, was_cut_short, missing, pulses)


class Found(NamedTuple):
    """Where the files of a session are, whether they exist or not: its folder, rows, HDF5 file, and frames."""

    folder: Path
    rows: Path
    stream: Path
    holder: Path
    settings: dict[str, str]


def find_files(path: Path) -> Found:
    """Find the files of a session by its folder, its HDF5 file or its lossless movie."""
    given = path if path.is_file() else None
    folder = with_session(path) if given is None else path.parent
    rows = rows_of(folder)
    settings = read_settings(config_of(rows))
    is_movie = given is not None and is_lossless(given)
    stream = folder / STREAM_FILE if given is None or is_movie else given
    stream = folder / settings["raw_image_file"] if "raw_image_file" in settings and not stream.is_file() else stream
    return Found(folder, rows, stream, path if is_movie else frames_file(folder, stream, settings), settings)


def read_frames(path: Path) -> Images | None:
    """Return only the frames of a session, by its folder or one of its files; None where there are none."""
    holder = find_files(path).holder
    return open_images(holder) if holder.is_file() else None


def read_settings(path: Path) -> dict[str, str]:
    """Return the settings of a session; nothing where its config.ini is missing or names no section."""
    try:
        return helper.named_values(path)
    except (FileNotFoundError, KeyError):
        return {}
    except (OSError, ValueError, IniError) as error:
        raise SettingsError(f"{path} cannot be read as INI in UTF-8 ({said_by(error)})") from None


def read_rows(path: Path) -> dict[str, np.ndarray]:
    """Return {column: array} of VideoTimestamp.txt; a last row that was cut short is left out."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as text in UTF-8 ({said_by(error)})") from None
    header, *lines = text[: text.rfind("\n") + 1].splitlines() or [""]
    names = header.split("\t")
    rows = [line.split("\t") for line in lines]
    rows = [row for row in rows if len(row) == len(names)]
    return {name: typed(name, [row[i] for row in rows]) for i, name in enumerate(names)}


def typed(name: str, texts: list[str]) -> np.ndarray:
    """Return the values of a column as int64, float64 or, where they are no numbers, str."""
    for kind in (int, float) if name in INTEGERS else (float,):
        with contextlib.suppress(ValueError):
            return np.array([kind(text) for text in texts], kind)
    return np.array(texts, str)


def read_tables(folder: Path, stream: Path) -> tuple[tuple[np.ndarray, ...], dict[str, Any], bool]:
    """Return /frames, /events and /sync, the attributes, and whether the session was cut short (`*.part` files)."""
    if (attributes := read_about(folder)) is not None:
        with contextlib.suppress(FileNotFoundError):  # also of a session that is being finished right now
            tables = tuple(whole_records(folder / part, dtype) for _, part, dtype in TABLES[:2])
            return (*tables, pulses_of(folder, attributes)), attributes, True
    found, stored = tuple(np.zeros(0, dtype) for _, _, dtype in TABLES), {}
    if stream.is_file():
        with opened(stream) as file:
            found = tuple(with_fields(file, name, dtype) for name, _, dtype in TABLES)
            stored = plain_attributes(file)
    if attributes is None or len(found[0]):
        return found, stored, False
    return rest_of_parts(folder), attributes, True


def pulses_of(folder: Path, attributes: dict[str, Any]) -> np.ndarray:
    """Return the pulses of a session that was cut short; none where it had no lines for other machines."""
    return whole_records(folder / PULSES, PULSE) if SYNC_VERSION in attributes else np.zeros(0, PULSE)


def read_about(folder: Path) -> dict[str, Any] | None:
    """Return the attributes of a session that has not been finished; None of any other."""
    try:
        return dict(about_of(folder)["attributes"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{folder}: {said_by(error)}") from None


def refuse_foreign_file(folder: Path) -> None:
    """Raise SettingsError if a session that is to be finished names a file that is not its own."""
    with contextlib.suppress(OSError, ValueError):  # reported by whoever needs what it says
        name = str(about_of(folder)["stream"])
        if Path(name).name != name:
            raise SettingsError(f"{folder / ABOUT} names the file {name}, which is not in this folder")


def rest_of_parts(folder: Path) -> tuple[np.ndarray, ...]:
    """Return the tables of a session that was cut short and has lost one of them, which is empty then."""
    return tuple(
        whole_records(folder / part, dtype) if (folder / part).is_file() else np.zeros(0, dtype)
        for _, part, dtype in TABLES
    )


def with_fields(file: h5py.File, name: str, dtype: np.dtype[Any]) -> np.ndarray:
    """Return a table of a file with exactly these fields; those that it lacks are 0.  Without a table: no row."""
    node = dataset(file, name)
    if node is None or node.dtype.names is None or node.ndim != 1:
        return np.zeros(0, dtype)
    table = node[:]
    found = np.zeros(len(table), dtype)
    for each in set(dtype.names or ()) & set(table.dtype.names or ()):
        found[each] = table[each]
    return found


def on_the_clock_of_frames(events: np.ndarray, frames: np.ndarray) -> list[Event]:
    """Return the events, which carry the monotonic clock, in order of time and on the clock of the frames."""
    times_s = experiment_s(events["time_s"], frames)
    found = [
        Event(float(time_s), int(e["frame"]), text(e["device"]), float(e["value"]), text(e["detail"]))
        for time_s, e in zip(times_s, events, strict=True)
    ]
    return sorted(found, key=lambda event: event.time_s)


def text(raw: bytes) -> str:
    """Return the text of a field, which is UTF-8 and may be cut in the middle of a letter."""
    return raw.decode("utf-8", errors="ignore")
