"""The page of a cohort: figures, and each p with its n and the number of invented cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.cohorts.missing import counted_mice
from analysis.cohorts.table import Choices, Cohort, days_in_words
from analysis.derived.learning import counted
from analysis.figures.cohort import LABELS, draw_change, draw_curves, draw_distributions, draw_signals
from analysis.page import Cell, Page, Picture, Table, as_base64, new_drawing

POLICIES = {
    "complete": "mice with a missing day left out",
    "zero": "0 in place of missing days",
    "paper": "as in the published figures: zeros, averages over the blocks of their grid",
}
MOST_DAYS = 60  # in a table with empty columns, too
NEXT_TO = (
    "Two p values next to each other do not compare two groups: that is what the direct comparison is for (each mouse "
    "counts once, by its slope), and day x group of the mixed model."
)


def page_of(cohort: Cohort, results: Mapping[str, Any], choices: Choices, source: str) -> Page:
    """Return everything that the page of a cohort says."""
    table = cohort.table
    mice, days = table["mouse"].nunique(), days_in_words(sorted(int(day) for day in table["day"].unique()))
    simulated = "simulated" in table and bool((table["simulated"].fillna("") != "").any())
    return Page(
        title=f"Cohort, {choices.value}",
        heading=f"Cohort: {counted_mice(mice)}, days {days}",
        about=f"{choices.value} · {counted(len(table), 'session')} · {', '.join(cohort.groups)}",
        marks=["NOT REAL SESSIONS: some or all were simulated or replayed."] * simulated + cohort.warnings,
        numbers=[(str(mice), "mice"), (str(len(table)), "sessions"), invented(results)],
        said=in_words(results),
        checks=(),
        figures=figures_of(cohort, results, choices),
        tables=[*tables_of(results), sessions_table(cohort)],
        footer=f"{source} · value: {LABELS[choices.column]}",
    )


def invented(results: Mapping[str, Any]) -> tuple[str, str]:
    """Return the number of invented cells as a big number."""
    rows = [row for row in results["rm_anova"] if row["phase"] == "all" and row["group"] != "all groups"]
    return str(sum(row["cells_imputed"] or 0 for row in rows)), "cells invented"


def in_words(results: Mapping[str, Any]) -> str:
    """Say what the direct comparison of groups found; without one, what the days did."""
    direct = [row for row in results["between_groups"] if row["phase"] == "all" and row["reason"] is None]
    if direct:
        return " ".join([*(compared(row) for row in direct), NEXT_TO])
    found = [row for row in results["rm_anova"] if row["phase"] == "all" and row["p"] is not None]
    return (
        " ".join(f"{row['group']}: {anova_in_words(row)}." for row in found) or "No test has a value; see the reasons."
    )


def compared(row: Mapping[str, Any]) -> str:
    """Say what a direct comparison of two groups found."""
    test = row["welch"]
    return (
        f"The {row['value']} of {row['a']} changes by {test['mean_a']:+.3g} per day, that of {row['b']} by "
        f"{test['mean_b']:+.3g}: Welch's t of the slopes of {test['n_a']} and {test['n_b']} mice, "
        f"p {p_text(test['p'])}, no cell invented."
    )


def anova_in_words(row: Mapping[str, Any]) -> str:
    """Return an analysis of variance in the usual form, with its mice and cells."""
    return (
        f"F({row['df_day']}, {row['df_err']}) = {row['F']:.3g}, p {p_text(row['p'])}, {counted_mice(row['n'])}, "
        f"{row['cells_observed']} cells measured, {row['cells_imputed']} invented"
    )


def p_text(p: float | None) -> str:
    """Return a p value with its sign."""
    if p is None:
        return "-"
    return f"= {p:.3f}" if p >= 0.001 else f"= {p:.1e}"


def figures_of(cohort: Cohort, results: Mapping[str, Any], choices: Choices) -> list[Picture]:
    """Draw all figures that this cohort has."""
    table, column = cohort.table, choices.column
    also = [
        name for name in ("performance", "latency_s") if name in table and name != column and table[name].notna().any()
    ]
    found = [curve_picture(cohort, name, choices) for name in (column, *also)]
    distributions = new_drawing(3.4)
    draw_distributions(distributions, table, column)
    reads = "First and last day of each group: a dot for each session, a line for each mouse with both, box and median."
    found.append(Picture("distributions", "Distributions", reads, as_base64(distributions)))
    if cohort.signals:
        signals = new_drawing(3.2)
        draw_signals(signals, table, cohort.signals)
        reads = "Share of frames by signal, mean of the mice; a tail to the right grows where mice learn to drive it."
        found.append(Picture("signals", "Signal in the first and the last session", reads, as_base64(signals)))
    if results["rule_change"]:
        change = new_drawing(3.2)
        draw_change(change, results["rule_change"], column)
        reads = "Each mouse on its last day under the first rule and its first under the second: the pairs of the test."
        found.append(Picture("rule_change", "Change of the rule", reads, as_base64(change)))
    return found


def curve_picture(cohort: Cohort, column: str, choices: Choices) -> Picture:
    """Draw the curves of a value."""
    panels = len(cohort.groups) + (len(cohort.groups) > 1)
    drawing = new_drawing(3.6 * -(-panels // 3))
    draw_curves(drawing, cohort.table, column, choices)
    reads = (
        "Grey: every mouse, a dot for each session. A day on which a mouse has no session breaks its line; a day "
        "without any is shaded. Good: most mice rise together. Bad: a mean that one mouse carries."
    )
    if column == "latency_s":
        reads = "Shorter is better. Sessions without a success have no latency."
    return Picture(f"curves_{column}", f"Curves: {LABELS[column]}", reads, as_base64(drawing))


def tables_of(results: Mapping[str, Any]) -> list[Table]:
    """Return a table for each statistic that has a row."""
    tables = (
        table("Change over days: analysis of variance with repeated measures", anova_cells, results["rm_anova"]),
        table("Direct comparison of groups", direct_cells, results["between_groups"]),
        table("Change of the rule: pairs of each mouse", change_cells, results["rule_change"]),
        table("Slope per day, with an intercept for each mouse (mixed model, REML)", mixed_cells, results["mixed"]),
        table("Trend of the means of days (Mann-Kendall)", trend_cells, results["mann_kendall"]),
        table("Pairs (Mann-Whitney; p corrected by Benjamini-Hochberg)", pair_cells, results["pairwise"]),
        table("Pairs (F test of two sets)", oneway_cells, results["oneway"]),
        table("Straight lines through all sessions: they take sessions of a mouse for independent", line_cells,
              results["ols"]),
        table("Divergence of the signal from the first session (Kullback-Leibler, nats)", kld_cells,
              results["kld"]["means"]),
    )  # fmt: skip
    return [each for each in tables if each.rows]


def table(title: str, cells: Any, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return rows as a table of the page."""
    found = [cells(row) for row in rows]
    columns = [name for name in (found[0] if found else ()) if any(row[name] != "" for row in found)]
    return Table(title, columns, [[Cell(number(row[name])) for name in columns] for row in found])


