import numpy as np
import pytest

from mifprofile.core.statistics import two_level_interval


def fields(rng, units, per_unit, between=0.5, within=0.3):
    own = rng.lognormal(-(between**2) / 2, between, units)
    each = rng.gamma(1 / within, within, (units, per_unit))
    counts = rng.poisson(50 * own[:, None] * each)
    return np.repeat(np.arange(units), per_unit), counts.ravel(), np.ones(counts.size)


def test_the_estimate_is_a_ratio_of_sums():
    found = two_level_interval(["a", "b"], [10, 0], [1, 9], "cells per mm2")
    assert found.estimate == 1
    assert "2 fields are too few" in found.reason


def test_the_interval_holds_the_true_density():
    rng = np.random.default_rng(0)
    runs = [
        two_level_interval(*fields(rng, 12, 3), "x", draws=299, seed=nth)
        for nth in range(300)
    ]
    assert 0.91 < np.mean([r.low <= 50 <= r.high for r in runs]) < 0.985


def test_fields_alone_would_claim_too_much():
    rng = np.random.default_rng(1)
    units, counts, sizes = fields(rng, 10, 8, between=0.8, within=0.05)
    by_unit = two_level_interval(units, counts, sizes, "x")
    by_field = two_level_interval(np.arange(80), counts, sizes, "x")
    assert by_unit.high / by_unit.low > 1.3 * by_field.high / by_field.low


def test_few_slides_are_drawn_by_field():
    rng = np.random.default_rng(2)
    found = two_level_interval(*fields(rng, 2, 5), "x")
    assert found.note == "2 units: the fields were drawn as one level"
    assert found.low < found.estimate < found.high
    assert found.n_patients == 2


@pytest.mark.parametrize(
    ("counts", "sizes", "says"),
    [
        ([9] + [0] * 7, [1] * 8, "one unit only has a cell"),
        ([0] * 8, [1] * 8, "no unit has a cell"),
        ([1] * 8, [0] * 8, "no field could be looked at"),
        ([np.nan] * 8, [1] * 8, "no field could be looked at"),
    ],
)
def test_no_interval_says_why(counts, sizes, says):
    found = two_level_interval(range(8), counts, sizes, "x")
    assert says in found.reason
    assert np.isnan(found.low)


def test_a_seed_is_a_result():
    rng = np.random.default_rng(3)
    table = fields(rng, 8, 3)
    first, second = (two_level_interval(*table, "x", seed=7) for _ in range(2))
    assert (first.low, first.high) == (second.low, second.high)
