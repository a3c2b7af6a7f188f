"""Figures of CLMF: where the paw was, how well it was tracked, left against right."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from analysis.derived.paws import opposite_of, path_of, share_by_second, speed_of
from analysis.evidence import Evidence, Missing
from analysis.figures.spec import BLUE, GREEN, GREY, ORANGE, RED, Spec, grid
from rig.settings.clmf import ClmfSettings

EVERY_S = 5.0


def paw_of(evidence: Evidence) -> tuple[ClmfSettings, tuple[str, ...]]:
    """Return the settings and the body parts of the log; Missing without them."""
    if not isinstance(evidence.settings, ClmfSettings) or evidence.recorded is None:
        raise Missing(evidence.why_not or "the session tracked no paw")
    return evidence.settings, evidence.recorded.body_parts


def draw_path(evidence: Evidence, figure: Figure) -> None:
    """Draw the path of the control point over the mean image, with both circles."""
    settings, _ = paw_of(evidence)
    x, y = path_of(evidence.session.columns, settings.control_point, settings.min_likelihood)
    in_trial = evidence.session.columns["trial"] > 0
    width, height = settings.resolution
    (axes,) = grid(figure, 1, 1)
    try:
        axes.imshow(evidence.sample.mean[..., ::-1].clip(0, 255).astype(np.uint8))
    except Missing:
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    for rows, color, name in ((~in_trial, GREY, "in rest"), (in_trial, ORANGE, "in trials")):
        axes.plot(
            x[rows], y[rows], ".", color=color, markersize=2.5, alpha=0.5, label=f"{settings.control_point} {name}"
        )
    for circle, color in (("start_roi", GREEN), ("target_roi", RED)):
        cx, cy, r = settings.circle(circle)
        axes.add_patch(
            Circle((cx, cy), r, fill=False, edgecolor=color, linewidth=1.6, label=circle.replace("_roi", ""))
        )
    axes.set(xticks=[], yticks=[])
    figure.legend(loc="outside lower center", ncols=4, frameon=False, markerscale=4)


def draw_tracking(evidence: Evidence, figure: Figure) -> None:
    """Draw the likelihood of the control point, the share of frames that was trusted, and jumps."""
    settings, _ = paw_of(evidence)
    columns, time_s = evidence.session.columns, evidence.time_s
    likelihood, speed = columns[f"{settings.control_point}_likelihood"], columns["cj_speed"]
    left, middle, right = grid(figure, 1, 3)
    left.hist(likelihood, bins=50, range=(0, 1), color=BLUE, log=True)
    left.axvline(settings.min_likelihood, color=RED, linestyle="--", label="min_likelihood")
    left.set(xlabel=f"likelihood of {settings.control_point}", ylabel="frames")
    left.legend(frameon=False, fontsize="small")
    middle.plot(*at_minutes(share_by_second(columns.get("tracked", likelihood > 0) > 0, time_s, EVERY_S)), color=BLUE)
    middle.set(xlabel="minutes", ylabel="% of the frames trusted", ylim=(0, 103))
    jumps = speed > settings.max_jump_px
    right.plot(time_s / 60, speed, color=GREY, linewidth=0.5)
    right.plot(time_s[jumps] / 60, speed[jumps], ".", color=RED, label=f"{np.count_nonzero(jumps)} jumps")
    right.axhline(settings.max_jump_px, color=RED, linestyle="--", linewidth=1, label="max_jump_px")
    right.set(xlabel="minutes", ylabel="speed (px/frame)", ylim=(0, None))
    right.legend(frameon=False, fontsize="small")


def at_minutes(found: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return minutes and per cent of seconds and shares."""
    return found[0] / 60, 100 * found[1]


def draw_left_right(evidence: Evidence, figure: Figure) -> None:
    """Draw the speed of the control point against that of the other side, and the mean of both."""
    settings, parts = paw_of(evidence)
    other = opposite_of(settings.control_point, parts)
    if other is None:
        raise Missing(f"the model has no part opposite to {settings.control_point}")
    columns, in_trial = evidence.session.columns, evidence.session.columns["trial"] > 0
    seen = np.minimum(columns[f"{settings.control_point}_likelihood"], columns[f"{other}_likelihood"])
    kept = seen >= settings.min_likelihood
    kept &= np.concatenate([kept[:1], kept[:-1]])  # in both frames, or the way back into sight counts as speed
    trained, untrained = speed_of(columns, settings.control_point), speed_of(columns, other)
    left, right = grid(figure, 1, 2)
    for rows, color, name in ((~in_trial & kept, GREY, "rest"), (in_trial & kept, ORANGE, "trials")):
        left.plot(untrained[rows], trained[rows], ".", color=color, markersize=3, alpha=0.5, label=name)
    limit = float(np.percentile(np.concatenate([trained[kept], untrained[kept]]), 99.9)) * 1.1 if kept.any() else 1.0
    left.plot([0, limit], [0, limit], color="0.6", linewidth=0.8)
    left.set(
        xlabel=f"{other} (px/frame)", ylabel=f"{settings.control_point} (px/frame)", xlim=(0, limit), ylim=(0, limit)
    )
    left.legend(frameon=False, fontsize="small", markerscale=3)
    means = [[speed[in_trial & kept].mean(), speed[~in_trial & kept].mean()] for speed in (trained, untrained)]
    for i, (part, values, color) in enumerate(zip((settings.control_point, other), means, (ORANGE, BLUE), strict=True)):
        right.bar(np.arange(2) + 0.4 * i - 0.2, values, 0.38, color=color, label=part)
    right.set_xticks([0, 1], ["trials", "rest"])
    right.set(ylabel="mean speed (px/frame)", ylim=(0, None))
    right.legend(frameon=False, fontsize="small")


PATH = Spec(
    "path",
    "Where the paw was",
    "Good: the paw rests in the start circle, and reaches out of it in trials. Bad: dots far from any paw (the network "
    "took something else for it), or a resting place outside of the circle.",
    draw_path,
    4.6,
)
TRACKING = Spec(
    "tracking",
    "Tracking",
    "Good: nearly all frames near a likelihood of 1 and trusted, no jumps. Bad: a second heap of unlikely frames, a "
    "share that falls while the session goes on (light, or a paw that has moved out of sight), many jumps.",
    draw_tracking,
    3.2,
)
LEFT_RIGHT = Spec(
    "left_right",
    "Left against right",
    "Good: the trained paw moves more in trials than in rest, and the other one does not. Bad: dots along the "
    "diagonal: the whole animal moves, or the bar.",
    draw_left_right,
)
