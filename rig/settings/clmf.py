"""Settings of behavior/cla_dlc_trials_speed.py (closed-loop movement feedback): the speed of a body part."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import Self

from rig.settings.common import RigSettings
from rig.settings.fields import PAW, TRIALS, Centre, Millimetres, Model, Place, setting
from roi_manager import Circle

CIRCLES = frozenset({"start_roi", "target_roi"})
MM_COLUMN = "cj_speed_mm_s"
STEP_PX, STEP_MM_S = 2.0, 20.0  # of the adaptive threshold, px/frame and mm/s


class ClmfSettings(RigSettings):
    """The speed of a body part is trained."""

    section: ClassVar[str] = "sentech_dlclive"
    label: ClassVar[str] = "CLMF"
    own_key: ClassVar[str] = "control_point"
    # A Jetson is wired differently from a Raspberry Pi, and its camera sees a paw, not a cortex: a forgotten line must
    # not give it the pins and the scale of the other.
    must_be_given: ClassVar[frozenset[str]] = frozenset(
        {"pin_numbering", "reward_pin", "fail_pin", "light_pin", "trigger_pin"}
        | {"trigger_stop_edge", "reward_s", "tail_dur", "ppmm"}
    )
    scene: ClassVar[str] = "paws"
    waits_for: ClassVar[str] = "the paw"
    threshold_column: ClassVar[str] = "speed_threshold"
    threshold_setting: ClassVar[str] = "speed_threshold"
    place_form: ClassVar[str] = "x, y of its centre, two whole numbers (px)"

    pose: Literal["dlclive", "simulated"] = setting(PAW, "what finds the body parts", "", "dlclive")
    dlc_model_path: Model = setting(
        PAW, "model of DeepLabCut: an .onnx file, a .pt file, or a TensorFlow folder", "path"
    )
    dlc_resize: float = setting(
        PAW, "the image is scaled by this factor before the model sees it", "factor", 1.0, gt=0, le=4
    )
    dlc_device: Literal["auto", "cpu", "cuda", "tensorrt"] = setting(PAW, "where a .pt or .onnx model runs", "", "auto")
    control_point: str = setting(PAW, "the body part that is trained", "body part of the model")
    min_likelihood: float = setting(
        PAW, "a control point less likely than this earns nothing and changes no tone", "0..1", 0.5, ge=0, le=1
    )
    max_jump_px: float = setting(
        PAW, "a control point that moves further than this in one frame earns nothing either", "px/frame", 100.0, gt=0
    )
    ppmm: float = setting(PAW, "scale of the image", "px/mm", gt=0, le=10000)
    start_center: Place = setting(PAW, "centre of the start circle", "x, y px")
    start_radius_mm: Millimetres = setting(PAW, "radius of the start circle", "mm")
    target_center: Place = setting(PAW, "centre of the target circle", "x, y px")
    target_radius_mm: Millimetres = setting(PAW, "radius of the target circle", "mm")
    speed_unit: Literal["px/frame", "mm/s"] = setting(
        TRIALS, "unit of the speed that is trained, and of its threshold", "", "px/frame"
    )
    speed_threshold: float = setting(TRIALS, "a speed above it is a success", "px/frame, mm/s", gt=0, le=10000)
    trial_start: Literal["stable", "start_roi", "immediate"] = setting(
        TRIALS, "a trial begins when the control point is still, is in the start circle, or at once", "", "stable"
    )
    joint_history_sec: float = setting(
        TRIALS, "trial_start = stable: time over which the mean speed must be below 1 px/frame", "s", gt=0, le=600
    )
    placed: dict[str, Centre] = Field(default_factory=dict, exclude=True)
    """Circles placed in the window, {'start_roi': (x, y)} in px: lines like `start_roi = 590,110`."""

    @property
    def is_in_mm(self) -> bool:
        """Whether the speed is in mm/s."""
        return self.speed_unit == "mm/s"

    @property
    def signal_unit(self) -> str:  # type: ignore[override]
        """The unit of the speed."""
        return self.speed_unit

    @property
    def signal_column(self) -> str:  # type: ignore[override]
        """The column with the speed in this unit."""
        return MM_COLUMN if self.is_in_mm else "cj_speed"

    @property
    def threshold_step(self) -> float:
        """The step of the adaptive threshold, and the least that it falls to, in this unit."""
        return STEP_MM_S if self.is_in_mm else STEP_PX

    @classmethod
    def placeable(cls, values: Mapping[str, str]) -> set[str]:  # noqa: ARG003 - as the others
        """Return the two circles."""
        return set(CIRCLES)

    def shown_rois(self) -> list[str]:
        """Return the two circles."""
        return ["start_roi", "target_roi"]

    def make_roi(self, name: str, color: Sequence[int] = (0, 200, 0)) -> Circle:
        """Return a circle where it is now."""
        return Circle(name, *self.circle(name), color)

    def with_places(self, rois: Iterable[Any]) -> Self:
        """Return these settings with the circles where they are and as large as they are now."""
        circles = list(rois)
        resized = [c for c in circles if c.r != self.circle(c.name)[2]]
        radii = {f"{c.name.removesuffix('_roi')}_radius_mm": round(c.r / self.ppmm, 4) for c in resized}
        placed = self.placed | {c.name: (c.x, c.y) for c in circles}
        return self.model_copy(update={"placed": placed} | radii)

    def without_place(self, name: str, as_read: Self | None = None) -> Self:
        """Return these settings with a circle at the centre that they say, as large as `as_read` has it."""
        key = f"{name.removesuffix('_roi')}_radius_mm"
        placed = {circle: at for circle, at in self.placed.items() if circle != name}
        return self.model_copy(update={"placed": placed, key: getattr(as_read or self, key)})

    def place_keys(self, name: str) -> tuple[str, ...]:
        """Return the setting that says where a circle is."""
        return (f"{name.removesuffix('_roi')}_center",)

    def describe_place(self, name: str) -> str:
        """Return where a circle is, and how far from the centre that the settings say."""
        x, y, r = self.circle(name)
        key = self.place_keys(name)[0]
        distance_mm = math.dist((x, y), getattr(self, key)) / self.ppmm
        return f"{distance_mm:.1f} mm from {key} (x, y, r = {x}, {y}, {r} px)"

    def placed_under(self, name: str) -> tuple[str, ...]:
        """Return the settings that decide where a circle is without a place of its own, and how large."""
        which = name.removesuffix("_roi")
        return (*super().placed_under(name), "ppmm", f"{which}_center", f"{which}_radius_mm")

    def circle(self, name: str) -> tuple[int, int, int]:
        """Return x, y, r in px of 'start_roi' or 'target_roi': where it was placed, else as the settings say."""
        which = name.removesuffix("_roi")
        x, y = self.placed.get(name, getattr(self, f"{which}_center"))
        return round(x), round(y), max(1, round(getattr(self, f"{which}_radius_mm") * self.ppmm))

    def further_values(self) -> dict[str, str]:
        """Return the radii in px, as summaries of the original have them."""
        return {f"{which}_radius": str(self.circle(f"{which}_roi")[2]) for which in ("start", "target")}

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for every setting that is valid by itself but not together with the others."""
        yield from super().contradictions()
        width, height = self.resolution
        for name in sorted(CIRCLES):
            x, y, r = self.circle(name)
            if x < r or y < r or x + r >= width or y + r >= height:
                yield (
                    f"{name}: the circle at x, y = {x}, {y} px with the radius {r} px does not lie in the image of "
                    f"{width} x {height} px; correct {name.removesuffix('_roi')}_center, its radius, or the line {name}"
                )
        fastest = self.max_jump_px * (self.framerate / self.ppmm if self.is_in_mm else 1)
        if self.speed_threshold >= fastest:
            in_mm = f" (here {fastest:.4g} mm/s)" if self.is_in_mm else ""
            yield (
                f"speed_threshold = {self.speed_threshold:g}: nothing can be earned, because faster than "
                f"max_jump_px = {self.max_jump_px:g} px/frame{in_mm} counts as a jump; lower one or raise the other"
            )
        if self.pose == "dlclive" and not self.dlc_model_path.exists():
            yield f"dlc_model_path = {self.dlc_model_path}: there is no such model; name a model"
        if self.dlc_device == "tensorrt" and self.dlc_model_path.suffix != ".onnx":
            yield (
                "dlc_device = tensorrt: only a model in an .onnx file runs on TensorRT; make one with "
                "tools/export_onnx.py, or set dlc_device = cuda"
            )
