"""What the user is told of a session: everything, or, of a blind one, nothing that gives its arm away.

This is the one place that says what a blind session hides.  Its files hold everything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

BLIND = "blind"
OF_WATER = "the mouse has had enough"  # begins the reason of a session that a cap on water has ended
HIDDEN_LINES = frozenset({"threshold", "tone", "rewards", "crossings", "vetoed", "time left"})
"""Of the window: lines whose number depends on the arm."""
HIDDEN_ROWS = frozenset({"rewards", "water", "success rate", "session type"})
"""Of the table at the end."""
HIDDEN_VALUES = frozenset(
    {"session_type", "yoked_to", "rewards", "fails", "success_rate", "withheld_rewards", "water_ul", "water_day_ul",
     "crossings_per_min", "chance_per_min", "chance_ratio", "chance_low", "chance_high",
     "vetoed_crossings"}
)  # fmt: skip
"""Of the summary."""
SHOWN_NOTES = frozenset(
    {"troubles", "tone_device", "tone_underflows", "stalls_s", "untracked_frames", "divisions_by_zero", "pose_runs_on",
     "longest_unsynced_s", "blue_coefficient_fit", "registration", "registration_first_day", "registration_moved_mm",
     "registration_turned_degrees", "registration_scale", "registration_error_mm", "registration_error_degrees",
     "registration_agreement", "registration_agreement_aside", "registration_confirmed"}
)  # fmt: skip
"""The notes of a session that no arm has more of than another; a new note is hidden until it stands here."""

T = TypeVar("T")


@dataclass(frozen=True)
class Told:
    """What the user is told, in the form for open and for blind sessions.

    Parameters
    ----------
    is_blind : bool
    """

    is_blind: bool

    def arm(self, session_type: str) -> str:
        """Return the session type."""
        return BLIND if self.is_blind else session_type

    def where(self, words: str) -> str:
        """Return where the session stands: the trials of a yoked one never wait."""
        is_waiting = self.is_blind and words.startswith("waiting for ")
        return f"rest,{words.partition(',')[2]}" if is_waiting else words

    def signal(self, signal: float, threshold: float) -> str:
        """Return the signal, and the threshold next to it."""
        return f"{signal:.3f}" if self.is_blind else f"{signal:.3f} / {threshold:.3f}"

    def threshold(self, threshold: float) -> float | None:
        """Return the threshold that is drawn; None for none."""
        return None if self.is_blind else threshold

    def if_open(self, *parts: T) -> tuple[T, ...]:
        """Return parts that say what was earned, or how long that will still take; none of a blind session."""
        return () if self.is_blind else parts

    def lines(self, lines: Mapping[str, str]) -> dict[str, str]:
        """Return the lines of the window; a blind one says that it is."""
        if not self.is_blind:
            return dict(lines)
        return {label: text for label, text in lines.items() if label not in HIDDEN_LINES} | {"session": BLIND}

    def rows(self, rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the rows of the table at the end; a blind one says that it is."""
        if not self.is_blind:
            return list(rows)
        return [row for row in rows if row[0] not in HIDDEN_ROWS] + [("session type", BLIND)]

    def notes(self, notes: Mapping[str, object]) -> dict[str, object]:
        """Return the notes that are shown."""
        return {name: note for name, note in notes.items() if not self.is_blind or name in SHOWN_NOTES}

    def values(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the values of the summary."""
        if not self.is_blind:
            return dict(values)
        hidden = dict.fromkeys(HIDDEN_VALUES & values.keys(), BLIND)
        return {**values, **hidden, "ended_by": self.ended_by(values["ended_by"])}

    def ended_by(self, reason: str) -> str:
        """Return why a session has ended; only some arms can reach a cap on water."""
        return "a limit was reached" if self.is_blind and reason.startswith(OF_WATER) else reason


def told_of(settings: Mapping[str, str]) -> Told:
    """Return what the user is told of a session with these settings, as text."""
    return Told(settings.get("blind") == "1")
