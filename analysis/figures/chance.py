"""Figures of chance: crossings in trials against those in rests, along a session and over days."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.derived.chance import chance_of
from analysis.evidence import Evidence
from analysis.figures.spec import BLUE, GREEN, GREY, Spec, grid
from rig.protocol.chance import (
    REST_CROSSINGS,
    TRIAL_CROSSINGS,
    Against,
    against_chance,
    rate_interval,
    ratio_in_words,
)

OVER = 10  # trials, each with the rest after it, in a point of the course
PARTS = (("trials", TRIAL_CROSSINGS, BLUE), ("rests", REST_CROSSINGS, GREY))


def draw_chance(evidence: Evidence, figure: Figure) -> None:
    """Draw the rates in trials and in rests with their intervals, and their course along the session."""
    blocks = chance_of(evidence).blocks
    left, right = grid(figure, 1, 2, width_ratios=[1, 2])
    for x, (name, crossings, color) in enumerate(PARTS):
        draw_rate(left, x, blocks, crossings, color)
        trials, rates = course(blocks, crossings)
        right.plot(trials, rates, ".-", color=color, label=name)
    left.set_xticks(range(len(PARTS)), [name for name, _, _ in PARTS])
    left.set(ylabel="crossings per minute", xlim=(-0.6, 1.6), title=ratio_in_words(against_chance(blocks)))
    right.set(xlabel="trial", ylabel=f"per minute, in {OVER} trials\nor their rests", xlim=(0, len(blocks)))
    right.set_ylim(bottom=0)
    right.legend(frameon=False, fontsize="small")


def draw_rate(axes: Axes, x: float, blocks: np.ndarray, crossings: int, color: str) -> None:
    """Draw a bar with its interval; nothing where no time counts."""
    counted, seconds = blocks[:, crossings : crossings + 2].sum(axis=0)
    if not seconds:
        return
    per_min = counted / seconds * 60
    low, high = rate_interval(blocks, crossings)
    axes.bar(x, per_min, 0.7, color=color, alpha=0.8, yerr=[[per_min - low], [high - per_min]], capsize=5)


def course(blocks: np.ndarray, crossings: int) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of trials, and the rate over the OVER blocks up to each; NaN where no time counts there."""
    over = min(OVER, len(blocks) - 1)
    ends = np.arange(over, len(blocks))
    total = np.concatenate([[[0.0, 0.0]], np.cumsum(blocks[:, crossings : crossings + 2], axis=0)])
    counted, seconds = (total[ends + 1] - total[ends + 1 - over]).T
    rates = np.divide(counted * 60, seconds, out=np.full(len(ends), np.nan), where=seconds > 0)
    return ends, rates


def draw_days(figure: Figure, days: Sequence[int], found: Sequence[Against]) -> None:
    """Draw how many times more often than by chance the signal crossed in trials, session by session.

    Parameters
    ----------
    figure : Figure
    days : sequence of int
        The day of each session, from 1.
    found : sequence of Against
    """
    (axes,) = grid(figure, 1, 1)
    for day, one in zip(days, found, strict=True):
        if np.isfinite(one.ratio):
            axes.plot(day, one.ratio, "o", color=GREEN)
        if np.isfinite(one.high):
            axes.vlines(day, one.low, one.high, color=GREEN)
        elif one.low > 0:
            tip = 1.15 * one.ratio if np.isfinite(one.ratio) else 1.6 * one.low
            axes.annotate("", (day, tip), (day, one.low), arrowprops={"arrowstyle": "->", "color": GREEN})
            axes.plot(day, tip, alpha=0)  # so that the arrow lies within the axes
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="day", ylabel="times chance", xlim=(0.5, max(days) + 0.5))
    axes.set_ylim(bottom=0)


CHANCE = Spec(
    "chance",
    "Trials against chance",
    "How often a quiet signal crosses the threshold, per minute; in rests it earns nothing, so that is chance. Good: "
    "trials well above rests, with an interval of the ratio that begins above 1. Bad: an interval that holds 1: "
    "such successes are no sign of control.",
    draw_chance,
    3.2,
)
OVER_DAYS = (
    "Good: intervals above the dashed line, which is chance, and rising. Bad: points along it, however many rewards "
    "there were. An arrow: the interval has no upper end, because next to nothing was crossed in rests."
)