def number(value: Any) -> str:
    """Return a value as the page shows it; cohort.json has it unrounded."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def anova_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an analysis of variance."""
    f = "-" if row["F"] is None else f"F({row['df_day']}, {row['df_err']}) = {row['F']:.3f}"
    return {
        "group": row["group"], "days": f"{row['phase']}: {days_in_words(row['days'])}" if row["days"] else row["phase"],
        "F": f, "p": row["p"], "p GG": row["p_gg"], "ε GG": row["gg_epsilon"], "partial η²": row["partial_eta2"],
        "gen. η²": row["generalised_eta2"], "mice": row["n"], "cells measured": row["cells_observed"],
        "cells invented": row["cells_imputed"], "left out": row["subjects_dropped"] or "",
        "missing days": row["reason"] or POLICIES[row["missing"]],
    }  # fmt: skip


def direct_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a direct comparison."""
    slopes, mixed = row["welch"], row["interaction"]
    return {
        "groups": f"{row['a']} | {row['b']}", "days": row["phase"],
        "slope per day": f"{number(slopes['mean_a'])} | {number(slopes['mean_b'])}",
        "Welch t": slopes["t"], "p (Welch)": slopes["p"], "p (Mann-Whitney)": row["mann_whitney"]["p"],
        "mice": f"{number(slopes['n_a'])} + {number(slopes['n_b'])}", "day x group ± SE":
        f"{number(mixed['slope'])} ± {number(mixed['se'])}", "p (mixed)": mixed["p"], "sessions": mixed["n"],
        "cells invented": 0, "note": row["reason"] or mixed["reason"] or "",
    }  # fmt: skip


def change_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a change of the rule."""
    regained = [each["days_to_regain"] for each in row["mice"] if each["days_to_regain"] is not None]
    return {
        "group": row["group"], "last day of the first rule": row["last_day_of_first_rule"],
        "mean difference": row["mean_difference"], "paired t": row["t"], "p": row["p"],
        "p (Wilcoxon)": row["p_wilcoxon"], "mice": row["n"], "cells invented": 0,
        "as good as before": f"{len(regained)} of {len(row['mice'])} mice, after days {sorted(regained)}",
        "note": row["reason"] or "",
    }  # fmt: skip


