"""Figures of a cohort: curves with every mouse, distributions, the change of a rule."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.cohorts.table import Choices, Histogram
from analysis.figures.spec import BLUE, GREEN, GREY, ORANGE, RED, grid
from analysis.session_summary import EDGES

COLORS = (BLUE, ORANGE, GREEN, RED, GREY)
LABELS = {
    "performance": "performance: min(1, rewards / trials)",
    "rewards": "rewards",
    "rewards_per_trial": "rewards / trials",
    "minmax": "rewards, 0 to 1 within mouse and rule",
    "success_rate": "success rate",
    "latency_s": "median latency (s)",
}
SHARES = ("performance", "minmax", "success_rate")


def colors_of(groups: Sequence[str]) -> dict[str, str]:
    """Return the colour of each group."""
    return {group: COLORS[i % len(COLORS)] for i, group in enumerate(groups)}


def by_day(values: pd.Series, days: Sequence[int]) -> np.ndarray:
    """Return a value for each of these days, NaN where there is none: no line is drawn across such a day."""
    found: np.ndarray = values.reindex(list(days)).to_numpy(float)
    return found


def all_days(table: pd.DataFrame) -> list[int]:
    """Return every day from the first to the last, with or without a session."""
    return list(range(int(table["day"].min()), int(table["day"].max()) + 1))


def draw_curves(figure: Figure, table: pd.DataFrame, column: str, choices: Choices) -> None:
    """Draw a value over days: a panel for each group with every mouse, its mean and SEM, and one with all means."""
    groups = sorted(table["group"].unique())
    panels = grid(
        figure, -(-(len(groups) + (len(groups) > 1)) // 3), min(3, len(groups) + (len(groups) > 1)), sharey=True
    )
    for axes, (group, color) in zip(panels, colors_of(groups).items(), strict=False):
        rows = table[table["group"] == group]
        draw_mice(axes, rows, column)
        draw_mean(axes, rows, column, color, "mean ± SEM")
        axes.set_title(f"{group}: {rows['mouse'].nunique()} mice", color=color)
        mark_change(axes, choices.change_of(group))
    if len(groups) > 1:
        for group, color in colors_of(groups).items():
            draw_mean(panels[len(groups)], table[table["group"] == group], column, color, group)
            mark_change(panels[len(groups)], choices.change_of(group))
        panels[len(groups)].set_title("means ± SEM")
    finish(panels, table, column)


def draw_mice(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    """Draw every mouse: a thin line, a dot for each session."""
    for _, own in rows.groupby("mouse"):
        daily = own.groupby("day")[column].mean()
        axes.plot(all_days(rows), by_day(daily, all_days(rows)), color=GREY, linewidth=0.9, alpha=0.75)
        axes.plot(own["day"], own[column], ".", color=GREY, markersize=5)


def draw_mean(axes: Axes, rows: pd.DataFrame, column: str, color: str, label: str) -> None:
    """Draw the mean of a group on each day, with its SEM."""
    daily = rows.groupby("day")[column]
    days = all_days(rows)
    mean, sem = by_day(daily.mean(), days), by_day(daily.sem(), days)
    axes.errorbar(days, mean, sem, color=color, marker="o", markersize=5, linewidth=2, capsize=3, label=label)


def mark_change(axes: Axes, change: int | None) -> None:
    """Mark where the rule changes."""
    if change is not None:
        axes.axvline(change + 0.5, color=RED, linestyle="--", linewidth=1.2, label="rule changes")


def finish(panels: Sequence[Axes], table: pd.DataFrame, column: str) -> None:
    """Label the axes; days without any session are shaded."""
    days = all_days(table)
    groups = sorted(table["group"].unique())
    for i, axes in enumerate(panels):
        if i > len(groups) or (i == len(groups) and len(groups) == 1):
            axes.set_axis_off()
            continue
        rows = table[table["group"] == groups[i]] if i < len(groups) else table
        for day in sorted(set(days) - set(known_days(rows, column))):
            axes.axvspan(day - 0.5, day + 0.5, color="0.93", linewidth=0)
        axes.set(xlabel="day", xlim=(days[0] - 0.5, days[-1] + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize="small", loc="best")
    panels[0].set_ylabel(LABELS[column])
    fit_height(panels[0], column)


def fit_height(axes: Axes, column: str) -> None:
    """Let shares go from 0 to 1, and everything else from 0."""
    axes.set_ylim(-0.03 if column in SHARES else 0, 1.05 if column in SHARES else None)


def known_days(rows: pd.DataFrame, column: str) -> list[int]:
    """Return the days on which there is a value."""
    return [int(day) for day in rows["day"][rows[column].notna()].unique()]


def draw_distributions(figure: Figure, table: pd.DataFrame, column: str) -> None:
    """Draw the values on the first and the last day of each group: boxes, and a line for each mouse."""
    (axes,) = grid(figure, 1, 1)
    names: list[tuple[float, str]] = []
    for i, (group, color) in enumerate(colors_of(sorted(table["group"].unique())).items()):
        rows = table[(table["group"] == group) & table[column].notna()]
        if len(rows):
            ends = dict.fromkeys((rows["day"].min(), rows["day"].max()))
            names += draw_ends(axes, rows, column, color, {day: 3.0 * i + side for side, day in enumerate(ends)})
    axes.set_xticks([place for place, _ in names], [name for _, name in names])
    axes.set_ylabel(LABELS[column])
    fit_height(axes, column)


def draw_ends(
    axes: Axes, rows: pd.DataFrame, column: str, color: str, places: dict[int, float]
) -> list[tuple[float, str]]:
    """Draw the values of a group on its first and last day at their places; return the places and their names."""
    rows = rows[rows["day"].isin(list(places))]
    mice = sorted(rows["mouse"].unique())
    for mouse, shift in zip(mice, np.linspace(-0.18, 0.18, len(mice)) if len(mice) > 1 else [0.0], strict=True):
        own = rows[rows["mouse"] == mouse].sort_values("day")
        axes.plot(own["day"].map(places) + shift, own[column], "-", color=GREY, linewidth=0.8)
        axes.plot(own["day"].map(places) + shift, own[column], "o", color=color, markersize=5, alpha=0.8)
    boxes = [rows[column][rows["day"] == day] for day in places]
    axes.boxplot(boxes, positions=list(places.values()), widths=0.6, showfliers=False, medianprops={"color": color})
    group = rows["group"].iloc[0]
    return [(place, f"{group}\nday {day}") for day, place in places.items()]


def draw_signals(figure: Figure, table: pd.DataFrame, signals: dict[str, Histogram]) -> None:
    """Draw the distribution of the signal in the first and in the last session of the mice of each group."""
    groups = sorted(table["group"].unique())
    panels = grid(figure, 1, len(groups), sharey=True)
    for axes, (group, color) in zip(panels, colors_of(groups).items(), strict=True):
        rows = table[(table["group"] == group) & table["session"].isin(list(signals))].sort_values("cal_day")
        ends = {"first session": rows.groupby("mouse").head(1), "last session": rows.groupby("mouse").tail(1)}
        for (label, own), style in zip(ends.items(), (":", "-"), strict=True):
            draw_signal(axes, [signals[name] for name in own["session"]], color, style, label)
        axes.set_title(group, color=color)
        axes.legend(frameon=False, fontsize="small")
    panels[0].set_ylabel("share of frames")


def draw_signal(axes: Axes, found: list[Histogram], color: str, style: str, label: str) -> None:
    """Draw a distribution: the mean of those of the mice, each of which counts the same."""
    if not found:
        return
    unit = found[0].unit
    shares = [np.array(each.counts) / max(1, sum(each.counts)) for each in found if each.unit == unit]
    axes.stairs(np.mean(shares, axis=0), EDGES[unit], color=color, linestyle=style, linewidth=1.5, label=label)
    axes.set(xlabel=unit, yscale="log")


def draw_change(figure: Figure, rows: Sequence[dict[str, Any]], column: str) -> None:
    """Draw each mouse on its last day under the first rule, and on its first one under the second."""
    panels = grid(figure, 1, len(rows), sharey=True)
    for axes, row in zip(panels, rows, strict=True):
        for mouse in (each for each in row["mice"] if each["difference"] is not None):
            axes.plot([0, 1], [mouse["before"], mouse["after"]], "o-", color=GREY, linewidth=1)
            axes.annotate(mouse["mouse"], (1.04, mouse["after"]), fontsize="x-small", color="0.35", va="center")
        pairs = [(each["before"], each["after"]) for each in row["mice"] if each["difference"] is not None]
        if pairs:
            axes.plot([0, 1], np.mean(pairs, axis=0), "s-", color=RED, linewidth=2.2, label="mean")
            axes.legend(frameon=False, fontsize="small")
        axes.set_xticks([0, 1], ["last day before", "first day after"])
        axes.set(title=row["group"], xlim=(-0.3, 1.6))
        fit_height(axes, column)
    panels[0].set_ylabel(LABELS[column])
