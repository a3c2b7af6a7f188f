"""The building blocks of settings: types with their limits, and how a setting is declared."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

ROOT = Path(__file__).resolve().parents[2]
"""The top folder of the code."""

CAMERA, CORTEX, PAW, TRIALS, TONE, WATER, PINS, LICK, FILES, COMPUTER = (
    "Camera", "Cortex", "Paw", "Trials", "Tone", "Water", "Pins", "Lick sensor", "Files", "Computer",
)  # fmt: skip
"""What a user sets, in the order of the README's tables."""


def setting(group: str, meaning: str, unit: str = "", default: Any = ..., **limits: Any) -> Any:
    """Declare a setting; without a default it must stand in config.ini."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit, "group": group}, **limits)


def split_commas(value: object) -> object:
    """Turn '256, 256' into ['256', '256']; leave anything but text as it is."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def parse_json(value: object) -> object:
    """Turn JSON text into what it says."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON: {error.msg} at character {error.pos + 1}") from None


def expand_model(value: Path) -> Path:
    """Make a path absolute: below the current folder, else below the top folder, where the shipped model is."""
    here = value.expanduser().absolute()
    return here if here.exists() else ROOT / value.expanduser()


def expand_folder(value: Path) -> Path:
    """Make a path absolute, with ~ for the home folder."""
    return value.expanduser().absolute()


Pixels = Annotated[int, Field(gt=0, le=8192)]
Size = Annotated[tuple[Pixels, Pixels], BeforeValidator(split_commas)]
Coordinate = Annotated[float, Field(ge=-8192, le=8192)]
Place = Annotated[tuple[Coordinate, Coordinate], BeforeValidator(split_commas)]
Millimetres = Annotated[float, Field(gt=0, le=10000)]
SizeInMm = Annotated[tuple[Millimetres, Millimetres], BeforeValidator(split_commas)]
Folder = Annotated[Path, AfterValidator(expand_folder)]
Model = Annotated[Path, AfterValidator(expand_model)]
Names = Annotated[tuple[str, ...], BeforeValidator(split_commas)]
Box = Annotated[tuple[int, int, int, int], BeforeValidator(split_commas)]
"""x, y, width, height in px."""
Centre = Annotated[tuple[int, int], BeforeValidator(split_commas)]
"""x, y in px."""
Hdf5Name = Annotated[str, Field(pattern=r"^[^/\\]+\.(hdf5|h5)$")]
MovieName = Annotated[str, Field(pattern=r"^[^/\\]+\.(mp4|mov)$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\]*[^/\\.][^/\\]*$")]


class Site(BaseModel):
    """A cortical site in mm from bregma: lateral and anterior."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ML: Annotated[float, Field(ge=-50, le=50)]
    AP: Annotated[float, Field(ge=-50, le=50)]


Sites = Annotated[dict[str, Site], BeforeValidator(parse_json)]
