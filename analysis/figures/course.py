"""Figures of the course of a session: overview, signal by trial, around rewards, how the trials went."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.derived.aligned import around, by_trial
from analysis.derived.learning import RUNNING_OVER, running_success
from analysis.evidence import Evidence, Missing
from analysis.figures.spec import BLUE, GREEN, GREY, ORANGE, OUTCOMES, Spec, grid, raster
from rig.protocol.trials import NONE, SUCCESS

BEFORE_S, AFTER_S = 5.0, 5.0
MOST_POINTS = 4000


def thinned(time_s: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a signal with few enough points to be drawn: lowest and highest of each stretch."""
    step = -(-len(signal) // (MOST_POINTS // 2))
    if step < 3:
        return time_s, signal
    n = len(signal) // step * step
    parts = signal[:n].reshape(-1, step)
    low_high = np.stack([parts.min(axis=1), parts.max(axis=1)], axis=1).ravel()
    return np.repeat(time_s[:n:step], 2), low_high


def draw_overview(evidence: Evidence, figure: Figure) -> None:
    """Draw signal, threshold, trials and rewards over the whole session."""
    (axes,) = grid(figure, 1, 1)
    axes.plot(
        *thinned(evidence.time_s / 60, np.nan_to_num(evidence.trusted)), color="0.25", linewidth=0.5, label="signal"
    )
    if evidence.threshold is not None:
        axes.plot(evidence.time_s / 60, evidence.threshold, color=ORANGE, linewidth=1.6, label="threshold")
    shade_trials(evidence, axes)
    rewards = np.flatnonzero(evidence.session.columns.get("reward", np.zeros(0)) == SUCCESS)
    if len(rewards):
        tops = np.full(len(rewards), axes.get_ylim()[1])
        axes.plot(evidence.time_s[rewards] / 60, tops, "v", color=BLUE, markersize=4, label="reward")
    axes.set(xlabel="minutes", ylabel=evidence.unit, xlim=(0, max(evidence.time_s[-1] / 60, 1e-3)))
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.14), ncols=6, frameon=False)


def shade_trials(evidence: Evidence, axes: Axes) -> None:
    """Shade the trials by their outcome, where there are any."""
    try:
        trials = evidence.trials
    except Missing:
        return
    ends_s = np.where(np.isnan(trials["end_s"]), evidence.time_s[-1], trials["end_s"])
    for outcome, (name, color) in OUTCOMES.items():
        of_this = np.flatnonzero(trials["outcome"] == outcome)
        for i, which in enumerate(of_this):
            label = name if i == 0 else None
            axes.axvspan(trials["start_s"][which] / 60, ends_s[which] / 60, color=color, alpha=0.25, lw=0, label=label)


def draw_trials(evidence: Evidence, figure: Figure) -> None:
    """Draw the signal of each trial as a line of colours, from its start to its outcome."""
    trials, signal = evidence.trials, evidence.trusted
    found = by_trial(signal, evidence.session.columns["trial"], evidence.period_s)
    (axes,) = grid(figure, 1, 1)
    raster(axes, found.time_s, found.values, "trial", evidence.unit)
    for outcome, (name, color) in OUTCOMES.items():
        of_this = np.flatnonzero((trials["outcome"] == outcome) & ~np.isnan(trials["latency_s"]))
        if not len(of_this):
            continue
        axes.plot(trials["latency_s"][of_this], of_this + 1, ">", color=color, markersize=5, label=name)
    axes.set_xlabel("seconds from the start of the trial")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=3, frameon=False)


def draw_rewards(evidence: Evidence, figure: Figure) -> None:
    """Draw the signal around rewards: a line of colours for each, and their mean."""
    found = around(evidence.trusted, evidence.rewards, evidence.period_s, BEFORE_S, AFTER_S)
    left, right = grid(figure, 1, 2)
    raster(left, found.time_s, found.values, "reward", evidence.unit)
    mean, sem = found.mean(), found.sem()
    right.fill_between(found.time_s, mean - sem, mean + sem, color=BLUE, alpha=0.25, linewidth=0, label="± SEM")
    right.plot(found.time_s, mean, color=BLUE, label=f"mean of {len(found.values)}")
    if evidence.threshold is not None:
        typical = float(np.median(evidence.threshold[evidence.rewards]))
        right.axhline(typical, color=ORANGE, linestyle=":", label="threshold (median)")
    for axes in (left, right):
        axes.axvline(0, color="0.2", linewidth=1, label="reward")
        axes.axvline(-evidence.reward_delay_s, color=GREEN, linestyle="--", linewidth=1.2, label="decided")
        axes.set_xlabel("seconds from the reward")
    right.set_ylabel(evidence.unit)
    right.legend(frameon=False, fontsize="small")


def draw_learning(evidence: Evidence, figure: Figure) -> None:
    """Draw the latency of each trial, their histogram, and the running success rate."""
    trials = evidence.trials
    ended = trials[trials["outcome"] != NONE]
    if not len(ended):
        raise Missing("no trial has ended")
    left, middle, right = grid(figure, 1, 3)
    for outcome, (name, color) in OUTCOMES.items():
        of_this = ended[ended["outcome"] == outcome]
        if len(of_this):
            left.plot(of_this["number"], of_this["latency_s"], "o", color=color, markersize=4, label=name)
    left.set(xlabel="trial", ylabel="seconds from start to outcome", ylim=(0, None))
    left.legend(frameon=False, fontsize="small")
    won = ended[ended["outcome"] == SUCCESS]["latency_s"]
    middle.hist(won, bins=min(20, max(5, len(won))), color=GREEN, alpha=0.8)
    if len(won):
        middle.axvline(float(np.median(won)), color="0.2", linestyle="--", label=f"median {np.median(won):.1f} s")
        middle.legend(frameon=False, fontsize="small")
    middle.set(xlabel="seconds to success", ylabel="successes")
    right.plot(ended["number"], 100 * running_success(ended["outcome"]), color=BLUE)
    right.set(xlabel="trial", ylabel=f"% success in the last {RUNNING_OVER} trials", ylim=(-3, 103))
    right.axhline(50, color=GREY, linewidth=0.7, linestyle=":")


OVERVIEW = Spec(
    "overview",
    "The session",
    "Good: green trials to the end, a threshold that climbs while the mouse earns. Bad: red at the end (the mouse has "
    "stopped), a signal that jumps or lies flat, trials without any green.",
    draw_overview,
)
TRIALS = Spec(
    "trials",
    "Signal in each trial",
    "Good: the signal is high just before the mark of a success, and marks move to the left from trial to trial. Bad: "
    "colours that look alike in successes and failures.",
    draw_trials,
    4.4,
)
REWARDS = Spec(
    "rewards",
    "Around rewards",
    "Good: the mean rises to the threshold at the dashed line, where the reward was decided (reward_delay before it), "
    "and falls after it. Bad: no peak there, or one at the reward itself: then it is an artefact of valve or licks.",
    draw_rewards,
)
LEARNING = Spec(
    "learning",
    "Latency and success",
    "Good: latencies that fall and a success rate that rises or stays high. Bad: failures in a row at the end, or all "
    "latencies below a second: then the threshold is too low.",
    draw_learning,
)
