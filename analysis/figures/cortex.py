"""Figures of the cortex: the image with its ROIs, maps around rewards, correlation of the sites."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle as Disc
from matplotlib.patches import Rectangle

from analysis.derived.maps import RewardMaps, reward_maps
from analysis.derived.sites import correlation, site_traces
from analysis.evidence import Evidence, Missing
from analysis.figures.spec import Spec, grid, scale_of
from analysis.frame_sample import brain_mask
from rig.settings.clnf import ClnfSettings

ROI_COLOURS = ("#ff3b30", "#00c8ff", "#ffd60a", "#ff2fd0", "#ff9f0a")
from roi_manager import Rect


def cortex_of(evidence: Evidence) -> ClnfSettings:
    """Return the settings; Missing without them."""
    if not isinstance(evidence.settings, ClnfSettings):
        raise Missing(evidence.why_not or "the session has no cortex")
    return evidence.settings


def draw_image(evidence: Evidence, figure: Figure) -> None:
    """Draw the mean image in both colours, with ROIs, sites and bregma."""
    sample, settings = evidence.sample, evidence.settings
    left, right = grid(figure, 1, 2)
    for axes, name, colour in ((left, "green (calcium)", 1), (right, "blue (reflectance)", 0)):
        picture = sample.mean[..., colour]
        shown = axes.imshow(picture, cmap="gray", vmax=max(float(np.percentile(picture, 99.8)), 1e-6))
        axes.set(title=f"{name}, mean", xticks=[], yticks=[])
        figure.colorbar(shown, ax=axes, label="of 255", shrink=0.85)
        if isinstance(settings, ClnfSettings):
            mark_sites(axes, evidence, settings)
    if isinstance(settings, ClnfSettings):
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)


def mark_sites(axes: Axes, evidence: Evidence, settings: ClnfSettings) -> None:
    """Mark ROIs, sites and bregma."""
    mark_rois(axes, settings)
    boxes = np.array(list(evidence.sites.values())).reshape(-1, 4)
    axes.plot(
        boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3] / 2, "o", color="#7fd4ff", markersize=2, label="sites"
    )
    row, column = settings.bregma
    axes.plot(column, row, "+", color="#ffd60a", markersize=11, markeredgewidth=2, label="bregma")


def mark_rois(axes: Axes, settings: ClnfSettings) -> None:
    """Draw the outlines of the ROIs."""
    for i, roi in enumerate(settings.light_rois()):
        style: dict[str, Any] = {
            "fill": False,
            "edgecolor": ROI_COLOURS[i % len(ROI_COLOURS)],
            "linewidth": 1.6,
            "label": roi.name,
        }
        left, top, right, bottom = roi.box()
        if isinstance(roi, Rect):
            axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, **style))
        else:
            axes.add_patch(Disc((roi.x, roi.y), roi.r + 0.5, **style))


def maps_of(evidence: Evidence) -> RewardMaps:
    """Return the maps around the rewards."""
    cortex_of(evidence)
    _ = evidence.sample  # Missing where there are no frames
    assert evidence.session.images is not None
    rows = evidence.rewards
    found = reward_maps(evidence.session.images, rows[rows < len(evidence.session.images)], evidence.period_s)
    if not found.n_rewards:
        raise Missing("no reward is far enough from the ends of the session")
    return found


def draw_maps(evidence: Evidence, figure: Figure) -> None:
    """Draw the mean ΔF/F of each second around rewards."""
    settings, found, mask = cortex_of(evidence), maps_of(evidence), brain_mask(evidence.sample.mean)
    full = scale_of(found.maps[:, mask], 99.97)
    panels = grid(figure, 1, len(found.maps))
    for axes, since_s, dff in zip(panels, found.from_s, found.maps, strict=True):
        shown = axes.imshow(np.ma.masked_array(dff, ~mask), cmap="RdBu_r", vmin=-full, vmax=full)
        mark_rois(axes, settings)
        axes.set(title=f"{since_s:d} to {since_s + 1:d} s", xticks=[], yticks=[], facecolor="0.93")
    figure.colorbar(shown, ax=panels, label="ΔF/F, green - blue", shrink=0.8, pad=0.01)
    figure.suptitle(f"mean of {found.n_rewards} rewards, against the second that ends 3 s before them", fontsize=9)


def draw_correlation(evidence: Evidence, figure: Figure) -> None:
    """Draw how ΔF/F of the sites goes together."""
    settings, again = cortex_of(evidence), evidence.again
    assert evidence.recorded is not None
    if len(again) < 3 or not evidence.sites:
        raise Missing("the session has fewer than 3 frames, or no site lies in the image")
    if not evidence.recorded.patches.keys() >= set(evidence.sites.values()):
        raise Missing("the sites are too large to be kept in memory; make roi_size smaller")
    found = correlation(site_traces(evidence.recorded.patches, evidence.sites, settings.history_frames()))
    names = list(evidence.sites)
    (axes,) = grid(figure, 1, 1)
    shown = axes.imshow(found, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6.5)
    axes.set_yticks(range(len(names)), names, fontsize=6.5)
    trained = set(settings.roi_names())
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        if label.get_text() in trained:
            label.set(color=ROI_COLOURS[0], fontweight="bold")
    figure.colorbar(shown, ax=axes, label="correlation")


IMAGE = Spec(
    "image",
    "The cortex",
    "Good: sharp vessels, an evenly lit brain, the ROI on its site and off the vessels, bregma where it is. Bad: "
    "glare, a dark corner, an ROI on a vessel or on the edge of the window.",
    draw_image,
    4.6,
)
MAPS = Spec(
    "maps",
    "ΔF/F around rewards",
    "Good: the trained ROI lights up in the second before the reward, and more than the rest of the cortex. Bad: the "
    "whole brain lights up at once (movement, or light that leaks in), or vessels stand out (blood).",
    draw_maps,
    2.2,
)
CORRELATION = Spec(
    "correlation",
    "Sites that go together",
    "Good: left and right of one site, and neighbours, go together. Bad: everything is correlated (movement, or a lamp "
    "that flickers), or nothing is (noise: too little light).",
    draw_correlation,
    6.2,
)
