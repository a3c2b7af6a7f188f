"""The map from the clock of another machine to that of a session, from the edges that both have of the same pulses."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rig.errors import AlignmentError
from rig.files.barcodes import decode
from rig.files.clocks import experiment_s, monotonic_s
from rig.files.edge_matching import LEAST_EDGES, MOST_DRIFT, OUTLIER, Line, Match, fitted, match_trains, partners
from rig.files.session_tables import SYNC_NOW

PIECE_S = 60.0  # a clock may wander: the map is a line, and a correction for each piece of this length
LEAST_IN_PIECE = 10  # edges
BARCODE_OFF_S = 0.005  # of an edge of a barcode, once the others have said where it belongs
LEAST_BARCODES = 2
LEAST_PIECES = 3  # fewer are a line
PAIR_S = 5e-4  # an edge that came a little late is still the same edge


@dataclass(frozen=True)
class Alignment:
    """How times of another machine become times of a session.

    Attributes
    ----------
    line : str
        Of the pulses that were used: frame, trigger or barcode.
    scale, offset_s : float
        session = scale * other + offset_s, on the monotonic clock of the session's computer.
    residual_s : float
        How far matched edges are from each other, root mean square.
    matched : int
        Edges that both have.
    missing, extra : int
        Edges that only the session has, and that only the other machine has, while both were recording.
    """

    line: str
    scale: float
    offset_s: float
    residual_s: float
    matched: int
    missing: int
    extra: int
    _at_s: np.ndarray
    _corrections_s: np.ndarray
    _frames: np.ndarray

    def to_session(self, times_s: Any) -> np.ndarray:
        """Return times of the other machine on the clock of the session, the one of its frames and events, s."""
        return experiment_s(self._to_computer(np.asarray(times_s, float)), self._frames)

    def to_other(self, times_s: Any) -> np.ndarray:
        """Return times of the session on the clock of the other machine, s."""
        computer_s = monotonic_s(np.asarray(times_s, float), self._frames)
        other_s = (computer_s - self.offset_s) / self.scale
        for _ in range(3):  # the corrections are small and change slowly: each round is a thousand times nearer
            other_s = other_s + (computer_s - self._to_computer(other_s)) / self.scale
        return other_s

    def _to_computer(self, other_s: np.ndarray) -> np.ndarray:
        correction_s = np.interp(other_s, self._at_s, self._corrections_s)
        computer_s: np.ndarray = self.scale * other_s + self.offset_s + correction_s
        return computer_s


def align(pulses: np.ndarray, version: Any, frames: np.ndarray, rising: Any, falling: Any = None) -> Alignment:
    """Align the recording of another machine with a session; see `Session.align`."""
    if version is None or not len(pulses):
        raise AlignmentError(
            "this session has no pulses for other machines; for the next one set frame_pin, barcode_pin or "
            "trigger_mode = frames (replays, and sessions with --fast, have none in any case)"
        )
    if version != SYNC_NOW:
        raise AlignmentError(
            f"/sync has version {version}, and this code reads version {SYNC_NOW}; use the newest code"
        )
    rising_s = in_order(rising, "rising")
    if falling is None:
        return align_frames(pulses, frames, rising_s)
    return align_barcodes(pulses, frames, rising_s, in_order(falling, "falling"))


def in_order(times_s: Any, name: str) -> np.ndarray:
    """Return the times of edges as a sorted array; AlignmentError if they are none."""
    try:
        found = np.asarray(times_s, float)
    except (TypeError, ValueError):
        found = np.array([np.nan])
    if found.ndim != 1 or not np.isfinite(found).all():
        raise AlignmentError(f"{name}: a list of times is needed, one number (s) for each edge")
    return np.sort(found)


def align_frames(pulses: np.ndarray, frames: np.ndarray, rising_s: np.ndarray) -> Alignment:
    """Align by the rising edges of the frames' pulses."""
    line = b"frame" if (pulses["line"] == b"frame").any() else b"trigger"
    ours_s = np.sort(pulses["rose_s"][pulses["line"] == line])
    for count, where in ((len(ours_s), "this session"), (len(rising_s), "the recording")):
        if count < LEAST_EDGES:
            raise AlignmentError(
                f"{where} has {count} rising edges of frames; at least {LEAST_EDGES} are needed to be certain"
            )
    match, is_certain = match_either_way(rising_s, ours_s)
    if match is None or not is_certain:
        best = "no shift fits" if match is None else f"the best shift matches {len(match.here)} of them"
        raise AlignmentError(
            f"it is not certain that these {len(rising_s)} edges are of this session, nor which edge is which frame "
            f"({best}); give all rising edges of the frame line, in s, or align by barcodes (barcode_pin)"
        )
    off_s = float(np.median(np.diff(ours_s))) / 4
    return made_of(line.decode(), frames, match.line, [(rising_s, ours_s)], off_s)


