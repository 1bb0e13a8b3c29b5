import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from mifprofile.core.statistics import adjust_families, benjamini_hochberg, holm
from mifprofile.errors import UsageError

P = [0.01, 0.04, 0.03, 0.005, 0.2]


def test_as_statsmodels_has_them():
    expected = multipletests(P, method="fdr_bh")[1]
    np.testing.assert_allclose(benjamini_hochberg(P), expected)
    np.testing.assert_allclose(holm(P), multipletests(P, method="holm")[1])


def test_what_was_not_tested_is_not_counted():
    with_gap = [*P[:2], np.nan, *P[2:]]
    for adjust in (holm, benjamini_hochberg):
        found = adjust(with_gap)
        assert np.isnan(found[2])
        np.testing.assert_allclose(np.delete(found, 2), adjust(P))
        assert np.isnan(adjust([np.nan])).all()
        assert len(adjust([])) == 0


def test_families_are_adjusted_apart():
    table = pd.DataFrame(
        {
            "family": ["aim 1"] * 4 + ["aim 2"] * 2,
            "predeclared": [True, True, False, False, False, False],
            "p_value": [0.02, 0.04, 0.02, 0.04, 0.03, np.nan],
        }
    )
    found = adjust_families(table)
    np.testing.assert_allclose(
        found["p_adjusted"], [0.04, 0.04, 0.04, 0.04, 0.03, np.nan]
    )
    assert found["n_tests"].tolist() == [2, 2, 2, 2, 1, 1]
    assert found["kind"].tolist() == ["predeclared"] * 2 + ["exploratory"] * 4
    assert found["adjustment"].tolist()[1:3] == ["Holm", "Benjamini–Hochberg"]
    assert "kind" not in table


def test_what_is_no_family():
    with pytest.raises(UsageError, match="no column family"):
        adjust_families(pd.DataFrame({"predeclared": [], "p_value": []}))
    bad = pd.DataFrame({"family": ["a"], "predeclared": [True], "p_value": [2.0]})
    with pytest.raises(UsageError, match="between 0 and 1"):
        adjust_families(bad)
