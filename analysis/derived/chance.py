"""Crossings in trials and in rests of a session, counted from its log as they were while it ran."""

import numpy as np

from analysis.evidence import Evidence, Missing, as_number
from rig.events import PAUSE_BEGINS
from rig.files.reader import Session
from rig.protocol.chance import QUIET_S, Chance
from rig.protocol.delays import DelayLine
from rig.protocol.trials import FAIL, SUCCESS
from rig.settings.clnf import ClnfSettings

REST_AFTER = {0: "initial_rest_dur", SUCCESS: "success_rest_dur", FAIL: "fail_rest_dur"}


def chance_of(evidence: Evidence) -> Chance:
    """Count the crossings of a session, whether it counted them itself or is older than that.

    Raises
    ------
    Missing
        It has no trials, no signal, no threshold, or does not say which signal was tested.
    """
    session, settings, signal = evidence.session, evidence.settings, evidence.signal
    if evidence.threshold is None:
        raise Missing("no threshold was logged")
    if "reward_delay" not in session.settings:
        raise Missing("config.ini does not say reward_delay, so it is not known which signal was tested")
    _ = evidence.trials
    trial, time_s = session.columns["trial"], row_times_s(evidence)
    paused = paused_rows(session)
    counts = ~paused & ~idle_rows(session, time_s, paused)
    above = was_above(evidence, np.where(np.isnan(evidence.trusted), 0.0, signal), time_s)
    chance = Chance(settings.quiet_s() if settings else as_number(session.settings.get("dff_history"), QUIET_S))
    for row in np.flatnonzero(decided_in_time(evidence)).tolist():
        chance.see(float(time_s[row]), int(trial[row]), bool(above[row]), bool(counts[row]))
    return chance


def row_times_s(evidence: Evidence) -> np.ndarray:
    """Return the time of each row, s, exactly as the session had it where that was stored."""
    time_s = evidence.session.row_times_s()
    return evidence.time_s if np.isnan(time_s).any() else time_s


def was_above(evidence: Evidence, signal: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Return for each row whether the signal of `reward_delay` ago was above the threshold, and was not vetoed."""
    assert evidence.threshold is not None
    above: np.ndarray = delayed(evidence, signal, time_s) > evidence.threshold
    bits, settings = evidence.session.columns.get("veto"), evidence.settings
    if bits is not None and isinstance(settings, ClnfSettings):
        above &= (delayed(evidence, bits, time_s).astype(int) & settings.veto_bits()) == 0
    return above


def delayed(evidence: Evidence, values: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Return for each row the value of `reward_delay` ago."""
    delay = DelayLine(evidence.reward_delay_s, period_of(evidence.session))
    return np.array([delay.push(*each) for each in zip(time_s.tolist(), values.tolist(), strict=True)])


def period_of(session: Session) -> float:
    """Return the time between two frames by the settings, s; that of CLNF where they do not say."""
    period_s = session.frame_period_s()
    return 1 / 15 if np.isnan(period_s) else period_s


def decided_in_time(evidence: Evidence) -> np.ndarray:
    """Return for each row whether its frame was decided on in time; where that was not stored, it was."""
    frames, numbers = evidence.session.frames, evidence.session.columns["frame"]
    if evidence.settings is None or not len(frames):
        return np.ones(len(numbers), bool)
    in_time = frames["age_s"] <= evidence.settings.max_frame_age_s()
    return np.isin(numbers, frames["number"][in_time])


def paused_rows(session: Session) -> np.ndarray:
    """Return for each row whether the session paused."""
    numbers, paused = session.columns["frame"], np.zeros(len(session), bool)
    begins = sorted(event.frame for event in session.of("pause", PAUSE_BEGINS))
    ends = sorted(event.frame for event in session.of("pause") if event.value == 0)
    for begin in begins:
        end = next((frame for frame in ends if frame > begin), np.inf)
        paused |= (numbers >= begin) & (numbers < end)
    return paused


def idle_rows(session: Session, time_s: np.ndarray, paused: np.ndarray) -> np.ndarray:
    """Return for each row of a rest whether the rest was over: a trial waited for the paw, or the light was off."""
    trial, rows = session.columns["trial"], np.arange(len(session))
    clock_s = np.cumsum(np.where(paused, 0.0, np.diff(time_s, prepend=time_s[:1])))  # stands still in a pause
    newest = np.maximum.accumulate(np.where(trial > 0, rows, -1))  # row of a trial
    outcome = np.where(newest < 0, 0, session.columns["reward"][newest])
    since_s = np.where(newest < 0, clock_s[:1], clock_s[newest])
    idle, tolerance_s = np.zeros(len(session), bool), period_of(session) / 2
    for kind, setting in REST_AFTER.items():
        rest_s = as_number(session.settings.get(setting), np.inf)
        idle |= (trial == 0) & (outcome == kind) & (clock_s - since_s > rest_s - tolerance_s)
    return idle
