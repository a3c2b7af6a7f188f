"""How the trials went: running success, and when the mouse stopped."""

import numpy as np

from rig.protocol.trials import NONE, SUCCESS

RUNNING_OVER = 10  # trials
STOPPED_AFTER = 5  # failures in a row at the end


def running_success(outcome: np.ndarray, over: int = RUNNING_OVER) -> np.ndarray:
    """Return for each trial that has ended the share of successes among it and those before, at most `over` of them."""
    won = (outcome[outcome != NONE] == SUCCESS).astype(float)
    total = np.concatenate([[0.0], np.cumsum(won)])
    ends = np.arange(1, len(won) + 1)
    begins = np.maximum(0, ends - over)
    share: np.ndarray = (total[ends] - total[begins]) / (ends - begins)
    return share


def in_words(trials: np.ndarray, is_baseline: bool) -> str:
    """Say in a sentence how the mouse took part.

    Parameters
    ----------
    trials : structured array
        Of dtype `rig.files.reader.TRIAL`.
    is_baseline : bool
    """
    if is_baseline:
        return "A baseline was recorded: no trial, no tone, no water."
    outcome = trials["outcome"]
    ended, won = trials[outcome != NONE], trials[outcome == SUCCESS]
    if not len(trials):
        return "No trial began."
    if not len(ended):
        return "The only trial was cut short." if len(trials) == 1 else "No trial ended."
    if not len(won):
        return f"The mouse had no success in {counted(len(ended), 'trial')}."
    last = int(won["number"][-1])
    failures = int(np.count_nonzero(ended["number"] > last))
    speed = f"Half of the successes came within {np.median(won['latency_s']):.1f} s of the start of their trial."
    if failures >= STOPPED_AFTER:
        return f"The mouse took part until trial {last}, then stopped: {failures} failures in a row. {speed}"
    return f"The mouse took part to the end, in {counted(len(ended), 'trial')}. {speed}"


def counted(n: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
