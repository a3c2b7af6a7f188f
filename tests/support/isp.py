"""What a Raspberry Pi makes of the light on its sensor, for a given tuning: a model for the tests.

In order: lens shading, colour matrix, gamma curve with adaptive contrast, 8 bits; white balance is off, gains 1, 1.
The rules are those of libcamera's src/ipa/rpi/controller/rpi/{alsc,ccm,awb,contrast}.cpp, written anew and simpler:

- Of lens shading only the part that follows the image is modelled, gains of red and blue within 5 %; the fixed part is
  taken to make good what the lens takes away.
- Sharpening and denoising are left out: they do not change the mean of a flat patch.

Light is an array (height, width, 3) BGR, 1 is the full scale of the sensor.
"""

import numpy as np

FULL = 65535
ZONE_PX = 10
MOST_SHADING = 0.05  # lambda_bound of alsc.cpp


def algorithm(tuning, name):
    """Return the parameters of an algorithm, or None."""
    if tuning.get("version", 1) == 1:
        return tuning.get(name)
    return next((found[name] for found in tuning["algorithms"] if name in found), None)


def colour_temperature(tuning):
    """Return what the camera believes with the gains 1, 1: the mean of what red and blue say, K."""
    curve = np.reshape(algorithm(tuning, "rpi.awb")["ct_curve"], (-1, 3))
    by_red = np.interp(1.0, curve[::-1, 1], curve[::-1, 0])  # red falls with the temperature
    by_blue = np.interp(1.0, curve[:, 2], curve[:, 0])
    return (by_red + by_blue) / 2


def colour_matrix(tuning):
    """Return the matrix (3, 3) from red, green, blue to red, green, blue."""
    matrices = algorithm(tuning, "rpi.ccm")["ccms"]
    temperatures, values = [m["ct"] for m in matrices], np.array([m["ccm"] for m in matrices], float)
    at = colour_temperature(tuning)
    return np.array([np.interp(at, temperatures, values[:, i]) for i in range(9)]).reshape(3, 3)


def shade(tuning, light):
    """Pull red and blue of each zone towards their ratio to green in the whole image, as far as the bound allows."""
    if algorithm(tuning, "rpi.alsc") is None:
        return light
    height, width, _ = light.shape
    zones = light.reshape(height // ZONE_PX, ZONE_PX, width // ZONE_PX, ZONE_PX, 3).mean(axis=(1, 3))
    gains = np.ones_like(zones)
    for colour in (0, 2):
        ratio = zones[..., colour] / zones[..., 1]
        gains[..., colour] = np.clip(ratio.mean() / ratio, 1 - MOST_SHADING, 1 + MOST_SHADING)
    return light * gains.repeat(ZONE_PX, axis=0).repeat(ZONE_PX, axis=1)


def stretch(contrast, luma):
    """Return the points x, y of the adaptive contrast, 0 to 65535: black and white pulled out, the median kept."""
    if not contrast.get("ce_enable", 1):
        return [0, FULL], [0, FULL]
    low, middle, high = np.quantile(
        luma * FULL, [contrast.get("lo_histogram", 0.01), 0.5, contrast.get("hi_histogram", 0.95)]
    )
    black, white = contrast.get("lo_level", 0.015) * FULL, contrast.get("hi_level", 0.95) * FULL
    low = max(black, min(low, black + contrast.get("lo_max", 500)))
    high = min(white, max(high, white - contrast.get("hi_max", 2000)))
    points = sorted({0: 0, low: black, middle: middle, high: white, FULL: FULL}.items())
    return [x for x, _ in points], np.maximum.accumulate([y for _, y in points])


def curve(tuning, luma):
    """Return the function from light to brightness, both 0 to 1, for an image of this luma."""
    contrast = algorithm(tuning, "rpi.contrast")
    x, y = np.reshape(contrast["gamma_curve"], (-1, 2)).T
    stretched = stretch(contrast, luma)
    return lambda light: np.interp(np.interp(light * FULL, *stretched), x, y) / FULL


def picture(tuning, light):
    """Return what the camera gives, (height, width, 3) uint8 BGR."""
    shaded = shade(tuning, light)
    luma = shaded @ (0.114, 0.587, 0.299)
    mixed = (shaded[..., ::-1] @ colour_matrix(tuning).T)[..., ::-1]
    bright = curve(tuning, luma)(np.clip(mixed, 0, 1))
    return np.clip(np.rint(bright * 255), 0, 255).astype(np.uint8)
