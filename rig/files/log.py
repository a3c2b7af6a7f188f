"""The log of a session: its folder and files, written in order by a thread, and closed complete whatever happens."""

import contextlib
import errno
import os
import queue
import shutil
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import TracebackType

import numpy as np
import tables

from rig.devices.calibration import CALIBRATION_FILE, save_calibration
from rig.devices.frames import Frame
from rig.devices.water import Water
from rig.errors import LogError, RigError
from rig.events import Events
from rig.files.about import About
from rig.files.finishing import how_to_repair, join, reason
from rig.files.folder import kept_in, make_folder, read_back
from rig.files.frame_file import FrameFile, Header
from rig.files.ledger import Ledger
from rig.files.movie import Movie
from rig.files.rows import ROWS_FILE, RowFile
from rig.files.session_tables import ABOUT, SYNC_NOW, SYNC_VERSION, GrowingTables
from rig.files.summary import FIRST_FRAMES, Times, add_summary_row, summarize
from rig.files.versions import versions
from rig.protocol.tally import Tally
from rig.settings.common import RigSettings
from rig.settings.ini import save_session_copy

BUFFER_BYTES = 128 * 2**20  # frames that may wait for the disk
PUBLISH_EVERY_S = 0.25
SYNCS_IN_A_ROW = 2  # of a round: of everything at the same time, and of the end of the HDF5 file
FULL = (errno.ENOSPC, errno.EDQUOT)

Item = tuple[np.ndarray, str, tuple[float, ...]]
"""Of the writer's queue: image, row of VideoTimestamp.txt, record of /frames."""


def sync_version(settings: RigSettings) -> dict[str, str]:
    """Return the attribute of sessions with lines for other machines: which version their table has."""
    has_lines = settings.frame_lines() or settings.barcode_pin is not None
    return {SYNC_VERSION: SYNC_NOW} if has_lines else {}


