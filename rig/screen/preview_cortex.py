"""CLNF: the ROIs, and the preview in which they are placed over their sites."""

from collections import deque
from collections.abc import Mapping
from itertools import cycle

import cv2
import numpy as np

from rig.devices.frames import Frame
from rig.devices.image_check import levels, roi_trouble
from rig.protocol.dff import RoiHistory, dff_map
from rig.screen.drawing import (
    BLUE,
    GREEN,
    RED,
    SAYS_CURVE,
    STRIP_HEIGHT,
    WHITE,
    YELLOW,
    caption,
    enlarge,
    for_the_eye,
    show_brightness,
    show_lick,
)
from rig.settings.clnf import ClnfSettings
from roi_manager import Rect, annots, write_name

COLORS = ((0, 0, 255), (255, 200, 0), (0, 255, 255), (255, 0, 255), (0, 160, 255))  # of the ROIs, BGR
MOST_FRAMES = 100  # of the map's baseline: whole frames take memory
MAP_FULL_SCALE, MAP_BLUR_PX = 0.05, 2.0
BRIGHTNESS_FRAMES = 150


def make_rois(settings: ClnfSettings) -> list[Rect]:
    """Return the ROIs of the experiment where the settings say."""
    names = zip(settings.roi_names(), cycle(COLORS), strict=False)
    return [Rect(name, *settings.roi_box(name), color) for name, color in names]


def color_dff(dff: np.ndarray, full_scale: float) -> np.ndarray:
    """Return ΔF/F (height, width) as a picture BGR: blue to red from -full_scale to full_scale."""
    grey = cv2.convertScaleAbs(np.clip(dff / full_scale * 127.5 + 127.5, 0, 255))
    return cv2.applyColorMap(grey, cv2.COLORMAP_JET)


def mark_seeds(
    canvas: np.ndarray, scale: float, seeds: Mapping[str, Mapping[str, int]], bregma: tuple[float, float]
) -> None:
    """Mark every site, and bregma with a cross; bregma is row, col."""
    for seed in seeds.values():
        at = round((seed["ML"] + 0.5) * scale), round((seed["AP"] + 0.5) * scale)
        cv2.circle(canvas, at, 2, WHITE, -1, cv2.LINE_AA)
    centre = round((bregma[1] + 0.5) * scale), round((bregma[0] + 0.5) * scale)
    cv2.drawMarker(canvas, centre, YELLOW, cv2.MARKER_CROSS, 12, 2)


def show_levels(canvas: np.ndarray, placing: annots, max_saturated: float) -> None:
    """Write below each ROI how bright it is in green and in blue, in red where nothing can be measured with that."""
    for roi in placing.rois.values():
        if not isinstance(roi, Rect):
            continue
        level = levels(placing.image, roi)
        color = RED if roi_trouble(placing.image, roi, max_saturated) else WHITE
        at = round(roi.x * placing.scale), round((roi.y + roi.h) * placing.scale) + 14
        write_name(canvas, f"green {level['green'].mean:.0f}, blue {level['blue'].mean:.0f}", at, color)


class CortexPreview:
    """Live frame and ΔF/F map side by side, sites and bregma, brightness of blue and green, also in each ROI, licks.

    Parameters
    ----------
    settings : ClnfSettings
    """

    def __init__(self, settings: ClnfSettings) -> None:
        self._settings = settings
        self._history = RoiHistory(min(settings.history_frames(), MOST_FRAMES))
        self._blue: deque[float] = deque(maxlen=BRIGHTNESS_FRAMES)
        self._green: deque[float] = deque(maxlen=BRIGHTNESS_FRAMES)
        self._dff = np.zeros(0)

    def take(self, frame: Frame) -> None:
        """Take the next frame."""
        self._dff = dff_map(frame.image, self._history.baseline())
        self._history.append(frame.image)
        self._blue.append(float(frame.image[..., 0].mean()))
        self._green.append(float(frame.image[..., 1].mean()))

    def draw(self, placing: annots, licked: bool, is_linear: bool | None) -> np.ndarray:
        """Return the picture of now, (height, width, 3) uint8 BGR."""
        live = enlarge(for_the_eye(placing.image, is_linear), placing.scale)
        # Averaged over neighbours, only for the eye: shot noise hides the sites otherwise.
        smooth = cv2.GaussianBlur(self._dff, (0, 0), MAP_BLUR_PX)
        map_view = enlarge(color_dff(smooth, MAP_FULL_SCALE), placing.scale)
        seeds = self._settings.seeds()
        for view in (live, map_view):
            mark_seeds(view, placing.scale, seeds, self._settings.bregma)
            placing.draw(view)
        show_levels(live, placing, self._settings.max_saturated)
        percent = round(100 * MAP_FULL_SCALE)
        hint = "drag an ROI to move it, its corner to resize it; Esc starts the session"
        caption(live, *([hint, SAYS_CURVE] if is_linear else [hint]))
        caption(map_view, f"dF/F, green - blue, blurred: blue -{percent} %, red +{percent} %")
        h, w = live.shape[:2]
        canvas = np.zeros((h + STRIP_HEIGHT, 2 * w + 8, 3), np.uint8)
        canvas[:h, :w], canvas[:h, w + 8 :] = live, map_view
        peaks = placing.image.max(axis=(0, 1))
        show_brightness(canvas, "blue", self._blue, int(peaks[0]), h + 8, BLUE)
        show_brightness(canvas, "green", self._green, int(peaks[1]), h + 58, GREEN)
        show_lick(canvas, licked)
        return canvas
