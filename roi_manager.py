"""Regions of interest: where they are, what they cut out of a frame, and how a pointer moves and resizes them."""

import copy
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np
from typing_extensions import Self

CENTRE = 0, 0
"""The grip that moves an ROI; the others are the eight handles: -1 left or top, 1 right or bottom."""
HANDLES = tuple((x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if (x, y) != CENTRE)
REACH, MARGIN, LEAST_MOVE = 6.0, 4.0, 4.0  # px of the window: around the outline a drag resizes, well inside it moves
ROOM_FOR_ALL = 30.0  # px of the window: handles of a smaller ROI are drawn smaller, and at its corners only
Grip = tuple[int, int]


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
        """Return whether the pixel x, y lies inside."""
        return self.x <= x < self.x + self.w and self.y <= y < self.y + self.h

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Return a view of the pixels inside, (h, w[, 3]) of an image (height, width[, 3]), as far as it reaches."""
        bottom, right = max(0, self.y + self.h), max(0, self.x + self.w)  # a negative one would count from the far edge
        return image[max(0, self.y) : bottom, max(0, self.x) : right]

    def place(self) -> tuple[int, ...]:
        """Return x, y, w, h, as config.ini keeps it."""
        return self.x, self.y, self.w, self.h

    def box(self) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom: the edges, px from the corner of the image."""
        return self.x, self.y, self.x + self.w, self.y + self.h

    def centre(self) -> tuple[float, float]:
        """Return x, y of the centre, px; a pixel's own centre is its whole numbers."""
        return self.x + (self.w - 1) / 2, self.y + (self.h - 1) / 2

    def grip_at(self, x: float, y: float, zoom: float) -> Grip | None:
        """Return what a press at x, y (px from the corner of the image) takes hold of, None next to the ROI.

        Parameters
        ----------
        x, y : float
        zoom : float
            Pixels of the window for each of the image: a hand is as exact as the window is large.
        """
        left, top, right, bottom = self.box()
        across = zone((x - (left + right) / 2) * zoom, (right - left) * zoom / 2)
        along = zone((y - (top + bottom) / 2) * zoom, (bottom - top) * zoom / 2)
        return None if across is None or along is None else (across, along)

    def shifted(self, dx: float, dy: float, width: int, height: int) -> Self:
        """Return the ROI moved by dx, dy px, as far as it stays in the image of width x height px."""
        moved = copy.copy(self)
        moved.x = round(min(max(self.x + dx, 0), width - self.w))
        moved.y = round(min(max(self.y + dy, 0), height - self.h))
        return moved

    def stretched(self, grip: Grip, x: float, y: float, width: int, height: int) -> Self:
        """Return the ROI with the held edges at x, y (px from the corner of the image), within the image.

        A handle may be dragged over the opposite edge.
        """
        x, y = min(max(x, 0), width), min(max(y, 0), height)
        left, top, right, bottom = self.box()
        columns = {-1: (x, right), 0: (left, right), 1: (left, x)}[grip[0]]
        rows = {-1: (y, bottom), 0: (top, bottom), 1: (top, y)}[grip[1]]
        return self.spanned(min(columns), min(rows), max(columns), max(rows))

    def drawn(self, from_x: float, from_y: float, x: float, y: float, width: int, height: int) -> Self:
        """Return the ROI drawn anew from one corner to the opposite one, within the image."""
        corners = [(min(max(a, 0), width), min(max(b, 0), height)) for a, b in ((from_x, from_y), (x, y))]
        columns, rows = zip(*corners, strict=True)
        return self.spanned(min(columns), min(rows), max(columns), max(rows))

    def spanned(self, left: float, top: float, right: float, bottom: float) -> Self:
        """Return the ROI with these edges, on whole pixels."""
        new = copy.copy(self)
        new.x, new.y = round(left), round(top)
        new.w, new.h = round(right) - new.x, round(bottom) - new.y
        return new

    def reshaped(self, width: int, height: int) -> "Circle":
        """Return a circle about as wide, at the same place, within the image of width x height px."""
        r = max(1, (min(self.w, self.h, width, height) - 1) // 2)
        x, y = (round(at) for at in self.centre())
        circle = Circle(self.name, x, y, r, self.color)
        return circle.shifted(0, 0, width, height)

    def draw(self, canvas: np.ndarray, scale: float) -> None:
        """Draw the outline and the name on a canvas that shows the image `scale` times as large."""
        left, top, right, bottom = (round(edge * scale) for edge in self.box())
        cv2.rectangle(canvas, (left, top), (right, bottom), self.color, 1)
        write_name(canvas, self.name, (left, top - 4), self.color)


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

    Attributes
    ----------
    avgDff : float
        Current ΔF/F.
    """

    def __init__(self, name: str, x: int = 0, y: int = 0, r: int = 6, color: Sequence[int] = (0, 200, 0)) -> None:
        self.name, self.x, self.y, self.r, self.color = name, x, y, r, color
        self.avgDff = 0.0

    def area(self) -> float:
        """Return π r² in px²."""
        return math.pi * self.r**2

    def contains(self, x: float, y: float) -> bool:
        """Return whether the pixel x, y lies inside."""
        return math.hypot(x - self.x, y - self.y) <= self.r

    def crop(self, image: np.ndarray) -> np.ndarray:
        """Return the pixels inside, (1, n[, 3]) of an image (height, width[, 3]), row by row.

        These are the pixels that `contains` says, as far as the image reaches; what is averaged is a disc, no square.
        """
        height, width = image.shape[:2]
        top, left = max(0, self.y - self.r), max(0, self.x - self.r)
        bottom, right = min(height, self.y + self.r + 1), min(width, self.x + self.r + 1)
        if top >= bottom or left >= right:
            return image[:0, :0].reshape(1, 0, *image.shape[2:])  # nothing of it is in the image
        square, mask = image[top:bottom, left:right], disc(self.r)
        if square.shape[:2] != mask.shape:  # it reaches over the edge
            above, left_out = top - self.y + self.r, left - self.x + self.r
            mask = mask[above : above + bottom - top, left_out : left_out + right - left]
        pixels: np.ndarray = square[mask][np.newaxis]
        return pixels

    def place(self) -> tuple[int, ...]:
        """Return x, y, r."""
        return self.x, self.y, self.r

    def box(self) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom of the square around it: the edges, px from the corner of the image."""
        return self.x - self.r, self.y - self.r, self.x + self.r + 1, self.y + self.r + 1

    def centre(self) -> tuple[float, float]:
        """Return x, y of the centre, px; a pixel's own centre is its whole numbers."""
        return self.x, self.y

    def grip_at(self, x: float, y: float, zoom: float) -> Grip | None:
        """Return what a press at x, y takes hold of, None next to the circle; see `Rect.grip_at`."""
        dx, dy = x - self.x - 0.5, y - self.y - 0.5
        if (where := zone(math.hypot(dx, dy) * zoom, (self.r + 0.5) * zoom)) is None:
            return None
        return CENTRE if where == 0 else (round(dx / math.hypot(dx, dy)), round(dy / math.hypot(dx, dy)))

    def shifted(self, dx: float, dy: float, width: int, height: int) -> Self:
        """Return the circle moved by dx, dy px, as far as it stays in the image of width x height px."""
        moved = copy.copy(self)
        moved.x = round(min(max(self.x + dx, self.r), width - 1 - self.r))
        moved.y = round(min(max(self.y + dy, self.r), height - 1 - self.r))
        return moved

    def stretched(self, _: Grip, x: float, y: float, width: int, height: int) -> Self:
        """Return the circle with its edge through x, y (px from the corner of the image), within the image."""
        room = min(self.x, self.y, width - 1 - self.x, height - 1 - self.y)
        new = copy.copy(self)
        new.r = max(0, min(round(math.hypot(x - self.x - 0.5, y - self.y - 0.5) - 0.5), room))
        return new

    def drawn(self, from_x: float, from_y: float, x: float, y: float, width: int, height: int) -> Self:
        """Return the circle drawn anew, from its centre to its edge, within the image."""
        new = copy.copy(self)
        new.x = min(max(math.floor(from_x), 0), width - 1)
        new.y = min(max(math.floor(from_y), 0), height - 1)
        return new.stretched(CENTRE, x, y, width, height)

    def reshaped(self, width: int, height: int) -> Rect:
        """Return a square as wide, at the same place, within the image of width x height px."""
        side = min(2 * self.r + 1, width, height)
        return Rect(self.name, self.x - self.r, self.y - self.r, side, side, self.color).shifted(0, 0, width, height)

    def draw(self, canvas: np.ndarray, scale: float) -> None:
        """Draw the outline and the name on a canvas that shows the image `scale` times as large."""
        centre, radius = (round((self.x + 0.5) * scale), round((self.y + 0.5) * scale)), round((self.r + 0.5) * scale)
        cv2.circle(canvas, centre, radius, self.color, 1, cv2.LINE_AA)
        write_name(canvas, self.name, (centre[0] - radius, centre[1] - radius - 4), self.color)


def zone(distance: float, half: float) -> int | None:
    """Return where a point lies in the direction of one axis: 0 inside, -1 or 1 at an edge, None outside.

    Parameters
    ----------
    distance, half : float
        From the centre to the point, and to the edge; px of the window.  A tiny ROI keeps a middle that can be held.
    """
    if abs(distance) <= max(half - MARGIN, half / 2, LEAST_MOVE):
        return 0
    return (-1 if distance < 0 else 1) if abs(distance) <= max(half, LEAST_MOVE) + REACH else None


@lru_cache(maxsize=16)
def disc(r: int) -> np.ndarray:
    """Return the mask (2r + 1, 2r + 1) bool of a circle."""
    y, x = np.ogrid[-r : r + 1, -r : r + 1]
    inside: np.ndarray = x * x + y * y <= r * r
    return inside


def write_name(canvas: np.ndarray, name: str, at: tuple[int, int], color: Sequence[int]) -> None:
    """Write a small label with its lower left corner at x, y, moved to where it stays on the canvas."""
    (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    at = max(0, min(at[0], canvas.shape[1] - width)), max(at[1], height)
    cv2.putText(canvas, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, 1, cv2.LINE_AA)


def draw_handles(canvas: np.ndarray, roi: Rect | Circle, scale: float) -> None:
    """Draw what an ROI is resized by, on a canvas that shows the image `scale` times as large."""
    left, top, right, bottom = (edge * scale for edge in roi.box())
    is_small = min(right - left, bottom - top) < ROOM_FOR_ALL  # its inside must stay visible
    for across, along in HANDLES:
        is_corner = bool(across and along)
        if is_corner if isinstance(roi, Circle) else is_small and not is_corner:
            continue  # the corners of its square are far from a circle
        at = round((left + right + across * (right - left)) / 2), round((top + bottom + along * (bottom - top)) / 2)
        cv2.drawMarker(canvas, at, roi.color, cv2.MARKER_SQUARE, 3 if is_small else 4, 1 if is_small else 2)


class annots:
    """The ROIs on an image.

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

    def draw(self, canvas: np.ndarray) -> None:
        """Draw all ROIs on a canvas that shows the image `scale` times as large."""
        for roi in self.rois.values():
            roi.draw(canvas, self.scale)
