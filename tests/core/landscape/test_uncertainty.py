import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mifprofile.core.landscape.uncertainty import (
    Tallies,
    block_edge_um,
    block_intervals,
    bootstrap_sums,
    cut_blocks,
    effective_blocks,
    tile_tallies,
)
from mifprofile.synthetic import thomas_process

ALONE = np.eye(9)


def interval(numerators, denominators, kind="rate", ceiling=np.inf, weights=None):
    """The interval of one estimate."""
    num, den = (np.asarray(v, float)[:, None] for v in (numerators, denominators))
    tallies = Tallies(num, den, [kind], np.array([ceiling]))
    weights = np.eye(len(num)) if weights is None else weights
    return block_intervals(tallies, weights, min_blocks=6, block_um=500.0)[0]


def test_independent_equal_blocks_give_the_log_t_interval():
    counts = np.array([40.0, 90, 60, 10, 120, 70, 30, 80, 50])
    found = interval(counts, np.ones(9))
    mean, error = counts.mean(), stats.sem(counts)
    reach = stats.t.ppf(0.975, 8) * error / mean
    expected = mean * np.exp([-reach, reach])
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert (found.method, found.n_blocks, found.block_um) == ("log-t", 9, 500.0)


def test_a_share_stays_between_nothing_and_all():
    found = interval([9, 10, 10, 8, 10, 10, 10], [10] * 7, "share", 1.0)
    assert found.method == "logit-t"
    assert 0 < found.low < 67 / 70 < found.high < 1


def test_a_score_has_its_own_ceiling():
    found = interval([28, 30, 29, 20, 30, 30, 27], [10] * 7, "score", 3.0)
    assert 0 < found.low < 194 / 70 < found.high < 3


def test_zero_counts_have_the_rule_of_three():
    found = interval(np.zeros(9), np.full(9, 0.5))
    assert (found.low, found.method) == (0, "one-sided")
    assert found.high == pytest.approx(2.9957 / 4.5, rel=1e-4)


def test_none_and_all_of_a_count_have_the_binomial_limit():
    none = interval(np.zeros(9), [10] * 9, "share", 1.0)
    every = interval([10] * 9, [10] * 9, "share", 1.0)
    limit = stats.beta.ppf(0.95, 1, 90)
    assert (none.low, none.high) == pytest.approx((0, limit))
    assert (every.low, every.high) == pytest.approx((1 - limit, 1))


def test_few_blocks_give_no_interval():
    found = interval([5, 6, 7, 8, 9], np.ones(5))
    assert (found.method, found.n_blocks) == ("none", 5)
    assert np.isnan([found.low, found.high]).all()


def test_one_large_block_does_not_become_nine_by_crumbs():
    found = interval([500, 1, 2, 1, 2, 1, 2, 1, 2], [9.0] + [0.02] * 8)
    assert (found.method, found.n_blocks) == ("none", 1)
    many = effective_blocks(np.array([[1.0], [1.0], [1.0], [0.0]]))
    assert many.tolist() == [3]


def test_without_a_denominator_there_is_nothing():
    found = interval(np.zeros(9), np.zeros(9))
    assert (found.method, found.n_blocks) == ("none", 0)


def test_counting_noise_is_the_least():
    found = interval(np.ones(9), np.ones(9))
    reach = stats.t.ppf(0.975, 8) / 3
    assert (found.low, found.high) == pytest.approx((np.exp(-reach), np.exp(reach)))


def test_neighbours_that_rise_together_widen_the_interval():
    mask = np.ones((100, 100), bool)
    blocks = cut_blocks(mask, 30.0, 1000.0)
    areas = blocks.areas_mm2(mask, 30.0)
    slope = 50.0 + 20 * blocks.places[:, 1]
    alone = interval(slope, areas)
    together = interval(slope, areas, weights=blocks.weights)
    assert together.low < alone.low < alone.high < together.high


counts = st.lists(st.integers(0, 200), min_size=9, max_size=9)


@given(counts, st.lists(st.floats(0.1, 1), min_size=9, max_size=9))
def test_the_interval_holds_the_estimate(found, areas):
    one = interval(found, areas)
    if one.method != "none":
        assert 0 <= one.low <= sum(found) / sum(areas) <= one.high < np.inf


@given(counts, st.permutations(range(9)), st.floats(0.01, 100))
def test_order_and_unit_do_not_matter(found, order, factor):
    areas = np.linspace(0.5, 1, 9)
    one = interval(found, areas)
    other = interval(np.array(found)[list(order)], areas[list(order)] * factor)
    assert other.method == one.method
    assert (other.low * factor, other.high * factor) == pytest.approx(
        (one.low, one.high), nan_ok=True
    )


