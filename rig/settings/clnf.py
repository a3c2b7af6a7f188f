"""What the experiments on the cortex share (closed-loop neurofeedback): where the cortex lies, its ROIs and ΔF/F."""

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import Self

from rig.protocol.artefacts import BITS
from rig.protocol.haemodynamics import ByRoi, Haemodynamics
from rig.settings.camera import CameraSettings
from rig.settings.common import RigSettings
from rig.settings.fields import (
    CORTEX,
    PINS,
    TRIALS,
    BlueCoefficient,
    DffThreshold,
    Moved,
    NamesOrNone,
    Outline,
    Place,
    Site,
    Sites,
    SizeInMm,
    Vetoes,
    setting,
)
from rig.settings.head import LARGEST_ANGLE, Head, in_words
from rig.settings.sentences import nearest
from rig.settings.sites import STANDARD_SITES_MM
from roi_manager import Circle, Rect


class CortexSettings(CameraSettings):
    """Where the cortex lies in the image."""

    ppmm: float = setting(CORTEX, "scale of the image", "px/mm", gt=0, le=10000)
    bregma: Place = setting(CORTEX, "bregma in the image", "row, col px")
    nose: Literal["u", "d", "l", "r"] = setting(CORTEX, "where the nose points: up, down, left, right", default="u")
    head_angle: float = setting(
        CORTEX,
        "how far the head is turned from there, clockwise in the image; all sites turn with it",
        "degrees",
        0.0,
        ge=-LARGEST_ANGLE,
        le=LARGEST_ANGLE,
    )
    seeds_mm: Sites = setting(
        CORTEX,
        "cortical sites, lateral and anterior of bregma",
        'JSON {"name": {"ML": mm, "AP": mm}}',
        {name: Site(ML=ml, AP=ap) for name, (ml, ap) in STANDARD_SITES_MM.items()},
    )
    sim_head_moved: Moved = setting(
        CORTEX,
        "SimCameraStream: how the head lies otherwise than the settings say, to try what `registration` does",
        "right, down mm, clockwise degrees, scale",
        (0.0, 0.0, 0.0, 1.0),
    )

    def head(self) -> Head:
        """Return how the head lies in the image."""
        return Head(self.bregma, self.ppmm, self.nose, self.head_angle)

    def seeds(self) -> dict[str, dict[str, int]]:
        """Return {'SITE_L': {'ML': column, 'AP': row}, ...} in px."""
        return self.head().seeds({name: {"ML": site.ML, "AP": site.AP} for name, site in self.seeds_mm.items()})

    def site_mm(self, name: str) -> tuple[float, float] | None:
        """Return how far a site like M1_L lies left and anterior of bregma, mm; None if there is no such site."""
        site = self.seeds_mm.get(name[:-2]) if name[-2:] in ("_L", "_R") else None
        return None if site is None else (site.ML if name[-1] == "L" else -site.ML, site.AP)


