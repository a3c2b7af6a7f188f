"""The OpenCV windows: the preview in which ROIs are placed, and the view of the running session."""

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from CameraFactory import CameraFactory
from rig.devices.frames import Frame
from rig.devices.image_check import image_trouble
from rig.devices.input_line import Input
from rig.ending import signals
from rig.errors import CameraError, RigError, SettingsError
from rig.screen.drawing import (
    GREEN,
    GREY,
    RED,
    STRIP_HEIGHT,
    WHITE,
    enlarge,
    for_the_eye,
    polyline,
    scale_for,
    show_refusal,
    write,
    write_within,
)
from rig.screen.editor import Editor
from rig.screen.pointer import Pointer
from rig.screen.wishes import Keyboard, Wish
from rig.settings.common import RigSettings
from roi_manager import Circle, Rect, annots

WINDOW_NAME = "Closed loop"
NO_KEY, SAVE = 255, ord("s")
REFRESH_S = 0.1
KEY_S = 0.02  # between two keys of a note
TRACE_S = 20.0
LICK_SHOWN_S = 0.5
REFUSAL_SHOWN_S = 5.0
FLAT = 1e-6  # the least height of the trace, in the unit of the signal


class Mark(Protocol):
    """What is drawn on the frame: an ROI, a pose."""

    def draw(self, canvas: np.ndarray, scale: float) -> None:
        """Draw on a canvas that shows the image `scale` times as large."""


class Preview(Protocol):
    """What an experiment shows while its ROIs are placed.

    Attributes
    ----------
    scale : float
        The window shows the image this many times as large.
    lefts : sequence of int
        Where each view of the image begins, px from the left.
    editor : Editor
        What pointer and keys change.
    """

    @property
    def scale(self) -> float: ...

    @property
    def lefts(self) -> Sequence[int]: ...

    @property
    def editor(self) -> Editor: ...

    def take(self, frame: Frame) -> None:
        """Take the next frame."""

    def draw(self, placing: annots, licked: bool, is_linear: bool | None) -> np.ndarray:
        """Return the picture of now, (height, width, 3) uint8 BGR, the image of the camera in its upper left corner.

        One that is linear in light is shown through a display curve, and the picture says so.
        """


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


def use_x11() -> None:
    """Let Qt open windows by X11, also on a Wayland desktop: OpenCV's wheel brings no other way, and Qt would abort."""
    if "xcb" not in os.environ.get("QT_QPA_PLATFORM", ""):
        os.environ["QT_QPA_PLATFORM"] = "xcb"


