"""How much water the valve gives: a volume that grows linearly with the opening time, fitted to weighed pulses.

`python -m rig.commands.calibrate` measures the line and stores it next to config.ini.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from typing_extensions import Self

from rig.disk import replace_file
from rig.errors import SettingsError
from rig.settings.common import RigSettings

CALIBRATION_FILE = "valve_calibration.json"
UL_PER_G = 1000.0  # of water
LEAST_GROWTH = 0.01  # from the shortest to the longest pulse, as a share of the largest volume


class Calibration(BaseModel):
    """What one valve gives: ul = ul_at_0 + ul_per_s * seconds, fitted by least squares.

    Attributes
    ----------
    pin : str
        As in 'BCM 27'.
    date : str
    pulses : int
        For each duration.
    seconds, ul, residuals_ul : tuple of float
        Duration, measured volume of a pulse, and how far the measurement is off the line.
    ul_per_s, ul_at_0 : float
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pin: str
    date: str
    pulses: int
    seconds: tuple[float, ...]
    ul: tuple[float, ...]
    residuals_ul: tuple[float, ...]
    ul_per_s: float
    ul_at_0: float

    @model_validator(mode="after")
    def is_of_a_valve(self) -> Self:
        """Refuse a line that no valve has: caps on water rely on it."""
        lengths = {len(self.seconds), len(self.ul), len(self.residuals_ul)}
        if len(lengths) > 1 or len(self.seconds) < 2:
            raise ValueError("it needs two or more durations, each with its volume")
        if min(self.seconds) <= 0 or min(self.ul) <= 0:
            raise ValueError("every duration and every measured volume must be more than 0")
        growth_ul = self.ul_per_s * (max(self.seconds) - min(self.seconds))
        if growth_ul <= LEAST_GROWTH * max(self.ul):
            raise ValueError(
                f"the valve gives {self.ul_per_s:.3g} µl more per second of opening; longer pulses must give more"
            )
        shortest_s = min(self.seconds)
        if (fitted_ul := self.ul_at_0 + self.ul_per_s * shortest_s) <= 0:
            raise ValueError(f"its line gives {fitted_ul:.3g} µl at {shortest_s:g} s, which must be more than 0")
        return self

    def volume_ul(self, seconds: float) -> float:
        """Return the volume of a pulse of this length, µl.

        From the shortest calibrated duration on it is at least what was measured there.
        """
        return max(self.least_ul(seconds), self.ul_at_0 + self.ul_per_s * seconds)

    def least_ul(self, seconds: float) -> float:
        """Return what a pulse of this length gives at least: the volume measured at the shortest duration, µl."""
        return self.ul[self.seconds.index(min(self.seconds))] if seconds >= min(self.seconds) else 0.0

    def duration_s(self, ul: float) -> float:
        """Return how long the valve must open for this volume, s."""
        return (ul - self.ul_at_0) / self.ul_per_s


def fit(pin: str, pulses: int, seconds: Iterable[float], masses_g: Iterable[float]) -> Calibration:
    """Return the calibration of a valve.

    Parameters
    ----------
    pin : str
    pulses : int
        For each duration.
    seconds : iterable of float
        At least two durations.
    masses_g : iterable of float
        Mass of the water of all pulses of each duration, g.

    Raises
    ------
    SettingsError
        The volume does not grow with the duration.
    """
    durations = np.array(list(seconds))
    ul = np.array(list(masses_g)) * UL_PER_G / pulses
    ul_per_s, ul_at_0 = (float(v) for v in np.polyfit(durations, ul, 1))
    try:
        return Calibration(
            pin=pin,
            date=f"{datetime.now():%Y-%m-%d %H:%M:%S}",
            pulses=pulses,
            seconds=tuple(durations.tolist()),
            ul=tuple(ul.tolist()),
            residuals_ul=tuple((ul - (ul_at_0 + ul_per_s * durations)).tolist()),
            ul_per_s=ul_per_s,
            ul_at_0=ul_at_0,
        )
    except ValidationError as error:
        raise SettingsError(
            f"calibration: {reason_of(error)}; check valve, tubing and masses, and calibrate again"
        ) from None


def reason_of(error: Exception) -> str:
    """Return what an error says, in one line."""
    said = error.errors()[0]["msg"].removeprefix("Value error, ") if isinstance(error, ValidationError) else str(error)
    return " ".join(said.split())[:160]


def pin_of(settings: RigSettings) -> str:
    """Return the name of the pin of the valve, as in 'BCM 27'."""
    return f"{settings.pin_numbering} {settings.reward_pin}"


def read_calibrations(path: Path) -> dict[str, Calibration]:
    """Return {pin: calibration} of a file; empty if there is no file.

    Raises
    ------
    SettingsError
        The file is damaged.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {pin: Calibration(**values) for pin, values in stored.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:  # a ValidationError is a ValueError
        reason = reason_of(error)
        raise SettingsError(
            f"{path}: the calibration of the valve cannot be read ({reason}); remove it, and calibrate again"
        ) from None


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Store the calibration of a valve next to those of other pins."""
    stored = read_calibrations(path) | {calibration.pin: calibration}
    text = json.dumps({pin: c.model_dump() for pin, c in stored.items()}, indent=2) + "\n"
    replace_file(path, text.encode("utf-8"))
