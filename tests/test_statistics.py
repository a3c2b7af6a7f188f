"""The mathematics of a cohort, held against a second way of computing it: statsmodels, scipy, or the definition."""

import itertools

import numpy as np
import pytest

for _needed in ("scipy", "pandas", "statsmodels"):
    pytest.importorskip(_needed, reason="'make setup-analysis' installs what cohorts need")

import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multitest import multipletests

from analysis.stats.anova import rm_anova
from analysis.stats.divergence import histogram, kld, means
from analysis.stats.mixed import interaction, mixed
from analysis.stats.pairwise import benjamini_hochberg, mann_whitney, one_way, paired, welch
from analysis.stats.refused import Refused, fields_of
from analysis.stats.regression import Line, ols, slope
from analysis.stats.trend import mann_kendall

EXACT = {"rel": 1e-9, "abs": 1e-13}
SHAPES = [(2, 2), (3, 5), (8, 6), (12, 3)]


def simulated(n, k, seed, trend=0.0, between=1.0):
    """n mice x k days: each mouse has a level of its own, and changes by `trend` a day."""
    random = np.random.default_rng(seed)
    return random.normal(0, between, (n, 1)) + trend * np.arange(k) + random.normal(0, 1, (n, k))


def long(values):
    """Mice x days as a table with a row for each session."""
    n, k = values.shape
    mice, days = np.repeat(np.arange(n), k), np.tile(np.arange(1, k + 1), n)
    return pd.DataFrame({"mouse": [f"m{i}" for i in mice], "day": days, "value": values.ravel()})


def arrays(table):
    return table["day"].to_numpy(float), table["value"].to_numpy(float), table["mouse"].to_numpy(str)


# ---- analysis of variance


@pytest.mark.parametrize("shape", SHAPES)
def test_rm_anova_is_that_of_statsmodels(shape):
    values = simulated(*shape, seed=3, trend=0.4)
    found = rm_anova(values)
    table = AnovaRM(long(values), "value", "mouse", within=["day"]).fit().anova_table.loc["day"]
    assert found.F == pytest.approx(table["F Value"], **EXACT)
    assert found.p == pytest.approx(table["Pr > F"], **EXACT)
    assert (found.df_day, found.df_err) == (table["Num DF"], table["Den DF"])
    assert (found.n, found.k) == shape


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_squares_and_effect_sizes_are_those_of_a_linear_model(shape):
    """Fitted mouse by mouse and day by day, as factors of least squares."""
    values = simulated(*shape, seed=5, trend=0.2)
    found = rm_anova(values)
    anova = sm.stats.anova_lm(smf.ols("value ~ C(mouse) + C(day)", long(values)).fit())
    day, subject, rest = (anova.loc[name, "sum_sq"] for name in ("C(day)", "C(mouse)", "Residual"))
    assert (found.ss_day, found.ss_subj, found.ss_err) == pytest.approx((day, subject, rest), **EXACT)
    assert found.partial_eta2 == pytest.approx(day / (day + rest), **EXACT)
    assert found.generalised_eta2 == pytest.approx(day / (day + rest + subject), **EXACT)


@pytest.mark.parametrize("shape", SHAPES)
def test_epsilon_is_that_of_the_eigenvalues_of_orthonormal_contrasts(shape):
    values, k = simulated(*shape, seed=7), shape[1]
    helmert = np.array([[1.0] * (i + 1) + [-(i + 1.0)] + [0.0] * (k - i - 2) for i in range(k - 1)])
    contrasts = helmert / np.linalg.norm(helmert, axis=1, keepdims=True)
    of = np.linalg.eigvalsh(contrasts @ np.cov(values.T) @ contrasts.T)
    epsilon = of.sum() ** 2 / ((k - 1) * (of**2).sum())
    found = rm_anova(values)
    assert found.gg_epsilon == pytest.approx(epsilon, **EXACT)
    assert found.p_gg == pytest.approx(
        1 - stats.f.cdf(found.F, found.df_day * epsilon, found.df_err * epsilon), **EXACT
    )
    assert 1 / (k - 1) - 1e-12 <= found.gg_epsilon <= 1 + 1e-12


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones((1, 4)), "2 mice and 2 days are needed; there are 1 and 4"),
        (np.ones((4, 1)), "there are 4 and 1"),
        (np.arange(3.0)[:, None] + np.arange(4.0), "vary by nothing but mouse and day"),
        (np.zeros((3, 3)), "vary by nothing but mouse and day"),
    ],
)
def test_rm_anova_refuses_what_has_no_value(values, reason):
    with pytest.raises(Refused, match=reason):
        rm_anova(values)


