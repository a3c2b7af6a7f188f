"""The building blocks of settings: types with their limits, and how a setting is declared."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WrapValidator
from pydantic import ValidatorFunctionWrapHandler as Otherwise

from rig.protocol.adaptive import Staircase
from rig.protocol.artefacts import BITS
from rig.protocol.crossings import Auto
from rig.protocol.haemodynamics import LARGEST as LARGEST_BLUE
from rig.protocol.haemodynamics import ByRoi, by_roi
from rig.settings.sentences import nearest

ROOT = Path(__file__).resolve().parents[2]
"""The top folder of the code."""

CAMERA, CORTEX, PAW, TRIALS, TONE, WATER, PINS, LICK, FILES, COMPUTER = (
    "Camera", "Cortex", "Paw", "Trials", "Tone", "Water", "Pins", "Lick sensor", "Files", "Computer",
)  # fmt: skip
"""What a user sets, in the order of the tables in docs/settings.md."""


LONGEST_NAME, LONGEST_PATH = 255, 3800
"""Bytes; Linux takes paths of 4095, and below data_root there are the folders of mouse and session, and its files."""
FILES_OF_OURS = frozenset({"water.csv", "valve_calibration.json", "replays", "arms.csv"})
"""What lies below data_root or next to config.ini, besides the summaries and the folders of the mice."""


def is_file_of_ours(name: str) -> bool:
    """Return whether a file or folder of this name below data_root would stand in the way of one of ours."""
    return any(name.lower() == ours or name.lower().startswith(f"{ours}.") for ours in FILES_OF_OURS)


def setting(group: str, meaning: str, unit: str = "", default: Any = ..., **limits: Any) -> Any:
    """Declare a setting; without a default it must stand in config.ini."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit, "group": group}, **limits)


def split_commas(value: object) -> object:
    """Turn '256, 256' into ['256', '256']; leave anything but text as it is."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def split_names(value: object) -> object:
    """Turn 'a, b' into ['a', 'b'], and '' into none."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def parse_json(value: object) -> object:
    """Turn JSON text into what it says."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON: {error.msg} at character {error.pos + 1}") from None


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return what a JSON object says; ValueError where it says something twice."""
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]} stands there more than once")
    return dict(pairs)


def check_path(value: Path) -> Path:
    """Return a path that a file system can have; ValueError with the reason where none can."""
    try:
        text = str(value).encode()
    except UnicodeEncodeError:
        raise ValueError("it is not text in UTF-8; rename the folder") from None
    longest = max((len(part.encode()) for part in value.parts), default=0)
    if longest > LONGEST_NAME:
        raise ValueError(f"it has a part of {longest} bytes, and a name may have {LONGEST_NAME}; shorten it")
    if len(text) > LONGEST_PATH:
        raise ValueError(f"it has {len(text)} bytes, and a path may have {LONGEST_PATH}; shorten it")
    if b"\0" in text:
        raise ValueError("it has a NUL")
    return value


def expand_model(value: Path) -> Path:
    """Make a path absolute: below the current folder, else below the top folder, where the shipped model is."""
    here = check_path(value.expanduser().absolute())
    return here if here.exists() else ROOT / value.expanduser()


def expand_folder(value: Path) -> Path:
    """Make a path absolute, with ~ for the home folder."""
    if re.match(r"[A-Za-z]:\\", str(value)):
        raise ValueError("it is a path of Windows; name a folder of this computer")
    return check_path(Path(str(value).strip()).expanduser().absolute())  # no line of config.ini could keep its blanks


def check_path_text(value: str) -> str:
    """Return the text of a path that a file system can have, without blanks at its ends: no config.ini keeps them."""
    check_path(Path(value))
    return value.strip()


Pixels = Annotated[int, Field(gt=0, le=8192)]
Size = Annotated[tuple[Pixels, Pixels], BeforeValidator(split_commas)]
FromZero = Annotated[int, Field(ge=0, le=8192)]
Corner = Annotated[tuple[FromZero, FromZero], BeforeValidator(split_commas)]
"""x, y in px."""
Coordinate = Annotated[float, Field(ge=-8192, le=8192)]
Place = Annotated[tuple[Coordinate, Coordinate], BeforeValidator(split_commas)]
Millimetres = Annotated[float, Field(gt=0, le=10000)]
SizeInMm = Annotated[tuple[Millimetres, Millimetres], BeforeValidator(split_commas)]
Shift = Annotated[float, Field(ge=-50, le=50)]
Degrees = Annotated[float, Field(ge=-180, le=180)]
Zoom = Annotated[float, Field(gt=0.1, lt=10)]
Moved = Annotated[tuple[Shift, Shift, Degrees, Zoom], BeforeValidator(split_commas)]
"""mm to the right and down, degrees clockwise, scale."""
PathText = Annotated[str, AfterValidator(check_path_text)]
Folder = Annotated[Path, AfterValidator(expand_folder)]
Model = Annotated[Path, AfterValidator(expand_model)]


