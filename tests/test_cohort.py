"""Cohorts: from a table or from a data root to numbers, warnings and a page."""

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

for _needed in ("matplotlib", "jinja2", "scipy", "pandas", "statsmodels"):
    pytest.importorskip(_needed, reason="'make setup-analysis' installs what cohorts need")

import pandas as pd
import simulate_cohort
from scipy import stats

from analysis.cohort import change_day, choices_of, make, parser
from analysis.cohorts.files import as_json
from analysis.cohorts.make import compute
from analysis.cohorts.missing import cells_of, paper_cells
from analysis.cohorts.results import anova_row, parts_of, slopes
from analysis.cohorts.sessions import days_of
from analysis.cohorts.table import Choices, minmax, with_values
from analysis.outcomes import outcomes_of
from analysis.session_summary import EDGES, summarize
from analysis.stats.anova import rm_anova
from analysis.stats.pairwise import welch
from analysis.stats.refused import Refused
from rig.errors import SettingsError
from rig.files.reader import read_session
from support.places import ROOT
from support.sessions import recorded, say_it_is_real

__all__ = ["recorded"]

EXACT = {"rel": 1e-12, "abs": 1e-14}


def sessions(n=4, days=6, slope=0.1, seed=1, **columns):
    """Two groups of n mice: `trained` gets better by `slope` a day, `control` does not."""
    random, rows = np.random.default_rng(seed), []
    for group, rise in (("control", 0.0), ("trained", slope)):
        for i in range(n):
            level = random.normal(0.3, 0.05)
            for day in range(1, days + 1):
                p = np.clip(level + rise * (day - 1) + random.normal(0, 0.04), 0.02, 0.98)
                rows.append({
                    "mouse_id": f"{group[0]}{i}", "cal_day": f"2026010{day}090000", "day": day, "group": group,
                    "roi_rule": "M1_L" if day < 4 else "M1_R", "trials": 100, "rewards": round(100 * p),
                    "latency_s": 20 * (1 - p), **columns,
                })  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def asked(tmp_path):
    """Return the arguments of a command on a table of sessions, or on a path."""

    def ask(source, *options):
        path = source
        if isinstance(source, pd.DataFrame):
            path = tmp_path / "sessions.csv"
            source.to_csv(path, index=False)
        return parser().parse_args([str(path), "--jobs", "1", "--out", str(tmp_path / "out"), *map(str, options)])

    return ask


@pytest.fixture
def cohort(asked):
    """Compute a cohort; return what cohort.json would say, without drawing or writing anything."""

    def run(source, *options):
        arguments = asked(source, *options)
        return json.loads(as_json(compute(arguments, choices_of(arguments))[1]))

    return run


@pytest.fixture
def written(asked):
    """Run the whole command; return the folder of what it has written."""

    def run(source, *options):
        arguments = asked(source, *options)
        make(arguments)
        return arguments.out

    return run


