"""What the start of a session asks for once: the lab, the mouse, and each time its weight, where that is wanted."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pydantic import BaseModel

from rig.errors import SettingsError
from rig.files.rows import ROWS_FILE
from rig.files.subject import (
    SUBJECT_FILE,
    add_lines,
    read_subject,
    read_weights_g,
    section_of,
    share_of_baseline,
    typed,
    unanswered,
)
from rig.settings.common import RigSettings
from rig.settings.lab import ABOUT_LIGHT, LAB, SUBJECT, WEIGHTS, Lab, Subject, Weight
from rig.settings.sentences import unit_of
from rig.terminal import console

NOT_ASKED = frozenset({"species", "baseline_weight_g"})
"""These have a default that fits."""


def ask_everything(settings: RigSettings, config: Path, mouse_id: str) -> None:
    """Ask for what [lab] and subject.ini do not say, and for the weight; store it at once."""
    subject = settings.data_root / mouse_id / SUBJECT_FILE
    if not (config.resolve().parent / ROWS_FILE).exists():  # that of a recorded session is never changed
        skipped = frozenset() if settings.light_boxes() else ABOUT_LIGHT
        ask_section(Lab, config, LAB, "About the lab", skipped)
    ask_section(Subject, subject, SUBJECT, f"About the mouse {mouse_id}", NOT_ASKED)
    if settings.ask_weight:
        ask_weight(subject, mouse_id)


def ask_section(model: type[BaseModel], path: Path, section: str, title: str, skipped: Iterable[str]) -> None:
    """Ask for the keys that a section does not have, and write the answers there, also the empty ones."""
    keys = [key for key in unanswered(model, section_of(path, section)) if key not in skipped]
    if not keys:
        return
    console.print(f"{title}: asked once, and kept in {path}. Enter leaves an answer empty.", soft_wrap=True)
    answers: dict[str, str] = {}
    try:
        for key in keys:
            answers[key] = answer_to(model, key)
    except EOFError:
        console.print()
    store(path, section, answers)


def answer_to(model: type[BaseModel], key: str) -> str:
    """Ask for one key until the answer can be used, saying why one cannot; '' is one."""
    field = model.model_fields[key]
    unit = f" ({unit_of(field)})" if unit_of(field) else ""
    while True:
        answer = " ".join(input(f"  {key}: {field.description}{unit}: ").split())
        try:
            typed(model, {key: answer}, "this answer")
        except SettingsError as error:
            console.print(str(error), style="bold red", soft_wrap=True)
        else:
            return answer


def ask_weight(path: Path, mouse_id: str) -> None:
    """Ask for the weight of today, and say what share of the baseline weight it is."""
    weights_g, today = read_weights_g(path), date.today()
    known = f", today {weights_g[today]:g} g so far" if today in weights_g else ""
    while True:
        try:
            text = input(f"Weight of {mouse_id} (g{known}; Enter: not weighed): ").strip()
            if not text:
                return
            weight_g = typed(Weight, {"weight": text}, "this answer").weight
            break
        except EOFError:
            return
        except SettingsError as error:
            console.print(str(error), style="bold red", soft_wrap=True)
    store(path, WEIGHTS, {f"{today}": f"{weight_g:g}"})
    console.print(share_of_baseline(weight_g, weights_g | {today: weight_g}, read_subject(path)), style="bold")


def store(path: Path, section: str, lines: dict[str, str]) -> None:
    """Write answers into a file; that it cannot be written keeps no session from running."""
    if not lines:
        return
    try:
        add_lines(path, section, lines)
    except OSError as error:
        console.print(f"{path}: the answers could not be saved there ({error.strerror})", soft_wrap=True)
