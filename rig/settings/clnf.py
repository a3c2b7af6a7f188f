"""What the experiments on the cortex share (closed-loop neurofeedback): where the cortex lies, its ROIs and ΔF/F."""

import contextlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import ClassVar, Literal

from pydantic import Field

from helper import Position, generate_seeds
from rig.settings.common import CameraSettings, RigSettings
from rig.settings.fields import CORTEX, TRIALS, Box, Place, Site, Sites, SizeInMm, setting
from rig.settings.sentences import nearest
from rig.settings.sites import STANDARD_SITES_MM


class CortexSettings(CameraSettings):
    """Where the cortex lies in the image."""

    ppmm: float = setting(CORTEX, "scale of the image", "px/mm", gt=0, le=10000)
    bregma: Place = setting(CORTEX, "bregma in the image", "row, col px")
    nose: Literal["u", "d", "l", "r"] = setting(CORTEX, "where the nose points: up, down, left, right", default="u")
    seeds_mm: Sites = setting(
        CORTEX,
        "cortical sites, lateral and anterior of bregma",
        'JSON {"name": {"ML": mm, "AP": mm}}',
        {name: Site(ML=ml, AP=ap) for name, (ml, ap) in STANDARD_SITES_MM.items()},
    )

    def seeds(self) -> dict[str, dict[str, int]]:
        """Return {'SITE_L': {'ML': column, 'AP': row}, ...} in px."""
        sites = {name: {"ML": site.ML, "AP": site.AP} for name, site in self.seeds_mm.items()}
        return generate_seeds(Position(*self.bregma), sites, self.ppmm, self.nose)


class ClnfSettings(RigSettings, CortexSettings):
    """Closed-loop neurofeedback: ΔF/F of cortical ROIs."""

    scene: ClassVar[str] = "cortex"
    has_baseline: ClassVar[bool] = True
    signal_column: ClassVar[str] = "roi_dff"
    threshold_column: ClassVar[str] = "rew_threshold"
    threshold_setting: ClassVar[str] = "reward_threshold"
    signal_unit: ClassVar[str] = "ΔF/F"
    place_form: ClassVar[str] = "x, y, w, h, four whole numbers (px)"

    dff_history: float = setting(CORTEX, "length of the ΔF/F baseline", "s", 6.0, gt=0, le=600)
    roi_size: SizeInMm = setting(CORTEX, "size of an ROI that was not placed by hand", "width, height mm", (0.3, 0.3))
    reward_threshold: float = setting(TRIALS, "a signal above it is a success", "ΔF/F", gt=0, lt=10)
    spontaneous_rate: float = setting(
        TRIALS, "--baseline: suggest the threshold that is crossed this often", "1/min", 2.0, gt=0
    )
    placed: dict[str, Box] = Field(default_factory=dict, exclude=True)
    """ROIs placed in the window, {lower-case name: (x, y, w, h)} in px: lines like `m1_l = 76,114,8,8`."""

    def history_frames(self) -> int:
        """Return how many frames the ΔF/F baseline spans."""
        return max(1, round(self.dff_history * self.framerate))

    @classmethod
    def placeable(cls, values: Mapping[str, str]) -> set[str]:
        """Return the sites of seeds_mm and the ROIs that the experiment names."""
        names = re.findall(r"[^\W\d]\w*", values.get(cls.own_key, ""))
        with contextlib.suppress(json.JSONDecodeError):  # reported where the value itself is checked
            sites = json.loads(values["seeds_mm"]) if "seeds_mm" in values else STANDARD_SITES_MM
            names += [f"{name}_{side}" for name in sites for side in "LR"] if isinstance(sites, dict) else []
        return {name.lower() for name in names}

    def roi_names(self) -> list[str]:
        """Return the ROIs of the experiment, in order."""
        raise NotImplementedError

    def light_boxes(self) -> dict[str, Box]:
        """Return {name: (x, y, w, h) px} of the ROIs."""
        return {name: self.roi_box(name) for name in self.roi_names()}

    def roi_box(self, name: str) -> Box:
        """Return x, y, w, h in px: where the ROI was placed, else centred on its site."""
        if name.lower() in self.placed:
            return self.placed[name.lower()]
        site = self.seeds()[name]
        w, h = (max(1, round(mm * self.ppmm)) for mm in self.roi_size)
        return math.floor(site["ML"] - w / 2), math.floor(site["AP"] - h / 2), w, h

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid by itself but not together with the others."""
        yield from super().contradictions()
        yield from self._names_that_collide()
        seeds = self.seeds()
        for name in self.roi_names():
            if name in seeds or name.lower() in self.placed:
                yield from self._misplaced(name)
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
        roi_names = self.roi_names()
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

    def _misplaced(self, name: str) -> Iterable[str]:
        width, height = self.resolution
        if min(self.roi_size) * self.ppmm < 0.5 and name.lower() not in self.placed:
            yield (
                f"roi_size = {self.roi_size[0]:g}, {self.roi_size[1]:g} mm: smaller than a pixel at "
                f"ppmm = {self.ppmm:g} px/mm; make the ROI larger"
            )
        x, y, w, h = self.roi_box(name)
        if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
            yield (
                f"{self._value()}: the ROI {name} at x, y, w, h = {x}, {y}, {w}, {h} px does not lie in the image of "
                f"{width} x {height} px; correct bregma, ppmm, roi_size or the line {name.lower()}"
            )

    def _value(self) -> str:
        return f"{self.own_key} = {getattr(self, self.own_key)}"