def of(rows, **wanted):
    """Return the one row that says all this."""
    (found,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return found


def without(table, *missing):
    """Return a table without the sessions (mouse, day)."""
    return table[[pair not in missing for pair in zip(table["mouse_id"], table["day"], strict=True)]]


# ---- what is computed


def test_a_known_effect_is_found_and_only_where_it_is(cohort):
    found = cohort(sessions())
    assert of(found["rm_anova"], group="trained", phase="all")["p_gg"] < 0.01
    assert of(found["rm_anova"], group="control", phase="all")["p_gg"] > 0.05
    assert of(found["mann_kendall"], group="trained", phase="all")["p"] < 0.05
    assert of(found["mixed"], group="trained", phase="all")["slope"] == pytest.approx(0.1, abs=0.02)
    (direct,) = found["between_groups"]
    assert direct["welch"]["p"] < 0.01
    assert direct["mann_whitney"]["p"] == pytest.approx(2 / 70)  # 4 and 4 mice, apart
    assert direct["interaction"]["slope"] == pytest.approx(0.1, abs=0.02)
    assert direct["interaction"]["p"] < 1e-6
    assert found["warnings"] == ["Fewer than 5 mice: control (4 mice), trained (4 mice)."]


def test_in_cohorts_without_an_effect_p_is_uniform():
    """200 tables in which nothing happens: from their sessions to the p of days, and to the p between the groups."""
    of_days, of_groups = [], []
    for seed in range(200):
        table = with_values(sessions(slope=0.0, seed=seed), Choices())
        control, trained, _ = parts_of(table, Choices())
        of_days.append(anova_row(control, table, Choices())["p"])
        of_mice = (np.array(list(slopes(part.rows, "performance").values())) for part in (control, trained))
        of_groups.append(welch(*of_mice).p)
    for p in (of_days, of_groups):
        assert stats.kstest(p, "uniform").pvalue > 0.01
        assert np.mean(np.array(p) < 0.05) < 0.1


@pytest.mark.parametrize("value", ["performance", "rewards", "minmax", "latency"])
def test_the_analysis_of_variance_is_that_of_the_values(cohort, value):
    table = sessions()
    found = of(cohort(table, "--value", value)["rm_anova"], group="trained", phase="all")
    own = with_values(table, Choices())
    column = {"latency": "latency_s"}.get(value, value)
    grid = own[own["group"] == "trained"].pivot(index="mouse_id", columns="day", values=column)
    expected = rm_anova(grid.to_numpy())
    assert [found[name] for name in expected._fields] == pytest.approx(list(expected), **EXACT)
    assert (found["value"], found["cells_observed"], found["cells_imputed"]) == (value, 24, 0)


def test_curves_have_n_mean_and_sem_of_each_value_under_its_own_name(cohort):
    table = without(sessions(), ("t1", 3))
    found = cohort(table, "--missing", "complete")["curves"]
    assert {row["value"] for row in found} == {"performance", "rewards", "rewards_per_trial", "minmax", "latency_s"}
    of_day = table[(table["group"] == "trained") & (table["day"] == 3)]["rewards"] / 100
    row = of(found, value="performance", group="trained", day=3)
    assert (row["n"], row["mean"], row["sem"]) == pytest.approx((3, of_day.mean(), stats.sem(of_day)), **EXACT)


def test_performance_is_held_at_1_and_the_ratio_is_kept(cohort):
    table = sessions().assign(trials=20)
    found = cohort(table)
    assert of(found["curves"], value="performance", group="trained", day=6)["mean"] == 1
    ratio = table[(table["group"] == "trained") & (table["day"] == 6)]["rewards"].mean() / 20
    assert of(found["curves"], value="rewards_per_trial", group="trained", day=6)["mean"] == pytest.approx(ratio)
    assert any("More rewards than trials, so performance is held at 1" in each for each in found["warnings"])


def test_minmax_is_within_mouse_and_rule_and_null_where_nothing_varies():
    table = pd.DataFrame({
        "group": "g", "phase": "", "mouse_id": ["a"] * 5 + ["b"] * 2, "rule": ["x", "x", "x", "y", "y", "x", "x"],
        "rewards": [10.0, 20, 15, 50, 70, 3, 3],
    })  # fmt: skip
    assert minmax(table).tolist() == pytest.approx([0, 1, 0.5, 0, 1, np.nan, np.nan], nan_ok=True)


def test_pairs_are_corrected_as_one_family_and_the_same_pairs_have_an_f_test(cohort):
    table = sessions()
    found = cohort(table, "--rule-change-day", "trained=3")
    names = [(row["a"], row["b"]) for row in found["pairwise"]]
    assert names == [
        ("control, day 1", "control, day 6"),
        ("trained, day 1", "trained, day 6"),
        ("trained, day 3", "trained, day 4"),
        ("control, day 6", "trained, day 6"),
    ]
    corrected = stats.false_discovery_control([row["p"] for row in found["pairwise"]])
    assert [row["p_bh"] for row in found["pairwise"]] == pytest.approx(list(corrected), **EXACT)
    assert [(row["a"], row["b"]) for row in found["oneway"]] == names


def test_a_change_of_the_rule_is_tested_by_the_pairs_of_each_mouse(cohort):
    rows = [
        {"mouse_id": mouse, "day": day, "group": "g", "trials": 10, "rewards": rewards}
        for mouse, values in {"a": [5, 8, 2, 4, 9], "b": [4, 6, 3, 3, 3], "c": [5, 9, None, 4, 9]}.items()
        for day, rewards in enumerate(values, 1)
        if rewards is not None
    ]
    found = cohort(pd.DataFrame(rows), "--rule-change-day", 2, "--missing", "complete")
    (change,) = found["rule_change"]
    assert [(m["mouse"], m["before"], m["after_day"], m["after"], m["days_to_regain"]) for m in change["mice"]] == [
        ("a", 0.8, 3, 0.2, 3),
        ("b", 0.6, 3, 0.3, None),
        ("c", 0.9, 4, 0.4, 3),
    ]
    t = stats.ttest_rel([0.2, 0.3, 0.4], [0.8, 0.6, 0.9])
    assert (change["t"], change["p"], change["n"]) == pytest.approx((t.statistic, t.pvalue, 3), **EXACT)
    assert of(found["rm_anova"], group="g", phase="before")["days"] == [1, 2]
    assert of(found["rm_anova"], group="g", phase="after")["days"] == [3, 4, 5]
    assert of(found["mann_kendall"], group="g", phase="all")["days"] == [1, 2, 3, 4, 5]


# ---- missing days


def test_missing_days_need_a_word_about_them(cohort):
    with pytest.raises(SettingsError) as error:
        cohort(without(sessions(), ("t1", 3), ("t2", 5)))
    assert str(error.value) == (
        "2 of 24 mice x days of trained have no performance, as t1 on day 3; say --missing complete (leaves 2 mice "
        "out), zero (invents 2 values) or paper (as the published figures: zeros, averages)"
    )


def test_complete_leaves_mice_out_and_zero_invents_and_both_say_so(cohort):
    table = without(sessions(), ("t1", 3), ("t2", 5))
    complete = cohort(table, "--missing", "complete")
    row = of(complete["rm_anova"], group="trained", phase="all")
    assert (row["n"], row["cells_observed"], row["cells_imputed"]) == (2, 12, 0)
    assert row["subjects_dropped"] == ["t1", "t2"]
    assert any("left out of the analysis of variance: trained, all days: t1, t2" in w for w in complete["warnings"])
    zero = cohort(table, "--missing", "zero")
    row = of(zero["rm_anova"], group="trained", phase="all")
    assert (row["n"], row["cells_observed"], row["cells_imputed"], row["subjects_dropped"]) == (4, 22, 2, [])
    assert any("trained, all days: 2 of 24 cells" in warning for warning in zero["warnings"])


def published_way(table, change, group, days):
    """Mice x days as the published script makes them: blocks on each other, melted, zeros, averaged."""
    names = ["mouse_id", "group", "roi_rule"]
    wide = {g: rows.pivot(index="day", columns=names, values="rewards") for g, rows in table.groupby("group")}
    blocks = [wide["control"], wide["trained"].loc[:change], wide["trained"].loc[change + 1 :]]
    scaled = [(block - block.min()) / (block.max() - block.min()) for block in blocks]
    stacked = pd.concat(scaled)
    stacked.columns = pd.MultiIndex.from_tuples(stacked.columns, names=names)
    melted = stacked.reset_index().melt(id_vars=[("day", "", "")])
    melted.columns = ["day", *names, "value"]
    chosen = melted[melted["day"].isin(days) & (melted["group"] == group)]
    zeros = int(chosen["value"].isna().sum())
    return chosen.fillna(0).pivot_table(index="mouse_id", columns="day", values="value"), zeros


@pytest.mark.parametrize(
    ("group", "phase", "days"),
    [("trained", "before", [1, 2]), ("trained", "after", [4, 5, 6]), ("control", "all", [1, 2, 3, 4, 5, 6])],
)
def test_paper_is_the_grid_of_the_published_figures(cohort, group, phase, days):
    """Before the change is before its day, too: the published script leaves that day out."""
    table = without(sessions(), ("t1", 5), ("t2", 2), ("c3", 3), ("c0", 6))
    found = cohort(table, "--missing", "paper", "--value", "minmax", "--rule-change-day", "trained=3")
    row = of(found["rm_anova"], group=group, phase=phase)
    expected, zeros = published_way(table, 3, group, days)
    assert row["days"] == days
    assert (row["cells_imputed"], row["missing"]) == (zeros, "paper")
    assert row["F"] == pytest.approx(rm_anova(expected.to_numpy()).F, **EXACT)


def test_paper_averages_duplicates_and_counts_them():
    table = with_values(pd.concat([sessions(2, 3), sessions(2, 3).iloc[[0]].assign(rewards=90)]), Choices())
    found = paper_cells(table, Choices(), ["c0"], ["control"], [1, 2, 3])
    both = table[(table["mouse"] == "c0") & (table["day"] == 1)]["performance"]
    assert found.values[0, 0] == pytest.approx(both.mean() / 2)  # the block of `trained` has a zero there
    assert found.cells_averaged == 3


def test_duplicates_are_listed_and_never_averaged_in_silence(cohort):
    table = pd.concat([sessions(), sessions().iloc[[0]].assign(cal_day="20260101150000", rewards=90)])
    found = cohort(table)
    assert [row["cal_day"] for row in found["duplicates"]] == ["20260101090000", "20260101150000"]
    assert any("c0 on day 1 (2)" in warning for warning in found["warnings"])
    row = of(found["rm_anova"], group="control", phase="all")
    assert row["p"] is None
    assert row["reason"] == "c0 has 2 sessions on day 1; name the one that counts with --select"
    assert of(found["curves"], value="performance", group="control", day=1)["n"] == 5


def test_cells_refuse_to_guess():
    table = pd.DataFrame({"mouse": ["a", "a"], "day": [1, 1], "value": [1.0, 2.0]})
    with pytest.raises(Refused, match="a has 2 sessions on day 1"):
        cells_of(table, "value", "zero")


# ---- warnings


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"c0": "BZ1_exp3", "c1": "BZ1_exp4"}, "BZ1_exp3, BZ1_exp4 begin alike"),
        ({"c0": "M-1", "c1": "m1"}, "M-1, m1 differ by case or signs only"),
    ],
)
def test_one_mouse_under_two_names_is_suspected(cohort, names, said):
    table = sessions()
    (warning,) = [w for w in cohort(table.replace({"mouse_id": names}))["warnings"] if "--mouse-column" in w]
    assert warning.startswith(said)


