"""How the signal of each session differs from that of the first session of its mouse."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.cohorts.table import Cohort
from analysis.stats.divergence import Means, kld, means
from analysis.stats.refused import Refused, fields_of


def divergences(cohort: Cohort, pseudo_count: float) -> Mapping[str, Any]:
    """Return how far the signal of each session is distributed from that of the first session of its mouse."""
    about = {"direction": "D(day || first day)", "base": "e", "pseudo_count": pseudo_count}
    if not cohort.signals:
        return {**about, "sessions": [], "means": [], "reason": "a table of sessions has no signals; name a data root"}
    rows = []
    for (group, mouse), own in cohort.table.sort_values("cal_day").groupby(["group", "mouse"]):
        with_signal = own[own["session"].isin(list(cohort.signals))]
        if len(with_signal) < 2:
            continue
        first = cohort.signals[with_signal["session"].iloc[0]]
        for session, day in zip(with_signal["session"], with_signal["day"], strict=True):
            found = cohort.signals[session]
            if found.unit == first.unit:
                value = divergence(found.counts, first.counts, pseudo_count)
                rows.append({"group": group, "mouse": mouse, "day": int(day), **value, "outside": found.outside})
    return {**about, "sessions": rows, "means": mean_divergences(rows), "reason": None}


def divergence(counts: tuple[int, ...], first: tuple[int, ...], pseudo_count: float) -> dict[str, Any]:
    """Return a divergence, or why there is none."""
    try:
        return {"kld": kld(np.array(counts, float), np.array(first, float), pseudo_count), "reason": None}
    except Refused as reason:
        return {"kld": None, "reason": str(reason)}


def mean_divergences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the means of divergences for each group and day, with and without infinity."""
    found = []
    for key in sorted({(row["group"], row["day"]) for row in rows}):
        values = [row["kld"] for row in rows if (row["group"], row["day"]) == key and row["kld"] is not None]
        found.append({"group": key[0], "day": key[1], **fields_of(Means, means, values)})
    return found
