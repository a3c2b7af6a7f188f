"""Replays a recording: the frames of an earlier session, or a movie."""

import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import tables

from rig.errors import SettingsError
from rig.frames import Frame
from rig.pacing import Pacer
from rig.session_tables import join, was_cut_short
from rig.settings import HDF5_ENDINGS, CameraSettings, from_strings


class Recorded(NamedTuple):
    """A frame as a recording holds it: number, time, age at its decision (s), image (height, width, 3) BGR."""

    number: int
    time_s: float
    age_s: float
    image: np.ndarray


class VideoStream:
    """A recording in place of a camera.

    Parameters
    ----------
    cfgDict : mapping of str to str
        `vid_root` names a session folder, an HDF5 file with /raw_images, or a movie.  `resolution` must be
        that of the recording.  `fast` = 1 does not wait for the time of a frame.
    """

    def __init__(self, cfgDict: Mapping[str, str]) -> None:
        self._settings = from_strings(CameraSettings, cfgDict, "VideoStream")
        self._pacer = Pacer(cfgDict.get("fast") == "1")
        self._frames: Iterator[Recorded] = iter(())
        self._path = Path()
        self._file: tables.File | None = None
        self._movie: cv2.VideoCapture | None = None

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
        self._path = self._settings.recording()
        if not self._path.is_file():
            raise SettingsError(f"vid_root = {root}: there is no recording {self._path}")
        self.begin_session()
        return self

    def begin_session(self) -> None:
        """Go back to the first frame."""
        if self._path == Path():
            return
        self.stop()
        opener = self._open_hdf5 if self._path.suffix.lower() in HDF5_ENDINGS else self._open_movie
        try:
            self._frames = opener()
        except SettingsError:
            self.stop()
            raise
        self._pacer.restart()

    def read(self) -> Frame | None:
        """Return the next frame when it is due, or None at the end."""
        recorded = next(self._frames, None)
        if recorded is None:
            return None
        self._pacer.wait_for(recorded.time_s)
        # As old as it was when it was decided on, whatever this computer is busy with: the same frames are too late.
        captured_s = time.monotonic() - recorded.age_s
        return Frame(recorded.number, recorded.time_s, captured_s, recorded.image, recorded.age_s)

    def stop(self) -> None:
        """Close the recording; harmless when repeated."""
        self._frames = iter(())
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._movie is not None:
            self._movie.release()
            self._movie = None

    def _open_hdf5(self) -> Iterator[Recorded]:
        self._finish_if_cut_short()
        try:
            self._file = tables.open_file(str(self._path), mode="r")
            images = self._file.get_node("/raw_images", classname="Array")
        except (tables.HDF5ExtError, tables.NoSuchNodeError, OSError) as error:
            raise SettingsError(f"vid_root: {self._path} is no recording with /raw_images ({error})") from None
        n = len(images)
        if images.ndim != 4 or images.shape[3] != 3 or n == 0 or images.dtype != np.uint8:
            shape = ", ".join(str(size) for size in images.shape)
            raise SettingsError(
                f"vid_root: /raw_images in {self._path} has the shape ({shape}) and the type {images.dtype}; "
                "needed are (n, height, width, 3) and uint8"
            )
        self._check_size(images.shape[2], images.shape[1])
        numbers: Iterator[tuple[int, float, float]]
        table: Any = self._file.root.frames[:] if "/frames" in self._file else np.zeros(0)
        names = set(table.dtype.names or ())
        if len(table) == n and {"number", "time_s"} <= names:
            ages_s = table["age_s"] if "age_s" in names else np.zeros(n)
            numbers = zip(table["number"].tolist(), table["time_s"].tolist(), ages_s.tolist(), strict=True)
        else:
            numbers = ((i, i / self._settings.framerate, 0.0) for i in range(n))
        return (Recorded(n, time_s, age_s, image) for (n, time_s, age_s), image in zip(numbers, images, strict=True))

    def _finish_if_cut_short(self) -> None:
        folder = self._path.parent
        try:
            if was_cut_short(folder):
                join(folder, {})
        except OSError as error:
            raise SettingsError(
                f"vid_root: the session {folder} was cut short and cannot be finished there ({error.strerror}); "
                "copy it to a folder of yours"
            ) from None

    def _open_movie(self) -> Iterator[Recorded]:
        movie = cv2.VideoCapture(str(self._path))
        if not movie.isOpened():
            raise SettingsError(f"vid_root: OpenCV cannot read {self._path} as a movie")
        self._movie = movie
        self._check_size(int(movie.get(cv2.CAP_PROP_FRAME_WIDTH)), int(movie.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        fps, framerate = movie.get(cv2.CAP_PROP_FPS), self._settings.framerate
        if fps > 0 and abs(fps / framerate - 1) > 0.01:
            raise SettingsError(
                f"framerate = {framerate:g}: the movie {self._path} has {fps:g} frames/s; set framerate = {fps:g}"
            )
        return self._movie_frames(movie)

    def _movie_frames(self, movie: cv2.VideoCapture) -> Iterator[Recorded]:
        for i in itertools.count():
            good, image = movie.read()
            if not good:
                return
            yield Recorded(i, i / self._settings.framerate, 0.0, image)

    def _check_size(self, width: int, height: int) -> None:
        if (width, height) != self._settings.resolution:
            wanted = "{}, {}".format(*self._settings.resolution)
            raise SettingsError(
                f"resolution = {wanted}: the recording {self._path} has {width}, {height} px; "
                f"set resolution = {width}, {height}"
            )
