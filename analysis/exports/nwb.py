"""A session as an NWB file: a compressed copy that stands by itself, for DANDI and every reader of NWB.

It is written next to its place as NAME.part, inspected by nwbinspector, and renamed.
"""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import h5py
from nwbinspector import Importance, InspectorMessage, inspect_nwbfile, load_config
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import ImageSegmentation

from analysis.exports.nwb_frames import add_frames, add_movie, fill, mean_images
from analysis.exports.nwb_head import add_camera, new_file, settings_table
from analysis.exports.nwb_signals import add_behaviour, add_dff, add_frame_times, add_pose, add_tone
from analysis.exports.nwb_source import Source, in_name, missing_metadata, name_of, source_of
from analysis.exports.nwb_tables import add_events, add_sync_pulses, add_trials, segmentation
from analysis.exports.whole_files import whole_files
from rig.errors import RigError, SettingsError
from rig.files.reader import Session

NAMED_LATER = ["check_file_extension", "check_image_series_external_file_valid"]
"""What asks for names: file and movie get theirs when both are whole."""
UNREADABLE = (Importance.ERROR, Importance.PYNWB_VALIDATION)


def write(
    session: Session,
    out: Path,
    progress: Callable[[float], None],
    incomplete: bool = False,
    utc_offset: timedelta | None = None,
    say: Callable[[str], None] = lambda _sentence: None,
) -> list[Path]:
    """Write a session as an NWB file, anew if there is one already.

    Parameters
    ----------
    session : Session
    out : Path
        The folder of the session: then it goes there; else it gets a folder for the mouse below this one.
    progress : callable
        Is given the share of the frames that has been written, 0 to 1.
    incomplete : bool
        Write it although metadata are missing.
    utc_offset : timedelta, optional
        How far the wall clock was ahead of UTC, for sessions that do not say.
    say : callable
        Is given each message of nwbinspector.

    Returns
    -------
    list of Path
        The file, and the movie if it was copied.

    Raises
    ------
    RigError
        The session cannot be exported, metadata are missing, or the disk refuses; then nothing is left behind.
    """
    source = source_of(session, utc_offset)
    if not incomplete and (missing := missing_metadata(source)):
        raise SettingsError(missing)
    stays, name = out.resolve() == session.folder.resolve(), name_of(source)
    with whole_files(out if stays else out / f"sub-{in_name(source.mouse)}") as files:
        part, movie = files.part(f"{name}.nwb"), None
        if source.movie is not None and not source.is_cortex:
            movie = Path(source.movie.name) if stays else Path(name) / source.movie.name
            if not stays:
                shutil.copyfile(source.movie, files.part(str(movie)))
        with h5py.File(part, "w") as file, NWBHDF5IO(file=file, mode="w") as io:
            io.write(build(source, movie))
            if source.pictures is not None:
                fill(file, source.pictures, progress)
        for message in inspect(part):
            say(message)
    return files.written


def build(source: Source, movie: Path | None) -> NWBFile:
    """Return the NWB file of a session, but for its frames.

    Parameters
    ----------
    source : Source
    movie : Path or None
        Where the movie lies, relative to the file.
    """
    nwb = new_file(source)
    camera = add_camera(nwb, source)
    behaviour = nwb.create_processing_module("behavior", "what the mouse did, frame by frame")
    misc = nwb.create_processing_module("misc", "times of the frames, and settings")
    video = None if movie is None else add_movie(nwb, source, camera, movie)
    if source.is_cortex:
        plane = add_frames(nwb, source, camera)
        ophys = nwb.create_processing_module("ophys", "ROIs and their ΔF/F")
        rois, trained = segmentation(source, plane)
        ophys.add(ImageSegmentation(name="ImageSegmentation", plane_segmentations=[rois]))
        add_dff(ophys, source, rois, trained)
        if source.pictures is not None:
            ophys.add(mean_images(source.pictures))
    add_behaviour(behaviour, source)
    add_pose(behaviour, source, camera, video)
    add_tone(nwb, source)
    add_frame_times(misc, source)
    misc.add(settings_table(source))
    add_trials(nwb, source)
    add_events(nwb, source)
    add_sync_pulses(nwb, source)
    return nwb


def inspect(path: Path) -> list[str]:
    """Return what nwbinspector says about a file, with its own and DANDI's configuration, each message once.

    Raises
    ------
    RigError
        The file cannot be read, or is not valid.
    """
    found: dict[tuple[object, ...], InspectorMessage] = {}
    for config, is_valid in ((None, False), (load_config("dandi"), True)):
        said = inspect_nwbfile(nwbfile_path=path, config=config, ignore=NAMED_LATER, skip_validate=is_valid)
        for message in said:
            key = message.check_function_name, message.location, message.object_name, message.message
            found[key] = max(found.get(key, message), message, key=lambda each: each.importance.value)
    if wrong := [message for message in found.values() if message.importance in UNREADABLE]:
        raise RigError(f"{path} is not a valid NWB file, and is not kept: {in_words(wrong[0])}")
    return [in_words(message) for message in found.values()]


def in_words(message: InspectorMessage) -> str:
    """Return a message of nwbinspector in one line."""
    where = f"{message.location or '/'} {message.object_name or ''}".strip()
    text = " ".join(message.message.split())
    return f"{message.importance.name} {message.check_function_name}: {text} ({where})"
