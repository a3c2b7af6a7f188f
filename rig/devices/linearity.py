"""Does the picture follow the light?  A still scene at exposures t, 2t and 4t must give means of 1 : 2 : 4."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from rig.devices.frames import COLOURS, Frame
from rig.errors import CameraError
from roi_manager import Circle, Rect

SHORTEST_US = 1  # the camera takes the shortest exposure that it can do instead
STEPS = (1, 2, 4)
FRAMES = 15  # averaged at each exposure: noise, and the breath of an animal that lies still
TOLERANCE = 0.02
LEAST_LIGHT = 20.0  # of 255 at the longest exposure: with less, steps of 8 bits are too coarse to tell
MOST_SATURATED, SATURATED = 0.01, 255  # share of the pixels that may be at 255
WHOLE_IMAGE = "image"


class Camera(Protocol):
    """What is measured; see `CameraFactory`."""

    def read(self) -> Frame | None:
        """Return the next frame."""

    def expose(self, exposure_us: int) -> float:
        """Change the exposure; return that of the frames from now on, µs."""


class Row(NamedTuple):
    """One colour of one place.

    Attributes
    ----------
    place, colour : str
    dark : float
        What is left without exposure, of 255.
    light : tuple of float
        Means above the dark at the exposures of `STEPS`.
    ratios : tuple of float
        Of `light` to the first, per ratio of the exposures, times `STEPS`: 1, 2, 4 where the picture follows the light.
    unfit : str
        Why this colour says nothing; "" where it does.
    """

    place: str
    colour: str
    dark: float
    light: tuple[float, ...]
    ratios: tuple[float, ...]
    unfit: str

    @property
    def deviation(self) -> float:
        """How far the worst ratio is off, 0.02 for 2 %."""
        return max(abs(ratio / step - 1) for ratio, step in zip(self.ratios, STEPS, strict=True))


def measure(camera: Camera, longest_us: int, rois: Sequence[Rect | Circle]) -> list[Row]:
    """Take a still scene at exposures t, 2t and 4t, and at the shortest one for what there is without light.

    Parameters
    ----------
    camera : Camera
    longest_us : int
        4t, and the exposure that the camera is left with.
    rois : sequence of Rect or Circle
        The places that are measured; the whole image without any.

    Returns
    -------
    list of Row
        For each place blue, green and red, or grey.

    Raises
    ------
    CameraError
        The camera cannot change its exposure.
    """
    exposures_us, seen = [], []
    for exposure_us in (SHORTEST_US, *(longest_us * step // STEPS[-1] for step in STEPS)):
        exposures_us.append(camera.expose(exposure_us))
        seen.append(average(camera, rois))
    if exposures_us[1] <= exposures_us[0]:
        raise CameraError(
            f"shutter_speed = {longest_us}: the camera cannot expose for a quarter of it; set a longer one"
        )
    return [
        judge(place, name, exposures_us, [each[place].mean[i] for each in seen], seen[-1][place].saturated[i])
        for place in seen[-1]
        for i, name in enumerate(COLOURS[len(seen[-1][place].mean)])
    ]


class Seen(NamedTuple):
    """Mean, and share of pixels at 255, of each channel; (channels,) each."""

    mean: np.ndarray
    saturated: np.ndarray


def average(camera: Camera, rois: Sequence[Rect | Circle]) -> dict[str, Seen]:
    """Return what there is to see in each place, averaged over a few frames."""
    found: dict[str, list[Seen]] = {}
    for _ in range(FRAMES):
        if (frame := camera.read()) is None:
            raise CameraError("the recording has ended; take a camera")
        for place, pixels in cut(frame.image, rois).items():
            seen = Seen(pixels.mean(axis=(0, 1)), (pixels == SATURATED).mean(axis=(0, 1)))
            found.setdefault(place, []).append(seen)
    return {place: Seen(*np.mean(each, axis=0)) for place, each in found.items()}


def cut(image: np.ndarray, rois: Sequence[Rect | Circle]) -> dict[str, np.ndarray]:
    """Return the pixels of each place, or of the whole image."""
    if not rois:
        return {WHOLE_IMAGE: image}
    return {roi.name: roi.crop(image) for roi in rois}


def judge(place: str, colour: str, exposures_us: Sequence[float], means: Sequence[float], saturated: float) -> Row:
    """Return the row of a colour; the first exposure is the shortest, and stands for the dark."""
    times_us, light = np.subtract(exposures_us[1:], exposures_us[0]), np.subtract(means[1:], means[0])
    per_time = light / times_us
    ratios = per_time / per_time[0] * STEPS if light[0] > 0 else np.zeros(len(STEPS))
    unfit = ""
    if means[-1] < LEAST_LIGHT:
        unfit = f"too dark: {means[-1]:.1f} of 255"
    elif saturated > MOST_SATURATED:
        unfit = f"saturated: {100 * saturated:.1f} % of the pixels"
    dark = max(0.0, means[0] - per_time[-1] * exposures_us[0])
    return Row(place, colour, dark, tuple(light.tolist()), tuple(ratios.tolist()), unfit)


def verdict(rows: Sequence[Row]) -> tuple[bool, str]:
    """Return whether the picture follows the light, and a sentence on the worst deviation."""
    for row in rows:
        if row.unfit.startswith("saturated"):
            return False, f"{row.place} is {row.unfit} in {row.colour}; lower light, shutter_speed or iso"
    fit = [row for row in rows if not row.unfit]
    if not fit:
        return False, "every colour is too dark to tell; give more light, without saturating"
    worst = max(fit, key=lambda row: row.deviation)
    found = f"{100 * worst.deviation:.1f} % off 1 : 2 : 4 ({worst.colour} of {worst.place})"
    if worst.deviation <= TOLERANCE:
        return True, f"the picture follows the light: at most {found}, allowed are {100 * TOLERANCE:g} %"
    return False, f"the picture does not follow the light: {found}; keep scene and light still, and set linear = 1"
