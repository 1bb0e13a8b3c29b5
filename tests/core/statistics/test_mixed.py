import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from mifprofile.core.statistics import (
    CountModel,
    beta_binomial,
    lognormal_mixed,
    negative_binomial,
)
from mifprofile.core.statistics.mixed import beta_binomial_loss
from mifprofile.errors import UsageError
from mifprofile.synthetic.trial import TrialOptions, synthetic_trial

TIMES = ("baseline", "on_tx")
MODELS = (lognormal_mixed, negative_binomial, beta_binomial)


def fields(seed=0, arm="treated", **options):
    trial = synthetic_trial(
        TrialOptions(**{"median_pfs_days": 1e5, **options}), seed=seed
    )
    table = trial.fields.query("phenotype == 'CD8'")
    return table if arm is None else table[table["arm"] == arm]


def test_the_mixed_model_as_statsmodels():
    from statsmodels.regression.mixed_linear_model import MixedLM

    table = fields(patients_per_arm=10).assign(
        y=lambda t: np.log2((t["n_num"] + 0.5) / t["area_mm2"]),
        later=lambda t: (t["timepoint"] == "on_tx") * 1.0,
    )
    expected = MixedLM.from_formula(
        "y ~ later",
        table,
        groups="patient_id",
        re_formula="1",
        vc_formula={"biopsy": "0 + C(later)"},
    ).fit(reml=True)
    found = lognormal_mixed(table, *TIMES, "CD8 density")
    assert found.estimate == pytest.approx(expected.fe_params["later"], abs=1e-4)
    assert (found.n_patients, found.n_pairs, found.reason) == (10, 10, "")


def test_whole_pairs_of_one_row_are_the_paired_t_test():
    """Balanced, a row per biopsy: CR2 with Satterthwaite is Student's paired t."""
    table = fields(patients_per_arm=9, n_fields=1)
    found = lognormal_mixed(table, *TIMES, "CD8 density")
    wide = table.pivot(index="patient_id", columns="timepoint", values="n_num")
    change = np.log2(wide["on_tx"] + 0.5) - np.log2(wide["baseline"] + 0.5)
    expected = stats.ttest_1samp(change, 0)
    assert found.estimate == pytest.approx(change.mean(), abs=1e-5)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-3)
    limits = expected.confidence_interval()
    np.testing.assert_allclose([found.low, found.high], limits, rtol=1e-3)


def test_counts_as_statsmodels():
    import statsmodels.api as sm

    table = fields(patients_per_arm=10).sort_values("patient_id")
    found = negative_binomial(table, *TIMES, "CD8 density")
    later = (table["timepoint"] == "on_tx").to_numpy(float)
    design = np.column_stack([np.ones(len(later)), later])
    offset = np.log(table["area_mm2"].to_numpy())
    counts = table["n_num"].to_numpy(float)
    mean = sm.GLM(counts, design, sm.families.Poisson(), offset=offset).fit().mu
    alpha = ((counts - mean) ** 2 - mean).sum() / (mean**2).sum()
    expected = sm.GEE(
        counts,
        design,
        table["patient_id"].to_numpy(),
        family=sm.families.NegativeBinomial(alpha=alpha),
        offset=offset,
    ).fit()
    assert found.estimate == pytest.approx(expected.params[1] / np.log(2), rel=1e-6)
    assert found.low < found.estimate < found.high


def test_the_limits_of_counts_are_where_the_test_rejects():
    table = fields(seed=3, patients_per_arm=10)
    found = negative_binomial(table, *TIMES, "CD8 density")
    for limit, inward in ((found.low, 0.01), (found.high, -0.01)):
        for shift, rejected in ((-inward, True), (inward, False)):
            later = table["timepoint"] == "on_tx"
            scale = np.where(later, 2.0 ** (limit + shift), 1.0)
            moved = table.assign(area_mm2=table["area_mm2"] * scale)
            again = negative_binomial(moved, *TIMES, "CD8 density")
            assert (again.p_value <= 0.05) == rejected


def test_a_few_dense_tumours_do_not_make_an_effect():
    """No change, patients of SD 1 on log₂: sandwich errors reject too often."""
    rejected = []
    model = CountModel(between_changes=0)
    for seed in range(120):
        none = {"treated": 0.0}
        table = fields(seed, patients_per_arm=10, changes=none, counts=model)
        rejected.append(negative_binomial(table, *TIMES, "x").p_value <= 0.05)
    assert np.mean(rejected) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 120)


