"""CLNF: the ROIs, and the preview in which they are placed over their sites."""

from collections import deque
from collections.abc import Mapping
from itertools import cycle

import cv2
import numpy as np

from rig.devices.frames import Frame
from rig.devices.image_check import levels, roi_trouble
from rig.devices.same_place import blended
from rig.protocol.dff import RoiHistory, dff_map
from rig.screen.drawing import (
    BAR_HEIGHT,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    RED,
    SAYS_CURVE,
    WHITE,
    YELLOW,
    caption,
    caption_bar,
    enlarge,
    for_the_eye,
    scale_for,
    show_brightness,
    show_help,
    show_lick,
    show_pointer,
    write_shadowed,
    write_within,
)
from rig.screen.editor import COLORS
from rig.screen.editor_cortex import CortexEditor
from rig.settings.clnf import ClnfSettings
from roi_manager import Circle, Rect, annots, draw_handles

GAP, INFO_HEIGHT, LINE_HEIGHT = 8, 112, 19  # px of the window
MOST_FRAMES = 100  # of the map's baseline: whole frames take memory
MAP_FULL_SCALE, MAP_BLUR_PX = 0.05, 2.0
BRIGHTNESS_FRAMES = 150
SITE_SIZE = 0.3  # of the letters
SAYS_BLEND = "both days: magenta only on the first, green only today, grey where alike"


def make_rois(settings: ClnfSettings) -> list[Rect | Circle]:
    """Return the ROIs of the experiment where the settings say."""
    return [settings.make_roi(name, color) for name, color in zip(settings.roi_names(), cycle(COLORS), strict=False)]


def color_dff(dff: np.ndarray, full_scale: float) -> np.ndarray:
    """Return ΔF/F (height, width) as a picture BGR: blue to red from -full_scale to full_scale."""
    grey = cv2.convertScaleAbs(np.clip(dff / full_scale * 127.5 + 127.5, 0, 255))
    return cv2.applyColorMap(grey, cv2.COLORMAP_JET)


def mark_seeds(
    canvas: np.ndarray, scale: float, seeds: Mapping[str, Mapping[str, int]], bregma: tuple[float, float]
) -> None:
    """Mark every site with its name, and bregma with a cross; bregma is row, col."""
    names: dict[tuple[int, int], list[str]] = {}  # on the midline, left and right are one place
    for name, seed in seeds.items():
        names.setdefault((seed["ML"], seed["AP"]), []).append(name)
    for (column, row), here in names.items():
        at = round((column + 0.5) * scale), round((row + 0.5) * scale)
        cv2.circle(canvas, at, 2, WHITE, -1, cv2.LINE_AA)
        write_shadowed(canvas, ", ".join(here), (at[0] + 4, at[1] + 3), size=SITE_SIZE)
    centre = round((bregma[1] + 0.5) * scale), round((bregma[0] + 0.5) * scale)
    for color, size, thickness in ((BLACK, 14, 4), (YELLOW, 12, 2)):
        cv2.drawMarker(canvas, centre, color, cv2.MARKER_CROSS, size, thickness)


def show_levels(canvas: np.ndarray, placing: annots, max_saturated: float) -> None:
    """Write below each ROI how bright it is in green and in blue, in red where nothing can be measured with that."""
    for roi in placing.rois.values():
        if roi.crop(placing.image).size == 0:
            continue  # it is being drawn
        level = levels(placing.image, roi)
        color = RED if roi_trouble(placing.image, roi, max_saturated) else WHITE
        left, _, _, bottom = roi.box()
        at = round(left * placing.scale), round(bottom * placing.scale) + 14
        write_shadowed(canvas, f"green {level['green'].mean:.0f}, blue {level['blue'].mean:.0f}", at, color)