def mixed_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a mixed model."""
    return {**where(row), "slope": row["slope"], "SE": row["se"], "p": row["p"], "mice": row["n_mice"],
            "sessions": row["n"], "cells invented": 0, "note": row["reason"] or mixed_note(row)}  # fmt: skip


def mixed_note(row: Mapping[str, Any]) -> str:
    """Return what a reader should know about a fit; cohort.json has the words of statsmodels."""
    if not row["converged"]:
        return "did not converge"
    return "the mice do not differ more than by chance" if "boundary" in row["said"] else ""


def trend_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a trend."""
    return {**where(row), "S": row["S"], "z": row["z"], "p": row["p"], "τ": row["tau"], "Sen slope": row["sen_slope"],
            "n days": row["n"], "which": days_in_words(row["days"]), "cells invented": 0,
            "note": row["reason"] or ""}  # fmt: skip


def pair_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a pair."""
    return {**sets(row), "U": row["U"], "p": row["p"], "p corrected": row["p_bh"], "cells invented": 0,
            "note": row["reason"] or ""}  # fmt: skip


def oneway_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an F test of two sets."""
    return {**sets(row), "F": row["F"], "p": row["p"], "cells invented": 0, "note": row["reason"] or ""}


def line_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a straight line."""
    return {**where(row), "slope": row["slope"], "intercept": row["intercept"], "r": row["r"], "p": row["p"],
            "SE": row["se"], "sessions": row["n"], "cells invented": 0, "note": row["reason"] or ""}  # fmt: skip


def kld_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a divergence."""
    return {"group": row["group"], "day": row["day"], "mean without infinite": row["mean_without_inf"],
            "mean, infinite as 0": row["mean_inf_as_0"], "mice": row["n"], "infinite": row["n_inf"]}  # fmt: skip


def where(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return which part a row is about."""
    return {"group": row["group"], "days": row["phase"]}


def sets(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return which sets a row compares."""
    return {"one": row["a"], "other": row["b"], "n": f"{number(row['n_a'])} + {number(row['n_b'])}"}


def sessions_table(cohort: Cohort) -> Table:
    """Return mice x days: how many sessions there are, empty where there is none."""
    found = cohort.table.groupby(["group", "mouse", "day"]).size().unstack("day")
    days = [*range(int(found.columns.min()), int(found.columns.max()) + 1)]
    days = days if len(days) <= MOST_DAYS else [int(day) for day in found.columns]
    rows = [
        [Cell(str(group)), Cell(str(mouse)), *(Cell(sessions_on(counts, day)) for day in days)]
        for (group, mouse), counts in found.iterrows()
    ]
    return Table("Sessions of each mouse by day", ["group", "mouse", *map(str, days)], rows)


def sessions_on(counts: Any, day: int) -> str:
    """Return the number of sessions on a day, empty where there is none."""
    n = counts.get(day)
    return "" if n is None or np.isnan(n) else f"{int(n)}"
