"""What a session came to, in numbers: trials, successes, rewards, latency."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rig.devices.water import dose_of
from rig.errors import RigError
from rig.files.paid import paid
from rig.files.reader import Session
from rig.protocol.trials import NONE, SUCCESS
from rig.settings.common import RigSettings


class Outcomes(NamedTuple):
    """What a session came to.

    Attributes
    ----------
    done, cut_short, successes : int
        Trials that have ended, trials that the end of the session cut short, and trials that ended with success.
    success_rate : float
        successes / done; NaN without a trial that has ended.
    rewards_per_min : float
        NaN for a session without a second frame.
    latency_s : float
        Median time from the start of a trial to its success; NaN without a success.
    threshold : float
        On the last row; NaN where none was logged.
    """

    done: int
    cut_short: int
    successes: int
    success_rate: float
    rewards_per_min: float
    latency_s: float
    threshold: float


def outcomes_of(session: Session) -> Outcomes:
    """Return what a session came to."""
    trials = session.trials
    done = int(np.count_nonzero(trials["outcome"] != NONE))
    won = trials["outcome"] == SUCCESS
    successes, minutes = int(np.count_nonzero(won)), minutes_of(session)
    return Outcomes(
        done=done,
        cut_short=len(trials) - done,
        successes=successes,
        success_rate=successes / done if done else np.nan,
        rewards_per_min=rewards_of(session) / minutes if minutes else np.nan,
        latency_s=float(np.median(trials["latency_s"][won])) if successes else np.nan,
        threshold=last_threshold(session),
    )


def rewards_of(session: Session) -> int:
    """Return how many rewards a session gave; a success without water is none."""
    return int(np.count_nonzero(paid(session)))


def reward_ul(settings: RigSettings | None, folder: Path) -> float | None:
    """Return the volume of a reward, µl; None where the valve was not calibrated, or the settings are not known."""
    if settings is None:
        return None
    try:
        return dose_of(settings, folder / "config.ini").ul
    except RigError:  # these settings need a calibration, and it was not kept
        return None


def minutes_of(session: Session) -> float:
    """Return how long a session lasted, from its first frame to its last; 0 with fewer than two."""
    time_s = session.row_times_s() if "frame" in session.columns else np.zeros(0)
    return float(time_s[-1] - time_s[0]) / 60 if len(time_s) > 1 else 0.0


def unit_of(session: Session) -> str:
    """Return the unit of the signal of a session, and of its threshold."""
    return session.settings.get("speed_unit", "px/frame") if "cj_speed" in session.columns else "ΔF/F"


def threshold_column(session: Session) -> np.ndarray | None:
    """Return the threshold on each row, None where none was logged."""
    return next((column for name, column in session.columns.items() if name.endswith("_threshold")), None)


def last_threshold(session: Session) -> float:
    """Return the threshold at the end of a session, NaN where none was logged."""
    column = threshold_column(session)
    return float(column[-1]) if column is not None and len(column) else np.nan
