"""From the source of a cohort to everything that is written of it."""

import argparse
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.blind import refuse_blind
from analysis.cohorts.checks import check_change, check_enough
from analysis.cohorts.files import files_of
from analysis.cohorts.missing import duplicates_of
from analysis.cohorts.page import page_of
from analysis.cohorts.results import results_of
from analysis.cohorts.sessions import collect, folders_below
from analysis.cohorts.table import (
    Choices,
    Cohort,
    Histogram,
    read_csv,
    restricted,
    select,
    sha256,
    with_numbers,
    with_values,
)
from analysis.cohorts.warnings import about_left_out, about_results, about_table
from analysis.many import Where
from analysis.page import html_of
from rig.files.versions import code_version


def all_files(arguments: argparse.Namespace, choices: Choices) -> tuple[dict[str, bytes], list[str]]:
    """Return {name: content} of all that is written, and the warnings."""
    cohort, document = compute(arguments, choices)
    page = page_of(cohort, document, choices, str(arguments.source))
    return files_of(document, cohort.table) | {"cohort.html": html_of(page)}, cohort.warnings


def compute(arguments: argparse.Namespace, choices: Choices) -> tuple[Cohort, dict[str, Any]]:
    """Return a cohort, and the document with everything that was computed of it."""
    cohort, whole = load(arguments, choices)
    results = results_of(cohort, whole, choices, arguments.pseudo_count)
    cohort.warnings += about_results(results)
    return cohort, {
        "code_version": code_version(),
        "versions": {name: metadata.version(name) for name in ("numpy", "scipy", "pandas", "statsmodels")},
        "inputs": cohort.inputs,
        "parameters": parameters(arguments, choices),
        "rows": cohort.rows,
        "warnings": cohort.warnings,
        "duplicates": duplicates_of(cohort.table)[["group", "mouse", "day", "cal_day"]].to_dict("records"),
        **results,
    }


def parameters(arguments: argparse.Namespace, choices: Choices) -> dict[str, Any]:
    """Return every parameter that was used."""
    return {
        "source": str(arguments.source), "value": choices.value, "missing": choices.missing or "complete",
        "missing_was_said": choices.missing is not None, "rule_change_day": dict(choices.change),
        "days": choices.days, "group": choices.group,
        "select": None if arguments.select is None else str(arguments.select),
        "mouse_column": choices.mouse_column, "calendar": arguments.calendar, "simulated": arguments.simulated,
        "pseudo_count": arguments.pseudo_count,
    }  # fmt: skip


def load(arguments: argparse.Namespace, choices: Choices) -> tuple[Cohort, pd.DataFrame]:
    """Return the cohort of the chosen group and days, and its table before that choice."""
    source = arguments.source.expanduser()
    if source.is_file():
        table, inputs, signals, left_out = from_csv(source)
    else:
        where = Where(arguments.jobs, arguments.scheduler)
        refuse_blind(folders_below(source), arguments.unblind, "a cohort")
        table, inputs, signals, left_out = collect(source, arguments.simulated, arguments.calendar, where)
    rows = {"read": len(table) + sum(left_out.values()), "left_out": sum(left_out.values())}
    warnings = about_left_out(left_out)
    if arguments.select is not None:
        path = arguments.select.expanduser()
        table, said = select(table, read_csv(path), str(path))
        inputs.append({"path": str(path), "sha256": sha256(path)})
        warnings += said
    whole = with_values(table, choices)
    found = restricted(whole, choices)
    check_change(whole if choices.group is None else whole[whole["group"] == choices.group], choices)
    check_enough(found, choices)
    rows |= {"selected": len(whole), "used": len(found)}
    return Cohort(found, inputs, rows, warnings + about_table(found), signals), whole


def from_csv(path: Path) -> tuple[pd.DataFrame, list[dict[str, str]], dict[str, Histogram], dict[str, int]]:
    """Return a table of sessions from a CSV file."""
    table = with_numbers(read_csv(path), str(path))
    if "performance" in table:
        table["given_performance"] = pd.to_numeric(table["performance"], errors="coerce").astype(np.float64)
    return table, [{"path": str(path), "sha256": sha256(path)}], {}, {}
