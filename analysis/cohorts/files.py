"""What a cohort is written as: one JSON file with everything, unrounded, and its tables as CSV files."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.csv_files import as_csv
from rig.disk import replace_file
from rig.errors import RigError

TABLES = ("curves", "rm_anova", "mann_kendall", "ols", "mixed", "pairwise", "oneway", "rule_change", "between_groups")
"""Results that are lists of rows, and become cohort_NAME.csv."""


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NaN is null, infinity the text "inf"."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return None if value is pd.NA else value


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON."""
    return f"{json.dumps(plain(document), indent=1, ensure_ascii=False, allow_nan=False)}\n".encode()


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV; what lies deeper in a row gets columns of its own, as welch.p, and lists become JSON."""
    flat_rows = [flat(plain(row)) for row in rows]
    columns = list(dict.fromkeys(name for row in flat_rows for name in row))
    return as_csv(columns, [[row.get(name) for name in columns] for row in flat_rows])


def flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return a row without rows in it."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return found


def files_of(document: Mapping[str, Any], table: pd.DataFrame) -> dict[str, bytes]:
    """Return {name: content} of JSON and tables."""
    tables = {name: document[name] for name in TABLES} | {
        "kld": document["kld"]["sessions"],
        "sessions": table.to_dict("records"),
    }
    return {"cohort.json": as_json(document)} | {
        f"cohort_{name}.csv": rows_as_csv(rows) for name, rows in tables.items() if rows
    }


def write_all(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, each as a whole or not at all; return their paths.

    Raises
    ------
    RigError
        One cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            replace_file(folder / name, content)
    except OSError as error:
        raise RigError(f"--out {folder}: it cannot be written ({error.strerror})") from None
    return [folder / name for name in files]
