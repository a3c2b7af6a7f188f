"""What a yoked session is yoked to: finding the other session, checking it, and keeping a copy as yoke.csv."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helper import SessionType
from rig.errors import SettingsError
from rig.files.paid import paid
from rig.files.reader import Session, read_session
from rig.files.rows import ROWS_FILE
from rig.protocol.trials import NONE
from rig.protocol.yoked import Moment, Score
from rig.settings.common import RigSettings
from rig.settings.ini import named_section

YOKE_FILE = "yoke.csv"
"""In the folder of a yoked session: its own copy of what it was yoked to."""
HEADER = ("time_s", "trial", "freq", "outcome", "water")
DURATIONS = ("initial_rest_dur", "max_trial_dur", "success_rest_dur", "fail_rest_dur")
FINISHED, REAL = "finished", "no"  # of the attributes ended_by and simulated


class Yoke(NamedTuple):
    """What a session is yoked to, MOUSE/SESSION or a file, and its score."""

    name: str
    score: Score

    def describe(self) -> str:
        """Say what will be played."""
        n_trials = max((moment.trial for moment in self.score.moments), default=0)
        rewards = sum(moment.water for moment in self.score.moments)
        return f"yoked to {self.name}: {n_trials} trials, {rewards} rewards, {self.score.end_s / 60:.1f} min"


class This(NamedTuple):
    """The session that is to be yoked: its settings, its mouse, and whether any of its devices is simulated."""

    settings: RigSettings
    mouse_id: str
    is_simulated: bool


def master_of(this: This) -> Yoke:
    """Find the session that `yoked_to` means, and see that this one can be yoked to it.

    Raises
    ------
    SettingsError
        There is none, or it cannot be; with the reason and the cure.
    """
    session = the_one_that_can_be(this, folders_of(this.settings))
    name = f"{session.folder.resolve().parent.name}/{session.folder.name}"
    return Yoke(name, score_of(session, this.settings.total_trials))


def folders_of(settings: RigSettings) -> list[Path]:
    """Return the session that `yoked_to` names, or those of the mouse, newest first."""
    for path in (settings.data_root / settings.yoked_to, Path(settings.yoked_to).expanduser()):
        if (path / ROWS_FILE).is_file():
            return [path]
        found = [each for each in path.iterdir() if (each / ROWS_FILE).is_file()] if path.is_dir() else []
        if found:
            return sorted(found, key=lambda each: each.name, reverse=True)
    raise SettingsError(
        f"yoked_to = {settings.yoked_to}: there is no such session, and no such mouse with sessions, in "
        f"{settings.data_root}; name MOUSE, MOUSE/YYYYMMDDHHMMSS, or the folder of a session"
    )


def the_one_that_can_be(this: This, folders: list[Path]) -> Session:
    """Return the first of these sessions that another one can be yoked to."""
    reasons = []
    for folder in folders:
        try:
            session = read_session(folder)
        except SettingsError as error:
            reasons.append(str(error))
            continue
        if reason := next(why_not(this, session), ""):
            reasons.append(f"{folder.name} {reason}")
        else:
            return session
    newest = "its newest one, " if len(folders) > 1 else ""
    cure = "name a real session of the same experiment that was finished, or its mouse"
    what = reasons[0] if "; set " in reasons[0] else f"{reasons[0]}; {cure}"
    raise SettingsError(f"yoked_to = {this.settings.yoked_to}: {newest}{what}")


def why_not(this: This, session: Session) -> Iterator[str]:
    """Yield the reasons for which no session can be yoked to this one."""
    said, arm = session.attributes, str(session.attributes.get("session_type", ""))
    if str(said.get("mouse_id", "")).lower() == this.mouse_id.lower() != "":
        yield f"is a session of {this.mouse_id} itself"
    if arm in ("baseline", SessionType.yoked.name):
        yield "is a baseline, without trials" if arm == "baseline" else "is a yoked session itself"
    if said.get("replay_of"):
        yield "is a replay"
    simulated = str(said.get("simulated", "it does not say what"))
    if simulated != REAL and not this.is_simulated:
        yield f"is not real (simulated: {simulated})"
    if not {"trial", "reward", "freq"} <= session.columns.keys() or len(session) < 2:
        yield f"has no rows in {ROWS_FILE}"
    if session.of("log"):
        yield "has frames that were not stored, so nobody knows all of its rewards"
    section = named_section(session.folder / "config.ini")
    if section != this.settings.section:
        yield f"is a session of [{section}], and this one is of [{this.settings.section}]"
    if session.was_cut_short or said.get("ended_by") != FINISHED:
        yield f"was not finished (ended by: {said.get('ended_by', 'unknown')})"
    yield from does_not_fit(this.settings, session)


def does_not_fit(settings: RigSettings, session: Session) -> Iterator[str]:
    """Yield why a session is too short for these settings, or was run with other trials and rests, and the cure."""
    n_trials = int(session.columns.get("trial", np.zeros(1)).max(initial=0))
    if n_trials < settings.total_trials:
        yield (
            f"has {n_trials} trials, and this session is to have {settings.total_trials}; "
            f"set total_trials = {n_trials}, or name a longer session"
        )
    for key in DURATIONS:
        theirs, ours = seconds_in(session, key), getattr(settings, key)
        if theirs != ours:
            yield (
                f"was run with {key} = {theirs:g} s, which its trials have here, too, and this session has {ours:g} s; "
                f"set {key} = {theirs:g}"
            )


def seconds_in(session: Session, key: str) -> float:
    """Return a duration in the settings of a session, s; NaN where they do not say."""
    try:
        return float(session.settings.get(key, ""))
    except ValueError:
        return np.nan


def score_of(session: Session, total_trials: int) -> Score:
    """Return what a session played in its first trials, up to the end of the rest after them.

    Parameters
    ----------
    session : Session
    total_trials : int
        How many trials count.
    """
    trial, reward, freq = (session.columns[name].astype(int) for name in ("trial", "reward", "freq"))
    time_s = session.row_times_s()
    time_s = time_s - time_s[0]
    is_last = (trial > 0) & (np.append(trial[1:], 0) != trial)
    outcome, water = np.where(is_last, reward, NONE), paid(session)
    end_s = end_of(session, trial, time_s, total_trials)
    changes = (np.diff(trial, prepend=-1) != 0) | (np.diff(freq, prepend=-1) != 0)
    rows = np.flatnonzero((changes | (outcome != NONE) | water) & (time_s < end_s))
    moments = (Moment(float(time_s[i]), int(trial[i]), float(freq[i]), int(outcome[i]), bool(water[i])) for i in rows)
    return checked(Score(tuple(moments), end_s), str(session.folder))


def checked(score: Score, where: str) -> Score:
    """Return a score whose times are numbers that never go back.

    Raises
    ------
    SettingsError
        They are not: such a session would never end.
    """
    times_s = np.array([*(moment.time_s for moment in score.moments), score.end_s])
    if not np.isfinite(times_s).all() or (np.diff(times_s, prepend=0.0) < 0).any():
        raise SettingsError(f"{where}: the times in it are no numbers, or go back; no session can be yoked to it")
    return score


def end_of(session: Session, trial: np.ndarray, time_s: np.ndarray, total_trials: int) -> float:
    """Return when the last rest that counts was over, s: the next trial begins, or the light goes off."""
    if (further := np.flatnonzero(trial > total_trials)).size:
        return float(time_s[further[0]])
    period_s = float(np.median(np.diff(time_s)))
    return float(time_s[-1]) + period_s - float(np.nan_to_num(seconds_in(session, "tail_dur")))


def text_of(score: Score) -> str:
    """Return a score as yoke.csv has it: a line for each moment, and one for the end."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    for moment in (*score.moments, Moment(score.end_s, 0, 0.0, NONE, False)):
        writer.writerow([repr(moment.time_s), moment.trial, f"{moment.hz:g}", moment.outcome, int(moment.water)])
    return file.getvalue()


def own_yoke(folder: Path) -> Yoke | None:
    """Return what a recorded session was yoked to, by its own copy; None where it has none.

    Raises
    ------
    SettingsError
        The copy cannot be read.
    """
    path = folder / YOKE_FILE
    try:
        header, *lines = csv.reader(path.read_text(encoding="utf-8").splitlines())
        if tuple(header) != HEADER:
            raise ValueError(f"its columns are not {', '.join(HEADER)}")
        *moments, end = [moment_of(line) for line in lines]
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: what this session was yoked to cannot be read ({error})") from None
    return Yoke(str(path), checked(Score(tuple(moments), end.time_s), str(path)))


def moment_of(line: list[str]) -> Moment:
    """Return the moment that a line of yoke.csv holds; ValueError where it holds none."""
    time_s, trial, freq, outcome, water = line
    return Moment(float(time_s), int(trial), float(freq), int(outcome), water == "1")
