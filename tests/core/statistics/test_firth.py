import numpy as np
import pytest
from scipy import stats

from mifprofile.core.statistics import firth_logistic
from mifprofile.core.statistics.firth import firth_fit
from mifprofile.errors import UsageError


def table_of(a, b, c, d):
    """Patients of a 2 × 2 table: exposed cases, exposed others, others' the same."""
    exposed = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return exposed, np.repeat([1, 0, 1, 0], [a, b, c, d])


@pytest.mark.parametrize("cells", [(7, 3, 4, 9), (5, 0, 3, 8), (6, 0, 0, 6)])
def test_one_binary_value_by_hand(cells):
    """A saturated model's penalty adds half a patient to every cell (Firth 1993)."""
    a, b, c, d = np.array(cells) + 0.5
    found = firth_logistic(*table_of(*cells), "exposure")
    assert found.estimate == pytest.approx(a * d / (b * c))
    assert found.low < found.estimate < found.high
    assert np.isfinite(found.high)


def test_the_fit_is_the_top_of_the_penalised_likelihood():
    rng = np.random.default_rng(1)
    design = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    truth = (rng.random(30) < 0.4).astype(float)
    fit = firth_fit(design, truth)

    def penalised(beta):
        p = 1 / (1 + np.exp(-design @ beta))
        information = design.T @ (design * (p * (1 - p))[:, None])
        return (
            np.sum(stats.bernoulli.logpmf(truth, p))
            + np.log(np.linalg.det(information)) / 2
        )

    assert fit.log_likelihood == pytest.approx(penalised(fit.coefficients))
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 1e-3:
        assert penalised(fit.coefficients + step) < fit.log_likelihood


def test_the_interval_is_where_the_likelihood_falls_by_its_cut():
    rng = np.random.default_rng(2)
    values = rng.normal(size=25)
    truth = (rng.random(25) < 1 / (1 + np.exp(-values))).astype(float)
    found = firth_logistic(values, truth, "x")
    design = np.column_stack([np.ones(25), values])
    top = firth_fit(design, truth).log_likelihood
    for limit in (found.low, found.high):
        held = firth_fit(design, truth, (1, np.log(limit))).log_likelihood
        assert 2 * (top - held) == pytest.approx(stats.chi2.ppf(0.95, 1))
    null = firth_fit(design, truth, (1, 0.0)).log_likelihood
    assert found.p_value == pytest.approx(stats.chi2.sf(2 * (top - null), 1))


def test_many_patients_as_without_a_penalty():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    values, age = rng.normal(size=(2, 3000))
    truth = rng.random(3000) < 1 / (1 + np.exp(-0.5 * values + 0.3 * age))
    found = firth_logistic(values, truth, "x", covariates=age)
    design = np.column_stack([np.ones(3000), values, age])
    expected = sm.Logit(truth * 1.0, design).fit(disp=False)
    assert np.log(found.estimate) == pytest.approx(expected.params[1], abs=2e-3)
    limits = expected.conf_int()[1]
    np.testing.assert_allclose(np.log([found.low, found.high]), limits, atol=5e-3)


def test_complete_separation_has_a_finite_answer():
    found = firth_logistic(np.arange(10.0), np.arange(10) > 4, "log2 density")
    assert 1 < found.low < found.estimate < found.high < np.inf
    assert found.p_value < 0.05
    assert "fewer than 10" in found.note


@pytest.mark.parametrize(
    ("values", "labels", "says"),
    [
        ([1, 2, 3, 4], [1, 0, 0, 0], "1 positives and 3 others"),
        ([1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], "all values are equal"),
        ([1, 2], [1, 0], "each group needs 3"),
        ([], [], "each group needs 3"),
    ],
)
def test_what_cannot_be_fitted_says_so(values, labels, says):
    found = firth_logistic(values, labels, "x")
    assert says in found.reason
    assert np.isnan([found.estimate, found.low, found.p_value]).all()


def test_covariates_that_are_the_value_again():
    values = np.arange(8.0)
    labels = [0, 1, 0, 0, 1, 0, 1, 1]
    found = firth_logistic(values, labels, "x", covariates=2 * values)
    assert "same as another" in found.reason


def test_patients_without_a_value_are_counted():
    values = np.array([1, 2, np.nan, 4, 3, 6, 7.0])
    found = firth_logistic(values, [0, 0, 1, 0, 1, 1, 1], "x")
    assert (found.n_patients, found.n_missing, found.n_positive) == (6, 1, 3)
    with pytest.raises(UsageError, match="label"):
        firth_logistic([1], [2], "x")
    with pytest.raises(UsageError, match="give"):
        firth_logistic([1, 2], [0], "x")
