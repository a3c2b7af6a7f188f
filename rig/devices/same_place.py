"""The same place every day: takes today's picture of the vessels, and says how the head lies since the first day."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rig.devices.frames import Frame
from rig.protocol.registration import Move, Registration, register
from rig.settings.clnf import ClnfSettings
from rig.settings.moved import moved

PICTURE_S = 5.0
FIRST_DAY, MOVED = "first day", "moved"
LEAST_ALIKE = 0.8  # correlation of the newest image with today's picture: below it the picture is of something else
BLUE = 0  # of BGR: the vessels absorb it, and it does not follow the activity
HEAD = ("bregma", "ppmm", "nose", "head_angle", "resolution")
"""What is kept of the first day besides the places; `nose` and `resolution` must be the same later."""


class FirstDay(NamedTuple):
    """What is kept of a mouse's first day.

    Attributes
    ----------
    date : str
        YYYY-MM-DD HH:MM:SS.
    camera : str
        What stood in for a camera; "" for a real one.
    picture : array (height, width) float32
        Blue, mean of PICTURE_S, of 255.
    head : dict
        {setting: value} of HEAD.
    places : dict
        {ROI in lower case: x, y, w, h or x, y, r px} of the ROIs that were placed.
    """

    date: str
    camera: str
    picture: np.ndarray
    head: Mapping[str, object]
    places: Mapping[str, tuple[int, ...]]

    def put_into(self, settings: ClnfSettings) -> ClnfSettings:
        """Return the settings with head and ROIs where they were on the first day."""
        kept = {key: self.head[key] for key in ("bregma", "ppmm", "head_angle")}
        # An ROI that was at its site is there again, wherever it was put on another day; own ones have no site.
        own = {name.lower() for name in settings.own_rois}
        placed = {name: place for name, place in settings.placed.items() if name in own} | dict(self.places)
        return settings.model_copy(update=kept | {"placed": placed})


class SamePlace:
    """The registration of a session, from its first frame to its answer.

    Parameters
    ----------
    first : FirstDay or None
        None where today is the first day.
    limit_mm : float
        A larger error must be confirmed.

    Attributes
    ----------
    today : array (height, width) float32, or None
        Blue, mean of PICTURE_S, of 255; None as long as it is being taken.
    found : Registration or None
        None on a first day, and as long as the picture is being taken.
    confirmed : bool
        The user has said that the session may start all the same.
    last : array (height, width, 3) uint8, or None
        The newest image.
    was_changed : bool
        On a later day: head or ROIs are neither as they were read nor as they were found.
    used : str
        What became of it: "first day", "moved", "undone", "changed by hand", or "not known".
    """

    def __init__(self, first: FirstDay | None, limit_mm: float) -> None:
        self.first, self.limit_mm = first, limit_mm
        self.today: np.ndarray | None = None
        self.found: Registration | None = None
        self.last: np.ndarray | None = None
        self.used, self.was_changed = "", False
        self.again()

    def again(self) -> None:
        """Take today's picture anew."""
        self.today = self.found = None
        self.confirmed = False
        self._sum = np.zeros(0)
        self._n, self._began_s, self._now_s = 0, 0.0, 0.0

    def take(self, frame: Frame, settings: ClnfSettings) -> bool:
        """Take the next frame; return whether it completes the picture.

        Parameters
        ----------
        frame : Frame
        settings : ClnfSettings
            They say at which sites the error counts.
        """
        if self.today is not None:
            self.last = frame.image
            return False
        if not self._n or frame.time_s < self._now_s:  # the frames begin anew
            self._n, self._began_s, self._sum = 0, frame.time_s, np.zeros(frame.image.shape[:2])
        self._n, self._now_s = self._n + 1, frame.time_s
        self._sum += frame.image[..., BLUE]
        self.last = frame.image
        if self.seconds_left() > 0:
            return False
        self.today = (self._sum / self._n).astype(np.float32)
        if self.first is not None:
            before = self.first.put_into(settings)
            self.found = register(self.first.picture, self.today, before.ppmm, places_of(before))
        return True

    def seconds_left(self) -> float:
        """Return how long the picture still takes, s."""
        return max(0.0, PICTURE_S - (self._now_s - self._began_s)) if self._n else PICTURE_S

    def moved(self, settings: ClnfSettings) -> ClnfSettings:
        """Return the settings with head and ROIs moved from where they were on the first day; unknown, as they are."""
        if self.first is None or self.found is None or not self.found.is_known:
            return settings
        return moved(self.first.put_into(settings), self.found.move)

    def doubt(self) -> str:
        """Return why the session should not start like this, in words; nothing where it may."""
        if self.confirmed:
            return ""
        if self.has_changed():
            return "the picture of the vessels is no longer what the camera sees (t takes it anew)"
        if self.found is None:
            return ""
        if not self.found.is_known:
            return f"{self.found.in_words()}; nothing was moved"
        if self.found.error_mm > self.limit_mm:
            return f"error {self.found.error_mm:.3f} mm, max_registration_mm = {self.limit_mm:g}"
        return ""

    def has_changed(self) -> bool:
        """Return whether the camera sees something else than the picture that was taken, as after the light went on."""
        if self.today is None or self.last is None:
            return False
        now, then = (centred(each) for each in (self.last[..., BLUE], self.today))
        spread = math.sqrt(float((now * now).sum()) * float((then * then).sum()))
        return spread == 0 or float((now * then).sum()) < LEAST_ALIKE * spread

    def in_words(self) -> str:
        """Say where it stands."""
        if self.today is None:
            return f"picture of the vessels: {self.seconds_left():.0f} s more"
        if self.first is None or self.found is None:
            return "first day: this picture and the places are kept when the session starts"
        return f"since {self.first.date[:10]}: {self.found.in_words()}"

    def move_of(self, settings: ClnfSettings) -> Move:
        """Return the move that these settings stand for: that which was found, or none where it was not used."""
        if self.found is None or not self.found.is_known or settings.bregma != self.moved(settings).bregma:
            return Move()
        return self.found.move

    def end(self, before: ClnfSettings, after: ClnfSettings) -> None:
        """Take down what became of it, once the session starts.

        Parameters
        ----------
        before, after : ClnfSettings
            As they were read, and as the session has them.
        """
        is_as_read, is_moved = alike(after, before), alike(after, self.moved(before))
        self.was_changed = self.found is not None and not (is_as_read or is_moved)
        if self.found is None:
            self.used = FIRST_DAY
        elif not self.found.is_known:
            self.used = "not known"
        elif self.was_changed:
            self.used = "changed by hand"
        else:
            self.used = MOVED if is_moved else "undone"

    def notes(self) -> dict[str, int | float | str]:
        """Return what is stored with the session, {attribute: value}."""
        said: dict[str, int | float | str] = {"registration": self.used}
        if self.first is None or self.found is None:
            return said
        move, found = self.found.move, self.found
        return said | {
            "registration_first_day": self.first.date,
            "registration_moved_mm": round(abs(move.shift), 4),
            "registration_turned_degrees": round(move.degrees, 3),
            "registration_scale": round(move.scale, 5),
            "registration_error_mm": round(found.error_mm, 4),
            "registration_error_degrees": round(found.error_degrees, 3),
            "registration_agreement": round(found.agreement, 3),
            "registration_agreement_aside": round(found.aside, 3),
            "registration_confirmed": int(self.confirmed),
        }


