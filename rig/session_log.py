"""The files of a session: folder, config.ini, VideoTimestamp.txt, image_stream.hdf5, movie, row of the summary."""

import argparse
import contextlib
import csv
import errno
import os
import platform
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from array import array
from collections import deque
from datetime import datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import tables

from rig.errors import LogError, RigError, SettingsError
from rig.events import Events
from rig.frame_file import FrameFile, Header
from rig.frames import Frame
from rig.movie import Movie, count_frames
from rig.session_tables import ABOUT, GrowingTables, cut_short, is_running, join
from rig.settings import HDF5_ENDINGS, ROOT, RigSettings, save_session_copy, to_strings
from rig.trials import FAIL, NONE, SUCCESS, Step
from rig.water import CALIBRATION_FILE, LEDGER_FILE, LEDGER_HEADER, Water, save_calibration

BUFFER_BYTES = 128 * 2**20  # frames that may wait for the disk
BYTES_OF_A_ROW = 500  # in VideoTimestamp.txt, /frames and /events together
MOVIE_SHARE = 0.15  # of the raw frames; noise hardly compresses
SPARE_BYTES = 4 * 2**20
PUBLISH_EVERY_S = 0.25
FIRST_FRAMES = 200  # whose latency is told beside that of all, as `rig.preflight` measures it
VERSIONS_OF = (
    "numpy", "opencv-python", "tables", "pydantic", "PyAudio", "picamera2", "rpi-lgpio", "deeplabcut-live", "torch",
    "av",
)  # fmt: skip


