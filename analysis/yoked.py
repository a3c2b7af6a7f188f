"""What the report of a yoked session says: whether the mouse's own signal could have earned its rewards."""

import numpy as np

from analysis.derived.aligned import rows_of_then
from analysis.evidence import Evidence, Missing


def yoked_to(evidence: Evidence) -> str:
    """Return the session that this one was yoked to; '' where it was yoked to none."""
    return str(evidence.session.attributes.get("yoked_to_session", ""))


def in_words(evidence: Evidence) -> str:
    """Say whose trials, tones and rewards these were, and how many rewards followed a crossing of this mouse."""
    whose = f"Trials, tones and rewards were those of {yoked_to(evidence)}, whatever the signal of this mouse did."
    try:
        n_crossed, n_rewards = own_crossings(evidence)
    except Missing:
        return whose
    return f"{whose} Of {n_rewards} rewards, {n_crossed} came when its own signal had crossed the threshold."


def own_crossings(evidence: Evidence) -> tuple[int, int]:
    """Return how many rewards follow a crossing, `reward_delay` before, and how many there are.

    Raises
    ------
    Missing
        There is no reward, no signal or no threshold.
    """
    if evidence.threshold is None:
        raise Missing("no threshold was logged")
    rows = evidence.rewards
    then = rows_of_then(evidence.time_s, rows, evidence.reward_delay_s)
    return int(np.count_nonzero(evidence.trusted[then] > evidence.threshold[rows])), len(rows)
