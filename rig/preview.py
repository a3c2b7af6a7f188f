"""The OpenCV windows: the preview in which ROIs are placed, and the view of the running session."""

import os
import socket
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np

from rig.cli import signals
from rig.dff import RoiHistory, dff_map
from rig.errors import RigError, SettingsError
from rig.frames import Frame
from roi_manager import Circle, Rect, annots

WINDOW_NAME = "Closed loop"
ESC = 27
VIEW_HEIGHT = 512  # px; small images are shown enlarged
STRIP_HEIGHT = 110
REFRESH_S = 0.1
MOST_FRAMES = 100  # of the map's baseline: whole frames take memory
TRACE_S = 20.0
SATURATED = 255
MAP_FULL_SCALE, MAP_BLUR_PX = 0.05, 2.0

Color = tuple[int, int, int]
WHITE, GREY, BLACK = (255, 255, 255), (150, 150, 150), (0, 0, 0)
BLUE, GREEN, RED, YELLOW = (255, 140, 60), (80, 220, 80), (60, 60, 255), (80, 220, 255)


def check_display() -> None:
    """Raise SettingsError where no window can be opened; OpenCV itself would abort the whole script."""
    display = os.environ.get("DISPLAY", "")
    host, _, number = display.partition(":")
    number = number.split(".")[0]
    if number.isdigit() and host not in ("", "unix"):
        return  # a screen on another computer, as with ssh -X
    if number.isdigit():
        for address in (f"\0/tmp/.X11-unix/X{number}", f"/tmp/.X11-unix/X{number}"):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(address) == 0:
                    return
    raise SettingsError(f"there is no screen (DISPLAY = {display!r}); connect one, or add --no-window")


def write(canvas: np.ndarray, text: str, at: tuple[int, int], color: Color = WHITE, size: float = 0.5) -> None:
    """Write a line of text with its lower left corner at x, y (px)."""
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)


def caption(view: np.ndarray, text: str) -> None:
    """Write a line at the foot of a picture, on a dark band."""
    view[-26:] //= 4
    write(view, text, (8, len(view) - 9), WHITE, 0.42)


def polyline(
    canvas: np.ndarray, values: Iterable[float], low: float, high: float, box: tuple[int, int, int, int], color: Color
) -> None:
    """Draw values as a line into the box x, y, w, h (px); low and high are its lower and upper edge."""
    x, y, w, h = box
    v = np.fromiter(values, float)
    if len(v) < 2:
        return
    columns = x + np.linspace(0, w - 1, len(v))
    rows = y + (h - 1) * (1 - np.clip((v - low) / (high - low), 0, 1))
    cv2.polylines(canvas, [np.stack([columns, rows], axis=1).astype(np.int32)], False, color, 1, cv2.LINE_AA)


def enlarge(image: np.ndarray, scale: float) -> np.ndarray:
    """Return the image `scale` times as large, pixels visible."""
    height, width = image.shape[:2]
    return cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_NEAREST)