def match_either_way(theirs_s: np.ndarray, ours_s: np.ndarray) -> tuple[Match | None, bool]:
    """Match two trains, looking for the shorter one in the longer one; the line is from theirs to ours."""
    if np.ptp(theirs_s) <= np.ptp(ours_s):
        return match_trains(theirs_s, ours_s)
    match, is_certain = match_trains(ours_s, theirs_s)
    return (None if match is None else match.turned_round()), is_certain


def align_barcodes(pulses: np.ndarray, frames: np.ndarray, rising_s: np.ndarray, falling_s: np.ndarray) -> Alignment:
    """Align by barcodes: those that both have say which edges belong together."""
    ours = pulses[pulses["line"] == b"barcode"]
    if not len(ours):
        raise AlignmentError(
            "this session sent no barcodes (barcode_pin); give only the rising edges of its frame line"
        )
    began_s = {int(value): float(ours["rose_s"][ours["value"] == value].min()) for value in np.unique(ours["value"])}
    theirs = decode(rising_s, falling_s)
    shared = [value for value in theirs if value in began_s]
    line = line_through(np.array([theirs[value] for value in shared]), np.array([began_s[value] for value in shared]))
    if line is None:
        raise AlignmentError(
            f"the recording has {len(theirs)} barcodes, this session {len(began_s)}, and they share {len(shared)}; "
            "two are needed that agree: give the rising and the falling edges of the barcode line of this session, in s"
        )
    trains = [(rising_s, np.sort(ours["rose_s"])), (falling_s, np.sort(ours["fell_s"]))]
    return made_of("barcode", frames, line, trains, BARCODE_OFF_S)


def line_through(theirs_s: np.ndarray, ours_s: np.ndarray) -> Line | None:
    """Return the line through the beginnings of barcodes; None where they are no two, or no clock runs like that."""
    if len(theirs_s) < LEAST_BARCODES:
        return None
    line = fitted(theirs_s, ours_s)
    off_s = np.abs(ours_s - line.there_s(theirs_s))
    agrees = abs(line.rate - 1) <= MOST_DRIFT and float(np.median(off_s)) <= BARCODE_OFF_S
    return line if agrees else None


def made_of(
    name: str, frames: np.ndarray, line: Line, trains: list[tuple[np.ndarray, np.ndarray]], off_s: float
) -> Alignment:
    """Make the map from trains of edges, theirs and ours, that a first line has brought within `off_s`."""
    at = [partners(line.there_s(theirs_s), ours_s, off_s) for theirs_s, ours_s in trains]
    theirs_s = np.concatenate([train[0][here] for train, (here, _) in zip(trains, at, strict=True)])
    ours_s = np.concatenate([train[1][there] for train, (_, there) in zip(trains, at, strict=True)])
    line = fitted(theirs_s, ours_s)
    left_s = ours_s - line.there_s(theirs_s)
    at_s, corrections_s = wandering(theirs_s, left_s)
    left_s = left_s - np.interp(theirs_s, at_s, corrections_s)
    belongs = np.abs(left_s) <= max(OUTLIER * float(np.median(np.abs(left_s))), PAIR_S)
    matched = int(belongs.sum())
    return Alignment(
        name,
        line.rate,
        line.origin_there_s - line.rate * line.origin_here_s,
        float(np.sqrt((left_s[belongs] ** 2).mean())),
        matched,
        sum(within(train[1], ours_s[belongs]) for train in trains) - matched,
        sum(within(train[0], theirs_s[belongs]) for train in trains) - matched,
        at_s,
        corrections_s,
        frames,
    )


def within(times_s: np.ndarray, span_s: np.ndarray) -> int:
    """Return how many times lie within a span."""
    return int(((times_s >= span_s.min()) & (times_s <= span_s.max())).sum())


def wandering(theirs_s: np.ndarray, left_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a line leaves over in each piece of a recording: middles of the pieces, and corrections, s."""
    piece = ((theirs_s - theirs_s.min()) // PIECE_S).astype(int)
    pieces = [number for number in np.unique(piece) if (piece == number).sum() >= LEAST_IN_PIECE]
    if len(pieces) < LEAST_PIECES:
        return np.zeros(1), np.zeros(1)
    middles_s = [float(theirs_s[piece == number].mean()) for number in pieces]
    return np.array(middles_s), np.array([float(np.median(left_s[piece == number])) for number in pieces])
