"""The summary: the results of a session, as a row of a CSV file below data_root."""

import csv
import math
from array import array
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from rig.devices.water import Water
from rig.errors import SettingsError
from rig.files.about import About
from rig.protocol.chance import Chance, against_chance
from rig.protocol.tally import Tally
from rig.settings.common import RigSettings
from rig.settings.ini import to_strings
from rig.settings.summary_values import SummaryValues
from rig.settings.told import told_of

SIMULATED = "simulated"  # the column
FIRST_FRAMES = 200  # whose latency is shown next to that of all, as `--check` measures it


class Times:
    """When frames were captured, and how long after that their outputs were commanded."""

    def __init__(self) -> None:
        self._first_s = self._last_s = 0.0  # of the frames, clock of the experiment
        self._latencies_s = array("f")

    def add(self, time_s: float, latency_s: float) -> None:
        """Take the next frame."""
        if not self._latencies_s:
            self._first_s = time_s
        self._last_s = time_s
        self._latencies_s.append(latency_s)

    @property
    def lasted_s(self) -> float:
        """From the first frame to the last."""
        return self._last_s - self._first_s

    @property
    def fps(self) -> str:
        """Frames per second, as text; nothing before the second frame."""
        return f"{(len(self._latencies_s) - 1) / self.lasted_s:.2f}" if self.lasted_s else ""

    def latency_ms(self, first: int | None = None) -> tuple[float, float]:
        """Return median and 99th percentile of the time from capture to commanded output, ms; NaN without frames.

        Parameters
        ----------
        first : int, optional
            Of this many frames at the start.
        """
        if not self._latencies_s:
            return float("nan"), float("nan")
        latencies_ms = np.array(self._latencies_s[:first]) * 1e3
        return float(np.median(latencies_ms)), float(np.percentile(latencies_ms, 99))


def summarize(
    settings: RigSettings,
    about: About,
    folder: Path,
    began: datetime,
    tally: Tally,
    water: Water,
    times: Times,
    ended_by: str,
) -> dict[str, str]:
    """Return everything that the summary can hold, {name: text}: the settings and `SummaryValues`."""
    median, p99 = times.latency_ms()
    rate = tally.success_rate
    calibrated = water.dose.ul is not None
    values = SummaryValues(
        mouse_id=about.mouse_id,
        session=folder.name,
        data_path=str(folder),
        start=f"{began:%Y-%m-%d %H:%M:%S}",
        end=f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        duration=f"{times.lasted_s:.1f}",
        fps=times.fps,
        session_type=about.session_type,
        trials=str(tally.trials),
        rewards=str(tally.rewards),
        fails=str(tally.fails),
        success_rate="" if rate is None else f"{rate:.3f}",
        **chance_values(tally.chance),
        frames=str(tally.frames),
        lost_frames=str(tally.lost),
        unsaved_frames=str(tally.unsaved),
        stale_frames=str(tally.stale),
        linear=about.linear,
        simulated=about.what_is_simulated,
        rig=about.rig,
        vetoed_crossings=str(tally.vetoed),
        withheld_rewards=str(tally.withheld),
        water_ul=f"{water.session_ul:.2f}" if calibrated else "uncalibrated",
        water_day_ul=f"{water.day_ul:.2f}" if calibrated else "uncalibrated",
        latency_median_ms=f"{median:.2f}",
        latency_p99_ms=f"{p99:.2f}",
        latency_of_first_frames_ms="median {:.2f}, p99 {:.2f}".format(*times.latency_ms(FIRST_FRAMES)),
        ended_by=ended_by,
    )
    return to_strings(settings) | settings.further_values() | values._asdict()


def chance_values(chance: Chance) -> dict[str, str]:
    """Return how crossings in trials compare with those in rests, as text; '' for what is not known."""
    found = against_chance(chance.blocks)
    known = not math.isnan(found.ratio)
    numbers = {
        "crossings_per_min": found.trial_per_min,
        "chance_per_min": found.rest_per_min,
        "chance_ratio": found.ratio,
        "chance_low": found.low if known else math.nan,
        "chance_high": found.high if known else math.nan,
    }
    return {name: "" if math.isnan(number) else f"{number:.2f}" for name, number in numbers.items()}


def add_summary_row(settings: RigSettings, about: About, values: Mapping[str, Any]) -> None:
    """Add a row to the summary file; a new file gets its header."""
    path, columns = summary_for(settings, about.what_is_simulated != "no")
    is_new = not path.exists() or path.stat().st_size == 0
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(told_of(values).values(values))


def summary_for(settings: RigSettings, is_simulated: bool) -> tuple[Path, list[str]]:
    """Return the summary file that takes a session, and its columns.

    A summary without the column `simulated` takes real sessions only: those in which anything is simulated, and
    replays, could not be told from them there, so they have a file of their own.

    Raises
    ------
    SettingsError
        The file is not a CSV file.
    """
    path, wanted = settings.data_root / settings.summary_file, list(settings.summary_header)
    columns = header_of(path) or wanted
    if not is_simulated or SIMULATED in columns:
        return path, columns
    return path.with_name(simulated_summary(settings.summary_file)), [name for name in wanted if name != SIMULATED] + [
        SIMULATED
    ]


def simulated_summary(summary_file: str) -> str:
    """Return the name of the summary of simulated sessions, where they have one of their own."""
    return f"simulated_{summary_file}"


def header_of(path: Path) -> list[str]:
    """Return the columns of a summary file; none where there is no file, or an empty one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"summary_file: {path} cannot be read as CSV in UTF-8 ({error}); rename it") from None


def check_summary(settings: RigSettings) -> None:
    """Raise SettingsError if a summary file is not a CSV file, or has other columns than `summary_header`.

    One from before there was a column `simulated` may lack it.
    """
    wanted = list(settings.summary_header)
    unmarked = [name for name in wanted if name != SIMULATED]
    for name, allowed in (
        (settings.summary_file, (wanted, unmarked)),
        (simulated_summary(settings.summary_file), ([*unmarked, SIMULATED],)),
    ):
        header = header_of(settings.data_root / name)
        if header and header not in allowed:
            raise SettingsError(
                f"summary_header: {settings.data_root / name} has the columns {', '.join(header)}; "
                "rename that file, or make summary_header the same"
            )