def test_a_refusal_has_all_fields_and_the_reason():
    found = fields_of(Line, ols, np.array([1.0]), np.array([2.0]))
    assert set(found) == {*Line._fields, "reason"}
    assert found["p"] is None
    assert "3 values on 2 days" in found["reason"]


# ---- trend


@pytest.mark.parametrize("seed", range(6))
def test_mann_kendall_is_that_of_its_definition(seed):
    random = np.random.default_rng(seed)
    days = np.sort(random.choice(np.arange(1, 20), 9, replace=False)).astype(float)
    values = random.integers(0, 6, 9).astype(float)  # with ties
    found = mann_kendall(days, values)
    pairs = list(itertools.combinations(range(9), 2))
    s = sum(int(values[j] > values[i]) - int(values[j] < values[i]) for i, j in pairs)
    ties = [int((values == value).sum()) for value in set(values.tolist())]
    variance = (9 * 8 * 23 - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    z = 0 if s == 0 else (abs(s) - 1) / variance**0.5 * (1 if s > 0 else -1)
    assert (found.S, found.n) == (s, 9)
    assert found.var_S == pytest.approx(variance, **EXACT)
    assert found.z == pytest.approx(z, **EXACT)
    assert found.p == pytest.approx(2 * (1 - stats.norm.cdf(abs(z))), **EXACT)
    assert found.tau == pytest.approx(s / len(pairs), **EXACT)
    sen = stats.theilslopes(values, days)
    assert found.sen_slope == pytest.approx(sen.slope, **EXACT)
    assert found.sen_intercept == pytest.approx(sen.intercept + sen.slope * days[0], **EXACT)


def test_mann_kendall_without_a_trend_and_with_too_few_days():
    assert mann_kendall([1, 2, 3], [5, 5, 5]).p == 1
    with pytest.raises(Refused, match="a trend needs 3 days; there are 2"):
        mann_kendall([1, 2], [1, 2])


# ---- pairs


@pytest.mark.parametrize(("n", "m"), [(3, 4), (5, 5), (1, 6)])
def test_mann_whitney_of_few_values_is_exact(n, m):
    """Every way to deal the values out, counted."""
    values = np.random.default_rng(n).permutation(np.arange(n + m) * 1.5)
    a, b = values[:n], values[n:]
    u = sum(int(x > y) for x in a for y in b)
    every = [
        sum(int(values[i] > values[j]) for i in chosen for j in set(range(n + m)) - set(chosen))
        for chosen in itertools.combinations(range(n + m), n)
    ]
    tail = min(np.mean([each <= u for each in every]), np.mean([each >= u for each in every]))
    found = mann_whitney(a, b)
    assert (found.U, found.n_a, found.n_b) == (u, n, m)
    assert found.p == pytest.approx(min(1, 2 * tail), **EXACT)


def test_f_test_of_two_sets_is_the_square_of_t():
    a, b = np.array([1.0, 3, 2, 5]), np.array([4.0, 6, 8])
    t = stats.ttest_ind(a, b)
    found = one_way(a, b)
    assert (found.F, found.p) == pytest.approx((t.statistic**2, t.pvalue), **EXACT)
    assert (found.df_between, found.df_within) == (1, 5)


def test_welch_is_that_of_its_formula():
    a, b = np.array([1.0, 3, 2, 5]), np.array([4.0, 6, 18])
    va, vb = a.var(ddof=1) / 4, b.var(ddof=1) / 3
    df = (va + vb) ** 2 / (va**2 / 3 + vb**2 / 2)
    t = (a.mean() - b.mean()) / np.sqrt(va + vb)
    found = welch(a, b)
    assert (found.t, found.df, found.p) == pytest.approx((t, df, 2 * stats.t.sf(abs(t), df)), **EXACT)


def test_pairs_of_mice_are_tested_by_their_differences():
    before, after = np.array([0.5, 0.6, 0.4, 0.7]), np.array([0.2, 0.5, 0.3, 0.1])
    found, t = paired(before, after), stats.ttest_1samp(after - before, 0)
    assert (found.t, found.p, found.n) == pytest.approx((t.statistic, t.pvalue, 4), **EXACT)
    assert found.p_wilcoxon == pytest.approx(2 / 16)  # all four fall: 1 of 16 ways, on either side


def test_p_values_of_a_family_are_corrected_and_none_does_not_count():
    p = [0.01, None, 0.04, 0.03, 0.8]
    known = multipletests([0.01, 0.04, 0.03, 0.8], method="fdr_bh")[1]
    found = benjamini_hochberg(p)
    assert found[1] is None
    assert [found[i] for i in (0, 2, 3, 4)] == pytest.approx(list(known), **EXACT)
    assert benjamini_hochberg([None]) == [None]


@pytest.mark.parametrize(
    ("test", "a", "b", "reason"),
    [
        (mann_whitney, [], [1.0], "1 in each set are needed; there are 0 and 1"),
        (mann_whitney, [2.0, 2], [2.0], "all values are the same"),
        (one_way, [1.0], [1.0, 2], "2 in each set are needed"),
        (welch, [1.0, 1], [2.0, 2], "within the sets nothing varies"),
        (paired, [1.0], [2.0], "2 mice with both values are needed; there are 1"),
        (paired, [1.0, 2], [2.0, 3], "all mice differ by the same"),
    ],
)
def test_tests_of_two_sets_refuse_what_has_no_value(test, a, b, reason):
    with pytest.raises(Refused, match=reason):
        test(np.array(a), np.array(b))


# ---- lines and mixed models


def test_ols_is_that_of_statsmodels():
    days, values, _ = arrays(long(simulated(5, 6, 11, 0.3)))
    model = sm.OLS(values, sm.add_constant(days)).fit()
    found = ols(days, values)
    assert (found.intercept, found.slope) == pytest.approx(tuple(model.params), **EXACT)
    assert (found.se, found.p) == pytest.approx((model.bse[1], model.pvalues[1]), **EXACT)
    assert found.r == pytest.approx(np.corrcoef(days, values)[0, 1], **EXACT)
    assert slope(days, values) == pytest.approx(found.slope, **EXACT)
    assert np.isnan(slope(np.array([2.0]), np.array([1.0])))


@pytest.mark.parametrize("seed", range(3))
def test_the_mixed_model_is_that_of_the_formula(seed):
    table = long(simulated(8, 6, seed, 0.3, between=2)).drop(index=[3, 11, 30])
    found = mixed(*arrays(table))
    model = smf.mixedlm("value ~ day", table, groups=table["mouse"]).fit(reml=True, method="lbfgs")
    assert found.slope == pytest.approx(model.params["day"], rel=1e-5)
    assert found.se == pytest.approx(model.bse["day"], rel=1e-2)
    assert found.converged


def test_the_mixed_model_is_that_of_the_textbook():
    """Generalised least squares with the restricted likelihood, maximised over the ratio of the variances."""
    table = long(simulated(8, 6, 4, 0.3, between=2)).drop(index=[3, 11, 30])
    days, values, mice = arrays(table)
    x = np.column_stack([np.ones(len(days)), days])
    same = (mice[:, None] == mice[None, :]).astype(float)

    def fitted(ratio):
        v = np.linalg.inv(np.eye(len(days)) + ratio * same)
        inverse = np.linalg.inv(x.T @ v @ x)
        beta = inverse @ x.T @ v @ values
        rest = values - x @ beta
        variance = rest @ v @ rest / (len(days) - 2)
        sign = np.linalg.slogdet(v)[1] - np.linalg.slogdet(x.T @ v @ x)[1]
        return (len(days) - 2) * np.log(variance) - sign, beta[1], np.sqrt(variance * inverse[1, 1])

    best = min((fitted(ratio) for ratio in np.geomspace(0.5, 50, 300)), key=lambda each: each[0])
    found = mixed(days, values, mice)
    assert found.slope == pytest.approx(best[1], rel=1e-4)
    assert found.se == pytest.approx(best[2], rel=2e-2)


def test_where_lbfgs_meets_a_singular_matrix_another_optimiser_finds_the_same_and_says_so():
    """Mice that do not differ: their variance is 0, and the model is that of least squares."""
    for seed in range(200):
        table = long(simulated(4, 10, seed, 0.3, between=0))
        found = mixed(*arrays(table))
        if found.optimiser == "powell" and found.mouse_variance < 1e-6:
            break
    else:
        raise AssertionError("lbfgs fitted all of them")
    line = ols(*arrays(table)[:2])
    assert (found.slope, found.se) == pytest.approx((line.slope, line.se), rel=1e-3)
    assert found.converged


def test_interaction_is_the_difference_of_the_slopes():
    rising, flat = long(simulated(6, 8, 1, 1.0)), long(simulated(6, 8, 2, 0.0))
    table = pd.concat([flat, rising.assign(mouse=rising["mouse"] + "b")])
    second = np.repeat([False, True], len(flat))
    found = interaction(*arrays(table), second)
    difference = slope(*arrays(rising)[:2]) - slope(*arrays(flat)[:2])  # the same days in both: no weights differ
    assert found.slope == pytest.approx(difference, rel=1e-4)
    assert found.p < 1e-6


@pytest.mark.parametrize(
    ("days", "values", "mice", "reason"),
    [
        ([1.0, 2, 3, 4], [1.0, 2, 3, 5], ["a"] * 4, "4 of 1 mice on 4 days"),
        ([1.0, 1, 1, 1], [1.0, 2, 3, 5], ["a", "b"] * 2, "on 1 days"),
        ([1.0, 2, 1, 2], [1.0, 1, 1, 1], ["a", "a", "b", "b"], "all values are the same"),
    ],
)
def test_mixed_models_refuse_what_has_no_value(days, values, mice, reason):
    with pytest.raises(Refused, match=reason):
        mixed(np.array(days), np.array(values), np.array(mice))


# ---- divergence


def test_divergence_is_that_of_scipy_and_infinite_where_the_reference_is_empty():
    p, q = np.array([1.0, 4, 5, 0]), np.array([2.0, 2, 2, 4])
    assert kld(p, q) == pytest.approx(stats.entropy(p, q), **EXACT)
    assert kld(q, p) == np.inf
    assert kld(q, p, 0.5) == pytest.approx(stats.entropy(q + 0.5, p + 0.5), **EXACT)
    assert kld(p, p) == 0
    with pytest.raises(Refused, match="a histogram is empty"):
        kld(np.zeros(3), np.ones(3))


def test_infinite_divergences_are_counted():
    found = means([0.5, np.inf, 1.5, np.nan])
    assert found == (1.0, pytest.approx(2 / 3), 3, 1)
    assert means([np.inf]) == (None, 0.0, 1, 1)
    with pytest.raises(Refused):
        means([np.nan])


def test_a_histogram_counts_what_lies_outside():
    counts, outside = histogram(np.array([0.05, 0.15, 0.15, 5, -1, np.nan]), np.array([0, 0.1, 0.2]))
    assert (counts.tolist(), outside) == ([1, 2], 2)


# ---- without an effect


def assert_uniform(p):
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) < 0.05) < 0.1


@pytest.mark.parametrize(
    "p_of",
    [
        lambda values: rm_anova(values).p,
        lambda values: welch(*np.split(np.array([slope(np.arange(6.0), mouse) for mouse in values]), 2)).p,
        lambda values: ols(np.arange(6.0), values[0]).p,
    ],
    ids=["analysis of variance", "slopes of two groups", "line through a mouse"],
)
def test_without_an_effect_p_is_uniform(p_of):
    """Of 200 tables in which nothing happens; the test of Kolmogorov and Smirnov finds nothing."""
    assert_uniform([p_of(simulated(8, 6, seed)) for seed in range(200)])


def test_without_an_effect_p_of_the_mixed_model_is_uniform():
    assert_uniform([mixed(*arrays(long(simulated(8, 6, seed)))).p for seed in range(60)])


def test_with_an_effect_p_is_small():
    p = [rm_anova(simulated(8, 6, seed, trend=0.8)).p for seed in range(50)]
    assert np.median(p) < 1e-3
