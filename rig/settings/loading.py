"""From config.ini and the command line to checked settings, or to one complaint with everything that is wrong."""

import secrets
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rig.errors import SettingsError
from rig.settings import original
from rig.settings.camera import CameraSettings
from rig.settings.clmf import CIRCLES, ClmfSettings
from rig.settings.common import RigSettings
from rig.settings.fields import ROOT
from rig.settings.ini import MAY_HAVE_LINES, named_section, own_settings, read_section
from rig.settings.one_roi import OneRoiSettings
from rig.settings.sentences import complaints, describe, nearest
from rig.settings.two_roi import TwoRoiSettings

EXPERIMENTS: tuple[type[RigSettings], ...] = (OneRoiSettings, TwoRoiSettings, ClmfSettings)

SETTINGS = frozenset({key for model in EXPERIMENTS for key in model.model_fields} - {"placed"})
LOG = "VideoTimestamp.txt"
"""Lies next to config.ini in the folder of a session."""

Camera = TypeVar("Camera", bound=CameraSettings)
Rig = TypeVar("Rig", bound=RigSettings)


def load(model: type[Rig], path: Path, section: str, overrides: Mapping[str, str]) -> tuple[Rig, list[str]]:
    """Read one section, check it, and return the settings and the keys that were not used.

    Parameters
    ----------
    model : type
        The settings class of the experiment.
    path : Path
        An INI file.
    section : str
        Its section.
    overrides : mapping
        Settings of the command line; checked like those of the file.

    Raises
    ------
    SettingsError
        With every complaint at once, each with key, value, what is expected and the unit.
    """
    move, shared = moved_in(model, path, section, overrides)
    values = move.values | dict(overrides)
    shared = shared - overrides.keys() - move.added.keys()
    known = set(model.model_fields) - {"placed"}
    elsewhere = original.UNUSED | SETTINGS | CIRCLES
    places = {key: values.pop(key) for key in model.placeable(values) - known if key in values}
    unused = sorted({*move.unused, *(key for key in values if key in elsewhere - known and key not in shared)})
    problems = [
        f"{key} = {values[key]}: there is no such setting{original.answer(key) or nearest(key, known)}"
        for key in sorted(values.keys() - known - elsewhere)
    ]
    problems += [
        f"{key}: the value has a line break; write it in one line"
        for key, value in values.items()
        if "\n" in value and key not in MAY_HAVE_LINES
    ]
    raw = given(model, values)
    own = raw.keys() - shared  # what [DEFAULT] says may be meant for another rig
    problems += [describe({"loc": (key,), "type": "missing"}, raw, model) for key in sorted(model.must_be_given - own)]
    if places:
        raw["placed"] = places
    try:
        settings = model.model_validate(raw)
    except ValidationError as error:
        problems += [describe(one, raw, model) for one in error.errors()]
    else:
        problems += settings.contradictions()
    if problems:
        raise complaints(f"{path} [{section}]", problems)
    if settings.seed is None:
        settings = settings.model_copy(update={"seed": secrets.randbelow(2**32)})
    return settings, unused


def refuse_foreign_section(model: type[RigSettings], path: Path, section: str, values: Mapping[str, str]) -> None:
    """Raise SettingsError where a section belongs to another experiment, or to a program that is not in this rig."""
    why = original.why_not(values, model.own_key)
    if not why and (section == model.section or model.own_key in values):
        return
    if not why:
        others = [m.label for m in EXPERIMENTS if m.own_key in values]
        why = f"it has no {model.own_key}" + (f", and is one of the {others[0]} script" if others else "")
    good = [name for name, own in own_settings(path).items() if model.own_key in own and not original.why_not(own)]
    raise SettingsError(
        f"{path} [{section}]: the {model.label} script cannot run this section: {why}; "
        f"sections that it can run: {', '.join(good) or 'none'}"
    )


