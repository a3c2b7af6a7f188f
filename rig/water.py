"""Water: how much a reward is, what a mouse has had, and when that is enough.

A valve gives a volume that grows linearly with its opening time.  `python -m rig.outputs --calibrate` measures the line
and stores it beside config.ini; then rewards can be set in µl, and the water of each mouse is added up over the day.
"""

import csv
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from rig.errors import SettingsError
from rig.events import Events
from rig.settings import RigSettings
from rig.trials import Step

CALIBRATION_FILE = "valve_calibration.json"
LEDGER_FILE = "water.csv"  # below data_root: every reward of every mouse on this rig
LEDGER_HEADER = "time,mouse_id,session,seconds,ul"
UL_PER_G = 1000.0  # of water
TINY = 1e-6  # s or µl, by which a sum of doses may miss its cap
PAUSE_S = 0.2  # between two pulses of a calibration


class Calibration(BaseModel):
    """What one valve gives: ul = ul_at_0 + ul_per_s * seconds, fitted by least squares.

    Attributes
    ----------
    pin : str
        As in 'BCM 27'.
    date : str
    pulses : int
        For each duration.
    seconds, ul, residuals_ul : tuple of float
        Duration, measured volume of a pulse, and what the line misses of it.
    ul_per_s, ul_at_0 : float
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pin: str
    date: str
    pulses: int
    seconds: tuple[float, ...]
    ul: tuple[float, ...]
    residuals_ul: tuple[float, ...]
    ul_per_s: float
    ul_at_0: float

    def volume_ul(self, seconds: float) -> float:
        """Return what a pulse of so long gives, µl."""
        return max(0.0, self.ul_at_0 + self.ul_per_s * seconds)

    def duration_s(self, ul: float) -> float:
        """Return how long the valve must open for so much, s."""
        return (ul - self.ul_at_0) / self.ul_per_s


def fit(pin: str, pulses: int, seconds: Iterable[float], masses_g: Iterable[float]) -> Calibration:
    """Return the calibration of a valve.

    Parameters
    ----------
    pin : str
    pulses : int
        For each duration.
    seconds : iterable of float
        At least two durations.
    masses_g : iterable of float
        Mass of the water of all pulses of each duration, g.

    Raises
    ------
    SettingsError
        The volume does not grow with the duration.
    """
    durations = np.array(list(seconds))
    ul = np.array(list(masses_g)) * UL_PER_G / pulses
    ul_per_s, ul_at_0 = (float(v) for v in np.polyfit(durations, ul, 1))
    if not ul_per_s > 0:
        raise SettingsError(
            f"calibration: the valve gives {ul_per_s:.3g} µl more per second of opening; longer pulses must give more; "
            "check valve, tubing and masses, and calibrate again"
        )
    return Calibration(
        pin=pin,
        date=f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        pulses=pulses,
        seconds=tuple(durations.tolist()),
        ul=tuple(ul.tolist()),
        residuals_ul=tuple((ul - (ul_at_0 + ul_per_s * durations)).tolist()),
        ul_per_s=ul_per_s,
        ul_at_0=ul_at_0,
    )


def pin_of(settings: RigSettings) -> str:
    """Return the name of the pin of the valve, as in 'BCM 27'."""
    return f"{settings.pin_numbering} {settings.reward_pin}"


def read_calibrations(path: Path) -> dict[str, Calibration]:
    """Return {pin: calibration} of a file; nothing where there is no file.

    Raises
    ------
    SettingsError
        The file is damaged.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {pin: Calibration(**values) for pin, values in stored.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, ValidationError) as error:
        reason = " ".join(str(error).split())[:120]
        raise SettingsError(
            f"{path}: the calibration of the valve cannot be read ({reason}); remove it, and calibrate again"
        ) from None


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Store the calibration of a valve beside those of other pins."""
    stored = read_calibrations(path) | {calibration.pin: calibration}
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps({pin: c.model_dump() for pin, c in stored.items()}, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


class Dose(NamedTuple):
    """One reward.

    Attributes
    ----------
    seconds : float
        How long the valve opens.
    ul : float or None
        How much that is; None for a valve that is not calibrated.
    calibration : Calibration or None
    """

    seconds: float
    ul: float | None = None
    calibration: Calibration | None = None

    def describe(self) -> str:
        """Return the dose in words."""
        return f"{self.seconds:g} s, uncalibrated" if self.ul is None else f"{self.ul:.2f} µl ({self.seconds:.3f} s)"


def dose_of(settings: RigSettings, config: Path) -> Dose:
    """Return the dose that the settings ask for, with the calibration that lies beside the configuration.

    Raises
    ------
    SettingsError
        A volume is set and there is no calibration, or the calibration does not reach so far.
    """
    calibration = read_calibrations(config.with_name(CALIBRATION_FILE)).get(pin_of(settings))
    in_ul = {key: getattr(settings, key) for key in ("reward_ul", "max_session_ul", "max_day_ul")}
    wanted = {key: value for key, value in in_ul.items() if value is not None}
    if calibration is None:
        if wanted:
            key, value = next(iter(wanted.items()))
            raise SettingsError(
                f"{key} = {value:g}: the valve on pin {pin_of(settings)} is not calibrated, so that nobody knows how "
                f"much µl it gives; run 'python -m rig.outputs --calibrate', or leave {' and '.join(wanted)} empty"
            )
        return Dose(settings.reward_s)
    seconds, key = settings.reward_s, "reward_s"
    if settings.reward_ul is not None:
        seconds, key = calibration.duration_s(settings.reward_ul), "reward_ul"
    low, high = min(calibration.seconds), min(max(calibration.seconds), settings.max_valve_open_s)
    if not low - TINY <= seconds <= high + TINY:
        raise SettingsError(
            f"{key} = {getattr(settings, key):g}: the valve would open for {seconds:.3f} s; it is calibrated, and "
            f"may be open, from {low:g} to {high:g} s, which is {calibration.volume_ul(low):.2f} to "
            f"{calibration.volume_ul(high):.2f} µl; calibrate it for this, or change {key}"
        )
    ul = calibration.volume_ul(seconds) if settings.reward_ul is None else settings.reward_ul
    for cap in ("max_session_ul", "max_day_ul"):
        if (limit := getattr(settings, cap)) is not None and limit < ul:
            raise SettingsError(f"{cap} = {limit:g}: less than one reward, {ul:.2f} µl; raise it, or lower the reward")
    return Dose(seconds, ul, calibration)


def had_today_ul(data_root: Path, mouse_id: str, dose: Dose) -> float:
    """Return what the mouse has had on this rig today, µl, by the ledger below data_root; 0 without a calibration.

    Rewards that were given before the valve was calibrated count as the calibration of now has it.
    """
    path = data_root / LEDGER_FILE
    if dose.calibration is None or not path.exists():
        return 0.0
    today, sum_ul = f"{datetime.now():%Y-%m-%d}", 0.0
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["mouse_id"] == mouse_id and row["time"].startswith(today):
                    sum_ul += float(row["ul"]) if row["ul"] else dose.calibration.volume_ul(float(row["seconds"]))
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise SettingsError(f"{path}: the ledger of the water cannot be read ({error}); repair or rename it") from None
    return sum_ul


class Water:
    """Gives rewards, adds them up, and withholds them when the mouse has had enough.

    Parameters
    ----------
    settings : RigSettings
        `max_rewards_per_min`, `max_session_ul`, `max_day_ul`, `at_water_cap`.
    dose : Dose
    reward : Output
        The valve.
    events : Events
        Every reward that is withheld is noted here, with the reason.
    today_ul : float
        What the mouse has had in earlier sessions of this day.

    Attributes
    ----------
    given, withheld : int
        Rewards.
    session_ul : float
        Given in this session; 0 for a valve that is not calibrated.
    """

    def __init__(self, settings: RigSettings, dose: Dose, reward: Any, events: Events, today_ul: float) -> None:
        self.dose = dose
        self.given = self.withheld = 0
        self.session_ul = 0.0
        self._earlier_ul = today_ul
        self._settings, self._reward, self._events = settings, reward, events
        self._times_s: deque[float] = deque()
        self._over = ""

    @property
    def day_ul(self) -> float:
        """What the mouse has had today, µl."""
        return self._earlier_ul + self.session_ul

    def give(self, step: Step, time_s: float) -> Step:
        """Open the valve, unless the mouse has had enough; return the step as it became.

        Parameters
        ----------
        step : Step
            With `water`.
        time_s : float
            Time of the frame.
        """
        why = self._cap(time_s)
        if why:
            self.withheld += 1
            self._events.add("water", self.session_ul, f"not paid: {why}")
            self._over = why
            return step._replace(water=False)
        self._reward.pulse(self.dose.seconds)
        self.given += 1
        self.session_ul += self.dose.ul or 0.0
        self._times_s.append(time_s)
        return step

    def describe(self) -> str:
        """Return the water of the session and the day in words, nothing for a valve that is not calibrated."""
        return "" if self.dose.ul is None else f", {self.session_ul:.1f} µl; today {self.day_ul:.1f} µl"

    def ends_session(self) -> str:
        """Return why the session ends for the water, nothing where it goes on."""
        return f"the mouse has had enough: {self._over}" if self._over and self._settings.at_water_cap == "end" else ""

    def _cap(self, time_s: float) -> str:
        """Return which cap the next reward would break."""
        settings, next_ul = self._settings, (self.dose.ul or 0.0) - TINY
        while self._times_s and self._times_s[0] <= time_s - 60:
            self._times_s.popleft()
        if len(self._times_s) >= settings.max_rewards_per_min:
            return f"max_rewards_per_min = {settings.max_rewards_per_min} reached"
        if settings.max_session_ul is not None and self.session_ul + next_ul > settings.max_session_ul:
            return f"max_session_ul = {settings.max_session_ul:g} µl reached"
        if settings.max_day_ul is not None and self.day_ul + next_ul > settings.max_day_ul:
            return f"max_day_ul = {settings.max_day_ul:g} µl reached"
        return ""


def calibrate(
    settings: RigSettings,
    reward: Any,
    path: Path,
    seconds: Iterable[float],
    pulses: int,
    ask: Callable[[str], str] = input,
    wait: Callable[[float], None] = time.sleep,
) -> Calibration:
    """Open the valve `pulses` times at each duration, ask for the weighed water, fit, store.

    Parameters
    ----------
    settings : RigSettings
    reward : Output
    path : Path
        Where the calibration is stored.
    seconds : iterable of float
        Durations.
    pulses : int
    ask, wait : callable
        In place of terminal and clock.
    """
    read_calibrations(path)  # a file that is damaged, or not ours, is told before anybody weighs
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SettingsError(f"{path}: the calibration cannot be stored there; make the folder yours")
    durations, masses_g = sorted(seconds), []
    for duration in durations:
        ask(f"{pulses} pulses of {duration:g} s: put an empty, weighed cup under the spout, then press Enter ")
        for _ in range(pulses):
            reward.pulse(duration)
            wait(duration + PAUSE_S)
        masses_g.append(ask_mass(ask))
    calibration = fit(pin_of(settings), pulses, durations, masses_g)
    save_calibration(path, calibration)
    return calibration


def ask_mass(ask: Callable[[str], str]) -> float:
    """Ask for a mass in g until it is one."""
    while True:
        answer = ask("mass of the water, g: ").strip().replace(",", ".")
        try:
            mass_g = float(answer)
        except ValueError:
            mass_g = float("nan")
        if 0 < mass_g < 1000:
            return mass_g
        print(f"{answer!r}: expected a mass in g, more than 0 and less than 1000, as in 0.512")
