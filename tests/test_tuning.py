"""A sensor's tuning, made linear in light."""

import copy
import json

import pytest

from rig.devices import tuning
from support.places import SHARED

FOLDER = SHARED / "data" / "tuning"
FILES = sorted(FOLDER.glob("*/*.json"))
IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1]
ALGORITHMS = {
    "rpi.black_level": {"black_level": 4096},
    "rpi.alsc": {"luminance_lut": [2.7, 1.0]},
    "rpi.contrast": {"ce_enable": 1, "lo_max": 1000, "gamma_curve": [0, 0, 512, 2518, 65535, 65535]},
    "rpi.ccm": {
        "saturation": [0, 1],
        "ccms": [{"ct": 2860, "ccm": [2, -1, 0] * 3}, {"ct": 6000, "ccm": [2, 0, -1] * 3}],
    },
    "rpi.sharpen": {"threshold": 0.75, "limit": 0.5, "strength": 1.0},
}


def of_version(version, algorithms=ALGORITHMS):
    """Return a tuning as each version of the file has it."""
    algorithms = copy.deepcopy(algorithms)
    if version == 1:
        return algorithms
    return {"version": 2.0, "target": "pisp", "algorithms": [{name: found} for name, found in algorithms.items()]}


def names(found):
    return list(found) if "algorithms" not in found else [name for one in found["algorithms"] for name in one]


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_bends_mixes_shades_or_sharpens(version):
    found = tuning.linear(of_version(version))
    assert tuning.find(found, "rpi.contrast") == {"ce_enable": 0, "gamma_curve": [0, 0, 65535, 65535]}
    assert tuning.find(found, "rpi.ccm") == {"ccms": [{"ct": 4000, "ccm": IDENTITY}]}
    assert tuning.find(found, "rpi.alsc") is None
    assert tuning.find(found, "rpi.sharpen") == {"threshold": 0.75, "limit": 0.5, "strength": 0.0}
    assert names(found) == [name for name in ALGORITHMS if name != "rpi.alsc"], "the others stay, in their order"
    assert tuning.find(found, "rpi.black_level") == {"black_level": 4096}


@pytest.mark.parametrize("version", [1, 2])
def test_what_was_given_stays_as_it_is(version):
    given = of_version(version)
    tuning.linear(given)
    assert given == of_version(version)


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_file_lacks_is_added_where_the_default_would_bend_or_mix(version):
    found = tuning.linear(of_version(version, {"rpi.black_level": {"black_level": 4096}}))
    assert names(found) == ["rpi.black_level", "rpi.contrast", "rpi.ccm"]
    assert tuning.find(found, "rpi.contrast")["ce_enable"] == 0


def test_two_tunings_share_nothing():
    first, second = tuning.linear(of_version(2)), tuning.linear(of_version(2))
    tuning.find(first, "rpi.ccm")["ccms"][0]["ccm"][0] = 5
    assert tuning.find(second, "rpi.ccm")["ccms"][0]["ccm"] == IDENTITY


@pytest.mark.skipif(not FILES, reason="no tuning files here: ../shared is absent")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_raspberry_pi_os(path):
    stock = json.loads(path.read_text())
    found = tuning.linear(stock)
    assert set(names(stock)) - set(names(found)) == {"rpi.alsc"}
    assert len(tuning.find(found, "rpi.ccm")["ccms"]) == 1
    changed = [name for name in names(found) if tuning.find(found, name) != tuning.find(stock, name)]
    assert changed == ["rpi.contrast", "rpi.ccm", "rpi.sharpen"]
    assert json.loads(json.dumps(found)) == found, "picamera2 hands it over as a file"