def choose_section(model: type[RigSettings], path: Path, asked: str | None) -> tuple[str, str]:
    """Return the section that an experiment is to be run with, and a sentence where one might expect another.

    Parameters
    ----------
    model : type
        The settings class of the experiment.
    path : Path
        An INI file.
    asked : str or None
        What the command line says; without it `[configsection] config` decides, if it names one of this experiment.
    """
    named = named_section(path)
    if asked is not None or named in ("", model.section):
        return asked or model.section, ""
    is_standard = named in {m.section for m in EXPERIMENTS}
    if model.own_key in own_settings(path)[named] and not is_standard:
        return named, f"[configsection] names [{named}]: this section is used"
    return model.section, f"[configsection] names [{named}], which is for another script: [{model.section}] is used"


def moved_in(
    model: type[RigSettings], path: Path, section: str, overrides: Mapping[str, str]
) -> tuple[original.Move, set[str]]:
    """Return a section in the words of this rig, and the keys that only [DEFAULT] has."""
    values, shared = read_section(path, section)
    values |= {key: text for key, text in overrides.items() if key == model.own_key}
    refuse_foreign_section(model, path, section, values)
    sites = model.placeable({key: text for key, text in values.items() if key != model.own_key}) - CIRCLES
    known = SETTINGS | model.model_fields.keys()
    is_archived = (path.parent / LOG).is_file()
    return original.moved_in(values, shared, model.own_key, known, sites, is_archived), shared


def said_of_the_original(
    model: type[RigSettings], path: Path, section: str, overrides: Mapping[str, str], unused: Iterable[str]
) -> list[str]:
    """Return a short table of what became of a section of the original; nothing for one of this rig."""
    move, _ = moved_in(model, path, section, overrides)
    move = move._replace(stale=[key for key in move.stale if key not in overrides])
    return original.in_lines(section, move, model.model_fields, unused)


def from_strings(model: type[Camera], cfgDict: Mapping[str, str], source: str = "settings") -> Camera:
    """Build a settings object from a plain dictionary of strings; keys that it does not have are ignored.

    Raises
    ------
    SettingsError
        With every complaint at once.
    """
    raw = given(model, cfgDict)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise complaints(source, [describe(one, raw, model) for one in error.errors()]) from None


def given(model: type[BaseModel], values: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that are given; an empty `key =` is none where a value is needed or the default is empty."""
    fields = {key: field for key, field in model.model_fields.items() if key in values and key != "placed"}
    may_be_empty = {key for key, field in fields.items() if field.is_required() or field.default in (None, "")}
    return {key: values[key] for key in fields if values[key] != "" or key not in may_be_empty}


def experiment_of(path: Path, section: str) -> type[RigSettings]:
    """Return the settings class of a section: by its name, else by the setting that no other experiment has."""
    values, _ = read_section(path, section)
    for model in EXPERIMENTS:
        if model.section == section:
            return model
    return next((model for model in reversed(EXPERIMENTS) if model.own_key in values), OneRoiSettings)


def parse_overrides(overrides: Iterable[str]) -> dict[str, str]:
    """Turn ['key=value', ...] of the command line into a dictionary."""
    values = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {override}: expected KEY=VALUE, as in --set total_trials=10")
        values[key.strip().lower()] = value.strip()
    return values


def add_config_arguments(parser: ArgumentParser, section: str) -> None:
    """Add --config, --section and --set, which every program of the rig understands."""
    parser.add_argument(
        "--config", metavar="FILE", default=str(ROOT / "config.ini"), help="settings; default %(default)s"
    )
    parser.add_argument(
        "--section", metavar="NAME", help=f"its section; default the one of [configsection] if it fits, else {section}"
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="override a setting; may be repeated"
    )


def load_from_arguments(
    config: str, section: str | None, overrides: Iterable[str], forced: Mapping[str, str]
) -> RigSettings:
    """Return the settings that a program's --config, --section and --set name, over those that it forces itself."""
    path = Path(config).expanduser()
    section = section or named_section(path) or OneRoiSettings.section
    settings, _ = load(experiment_of(path, section), path, section, dict(forced) | parse_overrides(overrides))
    return settings
