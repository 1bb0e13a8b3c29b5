import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from mifprofile.core.statistics import arm_effect
from mifprofile.core.statistics.robust import cluster_robust
from mifprofile.errors import UsageError


def trial(seed=0, n=24, effect=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    treated = np.arange(n) % 2 == 0
    true = rng.normal(5, 1, n) + shift * treated
    before = true + rng.normal(0, 0.7, n)
    after = 5 + 0.5 * (true - 5) + effect * treated + rng.normal(0, 0.7, n)
    return before, after, treated


@pytest.mark.parametrize("outcome", ["after", "change"])
def test_analysis_of_covariance_as_by_formula(outcome):
    before, after, treated = trial()
    sites = np.array(["liver", "lung", "skin"])[np.arange(24) % 3]
    table = pd.DataFrame(
        {"before": before, "after": after, "arm": treated * 1.0, "site": sites}
    )
    table["change"] = table["after"] - table["before"]
    model = smf.ols(f"{outcome} ~ arm + before + C(site)", table)
    expected = model.fit(cov_type="HC3", use_t=True)
    found = arm_effect(before, after, treated, "log2 density", sites=sites)
    assert found.estimate == pytest.approx(expected.params["arm"])
    assert found.p_value == pytest.approx(expected.pvalues["arm"])
    np.testing.assert_allclose([found.low, found.high], expected.conf_int().loc["arm"])
    assert (found.n_patients, found.n_missing) == (24, 0)
    assert "not compared" in found.note


def test_regression_to_the_mean_is_no_effect():
    """Arms are dealt by the value before: changes differ, adjusted ones do not."""
    rng = np.random.default_rng(3)
    naive, adjusted = [], []
    for _ in range(200):
        true = rng.normal(5, 1, 40)
        before, after = true + rng.normal(0, 1, (2, 40))
        treated = before + rng.normal(0, 0.5, 40) < 5
        change = after - before
        naive.append(change[treated].mean() - change[~treated].mean())
        adjusted.append(arm_effect(before, after, treated, "x").estimate)
    assert np.mean(naive) > 0.8
    assert abs(np.mean(adjusted)) < 0.1


def test_the_interval_of_an_arm_covers():
    runs = [arm_effect(*trial(seed, n=12), "x") for seed in range(400)]
    covered = np.mean([run.low <= 1 <= run.high for run in runs])
    assert 0.92 < covered < 0.985


@pytest.mark.parametrize(
    ("treated", "says"),
    [
        ([0] * 8, "one arm has no patient"),
        ([1] * 8, "one arm has no patient"),
        ([1, 1] + [0] * 6, "each arm needs 3"),
        ([1] * 3 + [0] * 2, "each arm needs 3"),
    ],
)
def test_arms_too_small_say_so(treated, says):
    values = np.arange(len(treated)) ** 1.5
    found = arm_effect(values, values[::-1], treated, "x")
    assert says in found.reason
    assert np.isnan([found.estimate, found.low, found.p_value]).all()


def test_all_missing_after():
    found = arm_effect(np.ones(6), np.full(6, np.nan), [1, 1, 1, 0, 0, 0], "x")
    assert "no patient with both times" in found.reason
    assert (found.n_patients, found.n_missing) == (0, 6)


def test_what_cannot_be_told_apart():
    before, after, treated = trial(n=12)
    sites = np.where(treated, "liver", "lung")
    found = arm_effect(before, after, treated, "x", sites=sites)
    assert "cannot be told apart" in found.reason
    many = np.array(["a", "b", "c", "d"])[np.arange(8) // 2]
    few = arm_effect(before[:8], after[:8], treated[:8], "x", sites=many)
    assert "needs 9" in few.reason
    same = arm_effect(np.ones(8), np.ones(8), treated[:8], "x")
    assert "all changes are equal" in same.reason


def test_the_only_patient_of_a_site_is_left_out():
    before, after, treated = trial(n=12)
    found = arm_effect(before, after, treated, "x", sites=["liver"] * 11 + ["bone"])
    rest = arm_effect(before[:-1], after[:-1], treated[:-1], "x")
    assert found.estimate == pytest.approx(rest.estimate)
    assert found.low == pytest.approx(rest.low)
    assert "1 patients left out" in found.note


def test_lengths_that_differ():
    with pytest.raises(UsageError, match="per patient"):
        arm_effect([1, 2], [1], [1, 0], "x")


def test_cluster_errors_of_one_mean_are_students():
    values = np.random.default_rng(0).normal(1, 1, 9)
    found = cluster_robust(np.ones((9, 1)), values, np.arange(9), column=0)
    expected = stats.ttest_1samp(values, 0)
    assert found.freedom == pytest.approx(8)
    assert found.p_value == pytest.approx(expected.pvalue)
    np.testing.assert_allclose(found.limits(0.95), expected.confidence_interval())


def test_cluster_errors_of_two_means_are_welchs():
    """The freedom is Welch's at equal variances, by hand."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, 5), rng.normal(0, 1, 12)
    design = np.column_stack([np.ones(17), np.repeat([0.0, 1.0], [5, 12])])
    found = cluster_robust(design, np.r_[x, y], np.arange(17), column=1)
    assert found.error == pytest.approx(np.hypot(stats.sem(x), stats.sem(y)))
    freedom = (1 / 5 + 1 / 12) ** 2 / (1 / (25 * 4) + 1 / (144 * 11))
    assert found.freedom == pytest.approx(freedom)


def test_mice_of_a_cage_are_not_independent():
    """Cages share what is not the arm: by mouse too many are found, by cage not."""
    rng = np.random.default_rng(8)
    by_mouse = by_cage = 0
    cages = np.repeat(np.arange(10), 4)
    treated = cages % 2 == 0
    for _ in range(300):
        before = rng.normal(5, 1, 40)
        after = before + rng.normal(0, 1, 10)[cages] + rng.normal(0, 0.5, 40)
        by_mouse += arm_effect(before, after, treated, "x").p_value <= 0.05
        by_cage += (
            arm_effect(before, after, treated, "x", clusters=cages).p_value <= 0.05
        )
    assert by_mouse / 300 > 0.15
    assert by_cage / 300 < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
    few = arm_effect(before[:8], after[:8], treated[:8], "x", clusters=cages[:8])
    assert "fewer than 6 clusters" in few.reason
