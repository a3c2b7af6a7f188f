"""`reward_threshold = auto:RATE`: the threshold that the baseline of the day crosses so often by itself."""

import math
from typing import TypeVar

import numpy as np

from rig.errors import SettingsError
from rig.files.baselines import baseline_of_today, when
from rig.files.blue_fit import has_colours, signal_with
from rig.files.reader import Session
from rig.protocol.crossings import Auto, threshold_for, threshold_interval
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.settings.ini import to_strings
from rig.terminal import console

FEWEST = 5  # crossings, below which a threshold would be a matter of luck
USUAL_S = 300
OF_A_BASELINE = 0.075
"""The threshold, ΔF/F, in the log of a baseline that has none of its own yet: nothing is earned there.  The paper's."""

S = TypeVar("S", bound=RigSettings)


def with_threshold(settings: S, mouse_id: str, is_simulated: bool, is_baseline: bool) -> tuple[S, str]:
    """Return the settings with a number for their threshold, and where that comes from; '' where it was one already.

    Parameters
    ----------
    settings : RigSettings
        With the ROIs where the mouse has them.
    mouse_id : str
    is_simulated : bool
        Whether the camera is no real one.
    is_baseline : bool
        A baseline is to be recorded, which needs no threshold.

    Raises
    ------
    SettingsError
        There is no baseline of today that can be used, with the cure.
    """
    key, wish = settings.threshold_setting, getattr(settings, settings.threshold_setting)
    if not isinstance(wish, Auto):
        return settings, ""
    if is_baseline:
        console.print(f"{key} = {wish}: a baseline needs none; its log says {OF_A_BASELINE:g}", soft_wrap=True)
        return settings.model_copy(update={key: OF_A_BASELINE}), f"{wish}: a baseline needs none"
    baseline = baseline_of_today(settings, mouse_id, is_simulated, f"{key} = {wish}")
    threshold, low, high = threshold_in(baseline, settings, wish)
    said = f"{threshold:g} ({low:.3f} to {high:.3f}), crossed {often(wish)} in {when(baseline)}"
    console.print(f"{key} = {said}", soft_wrap=True)
    return settings.model_copy(update={key: threshold}), f"{wish}: {said}, {baseline.folder.name}"


def threshold_in(baseline: Session, settings: RigSettings, wish: Auto) -> tuple[float, float, float]:
    """Return the threshold that a baseline crosses as often as is wished for, and its 95 % interval.

    Raises
    ------
    SettingsError
        The baseline is too short, or never crosses a threshold so often.
    """
    signal, wanted = signal_in(baseline, settings), f"{settings.threshold_setting} = {wish}"
    lasts_s, needed_s = len(signal) / settings.framerate, FEWEST / wish.per_min * 60
    again = f"record a longer one with --baseline {max(USUAL_S, math.ceil(needed_s))}"
    if lasts_s < needed_s - settings.frame_period_s():
        raise SettingsError(
            f"{wanted}: {when(baseline)} lasts {lasts_s:.0f} s, and {needed_s:.0f} s are needed for {FEWEST} "
            f"crossings; {again}"
        )
    threshold = threshold_for(signal, wish.per_min, lasts_s / 60)
    if threshold is None:
        raise SettingsError(
            f"{wanted}: no threshold is crossed {often(wish)} in {when(baseline)}; check the signal, or ask for a "
            "lower rate"
        )
    return threshold, *threshold_interval(signal, wish.per_min, lasts_s / 60)


def signal_in(baseline: Session, settings: RigSettings) -> np.ndarray:
    """Return the signal of a baseline, (n_rows,), as a session with these settings would have it.

    A baseline logs its signal with the coefficient of blue that it had; one that was to be fitted is 1 until then.
    """
    signal = baseline.columns[settings.signal_column]
    if not isinstance(settings, ClnfSettings):
        return signal
    had = baseline.settings.get("blue_coefficient", "1").replace("fit", "1")
    if has_colours(baseline, settings) and had != to_strings(settings)["blue_coefficient"]:
        signal = signal_with(baseline, settings, settings.blue_coefficient)
    is_vetoed = (baseline.columns.get("veto", np.zeros(len(signal), int)) & settings.veto_bits()) > 0
    return np.where(is_vetoed, signal.min(), signal)  # it would earn nothing there


def often(wish: Auto) -> str:
    """Say how often."""
    return f"{wish.per_min:g} times per minute"


def after_the_preview(threshold_from: str, settings: RigSettings, were_moved: bool) -> str:
    """Return where the threshold comes from, and that the ROIs were moved since, which is also printed then."""
    if not (threshold_from and were_moved):
        return threshold_from
    console.print(
        f"{settings.threshold_setting} is that of a baseline with its ROIs elsewhere; record another baseline "
        "with the ROIs where they are now",
        style="yellow",
        soft_wrap=True,
    )
    return f"{threshold_from}; the ROIs were moved since"
