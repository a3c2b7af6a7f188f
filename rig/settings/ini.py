"""config.ini as a file: reading a section, and writing lines back without touching the others."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from configparser import DEFAULTSECT, RawConfigParser
from configparser import Error as IniError
from enum import Enum
from pathlib import Path
from typing import Any

from configupdater import ConfigUpdater

from helper import one_percent
from rig.disk import replace_file
from rig.errors import SettingsError
from rig.settings.camera import CameraSettings
from rig.settings.common import RigSettings
from rig.settings.fields import check_path
from rig.settings.sentences import nearest

MAYBE_BOM = "utf-8-sig"
"""Reads UTF-8 with the mark that some editors put in front, and without."""


def read_section(path: Path, section: str) -> tuple[dict[str, str], set[str]]:
    """Return a section with what [DEFAULT] shares, and the keys that only [DEFAULT] has.

    Raises
    ------
    SettingsError
        There is no such file or section, or it is not an INI file.
    """
    parser = RawConfigParser()
    own = RawConfigParser(default_section="no section is shared here")
    try:
        check_path(path)
        if not path.is_file():
            raise SettingsError(f"{path}: there is no such file; name a configuration with --config FILE")
        text = path.read_text(encoding=MAYBE_BOM)
        parser.read_string(text, str(path))
        own.read_string(text, str(path))  # also finds a second [DEFAULT]
    except (IniError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: the file cannot be read as INI: {reason}") from None
    if section not in parser.sections():
        raise SettingsError(
            f"{path}: there is no section [{section}]{nearest(section, parser.sections())}; "
            f"the file has {', '.join(parser.sections()) or 'no section'}"
        )
    if hidden := hidden_settings(text):
        raise SettingsError("\n".join(f"{path}, {sentence}" for sentence in hidden))
    shared = set(parser.defaults()) - set(own[section])
    return {key: one_percent(value) for key, value in parser[section].items()}, shared


def named_section(path: Path) -> str:
    """Return the section that `[configsection] config` names; '' where the file names none that it has."""
    parser = RawConfigParser()
    try:
        parser.read(path, encoding=MAYBE_BOM)
        name = parser.get("configsection", "config", fallback="")
    except (IniError, ValueError, OSError):
        return ""  # whoever reads the section itself says what is wrong
    return name if name in parser.sections() else ""


def own_settings(path: Path) -> dict[str, dict[str, str]]:
    """Return {section: {key: text}} without what [DEFAULT] shares."""
    parser = RawConfigParser(default_section="no section is shared here")
    parser.read(path, encoding=MAYBE_BOM)
    return {name: dict(parser[name]) for name in parser.sections() if name != "DEFAULT"}


MAY_HAVE_LINES = frozenset({"seeds_mm", "roi_operation"})
"""Settings whose value may go on in further lines."""
SETTING_LINE = re.compile(r"\s*([A-Za-z_]\w*)\s*[=:]")


def hidden_settings(text: str) -> list[str]:
    """Return a sentence for every line that INI takes for a part of the value before it, though nobody means that.

    A line that begins with a blank goes on with the line before: one blank too many, and a cap on water is a part of a
    file name.
    """
    found, key = [], ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if not line[0].isspace():
            match = SETTING_LINE.match(line)
            key = match.group(1).lower() if match else ""
        elif SETTING_LINE.match(line):
            part = f"so it would be a part of {key or 'nothing'}; remove the blank"
            found.append(f"line {number}: '{stripped}' begins with a blank, {part}")
        elif key not in MAY_HAVE_LINES:
            found.append(f"line {number}: the value of {key or 'nothing'} goes on here; write it in one line")
    return found


def save_lines(path: Path, section: str, lines: Mapping[str, str | None]) -> None:
    """Write lines back into the user's file, {key: value}, or None to delete it; every other line stays as it is."""
    if not lines:
        return
    data = path.read_bytes()
    old = data.decode(MAYBE_BOM)
    updater = ConfigUpdater()
    updater.read_string(old.replace("\r\n", "\n"))
    for key, text in lines.items():
        options = updater[section]
        if text is None:
            remove(updater, section, key)
        elif key in options:
            options[key].value = text
        elif options.options():
            options.option_blocks()[-1].add_after.option(key, text)
        else:
            updater.set(section, key, text)
    new = str(updater).replace("\n", "\r\n") if "\r\n" in old else str(updater)
    replace_file(path, new.encode(MAYBE_BOM if data.startswith(BOM_UTF8) else "utf-8"))


def remove(updater: ConfigUpdater, section: str, key: str) -> None:
    """Delete a setting from a section, and from what [DEFAULT] shares."""
    for name in (section, DEFAULTSECT):
        if updater.has_section(name) and key in updater[name]:
            del updater[name][key]


def save_session_copy(settings: RigSettings, path: Path) -> None:
    """Write the section as used, and [configsection] that names it.

    Values stand in one line each.  A `%` is doubled, so that a plain `ConfigParser` can read them, too.
    """
    lines = ["[configsection]", f"config = {settings.section}", "", f"[{settings.section}]"]
    lines += [f"{key} = {text}".rstrip().replace("%", "%%") for key, text in to_strings(settings).items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def to_text(value: Any) -> str:
    """Write a value as config.ini has it; `loading.load` reads it back as the same value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return ", ".join(to_text(part) for part in value)
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return " ".join(line.strip() for line in str(value).splitlines())


def to_strings(settings: CameraSettings) -> dict[str, str]:
    """Return the settings as the plain dictionary of strings that camera drivers take (`cfgDict`)."""
    texts = {key: to_text(value) for key, value in settings.model_dump().items()}
    placed = getattr(settings, "placed", {})
    return texts | {name: ",".join(map(str, box)) for name, box in placed.items()}
