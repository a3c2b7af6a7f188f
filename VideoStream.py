"""Replays a recording: the frames of an earlier session, or a movie.

`python VideoStream.py --set vid_root=SESSION` shows what it holds.
"""

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import rig  # noqa: F401 - before OpenCV, which it keeps silent

# isort: split
import cv2
import numpy as np

from rig.devices.frames import Frame
from rig.devices.pacing import Pacer
from rig.errors import CameraError, SettingsError
from rig.files.matroska import is_lossless
from rig.files.original import logged_rate
from rig.files.reader import find_files, read_frames, read_session
from rig.settings.camera import HDF5_ENDINGS, CameraSettings
from rig.settings.loading import from_strings
from rig.terminal import console

LONGEST_WAIT_S = 2.0  # for a frame, while a recording is replayed at its own pace
LATEST_S = 1e9  # of times and ages in a recording: 30 years
MAY_LACK_FRAMES = 2  # at the end of a movie: containers round


class Recorded(NamedTuple):
    """A frame as a recording holds it.

    Its number, time, age at its decision (s), whether a pause was asked for, whether the paw moved, and the image.
    """

    number: int
    time_s: float
    age_s: float
    was_paused: bool
    paw_moved: bool
    image: np.ndarray  # (height, width, channels) BGR or grey


