"""What a figure of a report is, and the colours that all of them share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.evidence import Evidence
from rig.protocol.trials import FAIL, NONE, SUCCESS

GREEN, RED, GREY, BLUE, ORANGE = "#2a9d5c", "#d1495b", "#8a8f98", "#2f6db5", "#e08e2b"
OUTCOMES = {SUCCESS: ("success", GREEN), FAIL: ("failure", RED), NONE: ("cut short", GREY)}


class Spec(NamedTuple):
    """A figure of a report.

    Attributes
    ----------
    key, title : str
    reads : str
        What good and bad look like, in a sentence.
    draw : callable
        Draws into a Figure; raises Missing where the session lacks what is needed.
    height : float
        In inches, at a width of 10.
    """

    key: str
    title: str
    reads: str
    draw: Callable[[Evidence, Figure], None]
    height: float = 3.4


def grid(figure: Figure, rows: int, columns: int, **how: Any) -> list[Axes]:
    """Return the axes of a grid, row by row."""
    return [axes for line in figure.subplots(rows, columns, squeeze=False, **how) for axes in line]


def scale_of(values: np.ndarray, percentile: float = 99.5) -> float:
    """Return a full scale that outliers do not stretch: a high percentile of the absolute values."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.percentile(known, percentile)) or 1e-9 if len(known) else 1.0


def raster(axes: Axes, time_s: np.ndarray, values: np.ndarray, label: str, unit: str) -> None:
    """Draw a line of colours for each row of values; the rows are numbered from 1, at the top."""
    full = scale_of(values)
    is_speed = unit in ("px/frame", "mm/s")
    picture = axes.pcolormesh(
        time_s, np.arange(1, len(values) + 1), np.ma.masked_invalid(values), shading="nearest", rasterized=True,
        cmap="magma" if is_speed else "RdBu_r", vmin=0 if is_speed else -full, vmax=full,
    )  # fmt: skip
    axes.invert_yaxis()
    axes.set_ylabel(label)
    axes.set_facecolor("#f3f3f3")
    assert axes.figure is not None
    axes.figure.colorbar(picture, ax=axes, label=unit, pad=0.01)
