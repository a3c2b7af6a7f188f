"""One session in a row, for a cohort: what it came to, and the histogram of its signal.

`summarize(folder)` needs nothing but the folder, changes nothing, and returns plain numbers and text: sessions can be
summarized in any order, by several processes or computers.
"""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analysis.evidence import Evidence, settings_of
from analysis.mouse_page import began
from analysis.outcomes import outcomes_of, rewards_of
from analysis.session_page import mouse_of
from analysis.sessions import stands_in
from analysis.stats.divergence import histogram
from rig.errors import SettingsError
from rig.files.reader import Session, read_session
from rig.files.rows import ROWS_FILE
from rig.files.subject import SUBJECT_FILE, read_subject
from rig.protocol.session_types import RULES
from rig.settings.lab import Subject

EDGES = {"ΔF/F": np.arange(-40, 41) * 0.005, "px/frame": np.arange(81) * 0.5, "mm/s": np.arange(81) * 10.0}
"""Of the histogram, by the unit of the signal."""
THRESHOLDS = np.arange(200) * 0.001  # ΔF/F, of the curve whose area is `auc`


class Summary(NamedTuple):
    """A session in a row.

    Attributes
    ----------
    folder : str
    left_out : str
        Why it is no part of a cohort; '' where it is.
    row : dict
        Its numbers, by the names of the table of a cohort; empty where it cannot be read.
    counts : tuple of int
        How many frames have a signal between two EDGES.
    unit : str
        Of the signal; '' where none was logged.
    outside : int
        Frames with a signal outside the edges.
    """

    folder: str
    left_out: str
    row: dict[str, Any]
    counts: tuple[int, ...] = ()
    unit: str = ""
    outside: int = 0


def summarize(folder: Path, with_simulated: bool = False) -> Summary:
    """Return a session in a row; a session that cannot be used is one with its reason, never an error.

    Parameters
    ----------
    folder : Path
        data_root/MOUSE/YYYYMMDDHHMMSS.
    with_simulated : bool
        Whether simulated and replayed sessions count.
    """
    try:
        session = read_session(folder)
        evidence = Evidence(session, None, settings_of(folder), "")
        reason = why_left_out(evidence, with_simulated)
        return Summary(str(folder), reason, {}) if reason else summary_of(evidence)
    except SettingsError as error:
        return Summary(str(folder), f"cannot be read: {error}", {})


def why_left_out(evidence: Evidence, with_simulated: bool) -> str:
    """Return why a session is no part of a cohort, '' where it is."""
    what = stands_in(evidence.session)
    if what and not with_simulated:
        return "replayed" if what.startswith("a replay") else "simulated"
    if evidence.is_baseline:
        return "a baseline"
    if began(evidence) is None:
        return "its date is not known"
    return "" if outcomes_of(evidence.session).done else "no trial has ended"


def summary_of(evidence: Evidence) -> Summary:
    """Return a session with trials in a row."""
    session = evidence.session
    day, subject = began(evidence), subject_of(session)
    assert day is not None
    row = who_and_when(evidence, day, subject) | results_of(session)
    if not evidence.signal_name or len(session) < 2:
        return Summary(str(session.folder), "", row)
    signal, unit = evidence.trusted, evidence.unit
    counts, outside = histogram(signal, EDGES[unit])
    row |= signal_of(signal, float(evidence.time_s[-1]) / 60) if unit == "ΔF/F" else {}
    return Summary(str(session.folder), "", row, tuple(counts.tolist()), unit, outside)


def who_and_when(evidence: Evidence, day: date, subject: Subject) -> dict[str, Any]:
    """Return the columns that say which session this is."""
    session, settings = evidence.session, evidence.session.settings
    rules = {"roi_rule": settings.get("roi_operation") or settings.get("roi", "")}
    if "control_point" in settings:
        rules = {"control_joint": settings["control_point"]}
    return {
        "mouse_id": mouse_of(evidence),
        "cal_day": session.folder.name,
        "date": day.isoformat(),
        "sex": subject.sex,
        "group": subject.group,
        **rules,
        "session_type": session.attributes.get("session_type") or settings.get("session_type", ""),
        "sha256": hashlib.sha256((session.folder / ROWS_FILE).read_bytes()).hexdigest(),
        "was_cut_short": session.was_cut_short,
        "simulated": stands_in(session),
    }


def results_of(session: Session) -> dict[str, Any]:
    """Return the columns that say what a session came to; None for what random rewards say nothing about."""
    outcomes = outcomes_of(session)
    by_chance = is_by_chance(session)
    return {
        "trials": outcomes.done,
        "rewards": rewards_of(session),
        "success_rate": None if by_chance else outcomes.success_rate,
        "latency_s": None if by_chance or np.isnan(outcomes.latency_s) else outcomes.latency_s,
        "rewards_are_random": by_chance,
    }


def is_by_chance(session: Session) -> bool:
    """Return whether rewards came whatever the signal did."""
    name = session.settings.get("session_type")
    return any(kind.name == name and not rules.ends_trial for kind, rules in RULES.items())


def signal_of(signal: np.ndarray, minutes: float) -> dict[str, float | None]:
    """Return variance of the signal, and the area under frames per minute above a threshold of 0 to 0.199."""
    known = np.sort(signal[np.isfinite(signal)])
    if len(known) < 2 or not minutes:
        return {"auc": None, "target_var": None}
    rate = (len(known) - np.searchsorted(known, THRESHOLDS, side="right")) / minutes
    area = float((rate[1:] + rate[:-1]).sum() / 2 * (THRESHOLDS[1] - THRESHOLDS[0]))
    return {"auc": area, "target_var": float(known.var())}


def subject_of(session: Session) -> Subject:
    """Return what is known about the mouse today, in its folder; where nothing is, what the session says."""
    path = session.folder.resolve().parent / SUBJECT_FILE
    return read_subject(path) if path.is_file() else session.subject