def alike(one: ClnfSettings, other: ClnfSettings) -> bool:
    """Return whether head and ROIs lie the same."""
    heads = all(getattr(one, key) == getattr(other, key) for key in HEAD)
    return heads and {n: one.roi_box(n) for n in one.shown_rois()} == {n: other.roi_box(n) for n in other.shown_rois()}


def places_of(settings: ClnfSettings) -> list[tuple[float, float]]:
    """Return x, y px of all sites and ROIs that lie in the image."""
    width, height = settings.resolution
    sites = [(site["ML"], site["AP"]) for site in settings.seeds().values()]
    inside = [(x, y) for x, y in sites if 0 <= x < width and 0 <= y < height]
    return [*inside, *(settings.make_roi(name).centre() for name in settings.shown_rois())]


def blended(first: np.ndarray, today: np.ndarray, move: Move, ppmm: float) -> np.ndarray:
    """Return both pictures in one, (height, width, 3) uint8 BGR: the first day magenta, today green, alike grey.

    Parameters
    ----------
    first, today : array (height, width)
    move : Move
        Where the first day lies today.
    ppmm : float
        Of the first day, px/mm.
    """
    before, now = (stretched(each) for each in (move.bring_forward(first, ppmm), today))
    return np.stack([before, now, before], axis=-1)


def centred(picture: np.ndarray) -> np.ndarray:
    """Return a picture less its mean, as float."""
    deviations: np.ndarray = picture - np.float64(picture.mean())
    return deviations


def stretched(picture: np.ndarray) -> np.ndarray:
    """Return a picture as uint8, its bright part at full scale."""
    top = max(float(np.percentile(picture, 99.5)), 1e-6)
    grey: np.ndarray = np.clip(picture / top * 255, 0, 255).astype(np.uint8)
    return grey
