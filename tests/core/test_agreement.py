import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from mifprofile.core.agreement import compare_calls, compare_counts, match_positions


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


def test_calls_beside_the_truth_and_the_best_threshold():
    truth = pd.DataFrame({"A": [True, True, False, False], "B": [False] * 4})
    called = pd.DataFrame({"A": [True, False, False, False], "B": [False] * 4})
    levels = pd.DataFrame({"A": [9.0, 5.0, 5.0, 1.0], "B": [1.0, 2.0, 3.0, 4.0]})
    table = compare_calls(truth, called, levels).set_index("marker")
    assert table.loc["A", ["true_pct", "called_pct"]].tolist() == [50, 25]
    assert table.loc["A", "kappa"] == pytest.approx(0.5)
    # Two cells share a level: no threshold parts them.
    assert table.loc["A", "best_kappa"] == pytest.approx(0.5)
    assert table.loc["B", ["kappa", "best_kappa"]].isna().all()


def test_kappa_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    truth, called = (pd.DataFrame({"A": rng.random(60) < 0.3}) for _ in range(2))
    levels = pd.DataFrame({"A": rng.normal(size=60) + truth["A"]})
    (row,) = compare_calls(truth, called, levels).to_dict("records")
    known = truth["A"]
    assert row["kappa"] == pytest.approx(cohen_kappa_score(known, called["A"]))
    best = max(cohen_kappa_score(known, levels["A"] > cut) for cut in levels["A"])
    assert row["best_kappa"] == pytest.approx(best)
