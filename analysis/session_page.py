"""The report of one session: what stands on its page, and its tables as CSV."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis import blind, yoked
from analysis.chance_numbers import against_chance_in, chance_number, chance_tables
from analysis.checks import BAD, FAIR, Check, all_checks
from analysis.csv_files import exact, write_csv
from analysis.derived.learning import counted, in_words
from analysis.evidence import Evidence, Missing
from analysis.figures.artefacts import ARTEFACTS
from analysis.figures.blood import BLOOD
from analysis.figures.chance import CHANCE
from analysis.figures.cortex import CORRELATION, IMAGE, MAPS
from analysis.figures.course import LEARNING, OVERVIEW, REWARDS, TRIALS
from analysis.figures.feedback import LICKS, THRESHOLDS, TONES
from analysis.figures.paw import LEFT_RIGHT, PATH, TRACKING
from analysis.figures.same_place import SAME_PLACE, was_registered
from analysis.figures.same_place import in_words as registration_in_words
from analysis.figures.spec import Spec
from analysis.figures.stability import STABILITY, TIMING
from analysis.outcomes import Outcomes, minutes_of, outcomes_of, reward_ul, rewards_of
from analysis.page import Page, draw_all
from analysis.sessions import stands_in
from analysis.yoked import yoked_to
from rig.protocol.session_types import RULES
from rig.settings.clmf import ClmfSettings
from rig.settings.told import Told

OF_ALL = (OVERVIEW, TRIALS, REWARDS, LEARNING, THRESHOLDS, CHANCE, TONES, LICKS)
OF_THE_RIG = (STABILITY, TIMING)
CORTEX, PAW = (IMAGE, MAPS, CORRELATION, BLOOD, ARTEFACTS), (PATH, TRACKING, LEFT_RIGHT)
TRIAL_COLUMNS = ("number", "start_s", "end_s", "outcome", "latency_s", "threshold", "tone")


def figures_of(evidence: Evidence, is_blind: bool = False) -> tuple[Spec, ...]:
    """Return the figures of a session's experiment, in their order."""
    tracks = isinstance(evidence.settings, ClmfSettings) or evidence.signal_name.startswith("cj_speed")
    days = (SAME_PLACE,) * was_registered(evidence)
    if is_blind:
        return blind.FIGURES_OF_PAWS if tracks else (*blind.FIGURES, *days)
    if tracks:
        return *OF_ALL[:3], PAW[0], *OF_ALL[3:], *PAW[1:], *OF_THE_RIG
    return OF_ALL[0], CORTEX[0], *days, *OF_ALL[1:3], CORTEX[1], *OF_ALL[3:], *CORTEX[2:], *OF_THE_RIG


def page_of(evidence: Evidence, is_blind: bool = False) -> Page:
    """Return everything that the report of a session says, or what it may say of a blind one."""
    session, outcomes, told = evidence.session, outcomes_of(evidence.session), Told(is_blind)
    mouse, checks = mouse_of(evidence), all_checks(evidence)
    checks = blind.shown_checks(checks) if is_blind else checks
    return Page(
        title=f"{mouse} {session.folder.name}",
        heading=f"{mouse}, {date_of(evidence)}",
        about=about(evidence, told),
        marks=[blind.MARK] * is_blind + marks(evidence),
        numbers=[(f"{outcomes.done}", "trials")] if is_blind else big_numbers(evidence, outcomes),
        said=f"{blind.SAID if is_blind else took_part(evidence)} {in_short(checks)}",
        checks=checks,
        figures=draw_all(figures_of(evidence, is_blind), evidence),
        tables=() if is_blind else chance_tables(evidence),
        footer=f"{session.folder} · code {session.versions.get('code_version', 'unknown')}",
    )


def trials_of(evidence: Evidence) -> np.ndarray:
    """Return the trials, none where there is none."""
    try:
        return evidence.trials
    except Missing:
        return evidence.session.trials[:0]


def mouse_of(evidence: Evidence) -> str:
    """Return the ID of the mouse: as stored, else the name of the folder above the session."""
    return str(evidence.session.attributes.get("mouse_id") or evidence.session.folder.resolve().parent.name)


