"""Small pieces that the windows are drawn with."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from rig.devices.frames import in_colours

VIEW_HEIGHT = 512  # px; small images are shown enlarged
LARGEST_VIEW = 1280, 700  # px
STRIP_HEIGHT = 110  # below the image
SATURATED = 255

# Light to brightness on a screen: the curve of sRGB (IEC 61966-2-1), without which linear pictures look too dark.
LIGHT = np.arange(256) / 255
EYE = np.where(LIGHT <= 0.0031308, 12.92 * LIGHT, 1.055 * LIGHT ** (1 / 2.4) - 0.055)
DISPLAY_CURVE = np.rint(255 * EYE).astype(np.uint8)
SAYS_CURVE = "brighter than it is: shown through a display curve, stored and measured linear in light"

Color = tuple[int, int, int]
WHITE, GREY, BLACK = (255, 255, 255), (150, 150, 150), (0, 0, 0)
BLUE, GREEN, RED, YELLOW = (255, 140, 60), (80, 220, 80), (60, 60, 255), (80, 220, 255)


def write(canvas: np.ndarray, text: str, at: tuple[int, int], color: Sequence[int] = WHITE, size: float = 0.5) -> None:
    """Write a line of text with its lower left corner at x, y (px)."""
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)


def write_shadowed(
    canvas: np.ndarray, text: str, at: tuple[int, int], color: Sequence[int] = WHITE, size: float = 0.4
) -> None:
    """Write a line of text with a shadow, to be read on any picture; moved to where it stays on the canvas."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    x, y = max(0, min(at[0], canvas.shape[1] - width)), max(at[1], height)
    write(canvas, text, (x + 1, y + 1), BLACK, size)
    write(canvas, text, (x, y), color, size)


def write_within(canvas: np.ndarray, text: str, at: tuple[int, int], size: float = 0.5, color: Color = WHITE) -> None:
    """Write a line of text, smaller where it would leave the canvas otherwise."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    room = canvas.shape[1] - at[0] - 4
    write(canvas, text, at, color, size * min(1.0, room / max(1, width)))


def caption(view: np.ndarray, *lines: str) -> None:
    """Write lines at the foot of a picture, on a dark band."""
    top = len(view) - 10 - 16 * len(lines)
    view[top:] //= 4
    for i, line in enumerate(lines):
        write_within(view, line, (8, top + 17 + 16 * i), 0.42)


BAR_HEIGHT = 28


def caption_bar(canvas: np.ndarray, top: int, text: str, asks: bool = False, refused: bool = False) -> None:
    """Write a sentence across the whole picture at row `top`: on red what was refused, in yellow what is asked for."""
    canvas[top : top + BAR_HEIGHT] = (0, 0, 130) if refused else (60, 45, 35)
    write_within(canvas, text, (8, top + 19), 0.48, YELLOW if asks else WHITE)


def show_help(view: np.ndarray, rows: Sequence[tuple[str, str]]) -> None:
    """Write over a picture what keys and pointer do, (key, what it does)."""
    view //= 5
    step = min(26, (len(view) - 40) // (len(rows) + 1))
    write(view, "Keys and pointer", (24, 32), YELLOW, 0.6)
    for i, (key, what) in enumerate(rows, start=1):
        write(view, key, (24, 36 + step * i), YELLOW, 0.48)
        write_within(view, what, (220, 36 + step * i), 0.48)


def show_pointer(view: np.ndarray, at: tuple[float, float] | None, scale: float, is_asked: bool) -> None:
    """Mark where the pointer is, x, y px of the image; with lines over the whole view where a click is asked for."""
    if at is None:
        return
    x, y = round(at[0] * scale), round(at[1] * scale)
    if is_asked:
        cv2.line(view, (x, 0), (x, len(view)), YELLOW, 1)
        cv2.line(view, (0, y), (view.shape[1], y), YELLOW, 1)
    else:
        cv2.drawMarker(view, (x, y), WHITE, cv2.MARKER_CROSS, 8, 1)


def for_the_eye(image: np.ndarray, is_linear: bool | None) -> np.ndarray:
    """Return an image (height, width, channels) as it is shown, BGR: linear in light through a display curve."""
    image = in_colours(image)
    return cv2.LUT(image, DISPLAY_CURVE) if is_linear else image


def show_refusal(view: np.ndarray, text: str) -> None:
    """Write a sentence across the head of a picture, on red, in as many lines as it needs."""
    words, lines = text.split(), [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        (width, _), _ = cv2.getTextSize(longer, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        if width > view.shape[1] - 16 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    view[: 12 + 20 * len(lines)] = (0, 0, 120)
    for i, line in enumerate(lines):
        write(view, line, (8, 22 + 20 * i))


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


def scale_to_place(width: int, height: int) -> float:
    """Return how many times an image is enlarged in which something small must be grabbed, as far as screens allow."""
    return float(max(1, min(LARGEST_VIEW[0] // width, LARGEST_VIEW[1] // height)))


def show_brightness(canvas: np.ndarray, name: str, values: Iterable[float], peak: int, top: int, color: Color) -> None:
    """Write mean and maximum of one colour of the image at row `top`, with a sparkline of the mean."""
    means = list(values)
    saturated = " SATURATED" if peak >= SATURATED else ""
    write(canvas, f"{name}: mean {means[-1]:.1f}, max {peak}{saturated}", (8, top + 25), RED if saturated else color)
    low, high = min(means) - 0.5, max(means) + 0.5
    polyline(canvas, means, low, high, (260, top, max(40, canvas.shape[1] - 388), 40), color)


def show_lick(canvas: np.ndarray, licked: bool) -> None:
    """Mark a lick in the lower right corner."""
    height, width = canvas.shape[:2]
    at = (width - 98, height - STRIP_HEIGHT // 2)
    cv2.circle(canvas, at, 10, YELLOW if licked else GREY, -1 if licked else 1, cv2.LINE_AA)
    write(canvas, "lick", (at[0] + 18, at[1] + 5), YELLOW if licked else GREY)


def save_picture(folder: Path, picture: np.ndarray) -> str:
    """Save a picture of the preview (height, width, 3) uint8 BGR in the folder of the mouse; say where, or why not."""
    path = folder / f"preview_{datetime.now():%Y%m%d%H%M%S}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    except OSError as error:
        return f"{path}: the picture could not be saved ({error.strerror})"
    return f"saved as {path}"
