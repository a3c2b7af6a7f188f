"""The ledger of water, data_root/water.csv: every reward of every mouse on this rig."""

import math
import os
import re
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rig.devices.calibration import Calibration
from rig.devices.water import Dose
from rig.disk import append_rows, locked, replace_file
from rig.errors import SettingsError

LEDGER_FILE = "water.csv"
HEADER = "time,mouse_id,session,seconds,ul"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
MOUSE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
MOST_S, MOST_UL = 3600.0, 1e6  # of one row


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


class Unreadable(NamedTuple):
    """A row that cannot be read: its line from 1, its text, and what is wrong with it."""

    line: int
    text: str
    reason: str


class Ledger:
    """Takes the rewards of one session.  They are kept in memory until `store` brings them to disk, off the loop.

    Parameters
    ----------
    data_root : Path
    mouse_id, session : str
    """

    def __init__(self, data_root: Path, mouse_id: str, session: str) -> None:
        self._path = data_root / LEDGER_FILE
        self._mouse_id, self._session = mouse_id, session
        self._waiting: deque[str] = deque()

    def add_reward(self, seconds: float, ul: float | None) -> None:
        """Note a reward that was given now: how long the valve was open, and how much that is, where it is known."""
        now = f"{datetime.now():{TIME_FORMAT}}"
        self._waiting.append(
            f"{now},{self._mouse_id},{self._session},{seconds:.4f},{'' if ul is None else f'{ul:.3f}'}\n"
        )

    def store(self) -> None:
        """Bring what waits to disk; OSError if that fails, and then it stays in memory."""
        if n := len(self._waiting):
            append_rows(self._path, HEADER, list(self._waiting)[:n])
            for _ in range(n):
                self._waiting.popleft()  # only now that they are on disk


def read_ledger(data_root: Path) -> tuple[list[Entry], list[Unreadable]]:
    """Return all rewards in the ledger, in order, and the rows that cannot be read; nothing where there is no ledger.

    A row is read strictly, because a cap on water rests on it: a spreadsheet may have rewritten dates, a power cut may
    have torn a row.

    Raises
    ------
    SettingsError
        The file cannot be opened.
    """
    path = data_root / LEDGER_FILE
    try:
        lines = path.read_bytes().decode("utf-8-sig", errors="replace").splitlines()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise SettingsError(
            f"{path}: the ledger of the water cannot be read ({error.strerror}); repair or rename it"
        ) from None
    entries, unreadable = [], []
    for number, line in enumerate(lines, start=1):
        if line == HEADER and number == 1:
            continue
        try:
            entries.append(entry_of(line))
        except ValueError as error:
            unreadable.append(Unreadable(number, line, str(error)))
    return entries, unreadable


def entry_of(line: str) -> Entry:
    """Return the reward that a row holds; ValueError with the reason where it holds none."""
    fields = line.split(",")
    if len(fields) != len(HEADER.split(",")):
        raise ValueError(f"it has {len(fields)} fields where {len(HEADER.split(','))} are needed: {HEADER}")
    time, mouse_id, session, seconds, ul = fields
    try:
        day = datetime.strptime(time, TIME_FORMAT)
    except ValueError:
        raise ValueError(f"time is {time!r}, which is not written YYYY-MM-DD HH:MM:SS") from None
    if not MOUSE_ID.fullmatch(mouse_id):
        raise ValueError(f"mouse_id is {mouse_id!r}, which is no mouse ID")
    volume = None if ul == "" else number_of("ul", ul, MOST_UL)
    return Entry(f"{day:%Y-%m-%d}", mouse_id, session, number_of("seconds", seconds, MOST_S), volume)


def number_of(name: str, text: str, most: float) -> float:
    """Return a number of a row; ValueError where it is none, or out of range."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise ValueError(f"{name} is {text!r}, which is no number from 0 to {most:g}")
    return value


def had_today_ul(data_root: Path, mouse_id: str, dose: Dose, has_cap: bool) -> float:
    """Return what the mouse has had on this rig today, µl, by the ledger; 0 for a valve that is not calibrated.

    Rewards that were given before the valve was calibrated count as the calibration of now has it.

    Parameters
    ----------
    data_root : Path
    mouse_id : str
    dose : Dose
    has_cap : bool
        The water of a day is capped, so every row must be readable.

    Raises
    ------
    SettingsError
        A row cannot be read, and there is a cap.
    """
    entries, unreadable = read_ledger(data_root)
    if unreadable and has_cap:
        first = unreadable[0]
        raise SettingsError(
            f"{data_root / LEDGER_FILE}, line {first.line}: {first.reason}; max_day_ul cannot be kept while "
            f"{len(unreadable)} rows cannot be read: repair them with 'python -m rig.commands.ledger --repair'"
        )
    if dose.calibration is None:
        return 0.0
    return sums_by_day(entries, dose.calibration)[mouse_id.lower(), f"{datetime.now():%Y-%m-%d}"]


def sums_by_day(entries: list[Entry], calibration: Calibration | None) -> dict[tuple[str, str], float]:
    """Return {(mouse in lower case, day): µl}; what is not known in µl counts as 0."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for entry in entries:
        sums[entry.mouse_id.lower(), entry.day] += entry.volume_ul(calibration) or 0.0
    return sums


def repair(data_root: Path, answers: Mapping[int, str]) -> Path:
    """Replace rows that cannot be read; return the copy of the ledger as it was.

    Parameters
    ----------
    data_root : Path
    answers : mapping of int to str
        {number of the line: the row in its place, '' for none}.
    """
    path = data_root / LEDGER_FILE
    kept = path.with_name(f"{LEDGER_FILE}.{datetime.now():%Y%m%d%H%M%S}.before_repair")
    with locked(path):
        data = path.read_bytes()
        kept.write_bytes(data)
        lines = data.decode("utf-8-sig", errors="replace").splitlines()
        rows = [answers.get(number, line) for number, line in enumerate(lines, start=1)]
        if rows[0] != HEADER:
            rows.insert(0, HEADER)
        replace_file(path, ("\n".join(row for row in rows if row) + "\n").encode("utf-8"))
    return kept


def known_mice(data_root: Path) -> set[str]:
    """Return the mice that this rig knows: by their folders, and by the ledger."""
    folders = {path.name for path in data_root.glob("*") if path.is_dir() and is_of_a_mouse(path)}
    return folders | {entry.mouse_id for entry in read_ledger(data_root)[0]}


def is_of_a_mouse(folder: Path) -> bool:
    """Return whether a folder below data_root holds sessions of a mouse, or what is known about it."""
    return (folder / "subject.ini").is_file() or any(folder.glob("[0-9]" * 14))


def check_ledger(data_root: Path) -> None:
    """Raise SettingsError if rewards could not be added to the ledger."""
    path = data_root / LEDGER_FILE
    if path.exists() and not os.access(path, os.W_OK):
        raise SettingsError(f"{path}: the ledger of the water cannot be written to; make it yours")
