"""What the preview of CLNF can do besides moving ROIs: draw them, own ones, circles, bregma, lambda, the scale."""

import math
import re
from collections.abc import Callable
from typing import Any, cast

from rig.devices.frames import Frame
from rig.screen.editor import LEAST_PX, Editor, Picking, Point, Roi
from rig.settings.clnf import ClnfSettings, describe_outline
from rig.settings.head import LARGEST_ANGLE, in_words
from roi_manager import Rect, disc

LEAST_OF_ROI_SIZE = 1 / 3
LEAST_LENGTH_PX = 10.0  # of a ruler, and from bregma to lambda: a pixel is too much of a shorter one
HOVER_PX = 6.0  # of the window
MOST_PPMM, LEAST_PPMM = 10000.0, 0.1


class CortexEditor(Editor):
    """Edits the ROIs of the cortex, and measures how it lies in the image."""

    draws = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ruler: list[Point] = []
        self.shows_blend = False
        self._reshaped: dict[str, tuple[tuple[int, ...], Roi]] = {}  # {ROI: (its place, what it was before)}

    HELP = (
        ("drag on an empty place", "draw the selected ROI there, on image or map"),
        *Editor.HELP[:3],
        ("a", "add an ROI of your own; type its name, then drag it"),
        ("d", "delete an own ROI"),
        ("n", "rename an own ROI"),
        ("c", "rectangle or circle"),
        ("r", "reset the ROI to its site"),
        ("b", "bregma: click on it"),
        ("l", "lambda: click on it; turns all sites with the head"),
        ("m", "ruler: click on two marks, type the mm between them; sets ppmm"),
        ("o", "both pictures: the first day magenta, today green (registration = 1)"),
        ("t", "take the picture of the vessels anew (registration = 1)"),
        *Editor.HELP[4:],
    )

    def commands(self) -> dict[str, Callable[[], None]]:
        """Return {key: what it does}."""
        return super().commands() | {
            "a": self.add,
            "d": self.delete,
            "n": self.rename,
            "c": self.reshape,
            "b": self.ask_bregma,
            "l": self.ask_lambda,
            "m": self.ask_ruler,
            "o": self.toggle_blend,
            "t": self.take_again,
        }

    def least_px(self) -> tuple[float, float]:
        """Return the least width and height of an ROI: a third of roi_size, and 4 px."""
        w, h = (max(LEAST_PX, math.ceil(mm * self.settings.ppmm * LEAST_OF_ROI_SIZE)) for mm in self.settings.roi_size)
        return w, h

    # Own ROIs, and their shape

    def add(self) -> None:
        """Ask for the name of a new ROI; it appears under the pointer."""
        self.ask("name of the new ROI", self._add)

    def _add(self, name: str) -> str:
        if trouble := self._unfit(name):
            return trouble
        width, height = self.settings.resolution
        w, h = (max(LEAST_PX, round(mm * self.settings.ppmm)) for mm in self.settings.roi_size)
        x, y = self.pointer or (width / 2, height / 2)
        roi = Rect(name, 0, 0, w, h).shifted(x - w / 2, y - h / 2, width, height)
        if self._change(self._with_own(*self.settings.own_rois, name).with_places([roi]), name):
            self.say(f"{name} is an ROI of your own; drag it; {self.settings.own_key} in config.ini may name it")
        return ""

    def delete(self) -> None:
        """Delete the selected ROI, if it is an own one that is not trained."""
        if trouble := self._is_fixed("deleted"):
            self._refuse(trouble)
            return
        name = self.selected
        rest = self._with_own(*(own for own in self.settings.own_rois if own != name)).without_place(name)
        if self._change(rest, rest.shown_rois()[0]):
            self.say(f"{name} is deleted; u brings it back")

    def reset(self) -> None:
        """Put the selected ROI back to its site, an own one to where its line has it."""
        if self.selected in self.settings.own_rois and self.selected.lower() not in getattr(self.as_read, "placed", {}):
            self._refuse(f"{self.selected} has no site to go back to; u undoes the last change, d deletes it")
        else:
            super().reset()

    def rename(self) -> None:
        """Ask for another name of the selected ROI, if it is an own one that is not trained."""
        if trouble := self._is_fixed("renamed"):
            self._refuse(trouble)
            return
        self.ask(f"new name of {self.selected}", self._rename)

    def _rename(self, name: str) -> str:
        if trouble := self._unfit(name):
            return trouble
        before, roi = self.selected, self.roi()
        roi.name = name
        renamed = self._with_own(*(name if own == before else own for own in self.settings.own_rois))
        if self._change(renamed.without_place(before).with_places([roi]), name):
            self.say(f"{before} is {name} now")
        return ""

    def reshape(self) -> None:
        """Make a circle of a rectangle, and a rectangle of a circle; a second time gives back the first one."""
        before = self.roi()
        made, of = self._reshaped.get(before.name, ((), before))
        after = of if made == before.place() else before.reshaped(*self.settings.resolution)
        self._reshaped[before.name] = after.place(), before
        if self._change(self.settings.with_places([after])):
            self.say(f"{after.name}: {describe_outline(after.place())}")

    def _with_own(self, *names: str) -> Any:
        return self.settings.model_copy(update={"own_rois": names})

    def _is_fixed(self, what: str) -> str:
        """Return why the selected ROI cannot be deleted or renamed; nothing where it can."""
        if self.selected in self.settings.roi_names():
            return f"{self.selected} is trained ({self.settings.own_key}), so it cannot be {what}"
        return ""

    def _unfit(self, name: str) -> str:
        """Return why an own ROI cannot have this name; nothing where it can."""
        taken = {known.lower() for known in (*self.settings.shown_rois(), *self.settings.seeds())}
        if not re.fullmatch(r"[a-z_]\w*", name):
            return f"'{name}' is no name: letters, digits and _, beginning with a letter"
        if name in taken:
            return f"{name} is the name of another ROI or of a site; choose another one"
        if name in type(self.settings).model_fields or f"{name}_dff" == self.settings.signal_column:
            return f"{name} is the name of a setting or a column; choose another one"
        return ""

    # How the cortex lies in the image

    def ask_bregma(self) -> None:
        """Ask for a click on bregma."""
        self.picking = Picking("click on bregma", self._set_bregma)

    def _set_bregma(self, at: Point) -> None:
        col, row = pixel(at)
        if self._change(self.settings.model_copy(update={"bregma": (float(row), float(col))})):
            self.say(f"bregma = {row}, {col} (row, col px){self._what_stays()}")

    def ask_lambda(self) -> None:
        """Ask for a click on lambda."""
        self.picking = Picking("click on lambda", self._set_angle)

    def _set_angle(self, at: Point) -> None:
        col, row = pixel(at)
        length_px = math.dist((row, col), self.settings.bregma)
        angle = round(self.settings.head().angle_by(col, row), 1)
        if length_px < LEAST_LENGTH_PX:
            self._refuse(
                f"lambda would be {length_px:.0f} px from bregma; at least {LEAST_LENGTH_PX:.0f} px are needed"
            )
        elif abs(angle) > LARGEST_ANGLE:
            self._refuse(
                f"the head would be turned by {angle:g} degrees from nose = {self.settings.nose}, and it may be by "
                f"{LARGEST_ANGLE:g}: click on lambda, or correct nose"
            )
        elif self._change(self.settings.model_copy(update={"head_angle": angle})):
            behind_mm = length_px / self.settings.ppmm
            self.say(f"head_angle = {angle:g} degrees; lambda is {behind_mm:.2f} mm behind bregma{self._what_stays()}")

    def ask_ruler(self) -> None:
        """Ask for two marks of a ruler, and for the mm between them."""
        self.ruler = []
        self.picking = Picking("click on a mark of the ruler", self._add_mark)

    def _add_mark(self, at: Point) -> None:
        self.ruler.append(at)
        if len(self.ruler) == 1:
            self.picking = Picking("click on another mark of the ruler, far away", self._add_mark)
        elif (length_px := math.dist(*self.ruler)) < LEAST_LENGTH_PX:
            self.ruler = []
            self._refuse(f"the marks are {length_px:.1f} px apart; at least {LEAST_LENGTH_PX:.0f} px are needed")
        else:
            self.ask(f"mm between the marks ({length_px:.1f} px)", self._set_scale)

    def _set_scale(self, text: str) -> str:
        try:
            ppmm = round(math.dist(*self.ruler) / float(text), 3)
        except (ValueError, ZeroDivisionError):
            return f"'{text}' is no length; type the mm between the marks, as in 5 or 2.5"
        if not LEAST_PPMM <= ppmm <= MOST_PPMM:
            return f"ppmm would be {ppmm:g} px/mm; it lies between {LEAST_PPMM:g} and {MOST_PPMM:g}: type mm"
        self.ruler = []
        if self._change(self.settings.model_copy(update={"ppmm": ppmm})):
            self.say(f"ppmm = {ppmm:g} px/mm{self._what_stays()}")
        return ""

    # The same place every day

    def take(self, frame: Frame) -> None:
        """Take the next frame; with the last of the picture of the vessels, everything is moved."""
        if self.same_place is None or not self.same_place.take(frame, self.settings) or self.same_place.found is None:
            return
        if not self.same_place.found.is_known:
            self._refuse(self.same_place.doubt())
        elif self._change(self.same_place.moved(self.settings)):
            self.say(f"{self.same_place.in_words()}; u undoes it")

    def take_again(self) -> None:
        """Take today's picture of the vessels anew: the head was moved, or the light has changed."""
        if self.same_place is None:
            self._refuse("no picture of the vessels is taken; registration = 1 does that")
        else:
            self.same_place.again()
            self.say("the picture of the vessels is taken anew")

    def toggle_blend(self) -> None:
        """Show or hide today's picture on that of the first day."""
        if self.same_place is None or self.same_place.found is None:
            self._refuse("there is no picture of a first day to compare with (registration)")
        else:
            self.shows_blend = not self.shows_blend

    def _cancel(self) -> bool:
        """Cancel what was begun, and ask where the registration is in doubt; return whether there was anything."""
        same_place = self.same_place
        if super()._cancel():
            return True
        if same_place is None:
            return False
        if same_place.today is None:
            self._refuse(f"not started: {same_place.in_words()}")
        elif doubt := same_place.doubt() or self._could_not_move():
            self.ask(f"{doubt}; start anyway? y", self._confirm)
        else:
            return False
        return True

    def _could_not_move(self) -> str:
        """Return why head and ROIs are not where they were found; nothing where they are, or it is confirmed."""
        same_place, start = self.same_place, cast(ClnfSettings, self.start)
        if same_place is None or same_place.confirmed or self.settings.bregma != start.bregma:
            return ""
        return next(iter(same_place.moved(self.settings).contradictions()), "")

    def _confirm(self, answer: str) -> str:
        """Take the answer of whoever wants to start in spite of a doubt."""
        assert self.same_place is not None
        if answer != "y":
            return "type y, then Enter"
        self.same_place.confirmed = True
        self.say("confirmed: Esc starts the session")
        return ""

    def _what_stays(self) -> str:
        """Say which ROIs do not move with their sites, because they were placed."""
        stay = [name for name in self.settings.roi_names() if name.lower() in self.settings.placed]
        return f"; {', '.join(stay)} stays where it was placed (r: to its site)" if stay else ""

    # What there is to read

    def hovered(self) -> str:
        """Return the site under the pointer and its mm; nothing where there is none."""
        if self.pointer is None:
            return ""
        x, y = self.pointer[0] - 0.5, self.pointer[1] - 0.5
        seeds = self.settings.seeds()
        name = min(seeds, key=lambda site: math.dist((x, y), (seeds[site]["ML"], seeds[site]["AP"])))
        if math.dist((x, y), (seeds[name]["ML"], seeds[name]["AP"])) * self._zoom > HOVER_PX:
            return ""
        return f"{name}: {in_words(*self.settings.site_mm(name))}"

    def pointer_line(self) -> str:
        """Return where the pointer is, px and mm from bregma."""
        if self.pointer is None:
            return ""
        x, y = pixel(self.pointer)
        site = f";  site {hovered}" if (hovered := self.hovered()) else ""
        return f"pointer  x {x}, y {y} px;  {in_words(*self.settings.head().to_mm(x, y))}{site}"

    def roi_lines(self) -> list[str]:
        """Return place, size, area and distance to its site of the selected ROI."""
        roi, ppmm = self.roi(), self.settings.ppmm
        left, top, right, bottom = roi.box()
        x, y = roi.centre()
        kind = "rectangle" if isinstance(roi, Rect) else "circle"
        left_mm, anterior_mm = self.settings.head().to_mm(x, y)
        n_pixels = roi.area() if isinstance(roi, Rect) else int(disc(roi.r).sum())
        lines = [
            f"{roi.name}  {kind}, {right - left:.0f} x {bottom - top:.0f} px, {(right - left) / ppmm:.2f} x "
            f"{(bottom - top) / ppmm:.2f} mm, area {n_pixels} px = {n_pixels / ppmm**2:.3f} mm2",
            f"centre  x {x:g}, y {y:g} px;  {in_words(left_mm, anterior_mm)}",
        ]
        if (site := self.settings.site_mm(roi.name)) is not None:
            lines[-1] += f";  {math.dist((left_mm, anterior_mm), site):.2f} mm from its site"
        return lines

    def warnings(self) -> list[str]:
        """Return what is odd about the places of the ROIs, in sentences."""
        found = (self._warnings_of(roi) for roi in self.rois() if roi.name in self.settings.roi_names())
        return [sentence for sentences in found for sentence in sentences]

    def _warnings_of(self, roi: Roi) -> list[str]:
        head, site = self.settings.head(), self.settings.site_mm(roi.name)
        at, found = head.to_mm(*roi.centre()), []
        if site is not None:
            far_mm = {name: math.dist(at, self.settings.site_mm(name)) for name in self.settings.seeds()}
            nearest = min(far_mm, key=far_mm.__getitem__)
            if far_mm[nearest] < far_mm[roi.name]:
                found.append(f"{roi.name} is nearer to {nearest} ({far_mm[nearest]:.2f} mm) than to its site")
        left, top, right, bottom = roi.box()
        sides = [head.to_mm(x - 0.5, y - 0.5)[0] for x in (left, right) for y in (top, bottom)]
        if min(sides) < 0 < max(sides):
            found.append(f"{roi.name} lies across the midline")
        elif site is not None and site[0] * at[0] < 0:
            found.append(f"{roi.name} lies in the other hemisphere")
        return found


def pixel(at: Point) -> tuple[int, int]:
    """Return the pixel x, y under a point."""
    return math.floor(at[0]), math.floor(at[1])
