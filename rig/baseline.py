"""Where the threshold would lie for a mouse that has learned nothing: how often its signal crosses it by itself."""

from pathlib import Path

import numpy as np
from rich.table import Table

from rig.errors import SettingsError
from rig.files.blue_fit import WISH, fitted_over, has_colours, is_to_fit, signal_with
from rig.files.reader import Session, read_session
from rig.protocol.crossings import LARGEST, STEP, Auto, crossings_per_min, threshold_for
from rig.protocol.haemodynamics import ByRoi
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.terminal import console

ROWS = 12


def print_baseline(folder: Path, cfg: RigSettings, rate_per_min: float) -> None:
    """Print the table threshold → crossings per minute of a recorded baseline, and what to write into config.ini.

    Parameters
    ----------
    folder : Path
        The recorded baseline.
    cfg : RigSettings
    rate_per_min : float
        How often the threshold to begin with is crossed.
    """
    session = read_session(folder)
    signal = session.columns[cfg.signal_column]
    if len(signal) < 2:
        console.print("The baseline is too short for a table; record longer.")
        return
    minutes = len(signal) / cfg.framerate / 60
    step = max(STEP, round(min(float(signal.max()), LARGEST) / ROWS, 3))
    thresholds = np.arange(1, ROWS + 1) * step
    table = Table(
        f"threshold ({cfg.signal_unit})", "crossings per minute", title=f"{minutes:.1f} minutes without trials"
    )
    for threshold, rate in zip(thresholds, crossings_per_min(signal, thresholds, minutes), strict=True):
        table.add_row(f"{threshold:.3f}", f"{rate:.2f}")
    console.print(table)
    chosen, rate = threshold_for(signal, rate_per_min, minutes), f"{rate_per_min:g} times per minute"
    if chosen is None:
        advice = f"No threshold is crossed {rate}; record longer, or check the signal."
    else:
        advice = f"Crossed {rate}: write into config.ini, [{cfg.section}]\n{cfg.threshold_setting} = {chosen:g}"
    console.print(advice, soft_wrap=True)
    if isinstance(cfg, ClnfSettings):
        auto = f"{cfg.threshold_setting} = {Auto(rate_per_min)}"
        console.print(f"With {auto} each session takes it from the baseline of its day.", soft_wrap=True)
    if isinstance(cfg, ClnfSettings) and has_colours(session, cfg):
        console.print(with_fitted_blue(session, cfg, rate_per_min, minutes), soft_wrap=True)


def with_fitted_blue(session: Session, cfg: ClnfSettings, rate_per_min: float, minutes: float) -> str:
    """Say which coefficients of blue a baseline gives, and where the threshold would lie with them."""
    signal = session.columns[cfg.signal_column]
    if not np.array_equal(signal, signal_with(session, cfg, cfg.blue_coefficient if not is_to_fit(cfg) else 1.0)):
        return f"{WISH}: the signal of this script is not a rule on ΔF/F only, so no threshold is known for it"
    try:
        found = fitted_over(session, cfg)
    except SettingsError as error:
        return str(error)
    wish = ByRoi(tuple((name, one.blue) for name, one in found.items()))
    chosen = threshold_for(signal_with(session, cfg, wish), rate_per_min, minutes)
    said = f"{WISH} finds {', '.join(f'{name} {one}' for name, one in found.items())}"
    return f"{said}; with it {'no threshold' if chosen is None else f'{chosen:g}'} is crossed that often"
