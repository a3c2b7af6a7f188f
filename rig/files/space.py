"""Whether a session will fit on the disk, and whether anything can be stored at all: asked before it begins."""

import os
import shutil
import tempfile
from pathlib import Path

from CameraFactory import CameraFactory
from rig.errors import SettingsError
from rig.files.ledger import check_ledger
from rig.files.summary import check_summary
from rig.settings.common import HDF5_ENDINGS, RigSettings

BYTES_OF_A_ROW = 500  # in VideoTimestamp.txt, /frames and /events together
MOVIE_SHARE = 0.15  # of the raw frames; noise hardly compresses
SPARE_BYTES = 4 * 2**20


def check_data_root(settings: RigSettings, baseline_s: float | None = None) -> None:
    """See that a session, or a baseline of `baseline_s` seconds, could be stored, without leaving anything behind.

    Raises
    ------
    SettingsError
        data_root cannot be written to, is too full, or the summary there has other columns.
    """
    folder = nearest_folder(settings.data_root)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"data_root = {settings.data_root}: nothing can be written to {folder} ({error.strerror}); "
            "name a folder that is yours"
        ) from None
    check_ledger(settings.data_root)
    needed, free = most_bytes(settings, baseline_s), shutil.disk_usage(folder).free
    if needed > free:
        raise SettingsError(
            f"data_root = {settings.data_root}: the session may need {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB "
            "are free; free some, or lower total_trials or max_trial_dur"
        )
    check_summary(settings)


def nearest_folder(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def most_bytes(settings: RigSettings, baseline_s: float | None = None) -> int:
    """Return the space that the longest session with these settings needs: every trial takes all its time."""
    width, height = settings.resolution
    rest_s = max(settings.success_rest_dur, settings.fail_rest_dur)
    seconds = settings.initial_rest_dur + settings.total_trials * (settings.max_trial_dur + rest_s) + settings.tail_dur
    frames = (seconds if baseline_s is None else baseline_s) * settings.framerate
    recording = settings.recording()
    replays = CameraFactory.driver(settings.vid_source).replays
    if replays and recording.suffix.lower() in HDF5_ENDINGS and recording.is_file():
        frames = min(frames, recording.stat().st_size / (width * height * 3))
    raw = width * height * 3
    movie = raw * MOVIE_SHARE if settings.video_file else 0
    return round(frames * (raw + movie + BYTES_OF_A_ROW)) + SPARE_BYTES
