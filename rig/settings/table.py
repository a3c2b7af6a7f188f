"""The tables of all settings that docs/settings.md shows."""

from collections.abc import Iterable
from typing import Any

from rig.settings.common import RigSettings
from rig.settings.fields import CAMERA, COMPUTER, CORTEX, FILES, LICK, PAW, PINS, TONE, TRIALS, WATER
from rig.settings.ini import to_text
from rig.settings.loading import EXPERIMENTS
from rig.settings.sentences import unit_of

GROUPS = (CAMERA, CORTEX, PAW, TRIALS, TONE, WATER, PINS, LICK, FILES, COMPUTER)


def markdown_tables(models: Iterable[type[RigSettings]] = EXPERIMENTS) -> str:
    """Return a table for each group of settings."""
    models = tuple(models)
    fields: dict[str, Any] = {}
    for model in models:
        fields |= {key: f for key, f in model.model_fields.items() if key not in fields and key != "placed"}
    parts = []
    for group in GROUPS:
        rows = [row(key, field, models) for key, field in fields.items() if group_of(field) == group]
        head = ["| key | experiments | unit, form | default | meaning |", "|---|---|---|---|---|"]
        parts.append("\n".join([f"## {group}", "", *head, *rows]))
    return "\n\n".join(parts)


def row(key: str, field: Any, models: tuple[type[RigSettings], ...]) -> str:
    """Return the row of one setting."""
    have_it = [model.label for model in models if key in model.model_fields]
    experiments = "all" if len(have_it) == len(models) else ", ".join(have_it)
    default, demand = default_of(field), "in its own section" if field.is_required() else "must be given"
    for model in models:
        default += f"; {model.label}: {demand}" if key in model.must_be_given else ""
    return f"| `{key}` | {experiments} | {unit_of(field)} | {default} | {field.description} |"


def group_of(field: Any) -> str:
    """Return what a setting belongs to."""
    return str((field.json_schema_extra or {}).get("group", ""))


def default_of(field: Any) -> str:
    """Return the default of a setting as the table shows it."""
    if isinstance(field.default, dict):
        return f"the {len(field.default)} sites of config.ini"
    return "must be given" if field.is_required() else to_text(field.default) or "none"
