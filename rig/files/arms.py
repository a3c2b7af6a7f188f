"""arms.csv in data_root: which mouse is in which arm on which days, kept by somebody else than the experimenter.

It counts for blind sessions (`blind = 1`), and only for these.  What is wrong with the arm of a blind session is not
said to the experimenter, as it would give the arm away: `python -m rig.commands.arms` tells who keeps the file.
"""

import csv
from collections.abc import Iterable, Sequence, Set
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, TypeVar

from helper import SessionType
from rig.errors import SettingsError
from rig.files.yokes import This, Yoke, master_of, own_yoke
from rig.settings.common import RigSettings

ARMS_FILE = "arms.csv"
COLUMNS = ("mouse", "session_type", "from", "to", "yoked_to")
ARM = ("session_type", "yoked_to")
S = TypeVar("S", bound=RigSettings)


class Line(NamedTuple):
    """A line of arms.csv: its number in the file, and from which day to which this mouse is in this arm."""

    number: int
    mouse: str
    session_type: SessionType
    first: date
    last: date
    yoked_to: str

    def holds(self, mouse: str, day: date) -> bool:
        """Return whether this line speaks of a mouse on a day."""
        return self.mouse.lower() == mouse.lower() and self.first <= day <= self.last


def read_arms(path: Path) -> list[Line]:
    """Read and check arms.csv; the sentences name lines and columns, and no arm.

    Raises
    ------
    SettingsError
        The file is missing or cannot be read, a line is wrong, or two lines speak of the same mouse and day.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file, strict=True), 1) if any(row)]
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file, and blind = 1; whoever knows the arms writes it") from None
    except (OSError, ValueError, csv.Error) as error:
        raise SettingsError(f"{path}: it cannot be read as CSV in UTF-8 ({error}); save it as CSV") from None
    header = tuple(name.strip() for name in rows[0][1]) if rows else ()
    if header not in (COLUMNS, COLUMNS[:-1]):
        raise SettingsError(f"{path}: the first line must be {','.join(COLUMNS)}; yoked_to may be left out")
    lines = [line_of(path, number, row, len(header)) for number, row in rows[1:]]
    refuse_overlaps(path, lines)
    return lines


def line_of(path: Path, number: int, row: Sequence[str], n_columns: int) -> Line:
    """Return a line, checked."""
    if len(row) != n_columns:
        raise SettingsError(f"{path}, line {number}: it has {len(row)} fields, and the first line has {n_columns}")
    mouse, kind, first, last, yoked_to = (text.strip() for text in [*row, ""][: len(COLUMNS)])
    known = {each.name: each for each in SessionType}
    if not mouse or kind not in known:
        raise SettingsError(f"{path}, line {number}: it needs a mouse and a session_type; these are {', '.join(known)}")
    if (known[kind] is SessionType.yoked) != bool(yoked_to):
        raise SettingsError(f"{path}, line {number}: yoked_to belongs to session_type yoked, and to no other")
    begins, ends = day_of(path, number, first, date.min), day_of(path, number, last, date.max)
    if ends < begins:
        raise SettingsError(f"{path}, line {number}: it goes from {begins} to {ends}, which is before; swap the dates")
    return Line(number, mouse, known[kind], begins, ends, yoked_to)


def day_of(path: Path, number: int, text: str, otherwise: date) -> date:
    """Return the day that a line gives, or another one where it gives none."""
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError:
        raise SettingsError(f"{path}, line {number}: {text!r} is no date; write YYYY-MM-DD, or nothing") from None


def refuse_overlaps(path: Path, lines: Iterable[Line]) -> None:
    """Raise SettingsError where two lines speak of the same mouse on the same day."""
    for one, other in combinations(lines, 2):
        if other.holds(one.mouse, max(one.first, other.first)) and one.holds(one.mouse, max(one.first, other.first)):
            raise SettingsError(
                f"{path}, lines {one.number} and {other.number}: both speak of {one.mouse} on "
                f"{max(one.first, other.first)}; change the dates of one of them"
            )


def arm_of(path: Path, mouse: str, day: date) -> Line:
    """Return the line that speaks of a mouse on a day.

    Raises
    ------
    SettingsError
        There is none.
    """
    for line in read_arms(path):
        if line.holds(mouse, day):
            return line
    raise SettingsError(
        f"{path}: it has no line for {mouse} on {day}, and blind = 1; whoever keeps the file adds one, or set blind = 0"
    )


def refuse_an_open_session(path: Path, mouse: str, day: date) -> None:
    """Raise SettingsError where a mouse is in a blind study, and its session would show everything."""
    if path.exists() and any(line.holds(mouse, day) for line in read_arms(path)):
        raise SettingsError(
            f"blind = 0: {path} has a line for {mouse} on {day}, so its sessions are blind; set blind = 1, or let "
            "whoever keeps the file take the line out"
        )


def in_its_arm(
    this: This, settings: S, given: Set[str], replay_of: str = "", is_baseline: bool = False
) -> tuple[S, Yoke | None]:
    """Return the settings of a session with its session type, and what it is yoked to, if it is.

    A replay has the arm of its recording, and its yoke from there; a baseline has no arm, and is never blind.

    Parameters
    ----------
    this : This
    settings : RigSettings
        Those of `this`.
    given : set of str
        The settings that the command line gives.
    replay_of : str
        The recording that is replayed; '' where none is.
    is_baseline : bool

    Raises
    ------
    SettingsError
        arms.csv cannot be used, has no line for this mouse, or this session cannot be yoked.
    """
    path, today = settings.data_root / ARMS_FILE, date.today()
    if is_baseline:
        return settings.model_copy(update={"blind": False}), None
    if replay_of:
        return settings, yoke_of(this, settings, own_yoke(Path(replay_of).parent))
    if not settings.blind:
        refuse_an_open_session(path, this.mouse_id, today)
        return settings, yoke_of(this, settings)
    if named := [key for key in ARM if key in given]:
        raise SettingsError(f"--set {named[0]}: blind = 1, and then {ARMS_FILE} decides it; leave it out")
    line = arm_of(path, this.mouse_id, today)
    try:
        return in_arm(this, settings, line)
    except SettingsError:
        raise SettingsError(
            f"{path}, line {line.number}: {this.mouse_id} cannot have a session with these settings today; whoever "
            "keeps the file sees why with 'python -m rig.commands.arms'"
        ) from None


def in_arm(this: This, settings: S, line: Line) -> tuple[S, Yoke | None]:
    """Return the settings of a session in the arm of a line, and what it is yoked to, if it is.

    Raises
    ------
    SettingsError
        It cannot be run in this arm; the sentence gives the arm away.
    """
    settings = settings.model_copy(update={"session_type": line.session_type, "yoked_to": line.yoked_to})
    if problems := list(settings.contradictions()):
        raise SettingsError("; ".join(problems))
    return settings, yoke_of(this, settings)


def yoke_of(this: This, settings: RigSettings, own: Yoke | None = None) -> Yoke | None:
    """Return what a session of this type is yoked to, its own copy where there is one; None where it is not yoked."""
    if settings.session_type is not SessionType.yoked:
        return None
    return own or master_of(this._replace(settings=settings))