def test_mice_that_are_numbered_alike_are_no_suspects(cohort):
    table = sessions()
    table["mouse_id"] = "mouse_" + table["mouse_id"]
    assert not any("--mouse-column" in warning for warning in cohort(table)["warnings"])


def test_the_animal_can_be_another_column(cohort):
    table = sessions().assign(animal=lambda rows: rows["mouse_id"].replace("c1", "c0"))
    found = cohort(table, "--mouse-column", "animal")
    assert "c0 has 2 sessions on day 1" in of(found["rm_anova"], group="control", phase="all")["reason"]


def test_a_mouse_in_two_groups_and_groups_without_a_direct_test_are_said(cohort):
    table = sessions(2, 4)
    both = table.replace({"mouse_id": {"t0": "c0"}})
    assert any(w.startswith("c0 is in the groups control and trained") for w in cohort(both)["warnings"])
    single = cohort(table[table["mouse_id"].isin(["c0", "t0", "t1"])])
    assert any("p values that stand side by side, which is no comparison: control and trained" in w
               for w in single["warnings"])  # fmt: skip


def test_another_performance_in_the_file_is_said(cohort):
    table = sessions().assign(performance=lambda rows: rows["rewards"] / 100)
    assert not any("Another performance" in warning for warning in cohort(table)["warnings"])
    table.loc[0, "performance"] += 0.1
    assert any("Another performance in the file" in warning for warning in cohort(table)["warnings"])


