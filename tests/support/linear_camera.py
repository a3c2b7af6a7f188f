"""The Pi camera on a sensor with a card of known greys, and what it shows of a change of light."""

import sys

import numpy as np

from PiCameraStream import PiCameraStream
from rig.settings.ini import to_strings
from support import isp
from support.picamera2_stand_in import World, module_for
from support.places import SHARED

TUNINGS = SHARED / "data" / "tuning"
BOARDS = {"Pi 4": "vc4", "Pi 5": "pisp"}
SENSORS = ("imx219", "imx477", "imx708", "ov5647")
LEVELS = np.array([*range(20, 241, 10), 60, 180])  # of 255; as many as the card has tiles
TILES, TILE_PX = 5, 40
SIZE = TILES * TILE_PX
TRUE = 0.05
CHANGES = {"blue": (TRUE, 0, 0), "green": (0, TRUE, 0), "red": (0, 0, TRUE), "all": (TRUE, TRUE, TRUE)}
CARD = {
    "resolution": f"{SIZE}, {SIZE}",
    "bregma": "100, 100",
    "ppmm": 20,
    "sensor_mode": 0,
    "vid_source": "PiCameraStream",
}

# Bends, mixes, stretches and shades as those of Raspberry Pi OS do, where these are absent.
SMALL_TUNING = {
    "version": 2.0,
    "target": "bcm2835",
    "algorithms": [
        {"rpi.black_level": {"black_level": 4096}},
        {"rpi.awb": {"ct_curve": [2500.0, 1.5, 0.5, 7500.0, 0.5, 1.5]}},
        {"rpi.alsc": {"luminance_lut": [1.0]}},
        {"rpi.contrast": {"ce_enable": 1, "gamma_curve": [0, 0, 4096, 16384, 16384, 32768, 65535, 65535]}},
        {"rpi.ccm": {"ccms": [{"ct": 5000, "ccm": [2.0, -0.6, -0.4, -0.5, 2.0, -0.5, -0.2, -0.8, 2.0]}]}},
        {"rpi.sharpen": {"strength": 1.0}},
        {"rpi.af": {"conf_clip": 512}},
    ],
}

# The noise of light lets a mean be finer than a step of 8 bits.  Here it is a ramp within each tile: no chance in it.
NOISE = (np.random.default_rng(0).permutation(TILE_PX**2).reshape(TILE_PX, TILE_PX) + 0.5) / TILE_PX**2 - 0.5


def card(levels):
    """Return the light of tiles, (SIZE, SIZE, 3); levels (n, 3) BGR of 255, from the top left, row by row."""
    tiles = np.reshape(levels, (TILES, TILES, 1, 1, 3)) + NOISE[:, :, None]
    return tiles.transpose(0, 2, 1, 3, 4).reshape(SIZE, SIZE, 3) / 255


def grey_card():
    """Return levels (n, 3): each tile has the same of each colour."""
    return np.repeat(LEVELS[:, None], 3, axis=1)


def mixed_card():
    """Return levels (n, 3): each colour has every level, next to every other of the others."""
    order = np.random.default_rng(1)
    return np.stack([order.permutation(LEVELS) for _ in range(3)], axis=1)


def means(image):
    """Return the mean of each tile, (n, 3) BGR."""
    return image.reshape(TILES, TILE_PX, TILES, TILE_PX, 3).mean(axis=(1, 3)).reshape(-1, 3)


def stand_in(monkeypatch, sensor="imx219", board="vc4", folder=None, levels=None):
    """Let a stand-in be picamera2; return its world."""
    world = World(sensor, folder or TUNINGS / board, card(grey_card() if levels is None else levels))
    monkeypatch.setitem(sys.modules, "picamera2", module_for(world))
    return world


def camera_for(settings, **changes):
    """Return a Pi camera, not yet started."""
    return PiCameraStream(to_strings(settings(**CARD | changes)))


def next_image(camera):
    """Return an image of what the sensor sees now."""
    camera.begin_session()
    return [camera.read() for _ in range(3)][-1].image


def shown_changes(camera, world, levels):
    """Return {which colour changed: what is shown of it (n, 3) BGR}; 0.05 is 5 %, NaN where a colour is black."""
    found = {}
    for name, change in CHANGES.items():
        world.light = card(levels)
        before = means(next_image(camera))
        world.light = card(levels) * (1 + np.array(change))
        after = means(next_image(camera))
        with np.errstate(divide="ignore", invalid="ignore"):
            found[name] = np.where(before > 0, after / before - 1, np.nan)
    return found


def worst_error(shown):
    """Return how far what is shown is from the truth, at worst; a black colour shows nothing."""
    errors = [np.abs(np.nan_to_num(shown[name], nan=-1.0) - change) for name, change in CHANGES.items()]
    return float(np.max(errors))


def worst_common(shown):
    """Return the largest green minus blue when both have changed alike, where none is black."""
    both = shown["all"]
    return float(np.nanmax(np.abs(both[:, 1] - both[:, 0])))


def light_that_shows(tuning, level):
    """Return the light, of 255, that the gamma curve of a tuning shows as this grey."""
    x, y = np.reshape(isp.algorithm(tuning, "rpi.contrast")["gamma_curve"], (-1, 2)).T
    return 255 * np.interp(level / 255 * isp.FULL, y, x) / isp.FULL