class SessionLog:
    """Stores every frame and its row, off the loop, in a thread.

    The folder is made here, so that nothing is left behind by a session that never began.

    Parameters
    ----------
    settings : RigSettings
    about : About
        What the session says about itself.
    columns : list of str
        Of VideoTimestamp.txt; the first two are frame and time.
    events : Events
    tally : Tally
        Frames are counted there, stored and unsaved.
    water : Water
    wait : bool
        Wait for the disk instead of leaving frames out: for replays that run as fast as they can.
    channels : int
        Of the frames: 3 for blue, green and red, 1 for grey.

    Attributes
    ----------
    folder : Path
    ledger : Ledger
        Takes the rewards of this session.
    ended_by : str
        Why the session ended.
    notes : dict
        What else should be remembered; shown in the summary, stored as attributes of the HDF5 file.
    """

    def __init__(
        self,
        settings: RigSettings,
        about: About,
        columns: list[str],
        events: Events,
        tally: Tally,
        water: Water,
        wait: bool = False,
        channels: int = 3,
    ) -> None:
        self._settings, self._about, self._columns = settings, about, columns
        self._events, self._tally, self._water, self._wait = events, tally, water, wait
        self.ended_by = ""
        self.notes: dict[str, int | float | str] = {}
        self._times = Times()
        self._events_stored = 0
        self._error: LogError | None = None
        self._closed = False
        width, height = settings.resolution
        self._shape = (height, width, channels)
        self._queue: queue.Queue[Item | None] = queue.Queue(max(16, BUFFER_BYTES // (height * width * channels)))
        attributes = about.attributes() | versions() | sync_version(settings) | {"channels": str(channels)}
        header = Header(self._shape)  # before the folder: nothing half-made stays if this fails
        self.folder, self._began = make_folder(settings.data_root, about.mouse_id)
        self._made = self.folder.stat()
        try:
            self._open_files(attributes, header)
        except (OSError, LogError) as error:
            shutil.rmtree(self.folder)
            if isinstance(error, LogError):
                raise
            raise LogError(f"no session can be stored in {self.folder} ({error.strerror})") from None
        self._on_disk_until_s = time.monotonic()
        self._longest_unsynced_s = 0.0
        self._syncing = ThreadPoolExecutor(6, "sync")  # as many as there are files to sync
        self._writer = threading.Thread(target=self._write_all, name="session log", daemon=True)
        self._writer.start()

    def write(self, frame: Frame, values: Mapping[str, object], age_s: float, acted_s: float) -> None:
        """Store a frame and its row.

        Parameters
        ----------
        frame : Frame
        values : mapping
            One for each column after frame and time.
        age_s : float
            How old the frame was when it was decided on, s.
        acted_s : float
            When tone and outputs had been commanded (monotonic clock, s).

        Raises
        ------
        RigError
            The disk is full or fails, or the frame has the wrong size.
        """
        if self._error:
            raise self._error
        height, width = frame.image.shape[:2]
        if frame.image.shape != self._shape or frame.image.dtype != np.uint8:
            wanted = f"{self._shape[1]}, {self._shape[0]}"
            raise RigError(
                f"the camera gives {width}, {height} px of {frame.image.dtype} where resolution = {wanted} "
                "and uint8 are needed; correct the setting"
            )
        wall = datetime.fromtimestamp(time.time() - (time.monotonic() - frame.captured_s))
        row = {**values, "frame": frame.number, "time": f"{wall:%Y-%m-%d %H:%M:%S.%f}"}
        line = "\t".join(str(row[name]) for name in self._columns) + "\n"
        record = (frame.number, frame.time_s, frame.captured_s, age_s, acted_s)
        if not self._put((frame.image, line, record)):
            self._tally.unsaved += 1
            self._events.add("log", self._tally.unsaved, "the disk is too slow: this frame was not stored")
            return
        self._tally.frames += 1
        self._times.add(frame.time_s, acted_s - frame.captured_s)

    def unsynced_s(self) -> float:
        """Return how much of the session a kill would take now at most, s: what was stored since that is on disk."""
        return time.monotonic() - self._on_disk_until_s

    def longest_unsynced_s(self) -> float:
        """Return the most that `unsynced_s` has ever been, s."""
        return max(self._longest_unsynced_s, self.unsynced_s())

    def summary(self) -> dict[str, str]:
        """Return everything that the summary can hold, {name: text}."""
        return summarize(
            self._settings, self._about, self.folder, self._began,
            self._tally, self._water, self._times, self.ended_by,
        )  # fmt: skip

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
        self._end_writer()
        self._syncing.shutdown()
        self.notes["longest_unsynced_s"] = round(self._longest_unsynced_s, 2)
        closing = [self._store_events, self.ledger.store, self._rows.close, self._stream.close]
        closing += [self._movie.close] if self._movie is not None else []
        closing += [
            self._join_tables,
            self._read_back,
            lambda: add_summary_row(self._settings, self._about, self.summary()),
        ]
        for step in closing:
            try:
                step()
            except (OSError, tables.HDF5ExtError, LogError) as error:
                self._error = self._error or self._explain(error)
        if self._error:
            raise LogError(f"{self._error}, {self._kept()}")

    def _open_files(self, attributes: dict[str, str], header: Header) -> None:
        settings = self._settings
        self._movie: Movie | None = None
        if (
            settings.has_movie()
        ):  # first, because it takes longest: where there are rows, there is a file for the frames
            movie = self.folder / settings.video_file
            self._movie = Movie(movie, self._shape, settings.framerate, settings.movie_codec)
        save_session_copy(settings, self.folder / "config.ini")
        self._about.save(self.folder)
        if self._water.dose.calibration is not None:
            save_calibration(self.folder / CALIBRATION_FILE, self._water.dose.calibration)
        self.ledger = Ledger(settings.data_root, self._about.mouse_id, self.folder.name)
        self._rows = RowFile(self.folder / ROWS_FILE, self._columns)
        self._tables = GrowingTables(self.folder, settings.raw_image_file, attributes)
        self._stream = FrameFile(self.folder / settings.raw_image_file, header)

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
        began_s = ended_s = time.monotonic()
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    if (item := self._queue.get(timeout=PUBLISH_EVERY_S)) is None:
                        break
                    self._store(item)
                now_s = time.monotonic()
                # After a slow disk has held us up, all that waits is stored before the next round.
                due_s = (began_s if self._queue.empty() else ended_s) + PUBLISH_EVERY_S
                if now_s >= due_s:
                    self._publish()
                    began_s, ended_s = now_s, time.monotonic()
            self._publish()
        except (OSError, LogError) as error:
            self._error = self._explain(error)
        except Exception as error:
            self._error = LogError(f"the session can no longer be stored: {type(error).__name__}: {error}")

    def _store(self, item: Item) -> None:
        image, line, record = item
        self._rows.append(line)
        self._tables.add_frame(record)
        if self._settings.has_hdf5_frames():
            self._stream.append(image)
        if self._movie is not None:
            self._movie.append(image)

    def _publish(self) -> None:
        """Bring everything to disk, then let the header count the frames: a frame that is kept has its rows.

        What the header waits for is synced at the same time: a slow disk is waited for twice and not five times.
        """
        began_s = time.monotonic()
        self._check_folder()
        self._store_events()
        files = (
            self._rows.sync, self._tables.sync_frames, self._tables.sync_events, self._tables.sync_pulses,
            self._stream.sync, self.ledger.store,
        )  # fmt: skip
        for waiting in [self._syncing.submit(sync) for sync in files]:
            waiting.result()
        self._stream.publish()
        if self._movie is not None:
            self._movie.publish(is_to_last=not self._settings.has_hdf5_frames())
        self._tables.beat()
        self._longest_unsynced_s = max(self._longest_unsynced_s, self.unsynced_s())
        self._on_disk_until_s = began_s

    def _check_folder(self) -> None:
        """See that the folder is where it was; files that have lost it take everything without a word."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self.folder.stat(), self._made) and self._holder().is_linked():
                return
        raise LogError(f"the folder {self.folder} was deleted or renamed while the session ran")

    def _store_events(self) -> None:
        events = self._events.since(self._events_stored)
        self._tables.add_events(events)
        self._events_stored += len(events)
        self._tables.add_pulses(self._events.take_pulses())

    def _explain(self, error: Exception) -> LogError:
        """Say in words what has failed; `close` adds what is kept."""
        if isinstance(error, OSError) and error.errno in FULL:
            what = f"the disk of {self.folder} is full"
        elif isinstance(error, OSError) and error.errno == errno.EFBIG:
            what = f"a file of {self.folder} has reached the file-size limit of this shell (ulimit -f) or file system"
        elif isinstance(error, LogError):
            what = str(error)
        else:
            what = f"the files of {self.folder} cannot be written ({reason(error)})"
        return LogError(f"{what}; the session ends")

    def _kept(self) -> str:
        """Say what is left of the session, having looked."""
        holder = self._holder().path()
        is_open = (holder.parent / ABOUT).exists() and "python -m" not in str(self._error)
        return kept_in(holder) + (f"; {how_to_repair(holder.parent)}" if is_open else "")

    def _holder(self) -> FrameFile | Movie:
        """Return the file that holds the frames."""
        return self._stream if self._movie is None or self._settings.has_hdf5_frames() else self._movie

    def _join_tables(self) -> None:
        """Put /frames, /events and the attributes into the HDF5 file."""
        median, p99 = self._times.latency_ms(FIRST_FRAMES)
        early = {"latency_of_first_frames_median_ms": median, "latency_of_first_frames_p99_ms": p99}
        try:
            join(self.folder, {"ended_by": self.ended_by} | early | self.notes)
        finally:
            self._tables.close()  # last: its lock shows others that this session is still being finished

    def _read_back(self) -> None:
        """Compare the files with each other, unless it is known already what is missing."""
        if not self._error:
            read_back(self.folder, self._settings, self._tally.frames)

    def __enter__(self) -> "SessionLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
