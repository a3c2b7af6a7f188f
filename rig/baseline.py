"""Where the threshold would lie for a mouse that has learned nothing: how often its signal crosses it by itself."""

from pathlib import Path

import numpy as np
from rich.table import Table

from rig.files.reader import read_session
from rig.settings.common import RigSettings
from rig.terminal import console

STEP = 0.001  # of thresholds, in the unit of the signal
ROWS = 12
LARGEST = 9.99  # a setting of 10 is refused


def crossings_per_min(signal: np.ndarray, thresholds: np.ndarray, minutes: float) -> np.ndarray:
    """Return how often the signal rises above each threshold.

    Parameters
    ----------
    signal : array (n,)
        In order of time.
    thresholds : array (m,)
    minutes : float
        How long the signal lasts.

    Returns
    -------
    array (m,)
        Upward crossings per minute: from at most the threshold in one frame to above it in the next.
    """
    rises = signal[1:] > signal[:-1]
    starts, ends = np.sort(signal[:-1][rises]), np.sort(signal[1:][rises])
    # A rise crosses every threshold from its start up to just below its end.
    crossed = np.searchsorted(starts, thresholds, "right") - np.searchsorted(ends, thresholds, "right")
    return crossed / minutes


def threshold_for(signal: np.ndarray, rate_per_min: float, minutes: float) -> float | None:
    """Return the highest threshold, in steps of 0.001, that is crossed at least this often; None if none is."""
    highest = np.clip(signal.max(), STEP, LARGEST)
    thresholds = np.arange(1, int(highest / STEP) + 1) * STEP
    often_enough = thresholds[crossings_per_min(signal, thresholds, minutes) >= rate_per_min]
    return round(float(often_enough[-1]), 3) if len(often_enough) else None


def print_baseline(folder: Path, cfg: RigSettings, rate_per_min: float) -> None:
    """Print the table threshold → crossings per minute of a recorded baseline, and what to write into config.ini.

    Parameters
    ----------
    folder : Path
        The recorded baseline.
    cfg : RigSettings
    rate_per_min : float
        How often the threshold to begin with is crossed.
    """
    signal = read_session(folder).columns[cfg.signal_column]
    if len(signal) < 2:
        console.print("The baseline is too short for a table; record longer.")
        return
    minutes = len(signal) / cfg.framerate / 60
    step = max(STEP, round(min(float(signal.max()), LARGEST) / ROWS, 3))
    thresholds = np.arange(1, ROWS + 1) * step
    table = Table(
        f"threshold ({cfg.signal_unit})", "crossings per minute", title=f"{minutes:.1f} minutes without trials"
    )
    for threshold, rate in zip(thresholds, crossings_per_min(signal, thresholds, minutes), strict=True):
        table.add_row(f"{threshold:.3f}", f"{rate:.2f}")
    console.print(table)
    chosen, rate = threshold_for(signal, rate_per_min, minutes), f"{rate_per_min:g} times per minute"
    if chosen is None:
        advice = f"No threshold is crossed {rate}; record longer, or check the signal."
    else:
        advice = f"Crossed {rate}: write into config.ini, [{cfg.section}]\n{cfg.threshold_setting} = {chosen:g}"
    console.print(advice, soft_wrap=True)
