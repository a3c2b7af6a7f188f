"""Sessions that the original CLoPy has stored: how it calls its files and columns."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from rig.files.rows import ROWS_FILE

PAW_ROWS = re.compile(r".+_\d{14}\.txt")
DFF = re.compile(r"(.+[^_])dff")


def rows_of(folder: Path) -> Path:
    """Return the file with the rows: VideoTimestamp.txt, or MOUSE_YYYYMMDDHHMMSS.txt of the original's paw script."""
    own = folder / ROWS_FILE
    found = sorted(path for path in folder.glob("*.txt") if PAW_ROWS.fullmatch(path.name))
    return found[0] if found and not own.is_file() else own


def config_of(rows: Path) -> Path:
    """Return the file with the settings of a session: config.ini, or MOUSE_YYYYMMDDHHMMSS_config.ini."""
    if rows.name == ROWS_FILE:
        return rows.with_name("config.ini")
    return rows.with_name(f"{rows.stem}_config.ini")


def movie_of(rows: Path) -> str:
    """Return '; there is a movie, NAME' where the original's paw script has stored one instead of frames, else ''."""
    movie = rows.with_suffix(".mp4")
    return f"; there is a movie, {movie.name}" if rows.name != ROWS_FILE and movie.is_file() else ""


def with_our_names(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns, and those with ΔF/F under the names of this rig as well: M1_Ldff is roi_dff, too.

    Of a session with a rule there are three: BC_Ldff and BC_Rdff are BC_L_dff and BC_R_dff, and BC_Ldff-BC_Rdff is
    roi_dff.
    """
    old = {match.group(1): name for name in columns if name != "roi_dff" and (match := DFF.fullmatch(name))}
    rules = [roi for roi in old if not roi.isidentifier()] or list(old)
    if "roi_dff" in columns or len(rules) != 1:
        return dict(columns)
    ours = {f"{roi}_dff": columns[name] for roi, name in old.items() if roi not in rules}
    return {**columns, "roi_dff": columns[old[rules[0]]], **ours}


def logged_rate(columns: Mapping[str, np.ndarray]) -> float:
    """Return how many rows were written per second, by their wall clock; NaN where they do not say."""
    times = columns.get("time", np.zeros(0, str))
    try:
        lasted = datetime.fromisoformat(str(times[-1])) - datetime.fromisoformat(str(times[0]))
        return (len(times) - 1) / lasted.total_seconds()
    except (IndexError, ValueError, ZeroDivisionError):
        return float("nan")
