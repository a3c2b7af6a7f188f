"""The mouse events of OpenCV, told to the editor as places in the image; image and map are two views of one place."""

from collections.abc import Sequence

import cv2

from rig.screen.editor import Editor


class Pointer:
    """Passes mouse events on.

    Parameters
    ----------
    editor : Editor
    lefts : sequence of int
        Where each view of the image begins in the window, px from the left; all begin at the top.
    width, height : int
        Of a view, px of the window.
    scale : float
        A view is this many times as large as the image.
    """

    def __init__(self, editor: Editor, lefts: Sequence[int], width: int, height: int, scale: float) -> None:
        self._editor, self._lefts, self._width, self._height, self._scale = editor, lefts, width, height, scale
        self._left: int | None = None  # of the view in which the button went down: a drag may leave it

    def on_mouse(self, event: int, window_x: int, window_y: int, flags: int, _: object = None) -> None:
        """Take a mouse event of OpenCV."""
        if event in (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONDBLCLK):  # the second press of a quick pair
            self._left = self._view_at(window_x, window_y)
            if self._left is not None:
                self._editor.press(*self._place(self._left, window_x, window_y))
        elif event == cv2.EVENT_MOUSEMOVE:
            self._move(window_x, window_y, bool(flags & cv2.EVENT_FLAG_LBUTTON))
        elif event == cv2.EVENT_LBUTTONUP:
            self._editor.release()
            self._left = None

    def _move(self, window_x: int, window_y: int, is_pressed: bool) -> None:
        left = self._left if is_pressed and self._left is not None else self._view_at(window_x, window_y)
        if left is None:
            self._editor.leave()
        else:
            self._editor.move(*self._place(left, window_x, window_y), is_pressed)

    def _view_at(self, window_x: int, window_y: int) -> int | None:
        """Return where the view under the pointer begins; None outside of all."""
        inside = (left for left in self._lefts if left <= window_x < left + self._width)
        return next(inside, None) if 0 <= window_y < self._height else None

    def _place(self, left: int, window_x: int, window_y: int) -> tuple[float, float]:
        """Return x, y in px from the corner of the image."""
        return (window_x - left) / self._scale, window_y / self._scale
