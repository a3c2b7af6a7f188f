"""Figures of the rig itself: light, movement, timing."""

import numpy as np
from matplotlib.figure import Figure

from analysis.evidence import Evidence, Missing
from analysis.figures.spec import BLUE, GREEN, GREY, ORANGE, RED, Spec, grid
from analysis.frame_sample import brain_mask, brightness
from rig.settings.clmf import ClmfSettings

LEAST_RANGE = 0.02  # of the relative brightness: less than that is not worth a look
LEAST_PX = 1.0


def draw_stability(evidence: Evidence, figure: Figure) -> None:
    """Draw the brightness of both colours, and how far the brain has moved."""
    sample = evidence.sample
    blue, green = brightness(sample, brain_mask(sample.mean))
    minutes = sample.time_s / 60
    moves = not isinstance(evidence.settings, ClmfSettings)
    panels = grid(figure, 1, 2 if moves else 1)
    for light, color, name in ((blue, BLUE, "blue"), (green, GREEN, "green")):
        relative = light / max(light[0], 1e-9)
        panels[0].plot(minutes, relative, color=color, label=f"{name}, {light.mean():.0f} of 255")
    low, high = panels[0].get_ylim()
    panels[0].set(xlabel="minutes", ylabel="brightness (start = 1)")
    panels[0].set_ylim(min(low, 1 - LEAST_RANGE), max(high, 1 + LEAST_RANGE))
    panels[0].legend(frameon=False, fontsize="small")
    if moves:
        shifts = evidence.shifts
        for values, color, name in ((shifts[:, 0], ORANGE, "to the right"), (shifts[:, 1], RED, "down")):
            panels[1].plot(minutes, values, color=color, label=name)
        farthest = float(np.nanmax(np.abs(shifts))) if not np.isnan(shifts).all() else 0.0
        panels[1].set(xlabel="minutes", ylabel="moved (px)")
        panels[1].set_ylim(-max(LEAST_PX, 1.1 * farthest), max(LEAST_PX, 1.1 * farthest))
        panels[1].legend(frameon=False, fontsize="small")


def draw_timing(evidence: Evidence, figure: Figure) -> None:
    """Draw the time between frames, and from capture to commanded output."""
    frames = evidence.session.frames
    if len(frames) < 2:
        raise Missing("the times of the frames were not stored (/frames)")
    period_ms = 1e3 / evidence.settings.framerate if evidence.settings else 1e3 * evidence.period_s
    left, right = grid(figure, 1, 2)
    steps_ms = 1e3 * np.diff(frames["time_s"])
    left.plot(frames["time_s"][1:] / 60 - frames["time_s"][0] / 60, steps_ms, ".", color=BLUE, markersize=2)
    left.axhline(period_ms, color=GREY, linewidth=0.8)
    left.set(xlabel="minutes", ylabel="time between frames (ms)", ylim=(0, max(2 * period_ms, 1.1 * steps_ms.max())))
    latency_ms = 1e3 * (frames["output_s"] - frames["captured_s"])
    latency_ms = latency_ms[np.isfinite(latency_ms)]
    right.hist(np.clip(latency_ms, 0, np.percentile(latency_ms, 99.9)), bins=60, color=BLUE, log=True)
    middle, high = np.percentile(latency_ms, [50, 99])
    right.axvline(middle, color="0.2", linestyle="--", label=f"median {middle:.1f} ms")
    right.axvline(high, color=RED, linestyle="--", label=f"99 % below {high:.1f} ms")
    right.set(xlabel="capture to commanded output (ms)", ylabel="frames")
    right.legend(frameon=False, fontsize="small")


STABILITY = Spec(
    "stability",
    "Light and movement",
    "Good: flat lines, both colours together, less than half a pixel of movement. Bad: one colour that drifts (a lamp "
    "that warms up, bleaching), steps (something was touched), movement of more than two pixels.",
    draw_stability,
)
TIMING = Spec(
    "timing",
    "Timing",
    "Good: every dot on the grey line, and latencies far below the time between two frames. Bad: dots at twice the "
    "period (lost frames), a band that widens (a busy computer), latencies longer than a period.",
    draw_timing,
)
