"""Regions of interest: where they are, what they cut out of a frame, and how the mouse pointer moves them."""

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

HANDLE_PX = 2.5  # this near to its lower right corner, or to its edge, an ROI is resized instead of moved
SMALLEST_PX = 2


class Rect:
    """A rectangle.

    Parameters
    ----------
    name : str
    x, y : int
        Top left corner, px.
    w, h : int
        Width and height, px.
    color : sequence of int
        Blue, green, red.

    Attributes
    ----------
    avgDff : float
        Current ΔF/F.
    """

    def __init__(
        self, name: str, x: int = 0, y: int = 0, w: int = 6, h: int = 6, color: Sequence[int] = (0, 0, 255)
    ) -> None:
        self.name, self.x, self.y, self.w, self.h, self.color = name, x, y, w, h, color
        self.avgDff = 0.0

    def area(self) -> int:
        """Return w * h in px²."""
        return self.w * self.h

    def contains(self, x: float, y: float) -> bool:
        """Return whether the point x, y (px) lies inside."""
        return self.x <= x < self.x + self.w and self.y <= y < self.y + self.h

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Return a view of the pixels inside, (h, w[, 3]) of an image (height, width[, 3])."""
        return image[self.y : self.y + self.h, self.x : self.x + self.w]

    def place(self) -> tuple[int, int, int, int]:
        """Return x, y, w, h, as config.ini keeps it."""
        return self.x, self.y, self.w, self.h

    def move(self, x: float, y: float, width: int, height: int) -> None:
        """Move the top left corner to x, y, as far as the ROI stays in the image of width x height px."""
        self.x = round(min(max(x, 0), width - self.w))
        self.y = round(min(max(y, 0), height - self.h))

    def resize(self, x: float, y: float, width: int, height: int) -> None:
        """Move the lower right corner to x, y, as far as the ROI stays in the image of width x height px."""
        self.w = round(min(max(x - self.x, SMALLEST_PX), width - self.x))
        self.h = round(min(max(y - self.y, SMALLEST_PX), height - self.y))

    def handle_distance(self, x: float, y: float) -> float:
        """Return how far x, y is from the lower right corner, px."""
        return math.hypot(x - (self.x + self.w), y - (self.y + self.h))

    def draw(self, canvas: np.ndarray, scale: float) -> None:
        """Draw the outline and the name on a canvas that shows the image `scale` times as large."""
        corners = [(self.x, self.y), (self.x + self.w, self.y + self.h)]
        top_left, bottom_right = [(round(x * scale), round(y * scale)) for x, y in corners]
        cv2.rectangle(canvas, top_left, bottom_right, self.color, 1)
        cv2.drawMarker(canvas, bottom_right, self.color, cv2.MARKER_SQUARE, 4, 3)
        write_name(canvas, self.name, (top_left[0], top_left[1] - 4), self.color)


class Circle:
    """A circle.

    Parameters
    ----------
    name : str
    x, y : int
        Centre, px.
    r : int
        Radius, px.
    color : sequence of int
        Blue, green, red.
    """

    def __init__(self, name: str, x: int = 0, y: int = 0, r: int = 6, color: Sequence[int] = (0, 200, 0)) -> None:
        self.name, self.x, self.y, self.r, self.color = name, x, y, r, color

    def area(self) -> float:
        """Return π r² in px²."""
        return math.pi * self.r**2

    def contains(self, x: float, y: float) -> bool:
        """Return whether the point x, y (px) lies inside."""
        return math.hypot(x - self.x, y - self.y) <= self.r

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Return a view of the square around the circle, as far as the image (height, width[, 3]) reaches."""
        top, left = max(0, self.y - self.r), max(0, self.x - self.r)
        return image[top : self.y + self.r + 1, left : self.x + self.r + 1]

    def place(self) -> tuple[int, int]:
        """Return x, y, as config.ini keeps it."""
        return self.x, self.y

    def move(self, x: float, y: float, width: int, height: int) -> None:
        """Move the centre to x, y, as far as the circle stays in the image of width x height px."""
        self.x = round(min(max(x, self.r), width - 1 - self.r))
        self.y = round(min(max(y, self.r), height - 1 - self.r))

    def resize(self, x: float, y: float, width: int, height: int) -> None:
        """Let the edge go through x, y, as far as the circle stays in the image of width x height px."""
        room = min(self.x, self.y, width - 1 - self.x, height - 1 - self.y)
        self.r = max(1, round(min(max(math.hypot(x - self.x, y - self.y), SMALLEST_PX), room)))

    def handle_distance(self, x: float, y: float) -> float:
        """Return how far x, y is from the edge, px."""
        return abs(math.hypot(x - self.x, y - self.y) - self.r)

    def draw(self, canvas: np.ndarray, scale: float) -> None:
        """Draw the outline and the name on a canvas that shows the image `scale` times as large."""
        centre = round(self.x * scale), round(self.y * scale)
        cv2.circle(canvas, centre, round(self.r * scale), self.color, 1, cv2.LINE_AA)
        write_name(canvas, self.name, (centre[0], centre[1] - round(self.r * scale) - 4), self.color)