class ClnfSettings(RigSettings, CortexSettings):
    """Closed-loop neurofeedback: ΔF/F of cortical ROIs."""

    scene: ClassVar[str] = "cortex"
    needs_colours: ClassVar[bool] = True
    has_baseline: ClassVar[bool] = True
    signal_column: ClassVar[str] = "roi_dff"
    threshold_column: ClassVar[str] = "rew_threshold"
    threshold_setting: ClassVar[str] = "reward_threshold"
    signal_unit: ClassVar[str] = "ΔF/F"
    place_form: ClassVar[str] = "x, y, w, h, four whole numbers (px); of a circle x, y of its centre, radius"

    dff_history: float = setting(CORTEX, "length of the ΔF/F baseline", "s", 6.0, gt=0, le=600)
    roi_size: SizeInMm = setting(CORTEX, "size of an ROI that was not placed by hand", "width, height mm", (0.3, 0.3))
    own_rois: NamesOrNone = setting(
        CORTEX, "names of ROIs of your own, which are no sites; each has a line with its place", "names", ()
    )
    blue_coefficient: BlueCoefficient = setting(
        CORTEX,
        "how much of blue ΔF/F is taken from green; with fit it is found for each ROI, over the baseline recording of "
        "the day or else the initial rest",
        "number, fit, or ROI NUMBER, ...",
        1.0,
    )
    reward_threshold: DffThreshold = setting(
        TRIALS,
        "a signal above it is a success; with auto:2 the one that the baseline of the day crosses twice per minute",
        "ΔF/F, auto:RATE",
    )
    veto: Vetoes = setting(
        TRIALS,
        "what vetoes a crossing: light (the whole window changes), movement (of the picture), pixels (of an ROI: "
        "saturated or black), paw (paw_pin is high); all of it is logged in any case",
        "light, movement, pixels, paw",
        (),
    )
    max_global_dff: float = setting(
        TRIALS, "veto = light: the change that the whole window shares may be this large", "ΔF/F", 0.02, gt=0, lt=10
    )
    max_movement_px: float = setting(
        TRIALS,
        "veto = movement: the picture may lie this far from where it was during the ΔF/F baseline",
        "px",
        0.5,
        gt=0,
        le=1.5,
    )
    paw_pin: int | None = setting(
        PINS, "input that is high while the mouse moves, from the behaviour rig", "pin", None, ge=0, le=40
    )
    spontaneous_rate: float = setting(
        TRIALS, "--baseline: suggest the threshold that is crossed this often", "1/min", 2.0, gt=0
    )
    registration: Literal["0", "1", "new"] = setting(
        CORTEX,
        "move sites and ROIs with the head, so that they lie as on the mouse's first day (docs/same_place.md): 0 no, "
        "1 yes, and a mouse without a first day has it today; new: today is the first day in any case",
        "0, 1, new",
        "0",
    )
    max_registration_mm: float = setting(
        CORTEX,
        "registration: with a larger error the session starts only after you have confirmed it",
        "mm",
        0.1,
        gt=0,
        le=10,
    )
    placed: dict[str, Outline] = Field(default_factory=dict, exclude=True)
    """ROIs placed by hand, {lower-case name: (x, y, w, h), or (x, y, r)} in px: lines like `m1_l = 76,114,8,8`."""

    def finds_places(self) -> bool:
        """Return whether the places of the ROIs are found anew in each session, by registration."""
        return self.registration != "0"

    def veto_bits(self) -> int:
        """Return the bits of the column `veto` that veto a crossing."""
        return sum(BITS[name] for name in self.veto)

    def input_pins(self) -> dict[str, int]:
        """Return {name: pin} of the inputs: of the lick sensor, and of the paw."""
        return super().input_pins() | ({} if self.paw_pin is None else {"paw": self.paw_pin})

    def history_frames(self) -> int:
        """Return how many frames the ΔF/F baseline spans."""
        return max(1, round(self.dff_history * self.framerate))

    def quiet_s(self) -> float:
        """Return how long a transient lowers the ΔF/F after it, s: as long as it is part of the baseline."""
        return self.dff_history

    def haemodynamics(self) -> Haemodynamics:
        """Return what is taken from green, for a session that begins."""
        return Haemodynamics(self.blue_coefficient, self.roi_names(), self.framerate, self.history_frames())

    def rule(self) -> Callable[[Mapping[str, float]], float]:
        """Return what makes the signal of {ROI: ΔF/F}."""
        raise NotImplementedError

    @classmethod
    def placeable(cls, values: Mapping[str, str]) -> set[str]:
        """Return the sites of seeds_mm, and the ROIs that the experiment and own_rois name."""
        names = re.findall(r"[^\W\d]\w*", f"{values.get(cls.own_key, '')} {values.get('own_rois', '')}")
        with contextlib.suppress(json.JSONDecodeError):  # reported where the value itself is checked
            sites = json.loads(values["seeds_mm"]) if "seeds_mm" in values else STANDARD_SITES_MM
            names += [f"{name}_{side}" for name in sites for side in "LR"] if isinstance(sites, dict) else []
        return {name.lower() for name in names}

    def roi_names(self) -> list[str]:
        """Return the ROIs of the experiment, in order."""
        raise NotImplementedError

    def light_rois(self) -> list[Rect | Circle]:
        """Return the ROIs of the experiment, in order."""
        return [self.make_roi(name) for name in self.roi_names()]

    def shown_rois(self) -> list[str]:
        """Return the names of the ROIs that the preview shows: those of the experiment, and those of the user."""
        return list(dict.fromkeys([*self.roi_names(), *self.own_rois]))

    def make_roi(self, name: str, color: Sequence[int] = (0, 0, 255)) -> Rect | Circle:
        """Return an ROI where it was placed, else centred on its site."""
        numbers = self.roi_box(name)
        return Rect(name, *numbers, color) if len(numbers) == 4 else Circle(name, *numbers, color)

    def without_place(self, name: str, as_read: Self | None = None) -> Self:
        """Return these settings with an ROI back at its site; an own one, which has none, where `as_read` has it."""
        left = {key: place for key, place in self.placed.items() if key != name.lower()}
        if as_read is not None and name in self.own_rois and name.lower() in as_read.placed:
            left[name.lower()] = as_read.placed[name.lower()]
        return self.model_copy(update={"placed": left})

    def describe_place(self, name: str) -> str:
        """Return where an ROI is, and how far from its site, mm."""
        roi, site = self.make_roi(name), self.site_mm(name)
        if site is None:
            where = in_words(*self.head().to_mm(*roi.centre()))
        elif name.lower() not in self.placed:
            where = "at its site"
        else:
            where = f"{math.dist(self.head().to_mm(*roi.centre()), site):.2f} mm from its site"
        return f"{where} ({describe_outline(roi.place())})"

    def placed_under(self, name: str) -> tuple[str, ...]:
        """Return the settings that decide where an ROI is without a place of its own."""
        return (*super().placed_under(name), "bregma", "ppmm", "nose", "head_angle", "roi_size")

    def roi_box(self, name: str) -> Outline:
        """Return x, y, w, h, or x, y, r of a circle, in px: where the ROI was placed, else centred on its site."""
        if name.lower() in self.placed:
            return self.placed[name.lower()]
        site = self.seeds()[name]
        w, h = (max(1, round(mm * self.ppmm)) for mm in self.roi_size)
        return math.floor(site["ML"] - w / 2), math.floor(site["AP"] - h / 2), w, h

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid by itself but not together with the others."""
        yield from super().contradictions()
        yield from self._names_that_collide()
        yield from self._own_names_that_cannot_be()
        if "paw" in self.veto and self.paw_pin is None:
            yield "veto = paw: no line says whether the paw moves; set paw_pin, or leave paw out"
        yield from self._blue_that_cannot_be()
        seeds = self.seeds()
        for name in self.shown_rois():
            if name in seeds or name.lower() in self.placed:
                yield from self._misplaced(name)
            elif name in self.own_rois:
                yield f"own_rois: {name} has no place; add a line {name.lower()} = x, y, w, h (px)"
            else:
                yield f"{self._value()}: {self._no_such_site(name)}"

    def _no_such_site(self, name: str) -> str:
        """Say that an ROI has no place, and what is meant by its name."""
        near = nearest(name, self.seeds())
        return f"there is no such site as {name}{near}; sites are the names of seeds_mm with _L or _R"

    def _names_that_collide(self) -> Iterable[str]:
        """Yield a sentence for every site or ROI whose name cannot be told from another one."""
        for site in self.seeds_mm:
            if not re.fullmatch(r"\w[\w-]*", site):
                yield f"seeds_mm: the site {site!r} must have a name of letters, digits, '_' and '-'"
        roi_names = self.shown_rois()
        named = list(dict.fromkeys([*self.seeds(), *roi_names]))
        for one, other in combinations(named, 2):
            if one.lower() == other.lower():
                yield f"{one} and {other} differ only in case; config.ini has one line for both: rename one of them"
        for name in named:
            if name.lower() in type(self).model_fields:
                yield f"{name}: no site and no ROI may be called like the setting {name.lower()}; rename it"
        for name in roi_names:
            if f"{name}_dff".lower() == self.signal_column:
                yield f"{self._value()}: no ROI may be called {name}; {self.signal_column} is the column of the rule"
            if name.lower() == "global":
                yield f"{self._value()}: no ROI may be called {name}; global_dff is the column of the whole window"

    def _own_names_that_cannot_be(self) -> Iterable[str]:
        """Yield a sentence for every name of own_rois that no own ROI may have."""
        seeds = self.seeds()
        for name in self.own_rois:
            if not re.fullmatch(r"[^\W\d]\w*", name):
                yield f"own_rois: {name!r} must be a name of letters, digits and '_', beginning with a letter"
            if name in seeds:
                yield f"own_rois: {name} is a site; choose another name"

    def _blue_that_cannot_be(self) -> Iterable[str]:
        """Yield a sentence where an ROI has no coefficient."""
        given = self.blue_coefficient
        if (
            isinstance(given, ByRoi)
            and not given.is_to_fit
            and (absent := set(self.roi_names()) - dict(given.of).keys())
        ):
            yield (
                f"blue_coefficient = {given}: {' and '.join(sorted(absent))} has no number; give one for each ROI, or "
                "one for all"
            )

    def _misplaced(self, name: str) -> Iterable[str]:
        width, height = self.resolution
        if min(self.roi_size) * self.ppmm < 0.5 and name.lower() not in self.placed:
            yield (
                f"roi_size = {self.roi_size[0]:g}, {self.roi_size[1]:g} mm: smaller than a pixel at "
                f"ppmm = {self.ppmm:g} px/mm; make the ROI larger"
            )
        roi = self.make_roi(name)
        left, top, right, bottom = roi.box()
        if left < 0 or top < 0 or right <= left or bottom <= top or right > width or bottom > height:
            yield (
                f"{self._value()}: the ROI {name} at {describe_outline(roi.place())} does not lie in the image of "
                f"{width} x {height} px; correct bregma, ppmm, roi_size or the line {name.lower()}"
            )

    def _value(self) -> str:
        return f"{self.own_key} = {getattr(self, self.own_key)}"


def describe_outline(place: Sequence[int]) -> str:
    """Return a place in words: x, y, w, h of a rectangle, x, y, r of a circle."""
    return f"x, y, {'w, h' if len(place) == 4 else 'r'} = {', '.join(map(str, place))} px"
