"""For wfield: its binary of two colours, green and blue, its table of trials, and what happened when."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from analysis.csv_files import as_csv
from analysis.exports.stored_frames import Clock, clock_of, cortex_of, frames_of_trials, refuse_unfinished, slices
from analysis.exports.whole_files import folder_of, save_array, whole_files
from rig.files.reader import TRIAL, Images, Session
from rig.protocol.dff import BLUE, GREEN

PIXEL = np.dtype("uint16")  # as from the cameras that wfield was made for: its decomposition takes any file for that
BASELINE_FRAMES = 30  # of each trial, as many as wfield takes unless it is asked for others
FRAMES, EVENTS, ONSETS, TRIALS = "frames.csv", "events.csv", "trial_onsets.npy", "trial_info.csv"


def write(session: Session, out: Path, progress: Callable[[float], None]) -> list[Path]:
    """Write the files of a session for wfield, into a folder `wfield`.

    `frames_2_H_W_uint16.dat` (n, 2, H, W), green before blue, 0 to 255 as recorded; `frames.csv`, `events.csv`; and,
    with trials, `trial_onsets.npy` (n_trials, 3) and `trial_info.csv`.

    Parameters
    ----------
    session : Session
    out : Path
        The session's own folder, or one for many sessions.
    progress : callable
        Is given the share that has been done, 0 to 1.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    SettingsError
        The session has no cortex in green and blue, nothing says when its frames were, or it has not been finished.
    RigError
        The files cannot be written.
    """
    refuse_unfinished(session)
    images = cortex_of(session)
    clock = clock_of(session, len(images))
    _, height, width, _ = images.shape
    with whole_files(folder_of(session, out, "wfield")) as files:
        write_colours(files.part(f"frames_2_{height}_{width}_{PIXEL}.dat"), images, len(clock), progress)
        files.part(FRAMES).write_bytes(as_csv(("index", "number", "time_s"), frame_rows(clock)))
        files.part(EVENTS).write_bytes(
            as_csv(("time_s", "index", "device", "value", "detail"), event_rows(session, clock))
        )
        if len(session.trials):
            bounds = clock.index_of(frames_of_trials(session))
            save_array(files.part(ONSETS), trial_onsets(session.trials["number"], bounds))
            rows = [(*ends, *trial) for ends, trial in zip(bounds.tolist(), session.trials.tolist(), strict=True)]
            files.part(TRIALS).write_bytes(as_csv(("first_index", "last_index", *(TRIAL.names or ())), rows))
    return files.written


def write_colours(path: Path, images: Images, n: int, progress: Callable[[float], None]) -> None:
    """Write green and blue of the first n frames as they follow on each other, (n, 2, H, W) of PIXEL."""
    with path.open("wb") as file:
        for frames in slices(images, n, progress):
            pair = np.empty((len(frames), 2, *frames.shape[1:3]), PIXEL)
            pair[:, 0], pair[:, 1] = frames[..., GREEN], frames[..., BLUE]
            file.write(pair.data)


def frame_rows(clock: Clock) -> Iterator[tuple[int, int, float]]:
    """Return a row for each frame: its place in the binary, its number (a gap is a lost frame), its time."""
    return zip(range(len(clock)), clock.number.tolist(), clock.time_s.tolist(), strict=True)


def event_rows(session: Session, clock: Clock) -> list[tuple[float, int, str, float, str]]:
    """Return a row for each event: when, the index of the newest frame then (-1 before the first), and what."""
    index = clock.index_of([event.frame for event in session.events])
    return [
        (event.time_s, i, event.device, event.value, event.detail)
        for event, i in zip(session.events, index.tolist(), strict=True)
    ]


def trial_onsets(numbers: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return wfield's table, (n_trials, 3): trial, index of the first frame of its baseline, index of its first frame.

    The baseline is the end of the rest before the trial.
    """
    first, last = bounds.T
    rest_begins = np.concatenate([[0], last[:-1] + 1])
    return np.stack([numbers, np.maximum(first - BASELINE_FRAMES, rest_begins), first], axis=1)
