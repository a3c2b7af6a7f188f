"""The two clocks of a session: the monotonic one of the computer, and that of the experiment.

Each frame has both times, `captured_s` and `time_s`.  Between frames time is interpolated, and before the first and
after the last the clocks run alike.
"""

import numpy as np


def experiment_s(monotonic_s: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return times of the monotonic clock on the clock of the experiment, s; `frames` is the table /frames."""
    return converted(monotonic_s, frames, "captured_s", "time_s")


def monotonic_s(experiment_s: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return times of the experiment on the monotonic clock, s; `frames` is the table /frames."""
    return converted(experiment_s, frames, "time_s", "captured_s")


def converted(times_s: np.ndarray, frames: np.ndarray, from_clock: str, to_clock: str) -> np.ndarray:
    """Return times of one of the two columns as times of the other."""
    if not len(frames):
        return times_s
    here_s, there_s = frames[from_clock], frames[to_clock]
    order = np.argsort(here_s, kind="stable")
    here_s, there_s = here_s[order], there_s[order]
    inside = np.interp(times_s, here_s, there_s)
    before, after = np.minimum(times_s - here_s[0], 0), np.maximum(times_s - here_s[-1], 0)
    converted_s: np.ndarray = inside + before + after
    return converted_s
