from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from mifprofile.core.statistics import auroc, leave_one_out, mann_whitney, sign_flips
from mifprofile.core.statistics.paired import paired_difference
from mifprofile.core.statistics.response import rank_sum_null
from mifprofile.errors import UsageError


@pytest.mark.parametrize(("n_pos", "n_neg"), [(1, 1), (2, 3), (4, 4), (5, 2)])
def test_null_of_the_rank_sum_by_dealing_out_all_groups(n_pos, n_neg):
    ranks = range(n_pos + n_neg)
    sums = [sum(order[:n_pos]) for order in permutations(ranks)]
    u = np.array(sums) - n_pos * (n_pos - 1) // 2
    by_hand = np.bincount(u, minlength=n_pos * n_neg + 1) / len(u)
    np.testing.assert_allclose(rank_sum_null(n_pos, n_neg), by_hand)


def test_shift_as_in_the_textbook():
    """Hollander and Wolfe, example 4.1: permeability at term against earlier.

    Published: estimate 0.305 and one-sided p 0.1272; 10 against 5.
    """
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    labels = np.repeat([True, False], [len(x), len(y)])
    found = mann_whitney([*x, *y], labels, "permeability")
    assert found.estimate == pytest.approx(0.305)
    assert found.p_value == pytest.approx(0.2544, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-0.15, 0.76))
    assert (found.n_positive, found.n_negative) == (10, 5)


def test_the_interval_of_the_shift_inverts_the_test():
    rng = np.random.default_rng(1)
    x, y = rng.normal(1, 1, 8), rng.normal(0, 1, 7)
    found = mann_whitney([*x, *y], [1] * 8 + [0] * 7, "x")
    step = 1e-7
    for shift, rejected in (
        (found.low - step, True),
        (found.low + step, False),
        (found.high - step, False),
        (found.high + step, True),
    ):
        p_value = stats.mannwhitneyu(x - shift, y, method="exact").pvalue
        assert (p_value <= 0.05) == rejected


def test_tied_values_by_all_groups_as_scipy():
    x, y = [1, 2, 2, 5], [2, 3, 5, 5, 7]
    found = mann_whitney([*x, *y], [1] * 4 + [0] * 5, "x")
    by_scipy = stats.mannwhitneyu(x, y, method=stats.PermutationMethod())
    assert found.p_value == pytest.approx(by_scipy.pvalue)
    assert "permutation" in found.test
    assert auroc([*x, *y], [1] * 4 + [0] * 5).p_value == found.p_value


def test_many_tied_values_by_random_groups():
    rng = np.random.default_rng(0)
    values, labels = rng.integers(0, 5, 60), rng.random(60) < 0.5
    found = mann_whitney(values, labels, "x", seed=3)
    likely = stats.mannwhitneyu(values[labels], values[~labels]).pvalue
    assert found.p_value == pytest.approx(likely, abs=0.02)


@pytest.mark.parametrize(
    ("values", "labels", "says"),
    [
        ([1, 2], [1, 0], "1 against 1 are too few"),
        ([1, 2], [1, 1], "no patient"),
        ([np.nan, 2], [1, 0], "no patient"),
    ],
)
def test_groups_too_small_say_so(values, labels, says):
    found = mann_whitney(values, labels, "x")
    assert np.isnan(found.low)
    assert says in found.reason


def test_equal_values_have_no_shift():
    found = mann_whitney(np.ones(10), [1] * 5 + [0] * 5, "x")
    assert (found.estimate, found.p_value) == (0, 1)


def test_mean_change_by_sign_flips():
    """Six changes of one sign: p 2/2⁶, limits are the least and the greatest one."""
    changes = np.array([0.1, 0.5, 0.2, 0.9, 1.4, 0.7])
    found = sign_flips(changes, "x")
    assert found.p_value == 2 / 64
    assert (found.low, found.high) == pytest.approx((0.1, 1.4))
    assert found.estimate == pytest.approx(changes.mean())


def test_the_interval_of_sign_flips_inverts_the_test():
    changes = np.random.default_rng(4).normal(0.3, 1, 10)
    found = sign_flips(changes, "x")
    for shift, rejected in (
        (found.low - 1e-6, True),
        (found.low + 1e-6, False),
        (found.high - 1e-6, False),
        (found.high + 1e-6, True),
    ):
        assert (sign_flips(changes - shift, "x").p_value <= 0.05) == rejected


def test_sign_flips_of_many_are_close_to_the_t_test():
    changes = np.random.default_rng(4).normal(0.3, 1, 40)
    found = sign_flips(changes, "x")
    expected = stats.ttest_1samp(changes, 0)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)
    limits = expected.confidence_interval()
    np.testing.assert_allclose([found.low, found.high], limits, atol=0.05)


def test_sign_flips_without_and_with_few_pairs():
    assert sign_flips([np.nan], "x").reason == "no patient with both times"
    two = sign_flips([1, 2, np.nan], "x")
    assert (two.n_pairs, two.n_missing, two.p_value) == (2, 1, 0.5)
    assert "2 pairs are too few" in two.reason


def test_a_patient_left_out():
    found = leave_one_out([1, 1, 1, 1, 9])
    assert (found.low, found.high, found.weightiest) == (1, 1, 0)
    found = leave_one_out([0.0, 1.0, 10.0])
    assert (found.low, found.high, found.weightiest) == (0.5, 5.5, 0)
    assert "left out" in leave_one_out([1.0]).reason


def test_difference_of_any_value():
    found = paired_difference([10, 20, np.nan], [30, 20, 1], "H-score")
    assert found.changes.tolist() == [20, 0]
    assert (found.what, found.n_missing, found.n_patients) == ("H-score", 1, 2)
    with pytest.raises(UsageError, match="give"):
        paired_difference([1], [1, 2], "x")
