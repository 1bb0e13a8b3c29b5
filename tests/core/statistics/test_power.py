import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from mifprofile.core.statistics import (
    CountModel,
    aggregation_of,
    paired_power,
    pairs_needed,
    power_table,
    variance_parts,
)
from mifprofile.core.statistics.power import _p_values
from mifprofile.errors import UsageError


def test_p_values_are_those_of_the_exact_test():
    counts = np.random.default_rng(0).poisson(80, (20, 9, 2)) + np.arange(9)[:, None]
    found = _p_values(counts)
    for trial, p_value in zip(counts, found, strict=True):
        change = np.diff(np.log2(trial + 0.5), axis=1)[:, 0]
        if len(np.unique(np.abs(change))) == 9 and change.all():
            expected = stats.wilcoxon(change, method="exact").pvalue
            assert p_value == pytest.approx(expected)


def test_counts_vary_as_the_model_says():
    """Negative binomial: variance μ · (1 + μ · aggregation)."""
    model = CountModel(aggregation=0.5)
    level = np.full(200_000, np.log2(100.0))
    counts = model.draw_counts(np.random.default_rng(0), level, 0.4)
    assert counts.mean() == pytest.approx(40, rel=0.02)
    assert counts.var() == pytest.approx(40 * (1 + 40 * 0.5), rel=0.03)
    even = CountModel(aggregation=0).draw_counts(np.random.default_rng(0), level, 0.4)
    assert even.var() == pytest.approx(40, rel=0.03)


def test_parts_of_the_variance_add_up_to_what_is_seen():
    model = CountModel(per_mm2=400, aggregation=0.1)
    counts = model.draw_pairs(np.random.default_rng(1), 1, 40_000, 4, 2.0)
    seen = np.diff(np.log2(counts.sum(axis=-1) + 0.5), axis=-1).var()
    parts = variance_parts([4], model=model, fold_change=2.0).iloc[0]
    assert parts["total"] == pytest.approx(seen, rel=0.08)


def test_no_change_is_found_as_often_as_the_level_says():
    found = paired_power(12, 3, 1.0, runs=4000)
    assert found.power < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 4000)


def test_five_pairs_can_find_nothing():
    assert paired_power(5, 50, 8.0).power == 0


def test_aggregation_drives_the_number_of_pairs():
    even, clumped = (
        pairs_needed(2, 2.0, model=CountModel(aggregation=a), runs=300)
        for a in (0.0, 1.5)
    )
    assert 6 <= even.n_pairs < clumped.n_pairs / 1.7
    assert even.power >= 0.8
    # More fields win back what aggregation costs.
    many = pairs_needed(12, 2.0, model=CountModel(aggregation=1.5), runs=300)
    assert many.n_pairs < clumped.n_pairs / 1.4


def test_fields_help_against_aggregation_alone():
    parts = variance_parts([1, 4])
    assert parts["own_changes"].nunique() == parts["biopsies"].nunique() == 1
    for part in ("aggregation", "counting"):
        assert parts[part][0] == pytest.approx(4 * parts[part][1])


def test_a_change_that_no_number_of_pairs_finds():
    found = pairs_needed(1, 1.02, runs=100)
    assert "even 200 pairs" in found.reason


def test_a_table_of_powers():
    table = power_table([6, 12], [1, 3], [1.5, 2.0], runs=50)
    assert len(table) == 8
    assert table["power"].between(0, 1).all()
    assert (table["low"] <= table["power"]).all()


def test_assumptions_are_said():
    said = CountModel(aggregation=0.5).assumptions()
    assert "times as much" in said["aggregation"]
    with pytest.raises(UsageError, match="field_mm2"):
        CountModel(field_mm2=0)
    with pytest.raises(UsageError, match="above 0"):
        paired_power(0, 1, 2)


@pytest.mark.parametrize("aggregation", [0.0, 0.4])
def test_aggregation_is_found_again(aggregation):
    model = CountModel(aggregation=aggregation)
    fields = model.draw_pairs(np.random.default_rng(2), 1, 3000, 4, 1.0)[0, :, 0]
    found = aggregation_of(np.repeat(np.arange(3000), 4), fields.ravel())
    assert found == pytest.approx(aggregation, abs=0.05)


def test_single_fields_tell_nothing_of_aggregation():
    assert np.isnan(aggregation_of(["a", "b"], [10, 20]))
    assert np.isnan(aggregation_of(["a", "a"], [0, 0]))


def test_slow_libraries_are_imported_late():
    code = (
        "import sys, mifprofile.core.statistics; "
        "sys.exit(bool({'lifelines', 'statsmodels'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
