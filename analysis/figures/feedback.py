"""Figures of what the mouse heard and earned: tones, thresholds and chance, licks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.derived.licks import lick_times_s, rate, relative
from analysis.derived.thresholds import at_threshold, curve
from analysis.evidence import Evidence, Missing
from analysis.figures.spec import BLUE, GREEN, GREY, ORANGE, Spec, grid

LICKS_BEFORE_S, LICKS_AFTER_S, LICK_BIN_S = 3.0, 6.0, 0.2
AXES = {"reward": "reward", "trial": "start of the trial"}
FEWEST_ROWS = 30  # of trials or of rests, for a curve


def tone_seconds(freq: np.ndarray, period_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the tones heard, Hz, and for how long each, s; silence is left out."""
    tones, counts = np.unique(freq[freq > 0], return_counts=True)
    return tones, counts * period_s


def draw_tones(evidence: Evidence, figure: Figure) -> None:
    """Draw how long each tone was heard."""
    if "freq" not in evidence.session.columns:
        raise Missing("no tone was logged")
    tones, seconds = tone_seconds(evidence.session.columns["freq"], evidence.period_s)
    if not len(tones):
        raise Missing("no tone was played: the session is silent")
    (axes,) = grid(figure, 1, 1)
    axes.bar(range(len(tones)), seconds, color=BLUE, alpha=0.85)
    axes.set_xticks(range(len(tones)), [f"{hz / 1000:.1f}" for hz in tones])
    axes.set(xlabel="tone (kHz)", ylabel="seconds")


def draw_thresholds(evidence: Evidence, figure: Figure) -> None:
    """Draw how often the signal is above each threshold, in trials and in rest."""
    signal, trial = evidence.trusted, evidence.session.columns.get("trial", np.zeros(len(evidence.session), int))
    signal, trial = signal[~np.isnan(signal)], trial[~np.isnan(signal)]
    parts = {"trials": (signal[trial > 0], BLUE), "rest": (signal[trial == 0], GREY)}
    parts = {name: part for name, part in parts.items() if len(part[0]) >= FEWEST_ROWS}
    if not parts:
        raise Missing(f"the session has fewer than {FEWEST_ROWS} rows")
    used = None if evidence.threshold is None else float(np.median(evidence.threshold))
    highest = max(float(np.percentile(signal, 99.9)), used or 0.0, 1e-6) * 1.2
    left, right = grid(figure, 1, 2)
    for name, (part, color) in parts.items():
        found = curve(part, evidence.period_s, highest)
        by_chance = "" if used is None else f": {at_threshold(found, used):.1f} per min at the threshold"
        left.plot(found.thresholds, found.frames_per_min, color=color, label=name)
        right.plot(found.thresholds, found.crossings_per_min, color=color, label=f"{name}{by_chance}")
    for axes, label in ((left, "frames above it, per minute"), (right, "rises above it, per minute")):
        axes.set(xlabel=f"threshold ({evidence.unit})", ylabel=label, xlim=(0, highest))
        if used is not None:
            axes.axvline(used, color=ORANGE, linestyle="--", label="threshold used (median)")
        axes.legend(frameon=False, fontsize="small")
    left.set_yscale("symlog", linthresh=1)
    left.set_ylim(bottom=0)


def draw_licks(evidence: Evidence, figure: Figure) -> None:
    """Draw licks around rewards and around the starts of trials."""
    session = evidence.session
    if not session.columns.get("lick", np.zeros(0)).any():
        has_none = session.settings.get("lick", "none") == "none"
        raise Missing("there was no lick sensor (lick = none)" if has_none else "no lick was felt: check the sensor")
    licks_s = lick_times_s(session.columns["lick"], evidence.time_s)
    panels = {"reward": evidence.time_s[evidence.rewards]}
    panels["trial"] = evidence.trials["start_s"]
    for column, (name, moments_s) in enumerate(panels.items()):
        found = relative(licks_s, moments_s, LICKS_BEFORE_S, LICKS_AFTER_S)
        top = figure.add_subplot(2, 2, column + 1)
        bottom = figure.add_subplot(2, 2, column + 3, sharex=top)
        draw_lick_raster(top, found, name)
        time_s, per_s = rate(found, LICKS_BEFORE_S, LICKS_AFTER_S, LICK_BIN_S)
        bottom.bar(time_s, per_s, LICK_BIN_S, color=GREEN, alpha=0.8)
        bottom.set(xlabel=f"seconds from the {AXES[name]}", ylabel="frames with\na lick per s")
        bottom.axvline(0, color="0.2", linewidth=1)


def draw_lick_raster(axes: Axes, found: list[np.ndarray], name: str) -> None:
    """Draw a line of marks for each moment."""
    axes.eventplot(found, lineoffsets=range(1, len(found) + 1), linelengths=0.9, linewidths=0.8, colors="0.2")
    axes.axvline(0, color=GREEN, linewidth=1)
    axes.set(ylabel=name, xlim=(-LICKS_BEFORE_S, LICKS_AFTER_S), ylim=(len(found) + 1, 0))


TONES = Spec(
    "tones",
    "Tones heard",
    "Good: many tones in use, so the mouse can hear which way to go. Bad: nearly all of the time in the lowest tone "
    "(the threshold is far too high) or in the highest (too low).",
    draw_tones,
    2.6,
)
THRESHOLDS = Spec(
    "thresholds",
    "Rises above a threshold",
    "Good: at the threshold used, the signal rises above it more often in trials than in rest. Bad: "
    "two curves that lie on each other. A threshold to start with is crossed about twice a minute in rest.",
    draw_thresholds,
)
LICKS = Spec(
    "licks",
    "Licks",
    "Good: a burst of licks right after each reward, and few before the start of trials. Bad: rewards without licks "
    "(water that was not taken), or licks all the time (a wet spout, or a sensor set too fine).",
    draw_licks,
    4.2,
)
