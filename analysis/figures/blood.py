"""The figure of the haemodynamic correction: green on blue, and how much blood is left with each coefficient."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.evidence import Evidence, Missing
from analysis.figures.cortex import cortex_of
from analysis.figures.spec import BLUE, GREEN, GREY, ORANGE, Spec, grid
from rig.errors import SettingsError
from rig.files.blue_fit import brain_rows, has_colours, series_of
from rig.files.reader import Session, read_session
from rig.protocol.haemodynamics import Blue, BlueFit, slope_at
from rig.settings.clnf import ClnfSettings

NOTE = "blue_coefficient_fit"
MOST_ROIS = 4  # that fit on a page
COEFFICIENTS = np.linspace(0, 1.6, 81)


def fit_period(session: Session, settings: ClnfSettings) -> tuple[Session, int, int, str]:
    """Return the session that was fitted over, from which row to which, and in words; without a fit, all of it."""
    said = str(session.notes.get(NOTE, ""))
    if said.startswith("over the baseline"):
        name = said.partition(":")[0].split()[-1]
        try:
            baseline = read_session(session.folder.resolve().parent / Path(name).name)
        except SettingsError:
            pass
        else:
            if has_colours(baseline, settings):
                return baseline, settings.history_frames(), len(baseline), f"the baseline {name}"
    if not said:
        return session, settings.history_frames(), len(session), "the session"
    return session, settings.history_frames(), int(np.argmax(session.columns["trial"] > 0)), "the initial rest"


def used_blues(session: Session, settings: ClnfSettings) -> dict[str, Blue]:
    """Return what was taken from green in the trials of a session, {ROI: Blue}."""
    said = str(session.notes.get(NOTE, "")).partition(": ")[2]
    found = settings.haemodynamics().blues
    for part in said.split(" frames, ") if said else ():
        name, coefficient, *rest = part.replace(",", " ").split()
        delay = int(rest[0]) if len(rest) > 1 and rest[1] == "frames" else 0
        found[name] = Blue(float(coefficient), delay)
    return found


def draw_blood(evidence: Evidence, figure: Figure) -> None:
    """Draw green on blue over the fit period, and the variance of what is left for each coefficient."""
    settings = cortex_of(evidence)
    if not has_colours(evidence.session, settings):
        raise Missing("the colours of the ROIs were not logged: the session is of before they were")
    session, begin, end, where = fit_period(evidence.session, settings)
    if end - begin < 30:
        raise Missing(f"{where} has {max(end - begin, 0)} frames after dff_history, and 30 are needed")
    names, used = settings.roi_names()[:MOST_ROIS], used_blues(evidence.session, settings)
    panels = grid(figure, 2, len(names))
    rows = brain_rows(session, begin, end)
    for i, (name, (blue, green)) in enumerate(series_of(session, names, rows).items()):
        delay = used[name].delay_frames
        blue, green = blue[: len(blue) - delay], green[delay:]
        draw_scatter(panels[i], blue, green, used[name], slope_at(blue, green))
        panels[i].set_title(f"{name}, over {where}", fontsize=9)
        draw_left(panels[len(names) + i], blue, green, used[name].coefficient)
    panels[0].set_ylabel("green ΔF/F")
    panels[len(names)].set_ylabel("variance left, of that with 1")


def draw_scatter(axes: Axes, blue: np.ndarray, green: np.ndarray, used: Blue, found: BlueFit) -> None:
    """Draw the frames, the line that was used, the one of this period, and the published one."""
    axes.plot(blue, green, ".", color=GREY, markersize=2, alpha=0.5, rasterized=True)
    x = np.array([blue.min(), blue.max()])
    middle = float(np.median(green - used.coefficient * blue))
    interval = f"{found.blue.coefficient:.2f} ({found.low:.2f} to {found.high:.2f}), R² {found.r2:.2f}"
    axes.plot(x, x, "--", color=ORANGE, label="as published: 1")
    axes.plot(x, middle + used.coefficient * x, color=BLUE, label=f"used: {used}")
    axes.plot([], [], " ", label=f"fit of this period: {interval}")
    low, high = np.percentile(green, (0.5, 97))
    axes.set(xlabel="blue ΔF/F", ylim=(low - 0.01, high + 0.01))
    axes.legend(frameon=False, fontsize="x-small")


def draw_left(axes: Axes, blue: np.ndarray, green: np.ndarray, used: float) -> None:
    """Draw the variance of the calmer 80 % of the frames after the correction, against the coefficient."""
    calm = green <= np.percentile(green, 80)
    left = np.array([(green[calm] - c * blue[calm]).var() for c in COEFFICIENTS])
    of_one = max(float((green[calm] - blue[calm]).var()), 1e-12)
    axes.plot(COEFFICIENTS, left / of_one, color=GREEN)
    axes.axvline(1, color=ORANGE, linestyle="--")
    axes.axvline(used, color=BLUE)
    axes.set(xlabel="coefficient", ylim=(0, None), xlim=(0, COEFFICIENTS[-1]))


BLOOD = Spec(
    "blood",
    "Blood in green",
    "Good: the cloud lies along the line that was used, and the variance left is near its lowest there (noise of blue "
    "pulls that lowest point to the left). Bad: no line in the cloud (blue says nothing about green), or another line "
    "than the one used: then try blue_coefficient = fit.",
    draw_blood,
    5.4,
)
