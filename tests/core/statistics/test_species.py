import numpy as np
import pytest
from scipy import stats

from mifprofile.core.landscape.metrics import METRICS as KNOWN
from mifprofile.core.statistics import comparable, concordance, hedges_g
from mifprofile.core.statistics.species import METRICS


def test_metrics_of_the_map_are_the_landscapes():
    assert {c.human for c in METRICS} <= set(KNOWN)


@pytest.mark.parametrize(
    ("asked", "comparison", "says"),
    [
        (("log2_ratio", "CD8", "FOXP3"), "as is", ""),
        (("pct_positive", "CD68", "PD-L1"), "direction", "other macrophages"),
        (("density", "CD8"), "direction", "denser"),
        (("density", "HER2"), "direction", "doxycycline"),
        (("pdl1_cps",), "no", "human tumours"),
        (("density", "CD99"), "no", "CD99: no counterpart"),
    ],
)
def test_what_may_be_compared(asked, comparison, says):
    found, why = comparable(*asked)
    assert found == comparison
    assert says in why


def test_hedges_g_of_two_groups_by_hand():
    """Means 3 and 1, both SD 1, 4 against 4: d 2, times 1 − 3/(4·6 − 1)."""
    spread = np.array([-1, 1, -1, 1]) * np.sqrt(3) / 2
    found = hedges_g(3 + spread, "x", controls=1 + spread)
    assert found.estimate == pytest.approx(2 * (1 - 3 / 23))
    expected = stats.ttest_ind(3 + spread, 1 + spread)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.low < found.estimate < found.high


def test_hedges_g_of_changes():
    changes = np.array([0.2, 1.4, 0.9, np.nan, -0.1, 0.8])
    found = hedges_g(changes, "x")
    known = changes[~np.isnan(changes)]
    d = known.mean() / known.std(ddof=1)
    assert found.estimate == pytest.approx(d * (1 - 3 / 15))
    assert found.p_value == pytest.approx(stats.ttest_1samp(known, 0).pvalue)
    assert (found.n_patients, found.n_missing) == (5, 1)


def test_the_interval_of_g_covers():
    rng = np.random.default_rng(0)
    runs = [
        hedges_g(rng.normal(0.8, 1, 10), "x", controls=rng.normal(0, 1, 8))
        for _ in range(300)
    ]
    assert 0.92 < np.mean([r.low <= 0.8 <= r.high for r in runs]) < 0.985
    assert np.mean([r.estimate for r in runs]) == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize(
    ("changes", "controls", "says"),
    [
        ([1, 2], None, "2 values are too few"),
        ([1, 2, 3], [1], "3 against 1"),
        ([1, 1, 1], None, "all values are equal"),
        ([], None, "0 values"),
    ],
)
def test_no_g_says_why(changes, controls, says):
    assert says in hedges_g(changes, "x", controls=controls).reason


def test_directions_by_hand():
    human = {"a": 1, "b": 2, "c": -1, "d": 0.5, "e": 3, "f": np.nan, "g": 0}
    mouse = {"a": 2, "b": 1, "c": -3, "d": -1, "e": 4, "f": 1, "g": 2, "h": 1}
    found = concordance(human, mouse)
    assert (found.estimate, found.n_patients, found.n_missing) == (0.8, 5, 3)
    assert found.p_value == pytest.approx(stats.binomtest(4, 5).pvalue)
    used = [(human[k], mouse[k]) for k in "abcde"]
    assert found.rho == pytest.approx(stats.spearmanr(used).statistic)
    assert 0 < found.rho_p < 1
    assert found.table["agree"].tolist() == [True, True, True, False, True]
    assert "independent" in found.note


def test_nothing_in_common():
    found = concordance({"a": 1}, {"b": 1})
    assert found.reason == "no metric has an effect in both species"
    assert np.isnan([found.estimate, found.low, found.rho]).all()
