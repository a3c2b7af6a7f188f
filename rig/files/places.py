"""Where the ROIs of a mouse were placed, data_root/MOUSE/places.ini, and whether that is still what is wanted.

A place is stored with what it was placed under: the settings that decide where the ROI would be without it, and the
line of the section by hand.  When one of them has changed since, the change is the newer wish, and the place rests.
"""

from collections.abc import Mapping, Set
from configparser import Error as IniError
from configparser import RawConfigParser
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from rig.disk import replace_file
from rig.errors import SettingsError
from rig.settings.common import RigSettings
from rig.settings.ini import MAYBE_BOM, to_strings
from roi_manager import Circle, Rect

PLACES_FILE = "places.ini"
HEAD = (
    "# Where the ROIs of this mouse were placed in the preview, and under which settings.  The preview writes this.\n"
)
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
LINE = "line"
OWN = "own_rois"
MEASURED = ("bregma", "ppmm", "head_angle", OWN)
"""What the preview writes into config.ini; places go into places.ini."""

S = TypeVar("S", bound=RigSettings)


class Place(NamedTuple):
    """One ROI of a mouse.

    Attributes
    ----------
    numbers : tuple of int
        x, y, w, h of a rectangle, x, y, r of a circle, px.
    date : str
        YYYY-MM-DD HH:MM:SS, when it was placed.
    under : dict
        The settings that it was placed under, as config.ini has them; `line` is its line there, "" for none.
    """

    numbers: tuple[int, ...]
    date: str
    under: Mapping[str, str]

    def roi(self, name: str) -> Rect | Circle:
        """Return the ROI at its place."""
        if len(self.numbers) == 4:
            return Rect(name, *self.numbers)
        x, y, r = self.numbers
        return Circle(name, x, y, r)

    def as_section(self, name: str) -> str:
        """Return what places.ini says of it."""
        values = {"place": ",".join(map(str, self.numbers)), "placed_on": self.date} | dict(self.under)
        return f"\n[{name}]\n" + "".join(f"{key} = {value}".rstrip() + "\n" for key, value in values.items())