class NoWindow:
    """In place of the window where there is none."""

    stopped = False

    def __init__(self) -> None:
        self.wishes: deque[Wish] = deque()

    def due(self, _now_s: float) -> bool:
        """Return False."""
        return False

    def take_key(self, _now_s: float) -> None:
        """Take none."""

    def show(self, *_: Any, **__: Any) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Close nothing."""


class Window:
    """The window of the rig.

    Parameters
    ----------
    settings : RigSettings
    is_linear : bool or None
        Whether the images are linear in light: then they are shown through a display curve.

    Attributes
    ----------
    stopped : bool
        Esc was pressed, or the window was closed.
    wishes : deque of Wish
        What the user asks of the running session, in order.
    """

    def __init__(self, settings: RigSettings, is_linear: bool | None) -> None:
        check_display()
        self._settings, self._is_linear = settings, is_linear
        self.stopped = False
        self.wishes: deque[Wish] = deque()
        self._keyboard = Keyboard(self.wishes)
        self._next_s = self._next_key_s = 0.0
        self._trace: deque[tuple[float, float, float]] = deque()  # time, signal, threshold or NaN
        width, height = settings.resolution
        self._scale = scale_for(height)
        self._size = round(width * self._scale), round(height * self._scale)
        use_x11()
        # Qt complains about fonts that OpenCV's wheel does not bring; the window needs none.
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false;qt.qpa.*=false")
        cv2.namedWindow(WINDOW_NAME, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)

    def place_rois(
        self,
        camera: CameraFactory,
        lick: Input,
        preview: Preview,
        beat: Callable[[], None],
        save_picture: Callable[[np.ndarray], str],
    ) -> bool:
        """Let the user place the ROIs over the live image until Esc is pressed.

        Parameters
        ----------
        camera : CameraFactory
        lick : Input
        preview : Preview
            What the experiment shows, and its editor, which has the ROIs.
        beat : callable
            Is called once a frame.
        save_picture : callable
            Takes what the window shows, returns where it was saved, in words.

        Returns
        -------
        bool
            False when the window was closed: no session is wanted.
        """
        width, height = self._settings.resolution
        editor = preview.editor
        placing = annots(WINDOW_NAME, editor.rois(), np.zeros((height, width, 3), np.uint8), preview.scale)
        view_width, view_height = round(width * preview.scale), round(height * preview.scale)
        pointer = Pointer(editor, preview.lefts, view_width, view_height, preview.scale)
        cv2.setMouseCallback(WINDOW_NAME, pointer.on_mouse)
        licked_s = refused_until_s = 0.0
        try:
            while True:
                signals.stop_if_asked()
                frame = camera.read()
                if frame is None:  # a recording has ended: show it again
                    camera.begin_session()
                    continue
                beat()
                placing.image, placing.frame_n = frame.image, frame.number
                preview.take(frame)
                now = time.monotonic()
                licked_s = now if lick.touched() else licked_s
                if now < self._next_s:
                    continue
                self._next_s = now + REFRESH_S / 2
                placing.rois = {roi.name: roi for roi in editor.rois()}
                canvas = preview.draw(placing, now - licked_s < LICK_SHOWN_S, self._is_linear)
                trouble = self._trouble_of(frame.image, editor.settings.light_rois())
                if trouble and now < refused_until_s:
                    show_refusal(canvas[:view_height], f"Not started: {trouble}")
                cv2.imshow(WINDOW_NAME, canvas)
                key = self._refresh()
                if key == SAVE and editor.asking is None:
                    editor.say(save_picture(canvas))
                elif key != NO_KEY and editor.key(key):
                    if not trouble:
                        return True
                    refused_until_s = now + REFUSAL_SHOWN_S
                if self._is_closed():
                    return False
        finally:
            cv2.setMouseCallback(WINDOW_NAME, lambda *_: None)

    def _trouble_of(self, image: np.ndarray, rois: Iterable[Rect | Circle]) -> str:
        """Return why no session can start with this image; CameraError where the camera gives another size."""
        width, height = self._settings.resolution
        if image.shape[:2] != (height, width):
            raise CameraError(
                f"the camera gives {image.shape[1]}, {image.shape[0]} px where resolution = {width}, {height}; "
                "correct the setting"
            )
        return image_trouble(image, self._settings.max_saturated, rois)

    def due(self, now_s: float) -> bool:
        """Return whether it is time to show something new."""
        return now_s >= self._next_s

    def show(
        self,
        frame: Frame,
        marks: Iterable[Mark],
        signal: float,
        threshold: float | None,
        lines: Mapping[str, str],
        state: str,
    ) -> None:
        """Show the frame and its marks, the signal against its threshold, if given, and lines of label and value."""
        self._next_s = time.monotonic() + REFRESH_S
        self._trace.append((frame.time_s, signal, np.nan if threshold is None else threshold))
        while self._trace[0][0] < frame.time_s - TRACE_S:
            self._trace.popleft()
        w, h = self._size
        canvas = np.zeros((h + STRIP_HEIGHT, w + 330, 3), np.uint8)
        canvas[:h, :w] = enlarge(for_the_eye(frame.image, self._is_linear), self._scale)
        for mark in marks:
            mark.draw(canvas[:h, :w], self._scale)
        color = {"trial": GREEN, "rest": GREY, "trouble": RED}[state]
        cv2.rectangle(canvas, (w, 0), (w + 6, h - 1), color, -1)
        for i, (label, value) in enumerate(lines.items()):
            write(canvas, label, (w + 20, 34 + 26 * i), color if i == 0 else GREY, 0.6 if i == 0 else 0.5)
            write_within(canvas, value, (w + 120, 34 + 26 * i))
        if self._is_linear:
            write_within(canvas, "the picture is shown through a display curve", (w + 20, h - 32), 0.45, GREY)
        is_typing = self._keyboard.note is not None
        write_within(canvas, self._keyboard.hint(), (w + 20, h - 12), 0.45, WHITE if is_typing else GREY)
        self._draw_trace(canvas, (8, h + 18, w + 314, STRIP_HEIGHT - 26))
        cv2.imshow(WINDOW_NAME, canvas)
        self._keyboard.press(self._refresh())
        self.stopped = self._keyboard.stop or self._is_closed()

    def take_key(self, now_s: float) -> None:
        """Take the next key of a note that is being typed, of which there are more than the picture is renewed."""
        if self._keyboard.note is not None and now_s >= self._next_key_s:
            self._keyboard.press(self._refresh())
            self._next_key_s = time.monotonic() + KEY_S

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

    def _draw_trace(self, canvas: np.ndarray, box: tuple[int, int, int, int]) -> None:
        times, signals, thresholds = (np.array(column) for column in zip(*self._trace, strict=True))
        has_threshold = not np.isnan(thresholds).any()
        low, high = trace_range(signals, thresholds.max() if has_threshold else 0.0)
        x, y, w, h = box
        filled = x, y, max(1, round(w * (times[-1] - times[0]) / TRACE_S)), h
        if has_threshold:
            polyline(canvas, thresholds, low, high, filled, RED)
        polyline(canvas, signals, low, high, filled, GREEN)
        said = "signal (green) and threshold (red)" if has_threshold else "signal"
        write(canvas, f"{said}, last {TRACE_S:g} s", (x, y - 4), GREY, 0.4)


def trace_range(signals: np.ndarray, top: float) -> tuple[float, float]:
    """Return what the trace shows, from and to; `top` is the highest threshold, 0 for none."""
    low = min(0.0, signals.min())
    if not top:
        return low, max(signals.max(), low + FLAT)
    return low, min(max(signals.max(), 1.2 * top), 3 * top)  # a jump must not hide the rest


def open_window(settings: RigSettings, wanted: bool, is_linear: bool | None = None) -> Window | NoWindow:
    """Open the window, or stand in for it where none is wanted."""
    if not wanted:
        return NoWindow()
    try:
        return Window(settings, is_linear)
    except cv2.error as error:
        raise RigError(
            f"OpenCV cannot open a window ({error.err}); install opencv-python, or add --no-window"
        ) from None