# ---- selecting


def test_a_manifest_selects_sessions_and_says_groups_and_unknown_rows_are_said(cohort, tmp_path):
    table, manifest = sessions(), tmp_path / "manifest.csv"
    wanted = table[table["day"] <= 3][["mouse_id", "cal_day"]].assign(group="pilot")
    pd.concat([wanted, pd.DataFrame([{"mouse_id": "x", "cal_day": "1", "group": "pilot"}])]).to_csv(
        manifest, index=False
    )
    found = cohort(table, "--select", manifest)
    assert {row["group"] for row in found["curves"]} == {"pilot"}
    assert found["rows"] == {"read": 48, "left_out": 0, "selected": 24, "used": 24}
    assert any("1 rows of" in warning and "x 1" in warning for warning in found["warnings"])
    assert len(found["inputs"]) == 2


def test_a_session_that_is_listed_in_two_groups_is_taken_from_the_wanted_one(cohort, tmp_path):
    table = sessions()
    again = table[table["group"] == "trained"].assign(group="other", rewards=1)
    manifest = tmp_path / "manifest.csv"
    table[["mouse_id", "cal_day", "group"]].to_csv(manifest, index=False)
    found = cohort(pd.concat([again, table]), "--select", manifest)
    assert found["rows"]["used"] == 48
    assert of(found["curves"], value="rewards", group="trained", day=1)["mean"] > 1


