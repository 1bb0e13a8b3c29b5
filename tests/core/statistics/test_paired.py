from itertools import product

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from scipy import stats

from mifprofile.core.statistics import (
    auroc,
    pair_times,
    paired_change,
    pool_slides,
    walsh_averages,
)
from mifprofile.errors import UsageError
from mifprofile.synthetic.points import thomas_process


def change_of(log2_changes, **options):
    """`paired_change` of given changes: counts of 1 and 2^d with nothing added."""
    after = 2.0 ** np.asarray(log2_changes, float)
    counts = np.column_stack([np.ones(len(after)), after])
    return paired_change(counts, np.ones_like(counts), pseudo_cells=0, **options)


def slides(*rows):
    names = ["patient_id", "timepoint", "n_num", "area_mm2"]
    return pd.DataFrame(rows, columns=names)


def test_slides_are_pooled_as_a_ratio_of_sums():
    table = slides(("P1", "baseline", 10, 1.0), ("P1", "baseline", 0, 9.0))
    pooled = pool_slides(table).iloc[0]
    assert pooled["n_num"] / pooled["area_mm2"] == 1
    assert pooled["n_slides"] == 2


def test_a_slide_that_could_not_be_looked_at_is_not_one_without_cells():
    table = slides(
        ("P1", "baseline", 10, 1.0),
        ("P1", "baseline", np.nan, 5.0),
        ("P1", "week3", 7, 0.0),
        ("P2", "baseline", 0, 2.0),
    )
    pooled = pool_slides(table)
    assert pooled.to_numpy().tolist() == [
        ["P1", "baseline", 10, 1, 1],
        ["P2", "baseline", 0, 2, 1],
    ]
    with pytest.raises(UsageError, match="negative"):
        pool_slides(slides(("P1", "baseline", -1, 1.0)))


def test_times_of_a_patient_stand_side_by_side():
    pooled = pool_slides(
        slides(
            ("P1", "week3", 8, 2.0),
            ("P1", "baseline", 4, 1.0),
            ("P2", "baseline", 3, 1.0),
            ("P3", "progression", 3, 1.0),
        )
    )
    pairs = pair_times(pooled, "baseline", "week3")
    assert list(pairs.index) == ["P1", "P2"]
    np.testing.assert_array_equal(pairs["n_num"], [[4, 8], [3, np.nan]])
    np.testing.assert_array_equal(pairs["area_mm2"], [[1, 2], [1, np.nan]])
    found = paired_change(pairs["n_num"], pairs["area_mm2"])
    assert (found.n_pairs, found.n_incomplete) == (1, 1)


def test_change_of_a_patient_by_hand():
    found = paired_change([[0, 3], [1, 5]], [[1, 1], [1, 2]])
    np.testing.assert_allclose(
        found.log2_changes, [np.log2(3.5 / 0.5), np.log2((5.5 / 2) / 1.5)]
    )
    assert found.estimate == pytest.approx(found.log2_changes.mean())


def test_walsh_averages_by_hand():
    averages = walsh_averages(np.array([4.0, 1.0, 2.0]))
    assert averages.tolist() == [1, 1.5, 2, 2.5, 3, 4]


@pytest.mark.parametrize(
    ("pairs", "p_value"), [(1, 1), (4, 0.125), (5, 0.0625), (6, 0.03125)]
)
def test_least_p_value_that_so_many_pairs_can_reach(pairs, p_value):
    """Oracle: 2 / 2^n; five pairs cannot be significant, nor have an interval."""
    found = change_of(np.arange(1, pairs + 1) / 4)
    assert (found.p_value, found.test) == (p_value, "exact")
    assert np.isnan(found.low) == (pairs < 6)
    assert ("too few" in found.reason) == (pairs < 6)


def test_six_pairs_are_covered_by_all_of_them():
    found = change_of([0.1, 0.5, 0.2, 0.9, 1.4, 0.7])
    assert (found.low, found.high) == pytest.approx((0.1, 1.4))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.integers(-(10**6), 10**6), min_size=6, max_size=14, unique_by=abs
    ).filter(lambda values: 0 not in values)
)
def test_the_interval_inverts_the_test(values):
    """What lies within is not rejected, what lies beyond is."""
    changes = np.array(values) / 1e5
    found = change_of(changes)
    step = 1e-7
    for shift, rejected in (
        (found.low - step, True),
        (found.low + step, False),
        (found.high - step, False),
        (found.high + step, True),
    ):
        p_value = stats.wilcoxon(changes - shift, method="exact").pvalue
        assert (p_value <= 0.05) == rejected


