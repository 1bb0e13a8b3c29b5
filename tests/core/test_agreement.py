import numpy as np
import pandas as pd
import pytest

from mifprofile.core.agreement import compare_counts, match_positions


def test_the_closest_pair_first_and_each_once():
    known = np.array([[0.0, 0.0], [10.0, 0.0]])
    found = np.array([[1.0, 0.0], [0.5, 0.0], [50.0, 0.0]])
    pairs = match_positions(known, found, 3.0)
    assert pairs.known.tolist() == [0]
    assert pairs.found.tolist() == [1]
    assert (pairs.recall, pairs.extra) == pytest.approx((1 / 2, 2 / 3))
    assert pairs.f1 == pytest.approx(2 / 5)


def test_nothing_found_is_no_error():
    pairs = match_positions(np.zeros((3, 2)), np.empty((0, 2)), 3.0)
    assert pairs.recall == 0
    assert np.isnan(pairs.extra)


def test_counts_and_densities_beside_the_truth():
    truth = pd.Series(["a"] * 10 + ["b"] * 4)
    found = pd.Series(["a"] * 11)
    table = compare_counts(truth, found, (2.0, 2.2), ["a", "b", "c"]).set_index(
        "phenotype"
    )
    assert table.loc["a", "count_error_pct"] == pytest.approx(10)
    assert table.loc["a", "density_error_pct"] == pytest.approx(0)
    assert table.loc["b", "count_error_pct"] == -100
    assert np.isnan(table.loc["c", "count_error_pct"])