def test_days_and_group_restrict_but_minmax_is_of_all_days(cohort):
    found = cohort(sessions(), "--days", "2-4", "--group", "trained", "--value", "minmax")
    assert {row["group"] for row in found["curves"]} == {"trained"}
    assert {row["day"] for row in found["curves"]} == {2, 3, 4}
    whole = with_values(sessions(), Choices())
    mean = whole[(whole["group"] == "trained") & (whole["day"] == 2)]["minmax"].mean()
    assert of(found["curves"], value="minmax", group="trained", day=2)["mean"] == pytest.approx(mean)


# ---- what is written


def test_everything_is_written_unrounded_with_inputs_and_parameters(written):
    folder = written(sessions(), "--rule-change-day", 3)
    found = json.loads((folder / "cohort.json").read_text(encoding="utf-8"))
    (source,) = found["inputs"]
    assert source["sha256"] == hashlib.sha256(Path(source["path"]).read_bytes()).hexdigest()
    assert found["parameters"]["rule_change_day"] == {"": 3}
    assert found["parameters"]["missing"] == "complete"
    assert set(found["versions"]) == {"numpy", "scipy", "pandas", "statsmodels"}
    tables = ("curves", "rm_anova", "mann_kendall", "ols", "mixed", "pairwise", "oneway", "rule_change")
    tables += ("between_groups", "sessions")
    names = {path.name for path in folder.iterdir()}
    assert names == {"cohort.json", "cohort.html"} | {f"cohort_{name}.csv" for name in tables}
    with (folder / "cohort_between_groups.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert float(row["welch.p"]) == found["between_groups"][0]["welch"]["p"]


def test_the_page_shows_figures_and_each_p_with_n_and_invented_cells(written):
    table = without(sessions(), ("t1", 3)).replace({"group": {"control": "<b>x</b>"}})
    text = (written(table, "--missing", "zero", "--rule-change-day", "trained=3") / "cohort.html").read_text("utf-8")
    assert text.count("data:image/png;base64,") == 4  # two curves, distributions, change of the rule
    assert not any(each in text for each in ("http", "<script", "<b>x</b>"))
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    with_p = [each for each in text.split("<h2>")[1:] if "<th>p" in each]
    assert len(with_p) == 8
    assert all("<th>cells invented</th>" in each for each in with_p)
    assert all(any(f"<th>{n}</th>" in each for n in ("mice", "n", "n days", "sessions")) for each in with_p)
    assert "<td>23</td><td>1</td>" in text
    assert "success rate" not in text  # there is none in this table, and no other value is called so


def test_a_table_of_its_own_gives_the_same_again(cohort, written, tmp_path):
    again = shutil.copy(written(sessions()) / "cohort_sessions.csv", tmp_path / "again.csv")
    first, second = cohort(sessions()), cohort(again)
    for name in ("curves", "rm_anova", "mann_kendall", "pairwise", "between_groups"):
        assert first[name] == second[name]


# ---- bad input


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda t: t.drop(columns=["trials", "rewards"]), (), "lacks the columns trials, rewards; it has mouse_id"),
        (lambda t: t[:0], (), "has no row; a cohort needs a row for each session"),
        (lambda t: t[t["mouse_id"] == "c0"], (), "a cohort needs 2 mice with a value; there is one mouse, c0"),
        (lambda t: t[t["day"] == 2], (), "a cohort needs 2 days with a value; there is one day, 2"),
        (lambda t: t.assign(day=20260101), (), "row 2 says day = 20260101; days are counted from the first session"),
        (lambda t: t.assign(rewards="many"), (), "row 2 says rewards = many, which is no number"),
        (lambda t: t.assign(day=1.5), (), "day must be whole numbers; row 2 has another one"),
        (lambda t: t.assign(mouse_id=None), (), "row 2 has no mouse_id or no day"),
        (lambda t: t.drop(columns="latency_s"), ("--value", "latency"), "the table has no column latency_s"),
        (lambda t: t.assign(trials=0), (), "--value performance: no session has this value"),
        (lambda t: t, ("--group", "grp9"), "--group grp9: there is no such group; there are control, trained"),
        (lambda t: t, ("--days", "8-9"), "--days 8-9: no session is on these days; there are days 1 to 6"),
        (lambda t: t, ("--days", "4-1"), "--days 4-1: write first and last day, as 1-4"),
        (lambda t: t, ("--rule-change-day", "6"), "so it must be from 1 to 5"),
        (lambda t: t, ("--rule-change-day", "x=2"), "--rule-change-day x=2: there is no such group"),
        (lambda t: t, ("--rule-change-day", "soon"), "--rule-change-day soon: write a day, as 10"),
        (lambda t: t, ("--mouse-column", "animal"), "--mouse-column animal: the table has no such column"),
        (lambda t: t, ("--pseudo-count", "-1"), "it must be 0 or more"),
        (lambda t: t, ("--select", "nowhere.csv"), "nowhere.csv: there is no such file or folder"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_nothing(written, tmp_path, change, options, said):
    with pytest.raises(SettingsError) as error:
        written(change(sessions()), *options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_a_file_that_is_no_table_are_sentences(cohort, tmp_path):
    with pytest.raises(SettingsError, match="there is no such file or folder"):
        cohort(tmp_path / "none")
    with pytest.raises(SettingsError, match="there is no session here"):
        cohort(tmp_path)
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)))
    with pytest.raises(SettingsError, match="cannot be read as a CSV file"):
        cohort(tmp_path / "noise.csv")


