"""The summary: the results of a session, as a row of a CSV file below data_root."""

import csv
from array import array
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from rig.devices.water import Water
from rig.errors import SettingsError
from rig.protocol.tally import Tally
from rig.settings.common import RigSettings
from rig.settings.ini import to_strings
from rig.settings.summary_values import SummaryValues

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
    mouse_id: str,
    session_type: str,
    folder: Path,
    began: datetime,
    tally: Tally,
    water: Water,
    times: Times,
    ended_by: str,
    linear: str,
) -> dict[str, str]:
    """Return everything that the summary can hold, {name: text}: the settings and `SummaryValues`."""
    median, p99 = times.latency_ms()
    rate = tally.success_rate
    calibrated = water.dose.ul is not None
    values = SummaryValues(
        mouse_id=mouse_id,
        session=folder.name,
        data_path=str(folder),
        start=f"{began:%Y-%m-%d %H:%M:%S}",
        end=f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        duration=f"{times.lasted_s:.1f}",
        fps=times.fps,
        session_type=session_type,
        trials=str(tally.trials),
        rewards=str(tally.rewards),
        fails=str(tally.fails),
        success_rate="" if rate is None else f"{rate:.3f}",
        frames=str(tally.frames),
        lost_frames=str(tally.lost),
        unsaved_frames=str(tally.unsaved),
        stale_frames=str(tally.stale),
        linear=linear,
        withheld_rewards=str(tally.withheld),
        water_ul=f"{water.session_ul:.2f}" if calibrated else "uncalibrated",
        water_day_ul=f"{water.day_ul:.2f}" if calibrated else "uncalibrated",
        latency_median_ms=f"{median:.2f}",
        latency_p99_ms=f"{p99:.2f}",
        latency_of_first_frames_ms="median {:.2f}, p99 {:.2f}".format(*times.latency_ms(FIRST_FRAMES)),
        ended_by=ended_by,
    )
    return to_strings(settings) | settings.further_values() | values._asdict()


def add_summary_row(settings: RigSettings, values: Mapping[str, Any]) -> None:
    """Add a row to the summary file; a new file gets its header."""
    path = settings.data_root / settings.summary_file
    is_new = not path.exists() or path.stat().st_size == 0
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, settings.summary_header, extrasaction="ignore", lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(values)


def check_summary(settings: RigSettings) -> None:
    """Raise SettingsError if the summary file is not a CSV file, or has other columns than `summary_header`."""
    summary = settings.data_root / settings.summary_file
    if not summary.exists():
        return
    try:
        with summary.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"summary_file: {summary} cannot be read as CSV in UTF-8 ({error}); rename it") from None
    if header and header != list(settings.summary_header):
        raise SettingsError(
            f"summary_header: {summary} has the columns {', '.join(header)}; "
            "rename that file, or make summary_header the same"
        )
