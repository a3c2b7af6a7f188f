"""The same place every day, around the preview: registration without a window, and what is kept of a first day."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from CameraFactory import CameraFactory
from rig.devices.image_check import image_trouble
from rig.devices.same_place import PICTURE_S, SamePlace
from rig.ending import signals
from rig.errors import RigError
from rig.files.first_day import ANEW, FIRST_DAY_FILE, keep_first_day
from rig.options import Options
from rig.settings.clnf import ClnfSettings
from rig.terminal import console


def say(text: str) -> None:
    """Say a sentence on the terminal."""
    console.print(f"registration: {text}", soft_wrap=True)


def say_first_day(same_place: SamePlace | None) -> None:
    """Say what head and ROIs are moved from, where they are."""
    if same_place is not None and same_place.first is not None:
        date = same_place.first.date
        say(f"bregma, ppmm, head_angle and ROIs are those of the first day, {date}, moved to where the head is; {ANEW}")


def register_unseen(
    same_place: SamePlace, camera: CameraFactory, settings: ClnfSettings, beat: Callable[[], None]
) -> ClnfSettings:
    """Take the picture of the vessels without a window; return the settings with everything moved.

    Parameters
    ----------
    same_place : SamePlace
    camera : CameraFactory
    settings : ClnfSettings
    beat : callable
        Is called once a frame.

    Raises
    ------
    RigError
        The picture cannot be used, or its error is too large, and nobody is there to confirm.
    """
    say(f"taking a picture of the vessels, {PICTURE_S:g} s; the light is on, and the session begins after it")
    camera.begin_session()
    for frame in camera:
        signals.stop_if_asked()
        beat()
        if same_place.take(frame, settings):
            break
    say(same_place.in_words())
    after = same_place.moved(settings)
    why = (same_place.doubt(), *after.contradictions(), trouble_of(same_place, after))
    if trouble := next(filter(None, why), ""):
        limit = "set max_registration_mm, " if same_place.found is not None and same_place.found.is_known else ""
        raise RigError(
            f"registration: no session was started: {trouble}; start with the window, where you can look and confirm, "
            f"{limit}or begin anew: {ANEW}"
        )
    return after


def trouble_of(same_place: SamePlace, settings: ClnfSettings) -> str:
    """Return why today's picture cannot be kept as that of a first day, in words; nothing where it can."""
    if same_place.last is None:
        return "the camera gave no picture"
    return image_trouble(same_place.last, settings.max_saturated, settings.light_rois())


def keep_day(options: Options[Any], after: Any, folder: Path) -> None:
    """Keep today as the first day, or say that what was changed by hand on a later one is not kept.

    Parameters
    ----------
    options : Options
        As they were read.
    after : RigSettings
        With which the session starts.
    folder : Path
        Of the mouse.

    Raises
    ------
    OSError
        The first day cannot be kept.
    """
    same_place = options.same_place
    if same_place is None:
        return
    same_place.end(options.settings, after)
    if same_place.was_changed:
        say(f"what was changed by hand holds for this session only; {ANEW}")
    if same_place.first is None and same_place.today is not None:
        path = folder / FIRST_DAY_FILE
        keep_first_day(path, after, same_place.today, options.simulated.get("camera", ""))
        say(f"today is the first day of {options.mouse_id}, kept in {path}")
