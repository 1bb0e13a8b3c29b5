import numpy as np
import pytest

from mifprofile.core.spatial import Pattern, Window, diversity, shannon_bits


def in_a_row(types):
    x = 5 + 10 * np.arange(len(types))
    window = Window(np.ones((10, 500), bool), 1.0)
    return Pattern.of(x, [5] * len(types), types, 3, window)


def test_bits():
    assert shannon_bits(np.array([5, 5])) == 1
    assert shannon_bits(np.array([[1, 1, 1, 1], [7, 0, 0, 0]])).tolist() == [2, 0]
    assert np.isnan(shannon_bits(np.array([0, 0])))


def test_types_apart_are_less_diverse_around_than_over_all():
    found = diversity(in_a_row([0, 0, 1, 1]), 10.0, min_cells=1)
    third = -(2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3))
    assert found.overall_bits == 1
    assert found.local_mean_bits == pytest.approx((0 + third + third + 0) / 4)
    assert found.local_median_bits == pytest.approx(third / 2)
    assert (found.n_cells, found.n_types) == (4, 2)


@pytest.mark.parametrize("types", [[], [1]])
def test_too_few_cells_have_a_reason(types):
    found = diversity(in_a_row(types))
    assert np.isnan([found.overall_bits, found.local_mean_bits]).all()
    assert found.reason == f"{len(types)} cells, fewer than 20"
