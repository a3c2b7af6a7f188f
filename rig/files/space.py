"""Whether a session will fit on the disk, and whether anything can be stored at all: asked before it begins."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from CameraFactory import CameraFactory
from rig.disk import NETWORK, file_system, largest_file, sync_times_s
from rig.errors import SettingsError
from rig.files.ledger import check_ledger
from rig.files.log import PUBLISH_EVERY_S, SYNCS_IN_A_ROW
from rig.files.reader import read_frames
from rig.files.summary import check_summary
from rig.settings.camera import HDF5_ENDINGS
from rig.settings.common import RigSettings

BYTES_OF_A_ROW = 500  # in VideoTimestamp.txt, /frames and /events together
MOVIE_SHARES = {"h264": 0.15, "ffv1": 0.75}  # of the raw frames; noise hardly compresses
SPARE_BYTES = 4 * 2**20
MOUNTS = (Path("/media"), Path("/run/media"), Path("/mnt"))


def check_data_root(settings: RigSettings, baseline_s: float | None = None) -> None:
    """See that a session, or a baseline of `baseline_s` seconds, could be stored, without leaving anything behind.

    Raises
    ------
    SettingsError
        data_root cannot be written to, is too full, is on a disk that is not mounted, or the summary there has other
        columns.
    """
    if trouble := unmounted(settings.data_root):
        raise SettingsError(f"data_root = {settings.data_root}: {trouble}")
    folder = nearest_folder(settings.data_root)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"data_root = {settings.data_root}: nothing can be written to {folder} ({error.strerror}); "
            "name a folder that is yours"
        ) from None
    check_place(settings)
    check_file_size(settings, baseline_s)
    check_ledger(settings.data_root)
    needed, free = most_bytes(settings, baseline_s), shutil.disk_usage(folder).free
    if needed > free:
        raise SettingsError(
            f"data_root = {settings.data_root}: the session may need {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB "
            "are free; free some, or lower total_trials or max_trial_dur"
        )
    check_summary(settings)


def check_place(settings: RigSettings) -> None:
    """Raise SettingsError if data_root is on a network file system, unless that is asked for."""
    kind = file_system(nearest_folder(settings.data_root))
    if kind in NETWORK and not settings.network_data_root:
        raise SettingsError(
            f"data_root = {settings.data_root}: this is a network file system ({kind}), where locks and syncs may not "
            "hold; name a folder on a disk of this computer and copy sessions afterwards, or set network_data_root = 1"
        )


def check_file_size(settings: RigSettings, baseline_s: float | None = None) -> None:
    """Raise SettingsError if the file of the frames may become larger than a file can be there."""
    limit, name = largest_file(nearest_folder(settings.data_root))
    for file, needed in most_bytes_of_files(settings, baseline_s).items():
        if needed > limit:
            raise SettingsError(
                f"data_root = {settings.data_root}: {file} may need {needed / 1e9:.2f} GB, and {name} allows "
                f"{limit / 1e9:.2f} GB for a file; use another disk or limit, or lower total_trials or max_trial_dur"
            )


def unmounted(path: Path, mounts: Sequence[Path] = MOUNTS) -> str:
    """Return that a folder lies where disks are mounted, but none is, and the cure; nothing where all is well.

    Without the disk its folder would be made on the disk of the system, and the session stored there.
    """
    path = Path(os.path.normpath(path))
    for mount in mounts:
        if mount not in path.parents and path != mount:
            continue
        nearest = nearest_folder(path)
        is_below = nearest == mount or mount in nearest.parents
        if is_below and (os.path.ismount(mount) or os.stat(nearest).st_dev != os.stat(mount).st_dev):
            return ""
        return f"no disk is mounted there, below {mount}; connect and mount it, or name a folder elsewhere"
    return ""


def nearest_folder(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def most_bytes(settings: RigSettings, baseline_s: float | None = None) -> int:
    """Return the space that the longest session with these settings needs: every trial takes all its time."""
    return sum(most_bytes_of_files(settings, baseline_s).values()) + SPARE_BYTES


def most_bytes_of_files(settings: RigSettings, baseline_s: float | None = None) -> dict[str, int]:
    """Return {name: bytes} of the files that grow with the longest session, with a little for what stands next to them.

    They are the HDF5 file and, where there is one, the movie.
    """
    frames = most_frames(settings, baseline_s)
    return {name: round(frames * size) for name, size in bytes_of_a_frame(settings).items()}


def bytes_of_a_frame(settings: RigSettings) -> dict[str, float]:
    """Return {name: bytes} of what a frame takes in each file at most; of a movie it is the share that noise takes."""
    raw = raw_bytes(settings)
    sizes = {settings.raw_image_file: BYTES_OF_A_ROW + (raw if settings.has_hdf5_frames() else 0.0)}
    if settings.has_movie():
        sizes[settings.video_file] = raw * MOVIE_SHARES[settings.movie_codec]
    return sizes


def raw_bytes(settings: RigSettings) -> int:
    """Return the bytes of a frame as the camera gives it."""
    width, height = settings.resolution
    return width * height * CameraFactory.channels_of(settings)


def most_frames(settings: RigSettings, baseline_s: float | None = None) -> float:
    """Return the frames of the longest session with these settings."""
    rest_s = max(settings.success_rest_dur, settings.fail_rest_dur)
    seconds = settings.initial_rest_dur + settings.total_trials * (settings.max_trial_dur + rest_s) + settings.tail_dur
    frames = (seconds if baseline_s is None else baseline_s) * settings.framerate
    recording = settings.recording()
    replays = CameraFactory.driver(settings.vid_source).replays
    if replays and recording.suffix.lower() in HDF5_ENDINGS and recording.is_file():
        frames = min(frames, len(read_frames(recording) or ()))
    return frames


def missing_after_a_kill_s(folder: Path) -> tuple[float, float]:
    """Return how long a sync takes there, s, and how much of a session a kill or a power cut may take, s."""
    sync_s = max(sync_times_s(folder))
    return sync_s, 2 * (PUBLISH_EVERY_S + SYNCS_IN_A_ROW * sync_s)
