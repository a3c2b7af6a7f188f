"""For ALF, the files of the International Brain Laboratory: trials, licks, and the times of frames and colours."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from analysis.csv_files import as_csv
from analysis.evidence import settings_of
from analysis.exports.stored_frames import clock_of, cortex_of, frames_of_trials, refuse_unfinished
from analysis.exports.whole_files import folder_of, save_array, whole_files
from analysis.outcomes import reward_ul
from analysis.replay.recorded import body_parts_of
from rig.files.paid import gives_water
from rig.files.reader import Session
from rig.protocol.trials import SUCCESS
from rig.settings.lab import Lab

GREEN_ID, BLUE_ID = 0, 1  # channel_id, as the colours follow on each other in wfield's binary
COLOURS = "widefield/imagingLightSource.properties.htsv"


def write(session: Session, out: Path, progress: Callable[[float], None]) -> list[Path]:
    """Write trials, licks and times of a session into a folder `alf`.

    All times are on the clock of the experiment, s, as `read_session` gives them.

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
        The session has no frames, nothing says when they were, or it has not been finished.
    RigError
        The files cannot be written.
    """
    refuse_unfinished(session)
    is_cortex = not body_parts_of(session)
    arrays = {**(imaging(session) if is_cortex else camera(session)), **trials(session), **licks(session)}
    with whole_files(folder_of(session, out, "alf")) as files:
        for name, array in arrays.items():
            save_array(files.part(f"{name}.npy"), array)
        if is_cortex:
            files.part(COLOURS).write_bytes(
                as_csv(("channel_id", "wavelength", "color"), colours(session.lab), delimiter="\t")
            )
    progress(1)
    return files.written


def imaging(session: Session) -> dict[str, np.ndarray]:
    """Return times and colours of the images of cortex, (2 n,): each frame is one in green and one in blue."""
    clock = clock_of(session, len(cortex_of(session)))
    return {
        "widefield/imaging.times": np.repeat(clock.time_s, 2),
        "widefield/imaging.imagingLightSource": np.tile([GREEN_ID, BLUE_ID], len(clock)),
    }


def camera(session: Session) -> dict[str, np.ndarray]:
    """Return the times of the images of a mouse, (n,)."""
    return {"_ibl_bodyCamera.times": clock_of(session, len(session)).time_s}


def trials(session: Session) -> dict[str, np.ndarray]:
    """Return the attributes of the trials, each (n_trials, ...); NaN is what a trial did not have."""
    table = session.trials
    if not len(table):
        return {}
    volume_ul = rewards_ul(session)
    return {
        "_ibl_trials.intervals": np.stack([table["start_s"], table["end_s"]], axis=1),
        "_ibl_trials.goCue_times": np.where(table["tone"], table["start_s"], np.nan),
        "_ibl_trials.feedback_times": table["end_s"],
        "_ibl_trials.feedbackType": table["outcome"],
        **({} if volume_ul is None else {"_ibl_trials.rewardVolume": volume_ul}),
        "_clopy_trials.number": table["number"],
        "_clopy_trials.threshold": table["threshold"],
    }


def rewards_ul(session: Session) -> np.ndarray | None:
    """Return the water for the outcome of each trial, µl; None where the valve was not calibrated."""
    ul = reward_ul(settings_of(session.folder), session.folder)
    if ul is None:
        return None
    withheld = [event.frame for event in session.of("water")]  # by a cap, or missed in a yoked session
    paid = (
        (session.trials["outcome"] == SUCCESS)
        & ~np.isin(frames_of_trials(session)[:, 1], withheld)
        & gives_water(session)
    )
    return np.where(paid, ul, 0.0)


def licks(session: Session) -> dict[str, np.ndarray]:
    """Return when the tongue touched the spout; nothing without a sensor."""
    if not session.events or session.settings.get("lick", "none") == "none":
        return {}
    return {"licks.times": np.array([event.time_s for event in session.of("lick") if event.value == 1])}


def colours(lab: Lab) -> list[tuple[int, str, str]]:
    """Return a row for each colour: its channel, its wavelength (nm) where the lab says it, its name."""
    known = {GREEN_ID: ("Green", lab.green_excitation_nm), BLUE_ID: ("Blue", lab.blue_excitation_nm)}
    return [(channel, "" if nm is None else f"{nm:g}", name) for channel, (name, nm) in known.items()]
