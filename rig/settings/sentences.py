"""How a complaint about a setting is put into a sentence."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from helper import SessionType
from rig.errors import SettingsError


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean X?', or nothing where no known name is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    match = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[match[0]]}?" if match else ""


def describe(error: Mapping[str, Any], raw: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Turn one complaint of pydantic into a sentence with key, value, what is expected and the unit."""
    key, *inside = error["loc"]
    if key == "placed":
        name = inside[0]
        return f"{name} = {raw[key][name]}: expected the place of an ROI: {getattr(model, 'place_form', '')}"
    field = model.model_fields[key]
    unit = unit_of(field)
    expected = f"expected: {field.description}" + (f" ({unit})" if unit else "")
    if error["type"] == "missing" and not inside:
        return f"{key} is missing; {expected}"
    value = str(raw[key])
    value = value if len(value) <= 60 else value[:57] + "..."
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    where = " at " + ".".join(str(part) for part in inside) if inside else ""
    return f"{key} = {value}{where}: {message}; {expected}"


def complaints(source: str, sentences: list[str]) -> SettingsError:
    """Put all that is wrong into one error."""
    sentences = list(dict.fromkeys(sentences))
    count = "one setting" if len(sentences) == 1 else f"{len(sentences)} settings"
    return SettingsError(f"{source}: {count} cannot be used\n" + "\n".join(f"  {sentence}" for sentence in sentences))


def unit_of(field: Any) -> str:
    """Return the unit of a setting, or the words that it may be."""
    unit = str((field.json_schema_extra or {}).get("unit", ""))
    if unit:
        return unit
    if field.annotation is SessionType:
        return ", ".join(kind.name for kind in SessionType)
    return ", ".join(word for word in get_args(field.annotation) if isinstance(word, str))
