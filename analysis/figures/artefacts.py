"""The figure of what is not brain: light, movement, pixels, paw, and the rewards and crossings that fell on them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.derived.aligned import rows_of_then
from analysis.derived.artefacts import bits_of_rewards
from analysis.evidence import Evidence, Missing
from analysis.figures.spec import BLUE, GREY, ORANGE, RED, Spec
from rig.protocol.artefacts import BITS, LIGHT, MOVEMENT
from rig.settings.clnf import ClnfSettings


def draw_artefacts(evidence: Evidence, figure: Figure) -> None:
    """Draw what was measured on each frame with its limit, when there were artefacts, and what fell on them."""
    columns, settings = evidence.session.columns, evidence.settings
    if "veto" not in columns or not isinstance(settings, ClnfSettings):
        raise Missing("artefacts were not logged (no column veto)")
    light, movement, when = figure.subplots(3, 1, sharex=True, height_ratios=(2, 2, 1.4))
    minutes = evidence.time_s / 60
    draw_course(light, minutes, columns["global_dff"], settings.max_global_dff, "shared ΔF/F")
    light.axhline(-settings.max_global_dff, color=GREY, linestyle="--", linewidth=0.8)
    draw_course(movement, minutes, columns["movement_px"], settings.max_movement_px, "moved (px)")
    for row, (name, bit) in enumerate(BITS.items()):
        at = minutes[(columns["veto"] & bit) > 0]
        when.plot(at, np.full(len(at), row), "|", color=RED if name in settings.veto else GREY)
    when.set(xlabel="minutes", ylim=(len(BITS) - 0.5, -0.5))
    when.set_yticks(range(len(BITS)), list(BITS))
    mark(light, movement, evidence)


def draw_course(axes: Axes, minutes: np.ndarray, values: np.ndarray, limit: float, label: str) -> None:
    """Draw one number along the session; what is far above its limit is drawn at the edge."""
    top = 3 * limit
    axes.plot(minutes, np.clip(values, -top, top), color=BLUE, linewidth=0.7)
    axes.axhline(limit, color=GREY, linestyle="--", linewidth=0.8)
    axes.set_ylabel(label)


def mark(light: Axes, movement: Axes, evidence: Evidence) -> None:
    """Mark the frames of suspicious rewards and of vetoed crossings, in the panel of the artefact."""
    try:
        bits = bits_of_rewards(evidence)
        rows = evidence.earning_rows
    except Missing:
        bits, rows = np.zeros(0, int), np.zeros(0, int)
    numbers = evidence.session.columns["frame"]
    vetoed = [(int(event.value), int(np.searchsorted(numbers, event.frame))) for event in evidence.session.of("veto")]
    tested = rows_of_then(evidence.time_s, np.array([row for _, row in vetoed], int), evidence.reward_delay_s)
    for axes, bit in ((light, LIGHT), (movement, MOVEMENT)):
        paid = evidence.time_s[rows[(bits & bit) > 0]] / 60
        stopped = evidence.time_s[tested[[bool(each & bit) for each, _ in vetoed]]] / 60
        for times, color, name in ((paid, ORANGE, "suspicious reward"), (stopped, RED, "vetoed crossing")):
            if len(times):
                axes.plot(times, np.full(len(times), axes.get_ylim()[1]), "v", color=color, label=name)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize="small", loc="lower right")


ARTEFACTS = Spec(
    "artefacts",
    "What is not brain",
    "Good: both lines between the dashed limits, and few marks below. Bad: marks at the rewards: they were earned by a "
    "flicker, movement, saturated pixels or the paw. Red marks veto a crossing (veto = ...), grey ones do not.",
    draw_artefacts,
    4.6,
)
