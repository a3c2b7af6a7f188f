"""Where the threshold would lie for a mouse that knows nothing: how often its signal crosses by itself."""

from pathlib import Path

import numpy as np
from rich.table import Table

from rig.settings import ClnfSettings
from rig.status import console

STEP = 0.001  # of thresholds, ΔF/F
ROWS = 12
LARGEST = 9.99  # ΔF/F; a setting of 10 is refused


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
    """Return the highest threshold, in steps of 0.001, that is crossed at least so often; None if none is."""
    highest = np.clip(signal.max(), STEP, LARGEST)
    thresholds = np.arange(1, int(highest / STEP) + 1) * STEP
    often_enough = thresholds[crossings_per_min(signal, thresholds, minutes) >= rate_per_min]
    return round(float(often_enough[-1]), 3) if len(often_enough) else None


def print_baseline(folder: Path, cfg: ClnfSettings) -> None:
    """Print the table threshold → crossings per minute of a recorded baseline, and what to write into config.ini."""
    header, *rows = (folder / "VideoTimestamp.txt").read_text(encoding="utf-8").splitlines()
    column = header.split("\t").index("roi_dff")
    signal = np.array([float(row.split("\t")[column]) for row in rows])
    if len(signal) < 2:
        console.print("The baseline is too short for a table; record longer.")
        return
    minutes = len(signal) / cfg.framerate / 60
    step = max(STEP, round(min(float(signal.max()), LARGEST) / ROWS, 3))
    thresholds = np.arange(1, ROWS + 1) * step
    table = Table("threshold (ΔF/F)", "crossings per minute", title=f"{minutes:.1f} minutes without trials")
    for threshold, rate in zip(thresholds, crossings_per_min(signal, thresholds, minutes), strict=True):
        table.add_row(f"{threshold:.3f}", f"{rate:.2f}")
    console.print(table)
    chosen, rate = threshold_for(signal, cfg.spontaneous_rate, minutes), f"{cfg.spontaneous_rate:g} times per minute"
    if chosen is None:
        advice = f"No threshold is crossed {rate}; record longer, or check the ROI."
    else:
        advice = f"Crossed {rate}: write into config.ini, [{cfg.section}]\nreward_threshold = {chosen:g}"
    console.print(advice, soft_wrap=True)
