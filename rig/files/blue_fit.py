"""`blue_coefficient = fit`: the coefficients that the baseline recording of the day gives, where there is one."""

from datetime import date
from typing import TypeVar

import numpy as np

from rig.errors import FitError, SettingsError
from rig.files.baselines import baselines_of, camera_was_simulated, differences, when
from rig.files.reader import Session
from rig.protocol.artefacts import NO_BRAIN
from rig.protocol.haemodynamics import BlueFit, ByRoi, fit_all, needed_s
from rig.settings.clnf import ClnfSettings
from rig.settings.common import RigSettings
from rig.terminal import console

S = TypeVar("S", bound=RigSettings)
WISH = "blue_coefficient = fit"


def with_blue(
    settings: S, mouse_id: str, is_simulated: bool, has_trials: bool, today: date | None = None
) -> tuple[S, str]:
    """Return the settings with coefficients from the baseline of the day, and where they come from; '' without.

    Where there is no such baseline, they are left to be fitted over the initial rest.

    Parameters
    ----------
    settings : RigSettings
        With the ROIs where the mouse has them.
    mouse_id : str
    is_simulated : bool
        Whether the camera is no real one.
    has_trials : bool
        False for a baseline, and for a replay, which fits what its recording has fitted: nothing is looked for then.
    today : date, optional

    Raises
    ------
    SettingsError
        That baseline cannot be used for a fit, or there is none and the initial rest is too short.
    """
    if not (has_trials and isinstance(settings, ClnfSettings) and is_to_fit(settings)):
        return settings, ""
    found = baselines_of(settings.data_root / mouse_id, today or date.today())
    found = [one for one in found if camera_was_simulated(one) == is_simulated and has_colours(one, settings)]
    fitting = [one for one in found if not differences(one, settings)]
    if not fitting:
        other = f": {when(found[0])} had {'; '.join(differences(found[0], settings))}" if found else ""
        refuse_short_rest(settings)
        console.print(f"{WISH}: no baseline of today fits{other}; it is fitted over the initial rest", soft_wrap=True)
        return settings, ""
    coefficients = fitted_over(fitting[0], settings)
    said = ", ".join(f"{name} {one}" for name, one in coefficients.items())
    console.print(f"{WISH}: {said}, over {when(fitting[0])}", soft_wrap=True)
    wish = ByRoi(tuple((name, one.blue) for name, one in coefficients.items()))
    return settings.model_copy(update={"blue_coefficient": wish}), f"over the baseline {fitting[0].folder.name}: {said}"


def is_to_fit(settings: ClnfSettings) -> bool:
    """Return whether the coefficients are yet to be found."""
    return isinstance(settings.blue_coefficient, ByRoi) and settings.blue_coefficient.is_to_fit


def refuse_short_rest(settings: ClnfSettings) -> None:
    """Raise SettingsError where the initial rest is too short for a fit."""
    needed = settings.dff_history + needed_s(settings.framerate)
    if settings.initial_rest_dur < needed:
        raise SettingsError(
            f"{WISH}: initial_rest_dur = {settings.initial_rest_dur:g} s is too short for a fit, which needs "
            f"dff_history and then {needed_s(settings.framerate):g} s; set it to {needed:g} or more, or record a "
            "baseline today with --baseline 300"
        )


def has_colours(session: Session, settings: ClnfSettings) -> bool:
    """Return whether a session has logged both colours of all ROIs."""
    return all(f"{name}_{colour}" in session.columns for name in settings.roi_names() for colour in ("blue", "green"))


def series_of(session: Session, names: list[str], rows: slice | np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return {ROI: (blue, green)} of some rows of a session."""
    columns = session.columns
    return {name: (columns[f"{name}_blue"][rows], columns[f"{name}_green"][rows]) for name in names}


def brain_rows(session: Session, begin: int, end: int) -> np.ndarray:
    """Return the rows from `begin` up to `end` on which light, picture and pixels were as they should be."""
    bits = session.columns.get("veto", np.zeros(len(session), int))[begin:end]
    return begin + np.flatnonzero((bits & NO_BRAIN) == 0)


def fitted_over(session: Session, settings: ClnfSettings) -> dict[str, BlueFit]:
    """Fit the coefficient of each ROI over a baseline.

    Raises
    ------
    SettingsError
        It cannot be fitted, with the cure.
    """
    rows = brain_rows(session, settings.history_frames(), len(session))
    signal, threshold = (session.columns[name][rows] for name in (settings.signal_column, settings.threshold_column))
    share_above = float(np.mean(signal > threshold)) if len(signal) else 0.0
    try:
        return fit_all(series_of(session, settings.roi_names(), rows), share_above, settings.framerate)
    except FitError as error:
        raise SettingsError(
            f"{WISH}: over {when(session)}, {error}; record another baseline, or set a number"
        ) from None


def blue_after_the_preview(blue_from: str, after: S, were_moved: bool) -> tuple[S, str]:
    """Return settings and where the coefficients come from; those of a baseline do not hold for ROIs that were moved.

    Raises
    ------
    SettingsError
        They were moved, and the initial rest is too short for a fit.
    """
    if not (blue_from and were_moved and isinstance(after, ClnfSettings)):
        return after, blue_from
    refuse_short_rest(after)
    console.print(f"{WISH}: the ROIs were moved, so it is fitted anew, over the initial rest", soft_wrap=True)
    return after.model_copy(update={"blue_coefficient": ByRoi()}), ""


def signal_with(session: Session, settings: ClnfSettings, wish: float | ByRoi) -> np.ndarray:
    """Return what the signal of a session would have been with other coefficients, (n_rows,)."""
    haemodynamics = settings.model_copy(update={"blue_coefficient": wish}).haemodynamics()
    rule, names = settings.rule(), settings.roi_names()
    series = series_of(session, names, slice(None))
    rows = (
        {name: green - haemodynamics(name, blue, green) for name, (blue, green) in zip(names, row, strict=True)}
        for row in zip(*(np.stack(series[name], axis=1).tolist() for name in names), strict=True)
    )
    return np.array([rule(row) for row in rows], float)
