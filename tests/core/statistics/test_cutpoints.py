import numpy as np
import pytest

from mifprofile.core.statistics import OPTIMAL_CUT_REFUSED, resampled_cut


def test_a_cut_of_noise_is_a_guess():
    """The cut that fits best looks good on its own patients, not on others."""
    rng = np.random.default_rng(0)
    apparent, left_out = [], []
    labels = np.repeat([True, False], 12)
    for _ in range(60):
        values = rng.normal(size=24)
        cuts = np.sort(values)
        youden = [
            values[labels].__gt__(c).mean() - values[~labels].__gt__(c).mean()
            for c in cuts
        ]
        apparent.append((1 + np.abs(youden).max()) / 2)
        left_out.append(resampled_cut(values, labels, "x").estimate)
    assert np.mean(apparent) > 0.65
    assert np.mean(left_out) < 0.55
    assert "not there" in OPTIMAL_CUT_REFUSED


def test_a_cut_that_is_there_is_found_either_way():
    values = np.arange(20.0)
    for labels in (values > 9, values < 10):
        found = resampled_cut(values, labels, "x")
        assert found.estimate > 0.9


@pytest.mark.parametrize(("n", "says"), [(4, "4 positives and 4 others"), (0, "0 pos")])
def test_too_few(n, says):
    found = resampled_cut(np.arange(2 * n), [1] * n + [0] * n, "x")
    assert says in found.reason


def test_equal_values_are_a_guess():
    found = resampled_cut(np.ones(12), [1] * 6 + [0] * 6, "x")
    assert found.estimate == 0.5
