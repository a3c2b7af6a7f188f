"""The figure of the registration: the vessels of the first day and of today, as they lay, and as they were laid."""

import zipfile
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from analysis.evidence import Evidence, Missing
from analysis.figures.spec import Spec, grid
from rig.devices.same_place import blended
from rig.files.first_day import REGISTRATION_FILE
from rig.protocol.registration import Move


class Pictures(NamedTuple):
    """Both pictures of the vessels, (height, width), of 255, and how the first day's lies today.

    Attributes
    ----------
    first, today : array
    move : Move
    ppmm : float
        Of the first day, px/mm.
    """

    first: np.ndarray
    today: np.ndarray
    move: Move
    ppmm: float


def pictures_of(evidence: Evidence) -> Pictures:
    """Return what registration.npz says.

    Raises
    ------
    Missing
        There is none, it cannot be read, or this was a first day.
    """
    path = evidence.session.folder / REGISTRATION_FILE
    try:
        with np.load(path) as kept:
            if "first" not in kept:
                raise Missing("this was the first day: there is nothing to compare it with")
            turn, shift = (complex(each) for each in kept["turn_and_shift"])
            return Pictures(kept["first"], kept["today"], Move(turn, shift), float(kept["ppmm_of_first"]))
    except FileNotFoundError:
        raise Missing("the session was not registered to a first day") from None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise Missing(f"{path.name} cannot be read ({error})") from None


def was_registered(evidence: Evidence) -> bool:
    """Return whether the session was compared with a first day, so that there is something to be drawn."""
    return "registration_error_mm" in evidence.session.attributes


def in_words(evidence: Evidence) -> str:
    """Say in a line what the registration found; nothing where there was none."""
    said = evidence.session.attributes
    if not was_registered(evidence):
        return "registration: first day" if said.get("registration") == "first day" else ""
    moved, turned, scale = (said[f"registration_{key}"] for key in ("moved_mm", "turned_degrees", "scale"))
    error, degrees = (said[f"registration_error_{key}"] for key in ("mm", "degrees"))
    return (
        f"registration to {str(said['registration_first_day'])[:10]}: {said['registration']} "
        f"({moved:.2f} mm, {turned:+.1f} degrees, scale {scale:.3f}; error {error:.3f} mm, {degrees:.2f} degrees)"
    )


def draw_same_place(evidence: Evidence, figure: Figure) -> None:
    """Draw both days in one picture, before and after the move that was found."""
    first, today, move, ppmm = pictures_of(evidence)
    before, after = grid(figure, 1, 2)
    for axes, title, laid in ((before, "as they lay", Move()), (after, "as they were laid", move)):
        axes.imshow(blended(first, today, laid, ppmm)[..., ::-1])
        axes.set(title=title, xticks=[], yticks=[])
    figure.suptitle(in_words(evidence), fontsize="medium")


SAME_PLACE = Spec(
    "same_place",
    "The same place every day",
    "The vessels of the first day (magenta) and of this day (green). On the right they lie on each other, all grey; "
    "fringes of both colours are a registration that failed.",
    draw_same_place,
    height=5.0,
)
