"""Water: how much a reward is, and when the mouse has had enough."""

import threading
from collections import deque
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol

from rig.devices.calibration import CALIBRATION_FILE, Calibration, pin_of, read_calibrations
from rig.errors import SettingsError
from rig.events import Events
from rig.protocol.tally import Tally
from rig.settings.common import RigSettings
from rig.settings.told import OF_WATER

TINY = 1e-6  # s or µl, by which a sum of doses may miss its cap


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
        """Return the dose in words, in both units where they are known."""
        return f"{self.seconds:g} s, uncalibrated" if self.ul is None else f"{self.ul:.2f} µl ({self.seconds:.3f} s)"


def dose_of(settings: RigSettings, config: Path) -> Dose:
    """Return the dose that the settings ask for, with the calibration that lies next to the configuration.

    Raises
    ------
    SettingsError
        A volume is set and there is no calibration, or the dose is outside the calibrated range.
    """
    calibration = read_calibrations(config.with_name(CALIBRATION_FILE)).get(pin_of(settings))
    in_ul = {key: getattr(settings, key) for key in ("reward_ul", "max_session_ul", "max_day_ul")}
    wanted = {key: value for key, value in in_ul.items() if value is not None}
    if calibration is None:
        if wanted:
            key, value = next(iter(wanted.items()))
            raise SettingsError(
                f"{key} = {value:g}: the valve on pin {pin_of(settings)} is not calibrated, so its volume is "
                f"unknown; run 'python -m rig.commands.calibrate', or leave {' and '.join(wanted)} empty"
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
    if settings.reward_ul is None:
        ul = calibration.volume_ul(seconds)
    else:
        ul = max(settings.reward_ul, calibration.least_ul(seconds + TINY))
    for cap in ("max_session_ul", "max_day_ul"):
        if (limit := getattr(settings, cap)) is not None and limit < ul:
            raise SettingsError(f"{cap} = {limit:g}: less than one reward, {ul:.2f} µl; raise it, or lower the reward")
    return Dose(seconds, ul, calibration)


class Valve(Protocol):
    """What opens for a reward."""

    def pulse(self, seconds: float) -> None:
        """Open now, and close after `seconds`."""


class RewardBook(Protocol):
    """Where rewards are written down."""

    def add_reward(self, seconds: float, ul: float | None) -> None:
        """Note a reward that was given now: how long the valve was open, and how much that is."""


class NoBook:
    """A simulated valve gives no water."""

    def add_reward(self, seconds: float, ul: float | None) -> None:
        """Note nothing."""


class Water:
    """Gives rewards, adds them up, and withholds them when the mouse has had enough.

    What counts is how long the valve was driven, as the guard reports it; until then what was commanded.  A simulated
    valve counts as commanded.

    Parameters
    ----------
    settings : RigSettings
        `max_rewards_per_min`, `max_session_ul`, `max_day_ul`, `at_water_cap`.
    dose : Dose
    reward : Valve
    events : Events
        Every reward that is withheld is noted here, with the reason.
    tally : Tally
        Rewards are counted here, given and withheld.
    today_ul : float
        What the mouse has had in earlier sessions of this day.
    today : callable
        Gives the date, in local time.

    Attributes
    ----------
    book : RewardBook
        Where every reward is written down.
    """

    def __init__(
        self,
        settings: RigSettings,
        dose: Dose,
        reward: Valve,
        events: Events,
        tally: Tally,
        today_ul: float,
        today: Callable[[], date] = date.today,
    ) -> None:
        self.dose = dose
        self.book: RewardBook = NoBook()
        self._settings, self._reward, self._events, self._tally = settings, reward, events, tally
        self._today, self._day = today, today()
        self._earlier_ul = today_ul  # of this day, before this session
        self._driven_ul = self._driven_today_ul = 0.0
        self._under_way = 0  # rewards that were commanded and not yet driven
        self._lock = threading.Lock()  # the loop gives, the guard's listener reports what was driven
        self._times_s: deque[float] = deque()
        self._over = ""

    @property
    def session_ul(self) -> float:
        """Given in this session, µl; 0 for a valve that is not calibrated."""
        return self._driven_ul + self._under_way * (self.dose.ul or 0.0)

    @property
    def day_ul(self) -> float:
        """What the mouse has had today, µl; a day ends at midnight, local time."""
        with self._lock:
            self._turn_the_day()
            return self._earlier_ul + self._driven_today_ul + self._under_way * (self.dose.ul or 0.0)

    def give(self, time_s: float) -> bool:
        """Open the valve, unless the mouse has had enough; return whether it was opened.

        Parameters
        ----------
        time_s : float
            Time of the frame.
        """
        self._over = self._cap(time_s)
        if self._over:
            self._tally.withheld += 1
            self._events.add("water", self.session_ul, f"withheld: {self._over}")
            return False
        with self._lock:
            self._under_way += 1
        self._reward.pulse(self.dose.seconds)
        self._tally.rewards += 1
        self._times_s.append(time_s)
        if self._settings.outputs == "simulated":
            self.driven(self.dose.seconds, 1, self.dose.ul)
        return True

    def driven(self, seconds: float, n_rewards: int, ul: float | None = None) -> None:
        """Count how long the valve was really open, by how many rewards.

        Parameters
        ----------
        seconds : float
        n_rewards : int
            0 where it was open without a reward.
        ul : float, optional
            The volume where it is known; else by the calibration.
        """
        if ul is None and self.dose.calibration is not None:
            ul = self.dose.calibration.volume_ul(seconds)
        with self._lock:
            self._turn_the_day()
            self._under_way -= n_rewards
            self._driven_ul += ul or 0.0
            self._driven_today_ul += ul or 0.0
        for _ in range(max(1, n_rewards)):
            share = max(1, n_rewards)
            self.book.add_reward(seconds / share, None if ul is None else ul / share)

    def describe(self) -> str:
        """Return the water of the session and the day in words, nothing for a valve that is not calibrated."""
        return "" if self.dose.ul is None else f", {self.session_ul:.1f} µl; today {self.day_ul:.1f} µl"

    def ends_session(self) -> str:
        """Return why the session ends for the water, nothing where it goes on."""
        return f"{OF_WATER}: {self._over}" if self._over and self._settings.at_water_cap == "end" else ""

    def _turn_the_day(self) -> None:
        """At midnight a new day begins, for which nothing was had yet."""
        if self._today() != self._day:
            self._day = self._today()
            self._earlier_ul = self._driven_today_ul = 0.0

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
