import numpy as np
import pytest
from scipy import stats

from mifprofile.core.statistics import associate
from mifprofile.errors import UsageError


def test_few_patients_by_all_orders():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6))
    found = associate(x, y, "a and b")
    expected = stats.permutation_test(
        (x,), lambda v: stats.spearmanr(v, y).statistic, permutation_type="pairings"
    )
    assert found.estimate == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_many_patients_by_random_orders():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 8, 40)
    y = x + rng.normal(0, 8, 40)
    found = associate(x, y, "a and b", seed=2)
    expected = stats.spearmanr(x, y)
    assert found.estimate == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)
    assert associate(x, y, "a and b", seed=2).p_value == found.p_value


def test_the_interval_covers():
    """Bivariate normal with r 0.6: Spearman's is 6/π · asin(r/2) = 0.5817."""
    rng = np.random.default_rng(3)
    true = 6 / np.pi * np.arcsin(0.3)
    runs = []
    for _ in range(300):
        x, z = rng.normal(size=(2, 25))
        runs.append(associate(x, 0.6 * x + 0.8 * z, "a"))
    assert 0.92 < np.mean([r.low <= true <= r.high for r in runs]) < 0.985


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        ([1, 2], [1, 2], "2 patients with both"),
        ([1] * 6, range(6), "are equal"),
        (range(6), range(6), "agree wholly"),
        ([np.nan] * 6, range(6), "0 patients"),
    ],
)
def test_what_has_no_interval_says_why(x, y, says):
    found = associate(list(x), list(y), "a and b")
    assert says in found.reason
    assert np.isnan(found.low)


def test_patients_without_a_value_are_counted():
    found = associate([1, 2, 3, 4, 9, np.nan], [2, 1, 5, 3, 4, 7], "a")
    assert (found.n_patients, found.n_missing) == (5, 1)
    with pytest.raises(UsageError, match="per patient"):
        associate([1], [1, 2], "a")