def write_name(canvas: np.ndarray, name: str, at: tuple[int, int], color: Sequence[int]) -> None:
    """Write a small label with its lower left corner at x, y, further left where it would leave the canvas."""
    (width, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    at = min(at[0], canvas.shape[1] - width), at[1]
    cv2.putText(canvas, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, 1, cv2.LINE_AA)


class annots:
    """The ROIs on an image, and the one that the pointer holds.

    Parameters
    ----------
    wname : str
        Name of the window.
    rois : iterable of Rect or Circle
    image : array (height, width, 3) uint8 BGR
    scale : float
        The window is this many times as large as the image.

    Attributes
    ----------
    rois : dict
        {name: Rect or Circle}.
    image : array
        Current frame.
    frame_n : int
        Frame number.
    wname : str
        Window name.
    moved : set of str
        Names of the ROIs that the pointer has moved or resized.
    """

    # Also of the class itself, for scripts that keep their ROIs in it: `annots.rois["M1_L"] = Rect("M1_L")`.
    rois: dict[str, Rect | Circle] = {}  # noqa: RUF012 - each window has its own
    image: np.ndarray = np.zeros((0, 0, 3), np.uint8)
    frame_n: int = 0
    wname: str = ""

    def __init__(
        self,
        wname: str = "",
        rois: Iterable[Rect | Circle] = (),
        image: np.ndarray | None = None,
        scale: float = 1.0,
        frame_n: int = 0,
    ) -> None:
        self.wname, self.scale, self.frame_n = wname, scale, frame_n
        self.image = np.zeros((0, 0, 3), np.uint8) if image is None else image
        self.rois = {roi.name: roi for roi in rois}
        self.moved: set[str] = set()
        self._held: Rect | Circle | None = None
        self._resizing = False
        self._grip = (0.0, 0.0)

    def on_mouse(self, event: int, window_x: int, window_y: int, flags: int, _: object = None) -> None:
        """Take a mouse event of OpenCV: drag inside an ROI moves it, drag at its handle resizes it."""
        x, y = window_x / self.scale, window_y / self.scale
        if event == cv2.EVENT_LBUTTONDOWN:
            self._grab(x, y)
        elif event == cv2.EVENT_MOUSEMOVE and self._held is not None and flags & cv2.EVENT_FLAG_LBUTTON:
            self._drag(x, y)
        elif event in (cv2.EVENT_LBUTTONUP, cv2.EVENT_MOUSEMOVE):
            self._held = None

    def draw(self, canvas: np.ndarray) -> None:
        """Draw all ROIs on a canvas that shows the image `scale` times as large."""
        for roi in self.rois.values():
            roi.draw(canvas, self.scale)

    def _grab(self, x: float, y: float) -> None:
        for roi in self.rois.values():
            self._resizing = roi.handle_distance(x, y) <= HANDLE_PX
            if self._resizing or roi.contains(x, y):
                self._held, self._grip = roi, (x - roi.x, y - roi.y)
                return

    def _drag(self, x: float, y: float) -> None:
        assert self._held is not None
        height, width = self.image.shape[:2]
        before = self._held.place()
        if self._resizing:
            self._held.resize(x, y, width, height)
        else:
            self._held.move(x - self._grip[0], y - self._grip[1], width, height)
        if self._resizing or self._held.place() != before:
            self.moved.add(self._held.name)