@pytest.mark.parametrize(
    "changes",
    [
        [1, 1, 1, 1, 1],
        [0, 0, 0],
        [0, 1, 2, 2, 3],
        [-1, 1, 2, 3, 3, -0.5, 0, 0, 1],
        [0],
    ],
)
def test_ties_and_zeros_by_all_signs(changes):
    changes = np.array(changes, float)
    ranks = stats.rankdata(np.abs(changes)) * (changes != 0)
    seen = abs(ranks @ np.sign(changes))
    drawn = [abs(ranks @ s) for s in product((-1, 1), repeat=len(changes))]
    found = change_of(changes)
    assert found.p_value == np.mean(np.array(drawn) >= seen)
    assert found.test == "sign permutation"


def test_many_ties_by_random_signs():
    changes = np.repeat([-1.0, 0.0, 1.0, 2.0], 6)
    found = change_of(changes, seed=1)
    assert found.test == "sign permutation"
    likely = stats.wilcoxon(changes, zero_method="pratt", method="asymptotic")
    assert found.p_value == pytest.approx(likely.pvalue, abs=0.01)
    assert change_of(changes, seed=1).p_value == found.p_value
    assert change_of(np.ones(40)).p_value == 1 / 10_000


def test_equal_ratios_either_way_are_ties():
    """log2(3) and -log2(1/3) may differ in their last digit."""
    found = paired_change([[1, 3], [3, 1]], np.ones((2, 2)), pseudo_cells=0)
    assert (found.p_value, found.test) == (1, "sign permutation")


def test_no_pair():
    found = paired_change([[np.nan, 3]], [[1, 1]])
    assert (found.n_pairs, found.n_incomplete, found.test) == (0, 1, "none")
    assert np.isnan([found.estimate, found.low, found.p_value]).all()
    assert found.reason == "no patient with both times"


@pytest.mark.parametrize(
    ("counts", "areas", "says"),
    [([1, 2], [1, 1], "give"), ([[1, -2]], [[1, 1]], "negative")],
)
def test_what_is_no_pair_is_refused(counts, areas, says):
    with pytest.raises(UsageError, match=says):
        paired_change(counts, areas)


def test_a_sample_without_cells_has_no_logarithm_of_its_own():
    with pytest.raises(UsageError, match="pseudo_cells"):
        paired_change([[0, 3]], [[1, 1]], pseudo_cells=0)


def test_a_planted_change_is_recovered():
    """Oracle (11): log2 fold change 1 in 20 pairs of clustered cells."""
    rng = np.random.default_rng(11)
    own = rng.lognormal(0, 0.6, 20)
    counts = [
        [len(thomas_process(rng, fold * 150 * x, 1500)) for fold in (1, 2)] for x in own
    ]
    found = paired_change(counts, np.full((20, 2), 2.25))
    assert found.estimate == pytest.approx(1, abs=0.25)
    assert found.low < 1 < found.high
    assert found.low > 0
    assert found.p_value < 0.001


def test_the_interval_covers_a_planted_change():
    rng = np.random.default_rng(2)
    mean = rng.gamma(4, 15, (300, 20, 2)) * [1, 2]
    runs = [paired_change(n, np.ones((20, 2))) for n in rng.poisson(mean)]
    covered = np.mean([run.low <= 1 <= run.high for run in runs])
    assert covered > 0.95 - 2 * np.sqrt(0.05 * 0.95 / 300)
    assert np.mean([run.estimate for run in runs]) == pytest.approx(1, abs=0.05)