def test_the_command_ends_with_a_sentence_and_status_2(tmp_path):
    command = [sys.executable, "-W", "error", str(ROOT / "analysis" / "cohort.py"), "none.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "none.csv: there is no such file or folder" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_day_of_a_change_may_be_that_of_one_group():
    assert change_day("10") == ("", 10)
    assert change_day("grp = 2=10") == ("grp = 2", 10)


# ---- from a data root


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    """A cohort that the rig has run: two arms of two mice, two days."""
    root, fewer = tmp_path_factory.mktemp("cohort"), {"total_trials": "6", "max_trial_dur": "6"}
    known, simulate_cohort.SETTINGS = simulate_cohort.SETTINGS, simulate_cohort.SETTINGS | fewer
    try:
        for plan in simulate_cohort.planned(4, 2):
            simulate_cohort.run(plan, 2, root)
    finally:
        simulate_cohort.SETTINGS = known
    return root


def test_the_effect_that_the_rig_simulates_is_found(cohort, written, data_root):
    found = cohort(data_root, "--simulated", "--calendar")
    assert found["rows"] == {"read": 8, "left_out": 0, "selected": 8, "used": 8}
    (direct,) = found["between_groups"]
    slopes = direct["slopes"]
    assert min(slopes["trained"].values()) > max(slopes["control"].values())
    assert direct["interaction"]["slope"] > 0.2
    assert direct["interaction"]["p"] < 0.05
    names = {Path(source["path"]).name for source in found["inputs"]}
    assert names == {"20260105090000", "20260106090000"}
    folder = written(data_root, "--simulated")
    assert "NOT REAL SESSIONS" in (folder / "cohort.html").read_text(encoding="utf-8")
    assert (folder / "cohort_kld.csv").is_file()


def test_divergences_are_of_the_signals_from_the_first_session(cohort, data_root):
    found = cohort(data_root, "--simulated", "--pseudo-count", "0.5")["kld"]
    assert (found["direction"], found["base"], found["pseudo_count"]) == ("D(day || first day)", "e", 0.5)
    assert len(found["sessions"]) == 8
    assert all(row["kld"] == 0 for row in found["sessions"] if row["day"] == 1)
    first, second = (
        np.histogram(read_session(data_root / "sim1" / day).columns["roi_dff"], EDGES["ΔF/F"])[0] + 0.5
        for day in ("20260105090000", "20260106090000")
    )
    row = of(found["sessions"], mouse="sim1", day=2)
    assert row["kld"] == pytest.approx(stats.entropy(second, first), **EXACT)


def test_what_is_not_real_is_left_out_and_counted(cohort, data_root, tmp_path):
    with pytest.raises(SettingsError, match=r"no session can be used \(8 simulated\); --simulated counts those"):
        cohort(data_root)
    root = shutil.copytree(data_root, tmp_path / "root")
    second = [root / f"sim{i}" / "20260106090000" for i in (1, 2, 3, 4)]
    for folder in root.glob("sim*/*/"):
        if folder != second[3]:
            say_it_is_real(folder)
    with h5py.File(second[0] / "image_stream.hdf5", "a") as file:
        file.attrs["replay_of"] = "/data/one"
    (second[1] / "config.ini").write_bytes(b"\xff\xfe\x00")
    found = cohort(root, "--missing", "complete", "--value", "rewards")
    assert (found["rows"]["left_out"], found["rows"]["used"]) == (3, 5)
    assert found["warnings"][0].startswith("Left out: 3 sessions (")
    assert all(each in found["warnings"][0] for each in ("1 simulated", "1 replayed", "cannot be read as INI"))


def test_a_session_is_summarized_by_itself(data_root):
    folder = data_root / "sim1" / "20260106090000"
    found, session = summarize(folder, with_simulated=True), read_session(folder)
    outcomes = outcomes_of(session)
    assert found.left_out == ""
    assert (found.row["mouse_id"], found.row["date"], found.row["group"]) == ("sim1", "2026-01-06", "trained")
    assert (found.row["trials"], found.row["success_rate"]) == (outcomes.done, outcomes.success_rate)
    assert found.row["target_var"] == pytest.approx(session.columns["roi_dff"].var(), rel=1e-12)
    assert sum(found.counts) + found.outside == len(session)
    rates = [np.count_nonzero(session.columns["roi_dff"] > t) for t in np.arange(200) * 0.001]
    time_s = session.row_times_s()
    area = stats_area(np.array(rates) / ((time_s[-1] - time_s[0]) / 60))
    assert found.row["auc"] == pytest.approx(area, rel=1e-9)
    assert json.loads(json.dumps(found._asdict()))["row"]["mouse_id"] == "sim1"
    assert summarize(folder).left_out == "simulated"
    assert summarize(data_root).left_out.startswith("cannot be read")


def test_a_speed_in_mm_has_a_histogram_of_its_own(recorded):
    found = summarize(recorded("clmf", speed_unit="mm/s", speed_threshold="68"), with_simulated=True)
    assert (found.left_out, found.unit) == ("", "mm/s")
    assert 0 < np.count_nonzero(found.counts)
    assert found.outside < sum(found.counts)


def stats_area(rates):
    """Return the area under rates above thresholds of 0 to 0.199, by trapezoids."""
    return sum((a + b) / 2 * 0.001 for a, b in pairwise(rates))


def test_its_own_table_gives_the_same_as_the_data_root(cohort, written, data_root, tmp_path):
    first = cohort(data_root, "--simulated")
    again = cohort(shutil.copy(written(data_root, "--simulated") / "cohort_sessions.csv", tmp_path / "again.csv"))
    for name in ("curves", "rm_anova", "between_groups", "pairwise"):
        assert first[name] == again[name]


def test_several_processes_give_the_same_as_one(cohort, data_root):
    pytest.importorskip("distributed", reason="'make setup-analysis' installs what many sessions at once need")
    one, two = (cohort(data_root, "--simulated", "--jobs", n) for n in (1, 2))
    assert one == two


def test_days_are_ranks_of_dates_or_days_of_the_calendar():
    mice, dates = ["a", "a", "a", "b"], [date(2026, 1, day) for day in (5, 8, 8, 8)]
    assert days_of(mice, dates, by_calendar=False) == [1, 2, 2, 1]
    assert days_of(mice, dates, by_calendar=True) == [1, 4, 4, 1]
