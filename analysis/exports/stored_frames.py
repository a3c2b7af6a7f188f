"""The frames that a session has stored: their numbers, their times, and what they show."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.replay.recorded import body_parts_of
from rig.errors import SettingsError
from rig.files.reader import Images, Session
from rig.files.rows import ROWS_FILE
from rig.protocol.dff import BLUE, GREEN

BYTES_AT_ONCE = 2**24


@dataclass(frozen=True)
class Clock:
    """The frames of a session, in the order in which they are stored.

    Attributes
    ----------
    number : array (n,) int64
        As in VideoTimestamp.txt; a gap is a lost frame.
    time_s : array (n,) float64
        On the clock of the experiment.
    """

    number: np.ndarray
    time_s: np.ndarray

    def index_of(self, numbers: ArrayLike) -> np.ndarray:
        """Return the indices of these frames, or of the newest that was stored before them; -1 before the first."""
        return np.searchsorted(self.number, numbers, "right") - 1

    def __len__(self) -> int:
        return len(self.number)


def refuse_unfinished(session: Session) -> None:
    """Raise SettingsError for a session that runs, or was cut short: what it becomes is not yet known."""
    if session.was_cut_short:
        raise SettingsError(
            f"{session.folder}: the session has not been finished; run python -m rig.commands.finish {session.folder}"
        )


def clock_of(session: Session, n_images: int) -> Clock:
    """Return number and time of each frame.

    Parameters
    ----------
    session : Session
    n_images : int
        How many were stored; a damaged session may have fewer times than frames, or more.

    Raises
    ------
    SettingsError
        Nothing says when the frames were.
    """
    if len(session.frames):
        number, time_s = session.frames["number"], session.frames["time_s"]
    elif len(session):
        number, time_s = session.columns["frame"], session.row_times_s()
    else:
        number, time_s = np.zeros(0), np.full(1, np.nan)
    if not np.isfinite(time_s).all():
        raise SettingsError(
            f"{session.folder}: nothing says when its frames were; needed is /frames in its HDF5 file, or framerate in "
            f"its config.ini together with {ROWS_FILE}"
        )
    return Clock(number[:n_images].astype(np.int64), time_s[:n_images])


def cortex_of(session: Session) -> Images:
    """Return the frames of a session that shows cortex in green and blue.

    Raises
    ------
    SettingsError
        It has no frames, they show a mouse, or they are grey.
    """
    images, folder = session.images, session.folder
    if images is None or not len(images):
        raise SettingsError(f"{folder}: there are no frames, and this format is made of them")
    if body_parts_of(session):
        raise SettingsError(
            f"{folder}: this is a session of CLMF: its frames show a mouse, not cortex in green and blue"
        )
    first = images[: slice_of(images)]
    if first.shape[-1] == 1 or np.array_equal(first[..., BLUE], first[..., GREEN]):
        raise SettingsError(f"{folder}: there is no blue channel: the frames are grey, with blue the same as green")
    return images


def frames_of_trials(session: Session) -> np.ndarray:
    """Return the numbers of the first and the last frame of each trial, (n_trials, 2)."""
    number, trial = session.columns["frame"], session.columns["trial"]
    return np.array([number[trial == each][[0, -1]] for each in session.trials["number"]])


def slice_of(images: Images) -> int:
    """Return how many frames are read at once."""
    _, height, width, colours = images.shape
    return max(1, BYTES_AT_ONCE // (height * width * colours))


def slices(images: Images, n: int, progress: Callable[[float], None]) -> Iterator[np.ndarray]:
    """Yield the first n frames in slices (k, height, width, 3), each read from disk when it is asked for.

    Parameters
    ----------
    images : Images
    n : int
    progress : callable
        Is given the share that has been used, 0 to 1.
    """
    step = slice_of(images)
    for start in range(0, n, step):
        stop = min(start + step, n)
        yield images[start:stop]
        progress(stop / n)
