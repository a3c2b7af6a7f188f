"""The picture of a what-if: success rate, rewards per minute and latency for each setting, and as recorded."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.what_if_rows import CAVEAT, RECORDED, Row
from rig.errors import RigError

SHOWN = {"success_rate": "success rate", "rewards_per_min": "rewards per minute", "latency_s": "median latency (s)"}


def spread(rows: Sequence[Row], labels: Sequence[str], name: str) -> np.ndarray:
    """Return lowest, median and highest of a number for each setting, (3, n_labels); NaN where it is not known."""
    found = np.full((3, len(labels)), np.nan)
    for i, label in enumerate(labels):
        values = np.array([row.numbers()[name] for row in rows if row.label == label])
        values = values[~np.isnan(values)]
        if len(values):
            found[:, i] = values.min(), np.median(values), values.max()
    return found


def refuse_without_matplotlib(path: Path) -> None:
    """Raise RigError where nothing can be drawn, before anything is run."""
    if importlib.util.find_spec("matplotlib") is None:
        raise RigError(f"--png {path}: matplotlib is not installed; run 'make setup-analysis', or leave --png out")


def write_png(path: Path, rows: Sequence[Row]) -> None:
    """Draw the rows into a PNG file.

    Raises
    ------
    RigError
        It cannot be written.
    """
    from matplotlib.figure import Figure

    tried = [row for row in rows if row.label != RECORDED] or list(rows)
    labels = list(dict.fromkeys(row.label for row in tried))
    by_value = all(row.value is not None for row in tried)
    x = [next(row.value or 0.0 for row in tried if row.label == label) for label in labels]
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(1, len(SHOWN)), SHOWN.items(), strict=True):
        low, middle, high = spread(tried, labels, name)
        at = np.array(x if by_value else range(len(labels)), float)
        axes.fill_between(at, low, high, alpha=0.2, linewidth=0, label="range of the sessions")
        axes.plot(at, middle, "o-", label="what if (median)")
        axes.axhline(spread(rows, [RECORDED], name)[1, 0], color="0.4", linestyle="--", label="as recorded (median)")
        axes.set_title(title)
        axes.set_ylim(bottom=0)
        if by_value:
            axes.set_xlabel(labels[0].partition("=")[0])
        else:
            axes.set_xticks(at, labels, rotation=20)
    axes.legend(frameon=False, fontsize="small")
    figure.supxlabel(CAVEAT, fontsize=7)
    try:
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        raise RigError(f"--png {path}: it cannot be written ({error.strerror})") from None
