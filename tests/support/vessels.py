"""Pictures of the vessels of drawn mice, moved and spoilt, and where their sites really are."""

import cmath
import math

import cv2
import numpy as np

from rig.protocol.registration import Move, register
from rig.settings.clnf import CortexSettings
from rig.settings.loading import from_strings
from rig.settings.moved import simulated_move
from rig.simulated.cortex import BLUE_LEVEL, resting_light

BUBBLE_SHARE = 0.2  # of the picture


def mouse(seed, side=256, moved=(0.0, 0.0, 0.0, 1.0)):
    """Return the settings of a drawn mouse whose head lies otherwise than they say."""
    values = {"resolution": f"{side}, {side}", "bregma": f"{side / 2}, {side / 2}", "ppmm": f"{side / 10}"}
    values |= {
        "vid_source": "SimCameraStream",
        "framerate": "15",
        "seed": f"{seed}",
        "sim_head_moved": ", ".join(map(str, moved)),
    }
    return from_strings(CortexSettings, values)


def picture(settings):
    """Return its blue picture without noise."""
    return (BLUE_LEVEL * resting_light(settings, np.random.default_rng(settings.seed))).astype(np.float32)


def random_move(random):
    """Return a shift of up to 1 mm, a turn of up to 15 degrees, a scale of 0.9 to 1.1."""
    shift = cmath.rect(math.sqrt(random.uniform()), random.uniform(0, 2 * math.pi))
    return shift.real, shift.imag, random.uniform(-15, 15), random.uniform(0.9, 1.1)


def spoilt(blue, random, bubble=True):
    """Return a picture in other, slanting light, with noise and a bubble, which shows what is beneath it smaller."""
    side = len(blue)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    slope_x, slope_y = random.uniform(-0.3, 0.3, 2)
    blue = blue * random.uniform(0.6, 1.5) * (1 + slope_x * (x / side - 0.5) + slope_y * (y / side - 0.5))
    if bubble:
        blue = with_bubble(blue.astype(np.float32), x, y, random)
    return np.clip(blue + random.normal(0, 1.5, blue.shape), 0, 255).astype(np.float32)


def with_bubble(blue, x, y, random):
    side, (at_x, at_y) = len(blue), random.uniform(0.15, 0.85, 2) * len(blue)
    radius = side * math.sqrt(BUBBLE_SHARE / math.pi)
    far = np.hypot(x - at_x, y - at_y)
    smaller = cv2.warpAffine(blue, cv2.getRotationMatrix2D((at_x, at_y), 0, 0.75), (side, side), borderMode=2)
    blue = np.where(far < radius, 1.2 * cv2.GaussianBlur(smaller, (0, 0), 3) + 20, blue)
    return blue + 60 * np.exp(-(((far - radius) / 2) ** 2))


def registered(random, seed, other=None, side=256):
    """Register a spoilt picture of a mouse, or of another one, to a first day; return (found, error of the worst site).

    Parameters
    ----------
    random : numpy Generator
    seed : int
        Of the mouse of the first day.
    other : int, optional
        Of that of today.
    side : int
        px.
    """
    first, today = mouse(seed, side), mouse(seed if other is None else other, side, random_move(random))
    sites = [(site["ML"], site["AP"]) for site in first.seeds().values()]
    before, now = spoilt(picture(first), random, bubble=False), spoilt(picture(today), random)
    found = register(before, now, first.ppmm, sites)
    return found, worst_mm(found.move, simulated_move(today), sites, before.shape, first.ppmm)


def worst_mm(found: Move, true: Move, sites, shape, ppmm):
    """Return how far the site that lies worst is from where it should be, mm."""
    return max(math.dist(found.to_today(*at, shape, ppmm), true.to_today(*at, shape, ppmm)) for at in sites) / ppmm