def read_adaptive(value: object, otherwise: Otherwise) -> object:
    """Turn 'staircase:0.7' into a Staircase; anything else is 0 or 1."""
    if isinstance(value, Staircase):
        return value
    if not isinstance(value, str) or not value.strip().lower().startswith("staircase"):
        return otherwise(value)
    try:
        target = float(value.partition(":")[2])
    except ValueError:
        raise ValueError("a staircase needs the success rate that it is to reach, as in staircase:0.7") from None
    return Staircase(target)


def write_adaptive(value: bool | Staircase) -> bool | str:
    """Return what stands in config.ini."""
    return value if isinstance(value, bool) else str(value)


Adaptive = Annotated[bool, WrapValidator(read_adaptive), PlainSerializer(write_adaptive)]
"""0, 1 or staircase:TARGET; then it is a Staircase, although pydantic checks it as a bool."""


def read_auto(value: object, otherwise: Otherwise) -> object:
    """Turn 'auto:2' into an Auto; anything else is a number."""
    if isinstance(value, Auto):
        return value
    word, _, rate = value.partition(":") if isinstance(value, str) else ("", "", "")
    if word.strip().lower() != "auto":
        return otherwise(value)
    try:
        per_min = float(rate)
    except ValueError:
        raise ValueError("auto needs the crossings per minute, as in auto:2") from None
    return Auto(per_min)


def write_auto(value: float | Auto) -> float | str:
    """Return what stands in config.ini."""
    return str(value) if isinstance(value, Auto) else value


DffThreshold = Annotated[float, Field(gt=0, lt=10), WrapValidator(read_auto), PlainSerializer(write_auto)]
"""A number, or auto:RATE; then it is an Auto until the mouse is known, although pydantic checks it as a float."""


def check_vetoes(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of what vetoes; ValueError for one that is not known, or stands there twice."""
    for name in names:
        if name not in BITS:
            raise ValueError(f"there is no veto {name}{nearest(name, BITS)}; known are {', '.join(BITS)}")
        if names.count(name) > 1:
            raise ValueError(f"{name} stands there more than once")
    return names


def read_blue(value: object, otherwise: Otherwise) -> object:
    """Turn 'fit' and 'BC_L 0.62, BC_R 0.58' into a ByRoi; anything else is a number."""
    if isinstance(value, ByRoi):
        return value
    words = isinstance(value, str) and re.search(r"[^\W\d]\S*\s+\S|^\s*fit\s*$", value, re.IGNORECASE)
    return by_roi(str(value)) if words else otherwise(value)


def write_blue(value: float | ByRoi) -> float | str:
    """Return what stands in config.ini."""
    return str(value) if isinstance(value, ByRoi) else value


BlueCoefficient = Annotated[float, Field(ge=0, le=LARGEST_BLUE), WrapValidator(read_blue), PlainSerializer(write_blue)]
"""A number, or a ByRoi, although pydantic checks it as a float."""
NamesOrNone = Annotated[tuple[str, ...], BeforeValidator(split_names)]
Vetoes = Annotated[NamesOrNone, AfterValidator(check_vetoes)]
Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
Box = Annotated[tuple[int, int, int, int], BeforeValidator(split_commas)]
"""x, y, width, height in px."""
Outline = Annotated[tuple[int, int, int, int] | tuple[int, int, int], BeforeValidator(split_commas)]
"""x, y, width, height of a rectangle, or x, y, radius of a circle, in px."""
Centre = Annotated[tuple[int, int], BeforeValidator(split_commas)]
"""x, y in px."""
Hdf5Name = Annotated[str, Field(pattern=r"^[^/\\]+\.(hdf5|h5)$", max_length=80)]
MovieName = Annotated[str, Field(pattern=r"^[^/\\]+\.(mp4|mov|mkv)$", max_length=80)]
FileName = Annotated[str, Field(pattern=r"^[^/\\]*[^/\\.][^/\\]*$", max_length=80)]


class Site(BaseModel):
    """A cortical site in mm from bregma: lateral and anterior."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ML: Annotated[float, Field(ge=-50, le=50)]
    AP: Annotated[float, Field(ge=-50, le=50)]


Sites = Annotated[dict[str, Site], BeforeValidator(parse_json)]
