"""The settings that are to be tried: what --set and --sweep mean."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from rig.errors import SettingsError
from rig.settings.loading import parse_overrides

MOST_VALUES = 500


class Try(NamedTuple):
    """Settings to be tried: their label, the settings, and the value of the sweep (None without one)."""

    label: str
    overrides: dict[str, str]
    value: float | None


def tries_of(sets: Iterable[str], sweep: str | None) -> list[Try]:
    """Return what the command line wants to be tried; every value of the sweep goes with all of `--set`.

    Raises
    ------
    SettingsError
        There is nothing to try, or it cannot be read.
    """
    fixed = parse_overrides(sets)
    if sweep is None:
        if not fixed:
            return []
        return [Try(", ".join(f"{key}={value}" for key, value in fixed.items()), fixed, None)]
    key, values = parse_sweep(sweep)
    if key in fixed:
        raise SettingsError(f"--sweep {sweep}: --set has {key}, too; leave one of them out")
    return [Try(f"{key}={value}", fixed | {key: f"{value}"}, float(value)) for value in values]


def parse_sweep(text: str) -> tuple[str, list[Decimal]]:
    """Return the key and the values of KEY=FROM:TO:STEP; TO is one of them if a step ends there."""
    key, _, span = text.partition("=")
    try:
        first, last, step = (Decimal(part.strip()) for part in span.split(":"))
        n = int((last - first) / step) + 1
    except (ValueError, ArithmeticError, InvalidOperation):
        raise SettingsError(
            f"--sweep {text}: expected KEY=FROM:TO:STEP, as in --sweep reward_threshold=0.03:0.2:0.01"
        ) from None
    if step <= 0 or last < first:
        raise SettingsError(f"--sweep {text}: TO must not be below FROM, and STEP must be above 0")
    if n > MOST_VALUES:
        raise SettingsError(f"--sweep {text}: these are {n} values, and may be {MOST_VALUES}; make the step longer")
    return key.strip().lower(), [first + i * step for i in range(n)]
