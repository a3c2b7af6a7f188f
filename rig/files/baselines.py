"""The baseline recording of a mouse and a day, for what a session takes from it."""

from datetime import date, datetime
from pathlib import Path

from rig.devices.same_place import FIRST_DAY, MOVED
from rig.errors import SettingsError
from rig.files.reader import Session, read_session
from rig.settings.common import RigSettings
from rig.settings.ini import to_strings

FOLDER = "%Y%m%d%H%M%S"  # names of sessions
OF_THE_SIGNAL = (
    "vid_source", "resolution", "crop", "framerate", "shutter_speed", "iso", "gain", "black_level", "binning",
    "pixel_format", "sensor_mode", "linear", "dff_history", "roi", "roi_operation",
)  # fmt: skip
"""Settings that decide what the signal is, besides the places of the ROIs."""
OF_THE_PLACE = "ppmm"
REGISTERED = (FIRST_DAY, MOVED)
"""What became of the registration of a session whose ROIs lie as on the first day."""


def baseline_of_today(
    settings: RigSettings, mouse_id: str, is_simulated: bool, wanted_by: str, today: date | None = None
) -> Session:
    """Return the newest baseline of today whose signal is that of a session with these settings.

    Parameters
    ----------
    settings : RigSettings
        With the ROIs where the mouse has them.
    mouse_id : str
    is_simulated : bool
        Whether the camera of the session is no real one.
    wanted_by : str
        The setting that needs the baseline, for the error.
    today : date, optional

    Raises
    ------
    SettingsError
        There is none, in a sentence with its differences and the cure.
    """
    folder, cure = settings.data_root / mouse_id, "record one with --baseline 300 first"
    found = baselines_of(folder, today or date.today())
    if not found:
        raise SettingsError(f"{wanted_by}: {folder} has no baseline of today; {cure}")
    alike = [one for one in found if camera_was_simulated(one) == is_simulated]
    if not alike:
        was, is_now = ("simulated", "real") if not is_simulated else ("real", "simulated")
        raise SettingsError(f"{wanted_by}: {when(found[0])} was {was}, and this session is {is_now}; {cure}")
    fitting = [one for one in alike if not differences(one, settings)]
    if not fitting:
        listed = "; ".join(differences(alike[0], settings))
        raise SettingsError(f"{wanted_by}: {when(alike[0])} had another signal ({listed}); {cure}")
    return fitting[0]


def baselines_of(folder: Path, day: date) -> list[Session]:
    """Return the baselines that a mouse had on a day, newest first; those that cannot be read are none.

    Parameters
    ----------
    folder : Path
        Of the mouse.
    day : date
    """
    found = []
    for path in sorted(folder.glob(f"{day:%Y%m%d}??????"), reverse=True):
        try:
            session = read_session(path)
        except SettingsError:
            continue  # no session, or a broken one: then it is said that there is none
        if session.attributes.get("session_type") == "baseline":
            found.append(session)
    return found


def differences(baseline: Session, settings: RigSettings) -> list[str]:
    """Say what makes the signal of a session another one than that of the settings, one sentence for each.

    Parameters
    ----------
    baseline : Session
        Its config.ini has a line with the place of each ROI.
    settings : RigSettings
        Where these find the places anew each time (registration), nobody knows them yet, and they are the same.
    """
    then, texts = baseline.settings, to_strings(settings)
    now = {key: texts[key] for key in OF_THE_SIGNAL if key in texts}
    if not settings.finds_places():
        now |= {OF_THE_PLACE: texts[OF_THE_PLACE]} if OF_THE_PLACE in texts else {}
        now |= {roi.name.lower(): ",".join(map(str, roi.place())) for roi in settings.light_rois()}
    found = [
        f"{key} was {then.get(key) or 'not given'} and is {text or 'not given'}"
        for key, text in now.items()
        if then.get(key, "") != text
    ]
    return found + other_registration(baseline, settings)


def other_registration(baseline: Session, settings: RigSettings) -> list[str]:
    """Say why a baseline was not of the places that registration will find; nothing where it was, or none is wanted."""
    if not settings.finds_places():
        return []
    if to_strings(settings)["registration"] == "new":
        return ["registration = new begins with other places"]
    was = str(baseline.attributes.get("registration", "off"))
    return [] if was in REGISTERED else [f"registration was {was}"]


def camera_was_simulated(session: Session) -> bool:
    """Return whether the signal of a session is not that of a real camera."""
    return "camera" in str(session.attributes.get("simulated", "")).split(", ")


def when(session: Session) -> str:
    """Say which baseline this is."""
    return f"the baseline of {datetime.strptime(session.folder.name, FOLDER):%H:%M}"