def check_data_root(settings: RigSettings, baseline_s: float | None = None) -> None:
    """See that a session, or a baseline of so many seconds, could be stored, without leaving anything behind.

    Raises
    ------
    SettingsError
        data_root cannot be written to, or the summary there has other columns.
    """
    folder = settings.data_root
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"data_root = {settings.data_root}: nothing can be written to {folder} ({error.strerror}); "
            "name a folder that is yours"
        ) from None
    ledger = settings.data_root / LEDGER_FILE
    if ledger.exists() and not os.access(ledger, os.W_OK):
        raise SettingsError(f"{ledger}: the ledger of the water cannot be written to; make it yours")
    needed, free = most_bytes(settings, baseline_s), shutil.disk_usage(folder).free
    if needed > free:
        raise SettingsError(
            f"data_root = {settings.data_root}: the session may need {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB "
            "are free; free some, or lower total_trials or max_trial_dur"
        )
    summary = settings.data_root / settings.summary_file
    if summary.exists():
        try:
            with summary.open(encoding="utf-8-sig", newline="") as file:
                header = next(csv.reader(file), [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SettingsError(f"summary_file: {summary} is no CSV file in UTF-8 ({error}); rename it") from None
        if header and header != list(settings.summary_header):
            raise SettingsError(
                f"summary_header: {summary} has the columns {', '.join(header)}; "
                "rename that file, or make summary_header the same"
            )


def most_bytes(settings: RigSettings, baseline_s: float | None = None) -> int:
    """Return the space that the longest session with these settings needs: every trial takes all its time."""
    width, height = settings.resolution
    rest_s = max(settings.success_rest_dur, settings.fail_rest_dur)
    seconds = settings.initial_rest_dur + settings.total_trials * (settings.max_trial_dur + rest_s) + settings.tail_dur
    frames = (seconds if baseline_s is None else baseline_s) * settings.framerate
    recording = settings.recording()
    if settings.vid_source == "VideoStream" and recording.suffix.lower() in HDF5_ENDINGS and recording.is_file():
        frames = min(frames, recording.stat().st_size / (width * height * 3))
    raw = width * height * 3
    movie = raw * MOVIE_SHARE if settings.video_file else 0
    return round(frames * (raw + movie + BYTES_OF_A_ROW)) + SPARE_BYTES


def code_version() -> str:
    """Return the git commit of this code, with '-dirty' where files were changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown: not a git checkout"


def library_versions() -> dict[str, str]:
    """Return {version_of_LIBRARY: version} of what is installed."""
    versions = {"version_of_python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            versions[f"version_of_{name.replace('-', '_')}"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an optional device
    return versions


Item = tuple[np.ndarray, str, tuple[float, ...]]
"""Of the writer's queue: image, row of VideoTimestamp.txt, record of /frames."""


class RowFile:
    """A text file that ends in a whole row at every moment, also on a full disk.

    Parameters
    ----------
    path : Path
    header : str
        The first row.
    """

    def __init__(self, path: Path, header: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._size = 0
        self.append(header + "\n")

    def append(self, row: str) -> None:
        """Write a row, the end of its line included; all of it or nothing."""
        data = row.encode("utf-8")
        try:
            written = os.write(self._fd, data)
            if written < len(data):
                os.write(self._fd, data[written:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def sync(self) -> None:
        """Bring all rows to disk."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            os.close(self._fd)


def append_rows(path: Path, header: str, rows: list[str]) -> None:
    """Append whole rows to a text file that others append to, too, and bring them to disk; all of them or nothing."""
    with path.open("ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        is_torn = size > 0 and file.read(1) != b"\n"  # a power cut may have left half a row
        text = (f"{header}\n" if size == 0 else "\n" if is_torn else "") + "".join(rows)
        data = text.encode("utf-8")
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, "no space for the ledger of the water")
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise


class SessionLog:
    """Stores every frame and its row, off the loop, in a thread.

    The folder is made here, so that nothing is left behind by a session that never began.

    Parameters
    ----------
    settings : RigSettings
    mouse_id : str
    columns : list of str
        Of VideoTimestamp.txt; the first two are frame and time.
    events : Events
    water : Water
    wait : bool
        Wait for the disk instead of leaving frames out: for replays that run as fast as they can.

    Attributes
    ----------
    folder : Path
    frames, unsaved, lost, stale : int
        Frames stored, frames that the disk was too slow for, frames that the camera or the loop lost, and frames
        on which the decision came too late.
    ended_by : str
        Why the session ended.
    kind : str
        The session type, or 'baseline'.
    notes : dict
        What else should be remembered; shown in the summary, stored as attributes of the HDF5 file.
    """

    def __init__(
        self, settings: RigSettings, mouse_id: str, columns: list[str], events: Events, water: Water, wait: bool = False
    ) -> None:
        self._settings, self._mouse_id, self._columns, self._events, self._water, self._wait = (
            settings, mouse_id, columns, events, water, wait,
        )  # fmt: skip
        self._given: deque[str] = deque()  # rows for the ledger of the water
        self.frames = self.unsaved = 0
        self.trials = self.fails = self.rewards = self.lost = self.stale = 0
        self.ended_by = ""
        self.kind = settings.session_type.name
        self.notes: dict[str, int | float | str] = {}
        self._events_stored = 0
        self._first_s = self._last_s = 0.0  # times of frames
        self._latencies_s = array("f")
        self._trial = 0
        self._error: LogError | None = None
        self._closed = False
        width, height = settings.resolution
        self._shape = (height, width, 3)
        self._queue: queue.Queue[Item | None] = queue.Queue(max(16, BUFFER_BYTES // (height * width * 3)))
        self._versions = {"code_version": code_version()} | library_versions()
        header = Header(self._shape)  # before the folder: nothing half-made stays if this fails
        self.began = datetime.now()
        self.folder = self._make_folder()
        self._stream_path = self.folder / settings.raw_image_file
        try:
            save_session_copy(settings, self.folder / "config.ini")
            if water.dose.calibration is not None:
                save_calibration(self.folder / CALIBRATION_FILE, water.dose.calibration)
            self._rows = RowFile(self.folder / "VideoTimestamp.txt", "\t".join(columns))
            about = {"mouse_id": mouse_id, "session_type": self.kind} | self._versions
            self._tables = GrowingTables(self.folder, settings.raw_image_file, about)
            self._stream = FrameFile(self._stream_path, header)
            self._movie = self._begin_movie()
        except (OSError, LogError) as error:
            shutil.rmtree(self.folder)
            if isinstance(error, LogError):
                raise
            raise LogError(f"no session can be stored in {self.folder} ({error.strerror})") from None
        self._writer = threading.Thread(target=self._write_all, name="session log", daemon=True)
        self._writer.start()

    def write(self, frame: Frame, step: Step, age_s: float, acted_s: float, **values: Any) -> None:
        """Store a frame and its row.

        Parameters
        ----------
        frame : Frame
        step : Step
            Gives the columns `reward` and `trial`.
        age_s : float
            How old the frame was when it was decided on, s.
        acted_s : float
            When tone and outputs had been commanded (monotonic clock, s).
        **values
            One for each other column after frame and time.

        Raises
        ------
        RigError
            The disk is full or fails, or the frame has the wrong size.
        """
        if step.water and self._settings.outputs == "gpio":  # a simulated valve gives no water
            self._given.append(self._ledger_row())
        if self._error:
            raise self._error
        height, width = frame.image.shape[:2]
        if (height, width, 3) != self._shape or frame.image.dtype != np.uint8:
            wanted = f"{self._shape[1]}, {self._shape[0]}"
            raise RigError(
                f"the camera gives {width}, {height} px of {frame.image.dtype} where resolution = {wanted} "
                "and uint8 are needed; correct the setting"
            )
        self._count(step)
        wall = datetime.fromtimestamp(time.time() - (time.monotonic() - frame.captured_s))
        values |= {"frame": frame.number, "time": f"{wall:%Y-%m-%d %H:%M:%S.%f}"}
        values |= {"reward": step.reward, "trial": step.trial}
        line = "\t".join(str(values[name]) for name in self._columns) + "\n"
        record = (frame.number, frame.time_s, frame.captured_s, age_s, acted_s)
        if not self._put((frame.image, line, record)):
            self.unsaved += 1
            self._events.add("log", self.unsaved, "the disk is too slow: this frame was not stored")
            return
        if self.frames == 0:
            self._first_s = frame.time_s
        self._last_s = frame.time_s
        self.frames += 1
        self._latencies_s.append(acted_s - frame.captured_s)

    def latency_ms(self, first: int | None = None) -> tuple[float, float]:
        """Return median and 99th percentile of the time from capture to commanded output, ms; NaN without frames.

        Parameters
        ----------
        first : int, optional
            Of so many frames at the start, as the pre-flight check measures it.
        """
        if not self.frames:
            return float("nan"), float("nan")
        latencies_ms = np.array(self._latencies_s[:first]) * 1e3
        return float(np.median(latencies_ms)), float(np.percentile(latencies_ms, 99))

    def summary(self) -> dict[str, Any]:
        """Return everything that the summary CSV can hold."""
        median, p99 = self.latency_ms()
        lasted_s, ended = self._last_s - self._first_s, datetime.now()
        return to_strings(self._settings) | {
            "mouse_id": self._mouse_id,
            "session": self.folder.name,
            "data_path": str(self.folder),
            "start": f"{self.began:%Y-%m-%d %H:%M:%S}",
            "end": f"{ended:%Y-%m-%d %H:%M:%S}",
            "duration": f"{lasted_s:.1f}",
            "fps": f"{(self.frames - 1) / lasted_s:.2f}" if lasted_s else "",
            "session_type": self.kind,
            "trials": self.trials,
            "rewards": self.rewards,
            "fails": self.fails,
            "success_rate": f"{1 - self.fails / self.trials:.3f}" if self.trials else "",
            "frames": self.frames,
            "lost_frames": self.lost,
            "unsaved_frames": self.unsaved,
            "stale_frames": self.stale,
            "withheld_rewards": self._water.withheld,
            "water_ul": "uncalibrated" if self._water.dose.ul is None else f"{self._water.session_ul:.2f}",
            "water_day_ul": "uncalibrated" if self._water.dose.ul is None else f"{self._water.day_ul:.2f}",
            "latency_median_ms": f"{median:.2f}",
            "latency_p99_ms": f"{p99:.2f}",
            "latency_of_first_frames_ms": "median {:.2f}, p99 {:.2f}".format(*self.latency_ms(FIRST_FRAMES)),
            "ended_by": self.ended_by,
        }

    def close(self) -> None:
        """Finish the files and add a row to the summary; harmless when repeated.

        Raises
        ------
        LogError
            Something could not be written; what was written before stays.
        """
        if self._closed:
            return
        self._closed = True
        if self._trial:
            self._events.add("trial", self._trial, f"end: {self.ended_by}")
        self._end_writer()
        closing = [self._store_events, self._store_water, self._rows.close, self._stream.close, self._join_tables]
        closing += [self._movie.close] if self._movie is not None else []
        for step in (*closing, self._compare, self._add_summary_row):
            try:
                step()
            except (OSError, tables.HDF5ExtError, LogError) as error:
                self._error = self._error or self._explain(error)
        if self._error:
            raise self._error

    def _begin_movie(self) -> Movie | None:
        settings = self._settings
        if not settings.video_file:
            return None
        return Movie(self.folder / settings.video_file, settings.resolution, settings.framerate)

    def _make_folder(self) -> Path:
        """Make data_root/mouse_id/YYYYMMDDHHMMSS; never share a folder with another session."""
        while True:
            folder = self._settings.data_root / self._mouse_id / f"{self.began:%Y%m%d%H%M%S}"
            try:
                folder.mkdir(parents=True)
            except OSError as error:
                if not folder.is_dir():
                    raise LogError(f"the folder {folder} cannot be made: {error.strerror}") from None
                time.sleep(0.1)  # another session of this mouse has begun in this second
                self.began = datetime.now()
            else:
                return folder

    def _count(self, step: Step) -> None:
        if step.trial and step.trial != self._trial:
            self._events.add("trial", step.trial, "start")
        self._trial = step.trial if step.running else 0
        self.rewards += step.water
        if step.outcome != NONE:
            self.trials += 1
            self.fails += step.outcome == FAIL
            self._events.add("trial", step.trial, f"end: {'success' if step.outcome == SUCCESS else 'time is over'}")

    def _put(self, item: Item) -> bool:
        """Hand an item to the writer; return False if the queue is full and the session must not wait."""
        while self._writer.is_alive():
            try:
                self._queue.put(item, block=self._wait, timeout=1.0)
            except queue.Full:
                if not self._wait:
                    return False
            else:
                return True
        raise self._error or LogError("the thread that stores the session has died")

    def _end_writer(self) -> None:
        """Let the writer finish what waits; it may have died, with the queue full."""
        while self._writer.is_alive():
            try:
                self._queue.put(None, timeout=0.1)
            except queue.Full:
                continue
            self._writer.join()

    def _write_all(self) -> None:
        """Write what comes, and bring it to disk a few times a second; the writer's thread."""
        publish_at_s = time.monotonic() + PUBLISH_EVERY_S
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    if (item := self._queue.get(timeout=PUBLISH_EVERY_S)) is None:
                        break
                    self._store(item)
                if time.monotonic() >= publish_at_s:
                    self._publish()
                    publish_at_s = time.monotonic() + PUBLISH_EVERY_S
            self._publish()
        except OSError as error:
            self._error = self._explain(error)
        except Exception as error:
            self._error = LogError(f"the session can no longer be stored: {type(error).__name__}: {error}")

    def _store(self, item: Item) -> None:
        image, line, record = item
        self._rows.append(line)
        self._tables.add_frame(record)
        self._stream.append(image)
        if self._movie is not None:
            self._movie.append(image)

    def _publish(self) -> None:
        """Bring rows to disk, then frames: a frame that is kept has its rows."""
        self._rows.sync()
        self._store_events()
        self._store_water()
        self._tables.sync()
        self._stream.publish()

    def _store_events(self) -> None:
        events = self._events.since(self._events_stored)
        self._tables.add_events(events)
        self._events_stored += len(events)

    def _ledger_row(self) -> str:
        ul = "" if self._water.dose.ul is None else f"{self._water.dose.ul:.3f}"
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        return f"{now},{self._mouse_id},{self.folder.name},{self._water.dose.seconds:.4f},{ul}\n"

    def _store_water(self) -> None:
        """Bring the rewards given since the last time into the ledger of the rig, and to disk."""
        if n := len(self._given):
            append_rows(self._settings.data_root / LEDGER_FILE, LEDGER_HEADER, list(self._given)[:n])
            for _ in range(n):
                self._given.popleft()  # only now that they are on disk

    def _explain(self, error: Exception) -> LogError:
        if isinstance(error, LogError):
            return error
        kept = f"{self._stream.n} frames are safe in {self.folder}"
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return LogError(f"the disk of {self.folder} is full; the session ends, {kept}")
        reason = " ".join(str(error).split())[-200:]
        return LogError(f"the files of {self.folder} cannot be written ({reason}); the session ends, {kept}")

    def _join_tables(self) -> None:
        """Put /frames, /events and the attributes into the HDF5 file."""
        median, p99 = self.latency_ms(FIRST_FRAMES)
        early = {"latency_of_first_frames_median_ms": median, "latency_of_first_frames_p99_ms": p99}
        try:
            join(self.folder, {"session_type": self.kind, "ended_by": self.ended_by} | early | self.notes)
        finally:
            self._tables.close()  # last: its lock tells others that this session is still being finished

    def _compare(self) -> None:
        """Read the files back: as many rows as frames as rows of /frames, or raise LogError."""
        if self._error:
            return  # it says already what is missing
        with (self.folder / "VideoTimestamp.txt").open("rb") as file:
            rows = sum(1 for _ in file) - 1
        with tables.open_file(str(self._stream_path)) as file:
            counts = {"rows": rows, "frames": len(file.root.raw_images), "rows of /frames": len(file.root.frames)}
        if self._movie is not None:
            counts["frames of the movie"] = count_frames(self.folder / self._settings.video_file)
        if len({*counts.values(), self.frames}) > 1:
            told = ", ".join(f"{count} {what}" for what, count in counts.items())
            raise LogError(f"the files in {self.folder} do not agree with {self.frames} frames: {told}")

    def _add_summary_row(self) -> None:
        path = self._settings.data_root / self._settings.summary_file
        is_new = not path.exists() or path.stat().st_size == 0
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self._settings.summary_header, extrasaction="ignore", lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(self.summary())

    def __enter__(self) -> "SessionLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None:
            self.ended_by = str(error) or type(error).__name__
        self.close()


def main() -> int:
    """Finish sessions that were cut short."""
    parser = argparse.ArgumentParser(
        prog="python -m rig.session_log", description="Finish the files of sessions that were cut short."
    )
    parser.add_argument("folder", type=Path, help="data_root/MOUSE/YYYYMMDDHHMMSS, or data_root for all below it")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}")
    open_ones = [folder] if (folder / ABOUT).exists() else list(cut_short(folder))
    for one in open_ones:
        if is_running(one):
            raise LogError(f"{one}: the session is still running")
        join(one, {})
        print(f"{one}: finished")
    if not open_ones:
        print(f"{folder}: nothing to do, all files are finished")
    return 0


if __name__ == "__main__":
    from rig.cli import run

    run(main)