class VideoStream:
    """A recording in place of a camera.

    Parameters
    ----------
    cfgDict : mapping of str to str
        `vid_root` names a session folder, an HDF5 file with /raw_images, or a movie (a lossless one of a session is
        that session).  `resolution` must be
        that of the recording.  `fast` = 1 does not wait for the time of a frame.
    """

    stands_in: ClassVar[str] = "a recording"
    can_be_fast: ClassVar[bool] = True
    replays: ClassVar[bool] = True
    gains_are_locked: ClassVar[bool | None] = True  # what was recorded stays as it is

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CameraSettings, cfgDict, "VideoStream")
        self._pacer = Pacer(cfgDict.get("fast") == "1", max(LONGEST_WAIT_S, 2 * self._settings.frame_period_s()))
        self._frames: Iterator[Recorded] = iter(())
        self._path: Path | None = None
        self._movie: cv2.VideoCapture | None = None
        self._lacks = ""  # what is missing in the recording, in words
        self.is_linear: bool | None = None  # as the session says; movies and old sessions do not

    @property
    def channels(self) -> int:
        """How many channels the recording has; 3 for a movie of others, and where there is no recording."""
        path = self._recording()
        images = read_frames(path) if path.is_file() and holds_frames(path) else None
        return 3 if images is None else images.shape[3]

    def start(self) -> "VideoStream":
        """Open the recording.

        Raises
        ------
        SettingsError
            There is no recording, or it does not have the resolution or framerate of the settings.
        """
        root = self._settings.vid_root
        if not root:
            raise SettingsError("vid_root is missing: name the session folder, HDF5 file or movie to replay")
        path = self._recording()
        if not path.is_file():
            raise SettingsError(f"vid_root = {root}: there is no recording {path}{movies_in(path.parent)}")
        self._path = path
        self.begin_session()
        if self._lacks:
            console.print(f"{path}: {self._lacks}", style="yellow", soft_wrap=True)
        return self

    def _recording(self) -> Path:
        """Return what is replayed; of a folder without its HDF5 file the lossless movie, if there is one."""
        path, root = self._settings.recording(), Path(self._settings.vid_root).expanduser()
        return find_files(root).holder if root.is_dir() and not path.is_file() else path

    def begin_session(self) -> None:
        """Go back to the first frame."""
        if self._path is None:
            return
        self.stop()
        try:
            self._frames = (self._open_session if holds_frames(self._path) else self._open_movie)(self._path)
        except SettingsError:
            self.stop()
            raise
        self._pacer.restart()

    def read(self) -> Frame | None:
        """Return the next frame when it is due, or None at the end.

        Raises
        ------
        CameraError
            The recording is damaged.
        """
        try:
            recorded = next(self._frames, None)
        except SettingsError as error:
            raise CameraError(str(error)) from None
        if recorded is None:
            return None
        self._pacer.wait_for(recorded.time_s)
        # As old as it was when it was decided on, whatever this computer is busy with: the same frames are too late.
        captured_s = time.monotonic() - recorded.age_s
        number, time_s, age_s, was_paused, paw_moved, image = recorded
        return Frame(number, time_s, captured_s, image, age_s, was_paused, paw_moved)

    def stop(self) -> None:
        """Close the recording; harmless when repeated."""
        self._frames = iter(())
        if self._movie is not None:
            self._movie.release()
            self._movie = None

    def _open_session(self, path: Path) -> Iterator[Recorded]:
        try:
            session = read_session(path)
        except SettingsError as error:
            raise SettingsError(f"vid_root: {error}") from None
        self.is_linear = session.metadata.linear
        images, frames = session.images, session.frames
        if not images:
            raise SettingsError(f"vid_root: {path} holds no frames")
        self._check_size(images.shape[2], images.shape[1])
        n = len(images)
        times = [(i, i / self._settings.framerate, 0.0) for i in range(n)]
        self._lacks = "" if len(frames) >= n else lacks_times(self._settings.framerate, logged_rate(session.columns))
        if len(frames) >= n:  # more where it was cut short: records may be ahead of the frames
            self._check_times(frames[:n])
            times = frames[["number", "time_s", "age_s"]][:n].tolist()
        paused = session.was_to_pause([number for number, _, _ in times])
        each = zip(times, paused, session.paw_moved(n), images, strict=True)
        return (Recorded(*of, asked, moved, image) for of, asked, moved, image in each)

    def _open_movie(self, path: Path) -> Iterator[Recorded]:
        movie = cv2.VideoCapture(str(path))
        if not movie.isOpened():
            raise SettingsError(f"vid_root: OpenCV cannot read {path} as a movie")
        self._movie = movie
        self._check_size(int(movie.get(cv2.CAP_PROP_FRAME_WIDTH)), int(movie.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        fps, framerate = movie.get(cv2.CAP_PROP_FPS), self._settings.framerate
        if fps > 0 and abs(fps / framerate - 1) > 0.01:
            raise SettingsError(
                f"framerate = {framerate:g}: the movie {path} has {fps:g} frames/s; set framerate = {fps:g}"
            )
        return self._movie_frames(movie)

    def _movie_frames(self, movie: cv2.VideoCapture) -> Iterator[Recorded]:
        announced = movie.get(cv2.CAP_PROP_FRAME_COUNT)  # 0 or less where the container does not say
        for i in itertools.count():
            good, image = movie.read()
            if not good:
                break
            yield Recorded(i, i / self._settings.framerate, 0.0, False, False, image)
        if i < announced - MAY_LACK_FRAMES:
            raise CameraError(
                f"the recording ended early, after {i} of {announced:.0f} frames: "
                f"{self._path} is damaged, or is not whole"
            )

    def _check_times(self, frames: np.ndarray) -> None:
        """Raise SettingsError where a frame has a time that no session has."""
        time_s, age_s = frames["time_s"], frames["age_s"]
        possible = (np.abs(time_s) <= LATEST_S) & (np.abs(age_s) <= LATEST_S)  # False for what is no number, too
        possible[1:] &= time_s[1:] >= time_s[:-1]
        if not possible.all():
            row = int(possible.argmin())
            raise SettingsError(
                f"vid_root: row {row} of /frames in {self._path} has the time {time_s[row]:g} s and the age "
                f"{age_s[row]:g} s; times must be numbers and never go back"
            )

    def _check_size(self, width: int, height: int) -> None:
        if (width, height) != self._settings.resolution:
            wanted = "{}, {}".format(*self._settings.resolution)
            raise SettingsError(
                f"resolution = {wanted}: the recording {self._path} has {width}, {height} px; "
                f"set resolution = {width}, {height}"
            )


def holds_frames(path: Path) -> bool:
    """Return whether a recording has its frames as the camera gave them: HDF5, or a lossless movie."""
    return path.suffix.lower() in HDF5_ENDINGS or is_lossless(path)


def lacks_times(framerate: float, logged: float) -> str:
    """Say what becomes of frames without times, as those of the original."""
    sentence = f"the times of the frames are missing; they are taken as those of framerate = {framerate:g}"
    return sentence + (f", and its rows came at {logged:.2f} per second" if math.isfinite(logged) else "")


def movies_in(folder: Path) -> str:
    """Return '; name one of its movies: ...' where a folder has some, else ''."""
    movies = sorted(path.name for path in folder.glob("*.m[pk][4v]"))
    return f"; name one of the movies there: {', '.join(movies)}" if movies else ""


if __name__ == "__main__":
    from rig.commands.camera import bench

    bench(VideoStream)
