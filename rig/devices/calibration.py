"""How much water the valve gives: a volume that grows linearly with the opening time, fitted to weighed pulses.

`python -m rig.commands.calibrate` measures the line and stores it next to config.ini.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from rig.disk import replace_file
from rig.errors import SettingsError
from rig.settings.common import RigSettings

CALIBRATION_FILE = "valve_calibration.json"
UL_PER_G = 1000.0  # of water


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

    def volume_ul(self, seconds: float) -> float:
        """Return the volume of a pulse of this length, µl."""
        return max(0.0, self.ul_at_0 + self.ul_per_s * seconds)

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
    if not ul_per_s > 0:
        raise SettingsError(
            f"calibration: the valve gives {ul_per_s:.3g} µl more per second of opening; longer pulses must give more; "
            "check valve, tubing and masses, and calibrate again"
        )
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
    except (OSError, ValueError, AttributeError, TypeError, ValidationError) as error:
        reason = " ".join(str(error).split())[:120]
        raise SettingsError(
            f"{path}: the calibration of the valve cannot be read ({reason}); remove it, and calibrate again"
        ) from None


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Store the calibration of a valve next to those of other pins."""
    stored = read_calibrations(path) | {calibration.pin: calibration}
    text = json.dumps({pin: c.model_dump() for pin, c in stored.items()}, indent=2) + "\n"
    replace_file(path, text.encode("utf-8"))