def date_of(evidence: Evidence) -> str:
    """Return date and time of the first frame, as the log has it; else the name of the folder."""
    times, offset = (
        evidence.session.columns.get("time", np.zeros(0, str)),
        evidence.session.attributes.get("utc_offset"),
    )
    zone = f" (UTC{offset})" if offset else ""
    return f"{str(times[0])[:16]}{zone}" if len(times) else evidence.session.folder.name


def about(evidence: Evidence, told: Told) -> str:
    """Return in a line which experiment and arm this was, how long it took, and what ended it."""
    session, settings = evidence.session, evidence.settings
    arm = session.attributes.get("session_type") or session.settings.get("session_type")
    trained = next(
        (session.settings[key] for key in ("roi", "roi_operation", "control_point") if key in session.settings), ""
    )
    ended = session.attributes.get("ended_by")
    minutes = f"{minutes_of(session):.1f} min" if minutes_of(session) > 0 else ""
    parts = [
        getattr(settings, "label", ""),
        trained,
        told.arm(str(arm or "")),
        minutes,
        counted(max(len(session), len(session.images or ())), "frame"),
        f"ended by: {told.ended_by(str(ended))}" if ended else "",
        str(session.attributes.get("rig", "")),
        registration_in_words(evidence),
    ]
    return " · ".join(part for part in parts if part)


def marks(evidence: Evidence) -> list[str]:
    """Return what a reader must not miss: a session that is not one of a mouse, cut short, or incomplete."""
    session = evidence.session
    what = stands_in(session)
    found = [f"NOT A REAL SESSION: {what}"] if what else []
    if session.was_cut_short:
        found.append("This session was cut short, or is still running.")
    return found + [f"Missing: {each}." for each in session.missing]


def big_numbers(evidence: Evidence, outcomes: Outcomes) -> list[tuple[str, str]]:
    """Return the big numbers: success rate, and water in µl or rewards."""
    rewards = rewards_of(evidence.session)
    if is_random(evidence):
        return [
            (f"{rewards}", "rewards of another session" if yoked_to(evidence) else "rewards at random"),
            (f"{outcomes.done}", "trials"),
        ]
    success = "-" if np.isnan(outcomes.success_rate) else f"{100 * outcomes.success_rate:.0f} %"
    numbers = [(success, f"success: {outcomes.successes} of {outcomes.done} trials")]
    ul = reward_ul(evidence.settings, evidence.session.folder)
    numbers.append((f"{rewards}", "rewards") if ul is None else (f"{rewards * ul:.0f} µl", f"water: {rewards} rewards"))
    return numbers + chance_number(against_chance_in(evidence))


def is_random(evidence: Evidence) -> bool:
    """Return whether rewards came whatever the signal did."""
    return evidence.settings is not None and not RULES[evidence.settings.session_type].ends_trial


def took_part(evidence: Evidence) -> str:
    """Say how the mouse took part."""
    if yoked_to(evidence):
        return yoked.in_words(evidence)
    if is_random(evidence) and not evidence.is_baseline:
        return "Rewards came at random, whatever the signal did."
    return in_words(trials_of(evidence), evidence.is_baseline)


def in_short(checks: Sequence[Check]) -> str:
    """Say how many checks failed."""
    bad = [check.name for check in checks if check.light == BAD]
    fair = [check.name for check in checks if check.light == FAIR]
    if bad:
        return f"Not sound: {', '.join(bad)}."
    return f"Look at: {', '.join(fair)}." if fair else "All that could be checked is well."


def write_tables(folder: Path, evidence: Evidence, checks: Sequence[Check]) -> list[Path]:
    """Write trials and checks as CSV files; return their paths.

    Raises
    ------
    RigError
        A file cannot be written.
    """
    trials = trials_of(evidence)
    rows = [[exact(trial[name]) for name in TRIAL_COLUMNS] for trial in trials]
    tables = {
        "report_trials.csv": (TRIAL_COLUMNS, rows),
        "report_checks.csv": (Check._fields, [list(check) for check in checks]),
    }
    return [write_csv(folder / name, columns, lines) for name, (columns, lines) in tables.items()]
