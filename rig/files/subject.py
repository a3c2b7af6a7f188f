"""What is known about a mouse and about the lab: data_root/MOUSE/subject.ini, and the section [lab] of config.ini."""

from collections.abc import Mapping
from configparser import Error as IniError
from configparser import RawConfigParser
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ValidationError

from rig.disk import replace_file
from rig.errors import SettingsError
from rig.settings.ini import MAYBE_BOM, save_lines, to_text
from rig.settings.lab import LAB, SUBJECT, WEIGHTS, Lab, Part, Subject, Weight
from rig.settings.sentences import complaints, describe, nearest

SUBJECT_FILE = "subject.ini"


def section_of(path: Path, section: str) -> dict[str, str]:
    """Return what a section of a file says itself; nothing where there is no such file or section.

    Raises
    ------
    SettingsError
        The file cannot be read as INI.
    """
    parser = RawConfigParser(default_section="no section is shared here")
    try:
        parser.read_string(path.read_text(encoding=MAYBE_BOM), str(path))
    except FileNotFoundError:
        return {}
    except (IniError, ValueError, OSError) as error:
        raise SettingsError(f"{path}: the file cannot be read as INI: {' '.join(str(error).split())}") from None
    return dict(parser[section]) if section in parser else {}


def typed(model: type[Part], values: Mapping[str, str], source: str) -> Part:
    """Return what values say, typed; SettingsError with every complaint at once."""
    known, given = set(model.model_fields), {key: value for key, value in values.items() if value}
    problems = [f"{key} = {given[key]}: there is no such key{nearest(key, known)}" for key in given if key not in known]
    try:
        found = model.model_validate({key: value for key, value in given.items() if key in known})
    except ValidationError as error:
        problems += [describe(one, given, model) for one in error.errors()]
    if problems:
        raise complaints(source, problems)
    return found


def lines_of(found: BaseModel) -> dict[str, str]:
    """Return what is known as the lines of a section, {key: text}, without what is empty."""
    return {key: text for key, value in found.model_dump().items() if (text := to_text(value))}


def read_lab(config: Path) -> Lab:
    """Return what [lab] of a config.ini says; all empty where there is none."""
    return typed(Lab, section_of(config, LAB), f"{config} [{LAB}]")


def read_subject(path: Path) -> Subject:
    """Return what a subject.ini says about the mouse; all empty where there is none."""
    return typed(Subject, section_of(path, SUBJECT), f"{path} [{SUBJECT}]")


def read_weights_g(path: Path) -> dict[date, float]:
    """Return the weights of a subject.ini, {day: g}, in order of the days."""
    weights = {}
    for day, text in section_of(path, WEIGHTS).items():
        try:
            when = date.fromisoformat(day)
        except ValueError:
            raise SettingsError(f"{path} [{WEIGHTS}]: {day} is no day; write YYYY-MM-DD = GRAMS") from None
        weights[when] = typed(Weight, {"weight": text}, f"{path} [{WEIGHTS}], {day}").weight
    return dict(sorted(weights.items()))


def add_lines(path: Path, section: str, lines: Mapping[str, str]) -> None:
    """Write lines into a section of a file, {key: value}; both are made if need be, and all other lines stay."""
    text = path.read_text(encoding=MAYBE_BOM) if path.exists() else ""
    if section not in {line.strip().strip("[]") for line in text.splitlines() if line.strip().startswith("[")}:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, (f"{text.rstrip()}\n\n[{section}]\n".lstrip()).encode())
    save_lines(path, section, lines)


def share_of_baseline(weight_g: float, weights_g: Mapping[date, float], subject: Subject) -> str:
    """Say a weight, and its share of the baseline weight; that is the first one, where subject.ini does not say."""
    if subject.baseline_weight_g is not None:
        base_g, whose = subject.baseline_weight_g, f"baseline_weight_g, {subject.baseline_weight_g:g} g"
    else:
        day, base_g = next(iter(weights_g.items()))
        whose = f"the first weight, {base_g:g} g on {day}"
    return f"{weight_g:g} g: {100 * weight_g / base_g:.0f} % of {whose}"


def unanswered(model: type[BaseModel], values: Mapping[str, str]) -> list[str]:
    """Return the keys that a file does not have; one that was asked for and left empty is there."""
    return [key for key in model.model_fields if key not in values]
