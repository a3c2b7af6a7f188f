"""Small functions that scripts and analysis notebooks share: configuration, seeds, tones, session types."""

import math
from collections.abc import Mapping
from configparser import RawConfigParser
from enum import Enum
from pathlib import Path
from typing import NamedTuple

LOWEST_TONE_HZ = 1000
TONES_PER_OCTAVE = 4


class Position(NamedTuple):
    """A pixel of an image.

    Attributes
    ----------
    row, col : float
        Pixels from the top and from the left.
    """

    row: float
    col: float


class SessionType(Enum):
    """What a mouse hears and what it earns: the experiment and its control arms."""

    normal_audio_normal_reward = "normal_audio_normal_reward"
    single_audio_normal_reward = "single_audio_normal_reward"
    no_audio_random_reward = "no_audio_random_reward"
    normal_audio_no_reward = "normal_audio_no_reward"
    no_audio_no_reward = "no_audio_no_reward"
    yoked = "yoked"


def GetConfigValues(data_dir: str | Path) -> dict[str, str]:
    """Read the settings that a session was run with.

    Parameters
    ----------
    data_dir : str or Path
        A session folder, or any folder with a config.ini.

    Returns
    -------
    dict of str to str
        The section that `[configsection] config` names, together with what [DEFAULT] shares.

    Raises
    ------
    FileNotFoundError
        No config.ini in the folder.
    KeyError
        The file does not name a section, or names one that it does not have.
    """
    return named_values(Path(data_dir) / "config.ini")


def named_values(path: Path) -> dict[str, str]:
    """Return the section that a file itself names, as `GetConfigValues` does."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path.name} in {path.parent}; name the folder of a session")
    parser = RawConfigParser()
    parser.read(path, encoding="utf-8-sig")  # some editors put a mark in front
    name = parser.get("configsection", "config", fallback=None)
    if name is None:
        raise KeyError(f"{path} has no [configsection] with a line 'config = NAME OF A SECTION'")
    if name not in parser:
        raise KeyError(f"{path} has no section [{name}], which its [configsection] names")
    return {key: one_percent(text) for key, text in parser[name].items()}


def one_percent(text: str) -> str:
    """Return a value of an INI file as it is meant: `%%` is a percent sign, as for `ConfigParser`, and so is `%`."""
    return text.replace("%%", "%")


def generate_seeds(
    bregma: Position, seeds_mm: Mapping[str, Mapping[str, float]], ppmm: float, side: str
) -> dict[str, dict[str, int]]:
    """Place cortical sites, given in mm from bregma, on the image.

    Parameters
    ----------
    bregma : Position
        Bregma in px: row, col.
    seeds_mm : mapping
        {site: {'ML': mm lateral of bregma, 'AP': mm anterior of bregma}}.
    ppmm : float
        Pixels per mm.
    side : {'u', 'd', 'l', 'r'}
        Where the nose points in the image: up, down, left, right.

    Returns
    -------
    dict
        {'SITE_L': {'ML': column, 'AP': row}, 'SITE_R': ...} in px, int.

    Raises
    ------
    ValueError
        `side` is none of the four letters.
    """
    # Unit vectors (column, row) of anterior for each direction; the mouse's left is a quarter turn counterclockwise.
    anterior_of = {"u": (0, -1), "d": (0, 1), "l": (-1, 0), "r": (1, 0)}
    if side not in anterior_of:
        raise ValueError(f"side is {side!r}; it must be 'u', 'd', 'l' or 'r': where the nose points in the image")
    a_col, a_row = anterior_of[side]
    left_col, left_row = a_row, -a_col
    seeds = {}
    for name, site in seeds_mm.items():
        for suffix, sign in (("L", 1), ("R", -1)):
            lateral_px, anterior_px = sign * site["ML"] * ppmm, site["AP"] * ppmm
            seeds[f"{name}_{suffix}"] = {
                "ML": math.floor(bregma.col + lateral_px * left_col + anterior_px * a_col),
                "AP": math.floor(bregma.row + lateral_px * left_row + anterior_px * a_row),
            }
    return seeds


def get_freqs(n_tones: int) -> dict[int, float]:
    """Return the pitch ladder, {index: Hz}: quarter octaves from 1000 Hz.

    Eighteen tones reach from 1000 to 19027 Hz (Gupta & Murphy, eLife 105070).
    """
    return {i: LOWEST_TONE_HZ * 2 ** (i / TONES_PER_OCTAVE) for i in range(n_tones)}
