"""The ledger of water, data_root/water.csv: every reward of every mouse on this rig."""

import csv
import os
from collections import defaultdict, deque
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rig.devices.calibration import Calibration
from rig.devices.water import Dose
from rig.disk import append_rows
from rig.errors import SettingsError

LEDGER_FILE = "water.csv"
HEADER = "time,mouse_id,session,seconds,ul"


class Entry(NamedTuple):
    """One reward.

    Attributes
    ----------
    day : str
        YYYY-MM-DD.
    mouse_id, session : str
    seconds : float
        How long the valve was open.
    ul : float or None
        How much that was; None for a valve that was not calibrated.
    """

    day: str
    mouse_id: str
    session: str
    seconds: float
    ul: float | None

    def volume_ul(self, calibration: Calibration | None) -> float | None:
        """Return the volume, by a calibration of today where there was none then; None without any."""
        if self.ul is not None or calibration is None:
            return self.ul
        return calibration.volume_ul(self.seconds)


class Ledger:
    """Takes the rewards of one session.  They are kept in memory until `store` brings them to disk, off the loop.

    Parameters
    ----------
    data_root : Path
    mouse_id, session : str
    dose : Dose
        What each reward is.
    """

    def __init__(self, data_root: Path, mouse_id: str, session: str, dose: Dose) -> None:
        self._path = data_root / LEDGER_FILE
        self._mouse_id, self._session, self._dose = mouse_id, session, dose
        self._waiting: deque[str] = deque()

    def add_reward(self) -> None:
        """Note a reward that was given now."""
        ul = "" if self._dose.ul is None else f"{self._dose.ul:.3f}"
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        self._waiting.append(f"{now},{self._mouse_id},{self._session},{self._dose.seconds:.4f},{ul}\n")

    def store(self) -> None:
        """Bring what waits to disk; OSError if that fails, and then it stays in memory."""
        if n := len(self._waiting):
            append_rows(self._path, HEADER, list(self._waiting)[:n])
            for _ in range(n):
                self._waiting.popleft()  # only now that they are on disk


def read_ledger(data_root: Path) -> list[Entry]:
    """Return all rewards in the ledger, in order; none where there is no ledger.

    Raises
    ------
    SettingsError
        The ledger cannot be read.
    """
    path = data_root / LEDGER_FILE
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [entry_of(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise SettingsError(f"{path}: the ledger of the water cannot be read ({error}); repair or rename it") from None


def entry_of(row: dict[str, str]) -> Entry:
    """Return the reward that a row holds."""
    ul = float(row["ul"]) if row["ul"] else None
    return Entry(row["time"][:10], row["mouse_id"], row["session"], float(row["seconds"]), ul)


def had_today_ul(data_root: Path, mouse_id: str, dose: Dose) -> float:
    """Return what the mouse has had on this rig today, µl, by the ledger; 0 for a valve that is not calibrated.

    Rewards that were given before the valve was calibrated count as the calibration of now has it.
    """
    if dose.calibration is None:
        return 0.0
    return sums_by_day(read_ledger(data_root), dose.calibration)[mouse_id, f"{datetime.now():%Y-%m-%d}"]


def sums_by_day(entries: list[Entry], calibration: Calibration | None) -> dict[tuple[str, str], float]:
    """Return {(mouse, day): µl}; what cannot be told in µl counts as 0."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for entry in entries:
        sums[entry.mouse_id, entry.day] += entry.volume_ul(calibration) or 0.0
    return sums


def check_ledger(data_root: Path) -> None:
    """Raise SettingsError if rewards could not be added to the ledger."""
    path = data_root / LEDGER_FILE
    if path.exists() and not os.access(path, os.W_OK):
        raise SettingsError(f"{path}: the ledger of the water cannot be written to; make it yours")