class CortexPreview:
    """Live frame and ΔF/F map side by side, sites and bregma, brightness of blue and green, also in each ROI, licks.

    Parameters
    ----------
    settings : ClnfSettings

    Attributes
    ----------
    scale : float
        Each of the two is this many times as large as the image.
    lefts : tuple of int
        Where they begin, px from the left.
    editor : CortexEditor
        What pointer and keys change.
    """

    def __init__(self, settings: ClnfSettings) -> None:
        width, height = settings.resolution
        self.scale = scale_for(height)
        self.lefts = 0, round(width * self.scale) + GAP
        self.editor = CortexEditor(settings, COLORS, self.scale)
        self._history = RoiHistory(min(settings.history_frames(), MOST_FRAMES))
        self._blue: deque[float] = deque(maxlen=BRIGHTNESS_FRAMES)
        self._green: deque[float] = deque(maxlen=BRIGHTNESS_FRAMES)
        self._dff = np.zeros(0)

    def take(self, frame: Frame) -> None:
        """Take the next frame."""
        self.editor.take(frame)
        self._dff = dff_map(frame.image, self._history.baseline())
        self._history.append(frame.image)
        self._blue.append(float(frame.image[..., 0].mean()))
        self._green.append(float(frame.image[..., 1].mean()))

    def draw(self, placing: annots, licked: bool, is_linear: bool | None) -> np.ndarray:
        """Return the picture of now, (height, width, 3) uint8 BGR."""
        live = enlarge(self._live(for_the_eye(placing.image, is_linear)), placing.scale)
        # Averaged over neighbours, only for the eye: shot noise hides the sites otherwise.
        smooth = cv2.GaussianBlur(self._dff, (0, 0), MAP_BLUR_PX)
        map_view = enlarge(color_dff(smooth, MAP_FULL_SCALE), placing.scale)
        for view in (live, map_view):
            self._draw_places(view, placing)
        show_levels(live, placing, self.editor.settings.max_saturated)
        if self.editor.shows_blend:
            caption(live, SAYS_BLEND)
        elif is_linear:
            caption(live, SAYS_CURVE)
        percent = round(100 * MAP_FULL_SCALE)
        caption(map_view, f"dF/F, green - blue, blurred: blue -{percent} %, red +{percent} %")
        h, w = live.shape[:2]
        canvas = np.zeros((h + BAR_HEIGHT + INFO_HEIGHT, 2 * w + GAP, 3), np.uint8)
        canvas[:h, :w], canvas[:h, w + GAP :] = live, map_view
        if self.editor.shows_help:
            show_help(canvas[:h], self.editor.HELP)
        self._draw_caption(canvas, h)
        self._draw_brightness(canvas[h + BAR_HEIGHT :, :w], placing.image, licked)
        self._draw_info(canvas[h + BAR_HEIGHT :, w + GAP :])
        return canvas

    def _live(self, image: np.ndarray) -> np.ndarray:
        """Return the live image, or both pictures of the vessels where they are asked for."""
        same = self.editor.same_place
        if not self.editor.shows_blend or same is None or same.first is None or same.today is None:
            return image
        ppmm = float(str(same.first.head["ppmm"]))
        return blended(same.first.picture, same.today, same.move_of(self.editor.settings), ppmm)

    def _draw_places(self, view: np.ndarray, placing: annots) -> None:
        """Draw sites, ROIs and the pointer on one of the two views."""
        editor, scale = self.editor, placing.scale
        mark_seeds(view, scale, editor.settings.seeds(), editor.settings.bregma)
        placing.draw(view)
        draw_handles(view, editor.roi(), scale)
        if editor.picking or editor.asking:
            for x, y in editor.ruler:
                at = round(x * scale), round(y * scale)
                cv2.drawMarker(view, at, YELLOW, cv2.MARKER_TILTED_CROSS, 12, 2)
        show_pointer(view, editor.pointer, scale, editor.picking is not None)

    def _draw_caption(self, canvas: np.ndarray, top: int) -> None:
        editor = self.editor
        hint = f"drag to move, resize or draw {editor.selected};  h: all keys;  Esc: start the session"
        asks = editor.asking is not None or editor.picking is not None
        why = f"{editor.said}    " if asks and editor.refused else ""  # what was typed cannot be used
        caption_bar(canvas, top, why + (editor.line() or hint), asks, editor.refused)

    def _draw_brightness(self, strip: np.ndarray, image: np.ndarray, licked: bool) -> None:
        peaks = image.max(axis=(0, 1))
        show_brightness(strip, "blue", self._blue, int(peaks[0]), 8, BLUE)
        show_brightness(strip, "green", self._green, int(peaks[1]), 58, GREEN)
        show_lick(strip, licked)

    def _draw_info(self, strip: np.ndarray) -> None:
        """Write where pointer and ROI are, and what is odd about them."""
        lines = [(line, WHITE) for line in self.editor.roi_lines()]
        lines.append((self.editor.pointer_line() or "pointer  outside of image and map", GREY))
        if self.editor.same_place is not None:
            lines.append((self.editor.same_place.in_words(), RED if self.editor.same_place.doubt() else WHITE))
        lines += [(f"! {warning}", YELLOW) for warning in self.editor.warnings()]
        for i, (line, color) in enumerate(lines):
            write_within(strip, line, (4, 20 + LINE_HEIGHT * i), 0.45, color)