def scale_for(height: int) -> float:
    """Return how many times an image of this height is enlarged."""
    return float(max(1, VIEW_HEIGHT // height))


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


class NoWindow:
    """In place of the window where there is none."""

    stopped = False

    def due(self, _now_s: float) -> bool:
        """Return False."""
        return False

    def show(self, *_: Any, **__: Any) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Close nothing."""


class Window:
    """The window of the rig.

    Parameters
    ----------
    settings : ClnfSettings

    Attributes
    ----------
    stopped : bool
        Esc was pressed, or the window was closed.
    """

    def __init__(self, settings: Any) -> None:
        check_display()
        self._settings = settings
        self.stopped = False
        self._next_s = 0.0
        self._trace: deque[tuple[float, float, float]] = deque()  # time, signal, threshold
        width, height = settings.resolution
        self._scale = scale_for(height)
        self._size = round(width * self._scale), round(height * self._scale)
        # Qt complains about fonts that OpenCV's wheel does not bring; the window needs none.
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false;qt.qpa.*=false")
        cv2.namedWindow(WINDOW_NAME, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)

    def place_rois(self, camera: Any, lick: Any, rois: list[Rect]) -> annots | None:
        """Let the user drag the ROIs over the live image; return them when Esc is pressed.

        Parameters
        ----------
        camera : CameraFactory
        lick : anything with touched()
        rois : list of Rect
            Moved in place.

        Returns
        -------
        annots or None
            None when the window was closed: no session is wanted.
        """
        width, height = self._settings.resolution
        placing = annots(WINDOW_NAME, rois, np.zeros((height, width, 3), np.uint8), self._scale)
        cv2.setMouseCallback(WINDOW_NAME, placing.on_mouse)
        history = RoiHistory(min(self._settings.history_frames(), MOST_FRAMES))
        brightness: deque[tuple[float, float]] = deque(maxlen=150)
        licked_s = 0.0
        try:
            while True:
                signals.stop_if_asked()
                frame = camera.read()
                if frame is None:  # a recording has ended: show it again
                    camera.begin_session()
                    continue
                placing.image, placing.frame_n = frame.image, frame.number
                dff = dff_map(frame.image, history.baseline())
                history.append(frame.image)
                brightness.append((float(frame.image[..., 0].mean()), float(frame.image[..., 1].mean())))
                now = time.monotonic()
                licked_s = now if lick.touched() else licked_s
                if now < self._next_s:
                    continue
                self._next_s = now + REFRESH_S / 2
                self._draw_preview(placing, dff, brightness, now - licked_s < 0.5)
                if self._refresh() == ESC:
                    return placing
                if self._is_closed():
                    return None
        finally:
            cv2.setMouseCallback(WINDOW_NAME, lambda *_: None)

    def due(self, now_s: float) -> bool:
        """Return whether it is time to show something new."""
        return now_s >= self._next_s

    def show(
        self,
        frame: Frame,
        rois: Iterable[Rect | Circle],
        signal: float,
        threshold: float,
        lines: Mapping[str, str],
        state: str,
    ) -> None:
        """Show the frame, the ROIs, the signal against its threshold, and lines of label and value."""
        self._next_s = time.monotonic() + REFRESH_S
        self._trace.append((frame.time_s, signal, threshold))
        while self._trace[0][0] < frame.time_s - TRACE_S:
            self._trace.popleft()
        w, h = self._size
        canvas = np.zeros((h + STRIP_HEIGHT, w + 330, 3), np.uint8)
        canvas[:h, :w] = enlarge(frame.image, self._scale)
        for roi in rois:
            roi.draw(canvas[:h, :w], self._scale)
        color = {"trial": GREEN, "rest": GREY, "trouble": RED}[state]
        cv2.rectangle(canvas, (w, 0), (w + 6, h - 1), color, -1)
        for i, (label, value) in enumerate(lines.items()):
            write(canvas, label, (w + 20, 34 + 26 * i), color if i == 0 else GREY, 0.6 if i == 0 else 0.5)
            write(canvas, value, (w + 120, 34 + 26 * i))
        write(canvas, "Esc stops the session", (w + 20, h - 12), GREY, 0.45)
        self._draw_trace(canvas, (8, h + 18, w + 314, STRIP_HEIGHT - 26))
        cv2.imshow(WINDOW_NAME, canvas)
        self.stopped = self._refresh() == ESC or self._is_closed()

    def close(self) -> None:
        """Close the window; harmless when repeated."""
        cv2.destroyAllWindows()

    def _refresh(self) -> int:
        """Let the window draw and take events; return the key pressed."""
        return cv2.waitKey(1) & 0xFF

    def _is_closed(self) -> bool:
        try:
            return cv2.getWindowProperty(WINDOW_NAME, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:
            return True

    def _draw_preview(
        self, placing: annots, dff: np.ndarray, brightness: Iterable[tuple[float, float]], licked: bool
    ) -> None:
        w, h = self._size
        canvas = np.zeros((h + STRIP_HEIGHT, 2 * w + 8, 3), np.uint8)
        live, map_view = canvas[:h, :w], canvas[:h, w + 8 :]
        live[:] = enlarge(placing.image, self._scale)
        # Averaged over neighbours for the eye alone: shot noise hides the sites otherwise.
        map_view[:] = enlarge(color_dff(cv2.GaussianBlur(dff, (0, 0), MAP_BLUR_PX), MAP_FULL_SCALE), self._scale)
        seeds = self._settings.seeds()
        for view in (live, map_view):
            mark_seeds(view, self._scale, seeds, self._settings.bregma)
            placing.draw(view)
        percent = round(100 * MAP_FULL_SCALE)
        caption(live, "drag an ROI to move it, its corner to resize it; Esc starts the session")
        caption(map_view, f"dF/F, green - blue, blurred: blue -{percent} %, red +{percent} %")
        blue, green = zip(*brightness, strict=True)
        for row, (name, values, channel, color) in enumerate((("blue", blue, 0, BLUE), ("green", green, 1, GREEN))):
            top = h + 8 + row * 50
            peak = int(placing.image[..., channel].max())
            saturated = " SATURATED" if peak >= SATURATED else ""
            text = f"{name}: mean {values[-1]:.1f}, max {peak}{saturated}"
            write(canvas, text, (8, top + 25), RED if saturated else color)
            low, high = min(values) - 0.5, max(values) + 0.5
            polyline(canvas, values, low, high, (260, top, 2 * w - 380, 40), color)
        lick_at = (2 * w - 90, h + STRIP_HEIGHT // 2)
        cv2.circle(canvas, lick_at, 10, YELLOW if licked else GREY, -1 if licked else 1, cv2.LINE_AA)
        write(canvas, "lick", (lick_at[0] + 18, lick_at[1] + 5), YELLOW if licked else GREY)
        cv2.imshow(WINDOW_NAME, canvas)

    def _draw_trace(self, canvas: np.ndarray, box: tuple[int, int, int, int]) -> None:
        times, signals, thresholds = (np.array(column) for column in zip(*self._trace, strict=True))
        low, high = min(0.0, signals.min()), max(signals.max(), 1.2 * thresholds.max())
        x, y, w, h = box
        filled = x, y, max(1, round(w * (times[-1] - times[0]) / TRACE_S)), h
        polyline(canvas, thresholds, low, high, filled, RED)
        polyline(canvas, signals, low, high, filled, GREEN)
        write(canvas, f"signal (green) and threshold (red), last {TRACE_S:g} s", (x, y - 4), GREY, 0.4)


def open_window(settings: Any, wanted: bool) -> Window | NoWindow:
    """Open the window, or stand in for it where none is wanted."""
    if not wanted:
        return NoWindow()
    try:
        return Window(settings)
    except cv2.error as error:
        raise RigError(
            f"OpenCV cannot open a window ({error.err}); install opencv-python, or add --no-window"
        ) from None


def main() -> int:
    """See whether a window can be opened."""
    check_display()
    cv2.namedWindow(WINDOW_NAME)
    cv2.destroyAllWindows()
    return 0


if __name__ == "__main__":
    from rig.cli import run

    run(main)