def test_many_metrics_at_once_are_what_each_is_alone():
    rng = np.random.default_rng(0)
    num, den = rng.poisson(20, (9, 50)), rng.uniform(0.5, 1, (9, 50))
    tallies = Tallies(num, den, ["rate"] * 50, np.full(50, np.inf))
    together = block_intervals(tallies, ALONE, min_blocks=6, block_um=500.0)
    assert together[7] == interval(num[:, 7], den[:, 7])


def test_blocks_tile_the_tissue_and_hold_all_points():
    mask = np.zeros((60, 90), bool)
    mask[5:55, 10:80] = True
    mask[20:30, 30:40] = False
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 1800, 500), rng.uniform(0, 1200, 500)
    counts, areas = tile_tallies(x, y, mask, 20.0, 500.0)
    inside = mask[(y / 20).astype(int), (x / 20).astype(int)]
    assert areas.sum() == pytest.approx(mask.sum() * 4e-4)
    assert counts.sum() == inside.sum()
    assert len(counts) == 6


def test_a_thin_core_is_cut_along_its_length():
    rows, cols = np.mgrid[:300, :300]
    core = (np.abs(rows - cols) < 10) & (rows > 20) & (rows < 280)
    blocks = cut_blocks(core, 20.0, 800.0)
    piece, along, across = blocks.places.T
    assert set(piece) == set(across) == {0}
    assert sorted(along) == list(range(len(along)))
    assert len(along) == 10
    areas = blocks.areas_mm2(core, 20.0)
    assert areas.max() < 1.3 * areas.min()


def test_blocks_of_two_pieces_do_not_know_each_other():
    mask = np.zeros((100, 100), bool)
    mask[:, :30] = mask[:, 60:] = True
    blocks = cut_blocks(mask, 20.0, 500.0)
    apart = blocks.places[:, 0][:, None] != blocks.places[:, 0][None]
    assert set(blocks.places[:, 0]) == {0, 1}
    assert (blocks.weights[apart] == 0).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_the_tissue_keeps_the_blocks(turns):
    mask = np.zeros((80, 80), bool)
    mask[10:70, :50] = True
    areas, turned = (
        cut_blocks(m, 25.0, 600.0).areas_mm2(m, 25.0)
        for m in (mask, np.rot90(mask, turns))
    )
    np.testing.assert_allclose(np.sort(areas), np.sort(turned))


def test_glass_has_no_blocks():
    counts, areas = tile_tallies(
        np.array([5.0]), np.array([5.0]), np.zeros((9, 9), bool), 2.0, 500.0
    )
    assert len(counts) == len(areas) == 0


def test_blocks_shrink_with_the_tissue_but_not_below_their_limit():
    edges = [
        block_edge_um(a, largest_um=1000, smallest_um=500) for a in (0.1, 6.75, 200)
    ]
    assert edges == pytest.approx([500, 750, 1000])


def test_bootstrap_draws_whole_blocks_and_is_seeded():
    tallies = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    drawn = bootstrap_sums(tallies, 200, seed=3)
    np.testing.assert_allclose(drawn[:, 1], 10 * drawn[:, 0])
    assert {3.0, 12.0} <= set(drawn[:, 0])
    np.testing.assert_array_equal(drawn, bootstrap_sums(tallies, 200, seed=3))


def test_intervals_of_clustered_cells_cover_the_truth():
    """Cells in clusters of 25 on 9 mm²: 95 % intervals hold in at least 90 %."""
    rng = np.random.default_rng(0)
    mask = np.ones((150, 150), bool)
    runs = [thomas_process(rng, 250.0, 3000.0) for _ in range(200)]
    blocks = cut_blocks(mask, 20.0, 1000.0)
    counts = [
        np.bincount(blocks.of(*points.T), minlength=blocks.count) for points in runs
    ]
    areas = np.repeat(blocks.areas_mm2(mask, 20.0)[:, None], 200, axis=1)
    tallies = Tallies(np.stack(counts, 1), areas, ["rate"] * 200, np.full(200, np.inf))
    found = block_intervals(
        tallies, blocks.weights, min_blocks=6, block_um=blocks.block_um
    )
    covered = np.mean([one.low <= 250 <= one.high for one in found])
    poisson = [stats.poisson.interval(0.95, c.sum()) for c in counts]
    naive = np.mean([low / 9 <= 250 <= high / 9 for low, high in poisson])
    assert {one.n_blocks for one in found} == {9}
    assert covered >= 0.90
    assert naive < 0.5