def read_places(path: Path) -> dict[str, Place]:
    """Return {ROI in lower case: its place} of a mouse; nothing where there is no file yet.

    Raises
    ------
    SettingsError
        The file cannot be read; it is never written over then.
    """
    parser = RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding=MAYBE_BOM), str(path))
        return {name.lower(): place_of(dict(parser[name])) for name in parser.sections()}
    except FileNotFoundError:
        return {}
    except (IniError, ValueError, OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: the places of the ROIs cannot be read ({reason}); repair or rename it") from None


def place_of(values: dict[str, str]) -> Place:
    """Return what a section of places.ini says; ValueError or KeyError where it says nothing."""
    text, date = values.pop("place"), values.pop("placed_on")
    numbers = tuple(int(number) for number in text.split(","))
    if len(numbers) not in (3, 4):
        raise ValueError(f"place = {text}: expected x, y, w, h or x, y, r")
    return Place(numbers, date, values)


def write_places(path: Path, places: Mapping[str, Place]) -> None:
    """Write all places of a mouse; OSError where that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, (HEAD + "".join(place.as_section(name) for name, place in sorted(places.items()))).encode())


def update_places(path: Path, change: "Change") -> None:
    """Write what the preview has changed into the places of a mouse; OSError where that fails."""
    if change.places or change.forgotten:
        kept = {name: place for name, place in read_places(path).items() if name not in change.forgotten}
        write_places(path, kept | change.places)


def under_of(settings: RigSettings, name: str, line: str) -> dict[str, str]:
    """Return what an ROI is placed under."""
    texts = to_strings(settings)
    return {key: texts[key] for key in settings.placed_under(name)} | {LINE: line}


def lines_of(settings: RigSettings) -> dict[str, str]:
    """Return {ROI in lower case: its line in the configuration that was read}, "" for none."""
    texts, placed = to_strings(settings), getattr(settings, "placed", {})
    return {name.lower(): texts[name.lower()] if name.lower() in placed else "" for name in settings.shown_rois()}


def with_places_of(settings: S, path: Path, given: Set[str]) -> tuple[S, dict[str, str]]:
    """Return the settings with the ROIs where this mouse has them, and {ROI: sentence} of those that have a place.

    Parameters
    ----------
    settings : RigSettings
        As read from the configuration and the command line.
    path : Path
        The places of the mouse.
    given : set of str
        Settings that the command line gives.
    """
    places, lines, said = read_places(path), lines_of(settings), {}
    for name in settings.shown_rois():
        line, place = lines[name.lower()], places.get(name.lower())
        if name.lower() not in given and given & set(settings.place_keys(name)):
            settings, line = settings.without_place(name), ""
        newer = "" if place is None else newer_wish(settings, name, place, line, given)
        if place is not None and not newer:
            settings = settings.with_places([place.roi(name)])
            said[name] = f"{name}: placed on {place.date[:10]} by hand, {settings.describe_place(name)}"
            continue
        where = f"{'by the line ' + name.lower() + ', ' if line else ''}{settings.describe_place(name)}"
        if place is not None:
            said[name] = f"{name}: {where}; its place of {place.date[:10]} is not used: {newer}"
        elif line:
            said[name] = f"{name}: {where}"
    return settings, said


def newer_wish(settings: RigSettings, name: str, place: Place, line: str, given: Set[str]) -> str:
    """Return what was wished for after an ROI was placed, in words; nothing where its place is the newest wish."""
    if by := sorted(given & {name.lower(), *settings.place_keys(name)}):
        return f"{by[0]} is given by --set"
    now = under_of(settings, name, line)
    return "; ".join(
        f"{key} was {place.under.get(key) or 'not given'} and is {value or 'not given'}"
        for key, value in now.items()
        if place.under.get(key, "") != value
    )


class Change(NamedTuple):
    """What the preview has changed, and what is to be written.

    Attributes
    ----------
    lines : dict
        {setting: its text, or None to delete it} for the section of config.ini.
    places : dict
        {ROI in lower case: its place} for places.ini.
    forgotten : set of str
        ROIs, lower case, that have no place of their own any more.
    """

    lines: dict[str, str | None]
    places: dict[str, Place]
    forgotten: set[str]


def change_of(as_read: S, before: S, after: S) -> Change:
    """Return what is to be written after the preview.

    Parameters
    ----------
    as_read : RigSettings
        The configuration without the places of the mouse.
    before, after : RigSettings
        With those places, and after the preview.
    """
    measured = [key for key in MEASURED if getattr(after, key, None) != getattr(before, key, None)]
    texts = to_strings(after)
    own, own_before = ({name.lower() for name in getattr(s, OWN, ())} for s in (after, before))
    lines: dict[str, str | None] = {key: texts[key] for key in measured}
    lines |= {name: texts[name] for name in sorted(own - own_before)} | dict.fromkeys(sorted(own_before - own))
    # What config.ini will say.  The size of a circle is not in it: that is the mouse's.
    will_be = as_read.model_copy(update={key: getattr(after, key) for key in measured})
    known = {name: line or "" for name, line in (lines_of(as_read) | lines).items()}
    turned = bool(set(measured) - {OWN})
    kept, forgotten = places_to_keep(before, after, will_be, known, turned)
    return Change(lines, kept, forgotten | (own_before - own))


def places_to_keep(
    before: S, after: S, will_be: S, lines: Mapping[str, str], turned: bool
) -> tuple[dict[str, Place], set[str]]:
    """Return the places that are new, and the ROIs that have none any more.

    Parameters
    ----------
    before, after : RigSettings
        Before and after the preview.
    will_be : RigSettings
        What the configuration will say.
    lines : mapping
        {ROI in lower case: its line there}.
    turned : bool
        The head lies otherwise now: whoever started with it has approved all places under it.
    """
    kept, forgotten, date = {}, set(), f"{datetime.now():{TIME_FORMAT}}"
    for name in (shown.lower() for shown in after.shown_rois()):
        is_placed, was_placed = (name in getattr(settings, "placed", {}) for settings in (after, before))
        is_new = turned or not was_placed or place_in(after, name) != place_in(before, name)
        is_back = was_placed and not is_placed
        if (is_placed and is_new) or (is_back and lines.get(name)):  # that line would hold again
            kept[name] = Place(place_in(after, name), date, under_of(will_be, name, lines.get(name, "")))
        elif is_back:
            forgotten.add(name)
    return kept, forgotten


def place_in(settings: RigSettings, name: str) -> tuple[int, ...]:
    """Return the place of an ROI, its name in any case; () where there is no such ROI."""
    spelt = next((shown for shown in settings.shown_rois() if shown.lower() == name), None)
    return () if spelt is None else tuple(settings.make_roi(spelt).place())