def test_the_beta_binomial_likelihood_is_scipys():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(12), np.arange(12) % 2])
    cells = rng.integers(50, 200, 12)
    positive = rng.binomial(cells, 0.3)
    at = np.array([-0.7, 0.2, 2.1])
    p = 1 / (1 + np.exp(-design @ at[:-1]))
    a, b = p * np.exp(at[-1]), (1 - p) * np.exp(at[-1])
    loss, gradient = beta_binomial_loss(at, design, positive, cells)
    constant = stats.betabinom.logpmf(positive, cells, a, b).sum() + loss
    other = beta_binomial_loss(at + 0.1, design, positive, cells)[0]
    p = 1 / (1 + np.exp(-design @ (at[:-1] + 0.1)))
    k = np.exp(at[-1] + 0.1)
    again = stats.betabinom.logpmf(positive, cells, p * k, (1 - p) * k).sum() + other
    assert constant == pytest.approx(again)
    numeric = optimize.approx_fprime(
        at, lambda x: beta_binomial_loss(x, design, positive, cells)[0], 1e-6
    )
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4)


def test_a_share_without_overdispersion_is_the_odds_ratio():
    """One share before and after in all patients: the pooled odds ratio, by hand."""
    rows = [
        (f"P{nth}", time, positive, 1000)
        for nth in range(8)
        for time, positive in (("baseline", 200), ("on_tx", 400))
    ]
    table = pd.DataFrame(rows, columns=["patient_id", "timepoint", "n_num", "n_den"])
    found = beta_binomial(table, *TIMES, "share")
    assert "change alike" in found.reason
    table["n_num"] += np.tile([5, -5, -5, 5], 4)
    found = beta_binomial(table, *TIMES, "share")
    assert found.estimate == pytest.approx(np.log2((4 / 6) / (2 / 8)), abs=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_arms_are_compared_by_their_change(model):
    table = fields(arm=None, patients_per_arm=30, changes={"a": 0.5, "b": 2.0})
    found = model(table, *TIMES, "CD8", reference="a")
    assert found.low < 1.5 < found.high
    assert found.p_value < 0.01
    assert "b against a" in found.what


@pytest.mark.parametrize("model", MODELS)
def test_what_cannot_be_fitted_says_why(model):
    two = fields(patients_per_arm=2)
    assert "2 patients with both times" in model(two, *TIMES, "x").reason
    table = fields(patients_per_arm=8)
    gone = table.assign(n_num=table["n_num"].where(table["timepoint"] == "baseline"))
    assert "0 patients with both times" in model(gone, *TIMES, "x").reason
    none = table.assign(n_num=0)
    assert model(none, *TIMES, "x").reason
    with pytest.raises(UsageError, match="no column n_num"):
        model(table.drop(columns="n_num"), *TIMES, "x")
    with pytest.raises(UsageError, match="one arm beside"):
        model(table, *TIMES, "x", reference="treated")
    few = fields(arm=None, patients_per_arm=8)
    few = few[
        (few["arm"] == "control")
        | few["patient_id"].isin(
            few.query("arm == 'treated'")["patient_id"].unique()[:2]
        )
    ]
    assert "an arm has 2 pairs" in model(few, *TIMES, "x", reference="control").reason


@pytest.mark.parametrize("model", MODELS)
def test_patients_who_lack_a_time_are_counted(model):
    table = fields(patients_per_arm=9)
    one = table["patient_id"].iloc[0]
    kept = table[(table["patient_id"] != one) | (table["timepoint"] == "baseline")]
    found = model(kept, *TIMES, "x")
    assert (found.n_patients, found.n_pairs, found.n_missing) == (9, 8, 1)


@pytest.mark.parametrize("model", MODELS)
def test_site_is_adjusted_for(model):
    table = fields(patients_per_arm=12)
    sites = dict(zip(table["patient_id"].unique(), ["a", "b", "c"] * 4, strict=True))
    table = table.assign(site=table["patient_id"].map(sites))
    found = model(table, *TIMES, "x", site="site")
    assert found.low < found.estimate < found.high
    apart = table.assign(site=table["timepoint"])
    assert "told apart" in model(apart, *TIMES, "x", site="site").reason
