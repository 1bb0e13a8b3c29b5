from itertools import product

import numpy as np
import pytest
from scipy import stats

from mifprofile.core.statistics import loss, transitions
from mifprofile.core.statistics.transitions import symmetry_p
from mifprofile.errors import UsageError

CLASSES = ("inflamed", "excluded", "desert")


def test_classes_are_crossed():
    before = ["inflamed", "inflamed", "desert", None, "excluded"]
    after = ["desert", "inflamed", "desert", "desert", np.nan]
    found = transitions(before, after, CLASSES)
    assert found.table.to_numpy().tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert (found.n_patients, found.n_missing) == (3, 2)
    assert found.estimate == pytest.approx(1 / 3)
    assert found.p_value == 1
    assert found.flows.to_numpy().tolist() == [
        ["inflamed", "inflamed", 1],
        ["inflamed", "desert", 1],
        ["desert", "desert", 1],
    ]


def test_two_classes_are_mcnemars():
    table = np.array([[10, 9], [2, 5]])
    assert symmetry_p(table) == pytest.approx(stats.binomtest(2, 11).pvalue)
    from statsmodels.stats.contingency_tables import mcnemar

    assert symmetry_p(table) == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_three_classes_by_all_ways_to_move():
    table = np.array([[3, 4, 2], [1, 2, 0], [0, 3, 1]])
    pairs = [(4, 1), (2, 0), (0, 3)]
    seen = sum((a - b) ** 2 / (a + b) for a, b in pairs)
    p_value = 0.0
    for ways in product(*(range(a + b + 1) for a, b in pairs)):
        sizes = [a + b for a, b in pairs]
        chi2 = sum((2 * w - n) ** 2 / n for w, n in zip(ways, sizes, strict=True))
        chance = np.prod(
            [stats.binom.pmf(w, n, 0.5) for w, n in zip(ways, sizes, strict=True)]
        )
        p_value += chance * (chi2 >= seen - 1e-9)
    assert symmetry_p(table) == pytest.approx(p_value)


def test_many_movers_as_bowkers():
    table = np.array([[20, 40, 30], [25, 20, 22], [30, 35, 20]])
    from statsmodels.stats.contingency_tables import SquareTable

    expected = SquareTable(table, shift_zeros=False).symmetry().pvalue
    assert symmetry_p(table) == pytest.approx(expected, abs=0.02)


def test_nobody_moved_or_was_seen():
    still = transitions(["desert"] * 3, ["desert"] * 3, CLASSES)
    assert "no patient changed class" in still.reason
    assert (still.estimate, still.low) == (0, 0)
    assert "no patient with a class" in transitions([None], [None], CLASSES).reason
    with pytest.raises(UsageError, match="no class hot"):
        transitions(["hot"], ["desert"], CLASSES)
    with pytest.raises(UsageError, match="per patient"):
        transitions(["desert"], [], CLASSES)


def test_loss_of_her2():
    """8 of 10 positive keep it, 2 lose it, nobody gains: Clopper–Pearson by scipy."""
    before = [1] * 10 + [0] * 5 + [1, np.nan]
    after = [1] * 8 + [0] * 2 + [0] * 5 + [np.nan, 1]
    found = loss(before, after, "HER2")
    assert (found.estimate, found.n_patients, found.n_missing) == (0.2, 10, 2)
    limits = stats.beta.ppf([0.025, 0.975], [2, 3], [9, 8])
    np.testing.assert_allclose([found.low, found.high], limits)
    assert found.p_value == 0.5
    assert found.note == "2 lost, 0 gained"


def test_nothing_to_lose():
    found = loss([0, 0], [0, 1], "HER2")
    assert found.reason == "no patient with HER2 before"
    assert np.isnan(found.estimate)
    gone = loss([1, 1], [np.nan, np.nan], "HER2")
    assert (gone.n_patients, gone.n_missing) == (0, 2)
    assert "nothing to test" in gone.note
    with pytest.raises(UsageError, match="per patient"):
        loss([1], [1, 0], "HER2")
