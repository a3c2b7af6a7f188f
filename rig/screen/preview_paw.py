"""CLMF: the circles, the pose drawn on the frame, and the preview in which the circles are placed."""

from collections import deque

import cv2
import numpy as np

from rig.devices.frames import Frame
from rig.devices.pose import Pose
from rig.protocol.tracking import Motion
from rig.screen.drawing import (
    BAR_HEIGHT,
    GREEN,
    RED,
    SAYS_CURVE,
    STRIP_HEIGHT,
    WHITE,
    YELLOW,
    caption,
    caption_bar,
    enlarge,
    for_the_eye,
    polyline,
    scale_to_place,
    show_brightness,
    show_help,
    show_lick,
    write_shadowed,
)
from rig.screen.drawing import write as write_text
from rig.screen.editor import Editor
from rig.settings.clmf import ClmfSettings
from roi_manager import Circle, annots, draw_handles

TRACE_FRAMES = 150
COLORS = ((0, 200, 0), (0, 160, 255))  # of the start and the target circle, BGR


def make_circles(settings: ClmfSettings) -> tuple[Circle, Circle]:
    """Return the start and the target circle where the settings say."""
    start, target = (settings.make_roi(name, color) for name, color in zip(settings.shown_rois(), COLORS, strict=True))
    return start, target


def shown_only(settings: ClmfSettings) -> dict[str, str]:
    """Return {circle: why it decides nothing in this experiment} of the circles that are only shown."""
    unused = {"target_roi": "shown only"}
    if settings.trial_start != "start_roi":
        unused["start_roi"] = f"shown only: trial_start = {settings.trial_start}"
    return unused


class PoseMarks:
    """The newest pose, drawn on the frame; a ring marks the control point.

    Parameters
    ----------
    settings : ClmfSettings
    body_parts : tuple of str

    Attributes
    ----------
    pose : array (n, 3) or None
        x, y px and likelihood; None before the first.
    """

    def __init__(self, settings: ClmfSettings, body_parts: tuple[str, ...]) -> None:
        self.pose: np.ndarray | None = None
        self._names, self._least = body_parts, settings.min_likelihood
        self._control_point_ix = body_parts.index(settings.control_point)

    def draw(self, canvas: np.ndarray, scale: float) -> None:
        """Draw the body parts on a canvas that shows the image `scale` times as large; unlikely ones are red."""
        if self.pose is None:
            return
        for i, (x, y, likelihood) in enumerate(self.pose.tolist()):
            at = round((x + 0.5) * scale), round((y + 0.5) * scale)
            color = WHITE if likelihood >= self._least else RED
            cv2.circle(canvas, at, 3, color, -1, cv2.LINE_AA)
            write_shadowed(canvas, self._names[i], (at[0] + 8, at[1] - 6), color)
            if i == self._control_point_ix:
                cv2.circle(canvas, at, 8, YELLOW, 2, cv2.LINE_AA)


class PawPreview:
    """Live frame with pose and circles, brightness, speed of the control point, licks.

    Parameters
    ----------
    settings : ClmfSettings
    dlc : Pose
    marks : PoseMarks
        Takes the pose of every frame.

    Attributes
    ----------
    scale : float
        The picture is this many times as large as the image.
    lefts : tuple of int
        Where it begins, px from the left.
    editor : Editor
        What pointer and keys change.
    """

    lefts = (0,)

    def __init__(self, settings: ClmfSettings, dlc: Pose, marks: PoseMarks) -> None:
        self.scale = scale_to_place(*settings.resolution)
        self.editor = Editor(settings, COLORS, self.scale)
        self._settings, self._dlc, self._marks = settings, dlc, marks
        self._control_point_ix = dlc.body_parts.index(settings.control_point)
        self._brightness: deque[float] = deque(maxlen=TRACE_FRAMES)
        self._speeds: deque[float] = deque(maxlen=TRACE_FRAMES)
        self._point, self._motion = np.zeros(3), Motion(settings.ppmm)

    def take(self, frame: Frame) -> None:
        """Take the next frame."""
        self._marks.pose = self._dlc.get_pose(frame.image)
        self._point = self._marks.pose[self._control_point_ix]
        px_frame, mm_s = self._motion.push(frame.time_s, *self._point[:2])
        self._speeds.append(mm_s if self._settings.is_in_mm else px_frame)
        self._brightness.append(float(frame.image.mean()))

    def draw(self, placing: annots, licked: bool, is_linear: bool | None) -> np.ndarray:
        """Return the picture of now, (height, width, 3) uint8 BGR."""
        live = enlarge(for_the_eye(placing.image, is_linear), placing.scale)
        self._marks.draw(live, placing.scale)
        placing.draw(live)
        draw_handles(live, self.editor.roi(), placing.scale)
        for name, why in shown_only(self._settings).items():
            left, _, _, bottom = placing.rois[name].box()
            at = round(left * placing.scale), round(bottom * placing.scale) + 14
            write_shadowed(live, why, at, placing.rois[name].color)
        if is_linear:
            caption(live, SAYS_CURVE)
        h, w = live.shape[:2]
        canvas = np.zeros((h + BAR_HEIGHT + STRIP_HEIGHT, w, 3), np.uint8)
        canvas[:h] = live
        if self.editor.shows_help:
            show_help(canvas[:h], self.editor.HELP)
        hint = "drag a circle to move it, its edge to resize it;  h: all keys;  Esc: start the session"
        caption_bar(canvas, h, self.editor.line() or hint, refused=self.editor.refused)
        self._draw_strip(canvas[h + BAR_HEIGHT :], placing.image, licked)
        return canvas

    def _draw_strip(self, strip: np.ndarray, image: np.ndarray, licked: bool) -> None:
        """Draw brightness, speed and licks."""
        width = strip.shape[1]
        show_brightness(strip, "image", self._brightness, int(image.max()), 8, WHITE)
        speed, likelihood = self._speeds[-1], self._point[2]
        color = GREEN if likelihood >= self._settings.min_likelihood else RED
        text = f"{self._settings.control_point}: {speed:.1f} {self._settings.signal_unit}, {100 * likelihood:.0f} %"
        write_text(strip, text, (8, 83), color)
        threshold = self._settings.speed_threshold
        box = (260, 58, max(40, width - 388), 40)
        polyline(strip, [threshold] * len(self._speeds), 0, 1.5 * threshold, box, RED)
        polyline(strip, self._speeds, 0, 1.5 * threshold, box, GREEN)
        show_lick(strip, licked)
