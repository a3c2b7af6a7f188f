"""From the bytes of a GenICam camera to a picture: grey (Mono), the colours of a mosaic (Bayer), or three colours."""

import re
from collections.abc import Callable

import cv2
import numpy as np

RAW = re.compile(r"(Mono|BayerRG|BayerGR|BayerGB|BayerBG)(8|10|12|14|16)")
COLOURS = {"RGB8": cv2.COLOR_RGB2BGR, "BGR8": None}
# GenICam names the first two pixels of the first row; OpenCV can name the first two of both rows.
TO_BGR = {
    "BayerRG": cv2.COLOR_BayerRGGB2BGR,
    "BayerGR": cv2.COLOR_BayerGRBG2BGR,
    "BayerGB": cv2.COLOR_BayerGBRG2BGR,
    "BayerBG": cv2.COLOR_BayerBGGR2BGR,
}
KNOWN = "Mono8, Mono10, Mono12, Mono14, Mono16, BayerRG8 (GR, GB, BG; also 10 to 16), RGB8 and BGR8"


def is_raw(name: str) -> bool:
    """Return whether this format gives what the sensor counted, grey or as a mosaic."""
    return RAW.fullmatch(name) is not None


def is_known(name: str) -> bool:
    """Return whether `decoder` knows this format."""
    return is_raw(name) or name in COLOURS


def channels_of(name: str) -> int:
    """Return how many channels the pictures of this format have: 1 for grey, 3 for blue, green and red."""
    return 1 if name.startswith("Mono") else 3


def decoder(name: str, width: int, height: int) -> Callable[[bytes], np.ndarray]:
    """Return what turns the bytes of a frame into an array (height, width, channels) uint8, BGR or grey.

    Of more than 8 bits the upper 8 are kept: a Mono12 value is divided by 16 and rounded down, so that linear stays
    linear, and full scale is 255.
    """
    if name in COLOURS:
        return lambda data: of_colours(data, width, height, COLOURS[name])
    kind, bits = RAW.fullmatch(name).groups()  # type: ignore[union-attr]  # `is_known` was asked before
    shift = int(bits) - 8
    if kind == "Mono":
        return lambda data: eight_bits(data, width, height, shift)[..., None].copy()
    code = TO_BGR[kind]
    return lambda data: cv2.cvtColor(eight_bits(data, width, height, shift), code)


def of_colours(data: bytes, width: int, height: int, code: int | None) -> np.ndarray:
    """Return a picture of three bytes a pixel."""
    image = np.frombuffer(data, np.uint8, height * width * 3).reshape(height, width, 3)
    return image.copy() if code is None else cv2.cvtColor(image, code)


def eight_bits(data: bytes, width: int, height: int, shift: int) -> np.ndarray:
    """Return the upper 8 bits of each pixel, (height, width) uint8."""
    if shift == 0:
        return np.frombuffer(data, np.uint8, height * width).reshape(height, width)
    image = np.frombuffer(data, "<u2", height * width).reshape(height, width)
    eight: np.ndarray = np.minimum(image >> shift, 255).astype(np.uint8)
    return eight
