"""The tuning of a Raspberry Pi camera: from the file of its sensor to pictures that are linear in light.

A tuning is what libcamera reads to process pictures: gamma, colours, contrast, lens shading (Raspberry Pi, "Camera
Algorithm and Tuning Guide"; the keys are those that libcamera's src/ipa/rpi/controller/rpi/*.cpp read).
"""

import copy
from collections.abc import Mapping
from typing import Any

Tuning = dict[str, Any]

FULL_SCALE = 65535
# A straight line, and no stretch by the histogram, which is another one for every frame (contrast.cpp).
STRAIGHT = {"ce_enable": 0, "gamma_curve": [0, 0, FULL_SCALE, FULL_SCALE]}
# One matrix for every colour temperature, which is only a guess of the camera (ccm.cpp).
NO_MIXING = {"ccms": [{"ct": 4000, "ccm": [1, 0, 0, 0, 1, 0, 0, 0, 1]}]}
# Its gains of red and blue follow the image (alsc.cpp).  Without it none are applied.
SHADING = "rpi.alsc"
SHARPENING = "rpi.sharpen"


def linear(tuning: Mapping[str, Any]) -> Tuning:
    """Return a tuning with which every colour is proportional to its own light; the given one stays as it is.

    Parameters
    ----------
    tuning : mapping
        Of a sensor, of version 1 or 2, for any Raspberry Pi.

    Notes
    -----
    That a straight curve without `ce_enable` is linear: picamera2, issues 311 and 368.  What stays as it is acts only
    on single pixels, the same in every frame: black level, defective pixels, green equalisation.
    """
    changed = copy.deepcopy(dict(tuning))
    put(changed, "rpi.contrast", STRAIGHT)
    put(changed, "rpi.ccm", NO_MIXING)
    drop(changed, SHADING)
    if (sharpening := find(changed, SHARPENING)) is not None:
        put(changed, SHARPENING, sharpening | {"strength": 0.0})
    return changed


def find(tuning: Tuning, name: str) -> Tuning | None:
    """Return the parameters of an algorithm; None where the tuning does not have it."""
    if version_of(tuning) == 1:
        return tuning.get(name)
    return next((algorithm[name] for algorithm in tuning["algorithms"] if name in algorithm), None)


def put(tuning: Tuning, name: str, parameters: Mapping[str, Any]) -> None:
    """Give an algorithm these parameters and no others, in its place among the others; add it where it is missing."""
    parameters = copy.deepcopy(dict(parameters))
    if version_of(tuning) == 1:
        tuning[name] = parameters
        return
    for algorithm in tuning["algorithms"]:
        if name in algorithm:
            algorithm[name] = parameters
            return
    tuning["algorithms"].append({name: parameters})


def drop(tuning: Tuning, name: str) -> None:
    """Take an algorithm out."""
    if version_of(tuning) == 1:
        tuning.pop(name, None)
    else:
        tuning["algorithms"] = [algorithm for algorithm in tuning["algorithms"] if name not in algorithm]


def version_of(tuning: Mapping[str, Any]) -> int:
    """Return 1 or 2; a file of version 1 need not say so, as for `Picamera2.find_tuning_algo`."""
    return int(tuning.get("version", 1))