def test_fields_are_not_patients():
    """Oracle (11): without any effect, fields of a patient change together.

    Taken for patients they find an effect that is not there; pooled they do not.
    """
    rng = np.random.default_rng(5)
    runs, patients, fields = 400, 12, 10
    density = rng.lognormal(np.log(100), 0.5, (runs, patients, 1, 2))
    cells = rng.poisson(np.broadcast_to(density, (runs, patients, fields, 2)))
    run, patient, _, time = np.indices(cells.shape).reshape(4, -1)
    table = pd.DataFrame(
        {
            "patient_id": run * patients + patient,
            "timepoint": np.array(["baseline", "week3"])[time],
            "n_num": cells.ravel(),
            "area_mm2": 1.0,
        }
    )
    pairs = pair_times(pool_slides(table), "baseline", "week3")
    pooled = pairs["n_num"].to_numpy().reshape(runs, patients, 2)
    right = naive = 0
    for by_patient, by_field in zip(pooled, cells, strict=True):
        right += paired_change(by_patient, np.full((patients, 2), 10)).p_value <= 0.05
        change = np.log2((by_field[..., 1] + 0.5) / (by_field[..., 0] + 0.5))
        naive += stats.wilcoxon(change.ravel(), method="asymptotic").pvalue <= 0.05
    assert right / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)
    assert naive / runs > 0.4


scores = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@settings(deadline=None)
@given(scores, scores)
def test_auroc_as_by_trying_all(positive, negative):
    """Oracle (12): U / (n1 n0), a tie counted half."""
    found = auroc([*positive, *negative], [True] * len(positive) + [0] * len(negative))
    pairs = [(x > y) + (x == y) / 2 for x, y in product(positive, negative)]
    assert found.value == pytest.approx(np.mean(pairs))
    u = stats.mannwhitneyu(positive, negative, method="asymptotic").statistic
    assert found.value == pytest.approx(u / (len(positive) * len(negative)))
    assert (found.n_positive, found.n_negative) == (len(positive), len(negative))
    assert np.isnan(found.low) == bool(found.reason)
    if not found.reason:
        assert 0 < found.low < found.value < found.high < 1


def test_delong_by_its_definition():
    positive, negative = np.array([3.0, 5, 8, 4]), np.array([1.0, 4, 2, 6, 3])
    found = auroc(np.r_[positive, negative], np.repeat([True, False], [4, 5]))
    psi = (positive[:, None] > negative) + (positive[:, None] == negative) / 2
    variance = psi.mean(axis=1).var(ddof=1) / 4 + psi.mean(axis=0).var(ddof=1) / 5
    a = psi.mean()
    reach = 1.959964 * np.sqrt(variance) / (a * (1 - a))
    odds = a / (1 - a) * np.exp([-reach, reach])
    np.testing.assert_allclose([found.low, found.high], odds / (1 + odds), rtol=1e-6)


def test_delong_covers_the_true_area():
    """Two Gaussians one SD apart: A = Φ(1/√2) = 0.760."""
    rng = np.random.default_rng(0)
    labels = np.repeat([True, False], 15)
    runs = [auroc(rng.normal(labels, 1), labels) for _ in range(1000)]
    covered = np.mean([run.low <= stats.norm.cdf(2**-0.5) <= run.high for run in runs])
    assert 0.94 < covered < 0.98


@pytest.mark.parametrize(
    ("values", "labels", "value", "says"),
    [
        ([3, 4, 1, 2], [1, 1, 0, 0], 1, "do not overlap"),
        ([1, 1, 1, 1], [1, 1, 0, 0], 0.5, "all scores are equal"),
        ([3, 4, 1], [1, 1, 0], 1, "fewer than 2"),
        ([3, 4], [1, 1], np.nan, "fewer than 2"),
        ([], [], np.nan, "fewer than 2"),
    ],
)
def test_auroc_without_an_interval(values, labels, value, says):
    found = auroc(values, labels)
    np.testing.assert_equal(found.value, value)
    assert np.isnan([found.low, found.high]).all()
    assert says in found.reason


def test_a_patient_without_a_score_is_counted():
    found = auroc([3, np.nan, 1, 2, 0], [1, 1, 0, 0, 1])
    assert (found.n_positive, found.n_negative, found.n_missing) == (2, 2, 1)


@pytest.mark.parametrize("labels", [[1, 0], [1, 0, 2]])
def test_labels_that_are_none(labels):
    with pytest.raises(UsageError, match="label"):
        auroc([1, 2, 3], labels)
