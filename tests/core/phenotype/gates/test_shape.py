from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from skimage.filters import threshold_li

from mifprofile.core.phenotype.gates.shape import (
    MAX_RUNGS,
    MAX_SKEW,
    Cut,
    Peak,
    Shape,
    background_of,
    between,
    find_peak,
    rungs,
)

# Quantiles of a normal distribution: a sample of it without chance.
NORMAL = norm.ppf((np.arange(4000) + 0.5) / 4000)
LEVELS = st.lists(st.integers(1, 10_000), min_size=3, max_size=200).map(
    lambda cells: np.array(cells, float)
)


def test_the_peak_of_a_normal_distribution_is_its_mean_and_its_deviation():
    peak = find_peak(np.sort(3 + 0.5 * NORMAL))
    assert peak.at == pytest.approx(3, abs=0.05)
    assert (peak.left, peak.right) == pytest.approx((0.5, 0.5), rel=0.1)


def test_the_flanks_of_a_skewed_peak_differ():
    below, above = NORMAL[NORMAL < 0], NORMAL[NORMAL > 0]
    peak = find_peak(np.r_[below, np.repeat(2 * above, 2)])
    assert peak.at == pytest.approx(0, abs=0.15)
    assert peak.right > 1.5 * peak.left


def test_few_cells_far_away_leave_the_peak():
    alone = find_peak(NORMAL)
    beside = find_peak(np.r_[NORMAL, np.full(200, 9.0)])
    assert beside.at == pytest.approx(alone.at, abs=0.1)
    assert beside.width == pytest.approx(alone.width, rel=0.1)


def test_a_peak_has_flanks_however_far_away_another_cell_is():
    peak = find_peak(np.array([-600.0, 0, 0, 0.7, 0.7]))
    assert min(peak.left, peak.right) > 0


@pytest.mark.parametrize(
    ("left", "right", "width"), [(1, 1, 1), (1, 0.4, 0.4), (1, 4, MAX_SKEW)]
)
def test_positive_cells_nearby_widen_a_peak_so_far_at_most(left, right, width):
    assert Peak(0, left, right).width == width


@pytest.mark.parametrize(
    ("threshold", "middle"),
    [(3, 3), (2, 3), (3.9, 3.9), (4, 6), (1, 1.5), (0.5, 0.5), (8, 8), (9, 9)],
)
def test_a_threshold_that_a_level_equals_moves_halfway_to_the_next(threshold, middle):
    assert between(np.array([1.0, 2, 4, 8]), threshold) == middle


@given(LEVELS, st.floats(1, 10_000))
def test_the_middle_calls_the_same_cells(levels, threshold):
    assume(not np.isclose(levels, threshold, rtol=1e-5).any())
    middle = between(levels, threshold)
    assert ((levels > middle) == (levels > threshold)).all()


@given(LEVELS)
def test_the_first_rung_lies_between_li_s_threshold_and_half_of_what_lies_above(levels):
    assume(np.ptp(levels) > 0)
    li = float(threshold_li(levels / levels.max()) * levels.max())
    above = levels[levels > li]
    half = max(li, float(np.median(above)) / 2)
    # All the way where few cells lie above, half of it from three tenths on.
    share = min(1, above.size / levels.size / 0.3)
    cut = li * (half / li) ** (1 - share / 2)
    assert next(rungs(levels)) == pytest.approx(between(levels, cut))


@given(LEVELS)
def test_rungs_are_few_and_the_first_leaves_cells_above_and_below(levels):
    found = [*rungs(levels)]
    assert len(found) <= MAX_RUNGS
    assert bool(found) == (np.ptp(levels) > 0)
    assert all(levels.min() < cut < levels.max() for cut in found[:1])
    assert all(cut < levels.max() for cut in found)


@given(st.lists(st.floats(0.1, 1e4), min_size=3, max_size=40))
def test_rungs_rise(levels):
    # Of 11, 13, 14 and 15 the second would be 10.2, below the first, 12.
    for found in ([*rungs(np.array(levels))], [*rungs(np.array([11.0, 13, 14, 15]))]):
        assert found == sorted(set(found))


def test_the_first_rung_lies_between_two_groups():
    assert 2 < next(rungs(np.array([1.0, 1, 2, 20, 20, 22]))) < 20


@pytest.mark.parametrize("levels", [[], [5.0], [1.0, 2.0], [7.0] * 9])
def test_there_is_no_rung_where_nothing_differs(levels):
    assert [*rungs(np.array(levels))] == []


@settings(deadline=None)
@given(LEVELS)
def test_a_background_lies_below_every_level(levels):
    assume(np.ptp(levels) > 0)
    assert 0 <= background_of(levels) < levels.min()


@pytest.mark.parametrize("offset", [0, 50, 100, 400, 1000])
def test_a_camera_s_offset_is_taken_off(offset):
    negative = 100 * np.exp(0.3 * NORMAL)
    shape = Shape(negative + offset)
    assert shape.background == pytest.approx(offset, abs=10)
    assert shape.peak.at == pytest.approx(np.log(100), abs=0.15)
    assert shape.peak.width == pytest.approx(0.3, rel=0.2)


def test_levels_that_reach_down_to_0_have_no_background():
    assert Shape(np.linspace(0.001, 5, 500)).background == 0


def test_levels_below_0_count_as_0_and_are_not_in_the_peak():
    shape = Shape(np.array([-3.0, 0.0, 1.0, 2.0, 4.0]))
    assert shape.levels.tolist() == [0, 0, 1, 2, 4]
    assert shape.logs.size == 3


@pytest.mark.parametrize(
    ("levels", "spread"),
    [([], False), ([5.0], False), ([0, 0, 5.0], False), ([0, 4, 5.0], True)],
)
def test_a_shape_needs_different_levels_above_0(levels, spread):
    assert Shape(np.array(levels)).is_spread == spread


def test_a_place_comes_back_from_the_logarithm():
    shape = Shape(200 + np.exp(NORMAL))
    assert shape.level_of(shape.log_of(250.0)) == pytest.approx(250)
    narrower = min(shape.peak.left, shape.peak.right)
    assert shape.log_of(shape.edge(4)) == pytest.approx(shape.peak.at + 4 * narrower)


def test_what_lies_above_a_cut():
    shape = Shape(np.exp(np.r_[NORMAL, np.full(30, 8.0)]))
    shape.background = 0.0  # the logarithms are then those above
    at = shape.peak.at
    cut = shape.cut_at(float(np.exp(at + 3.2)))
    beyond = np.count_nonzero(NORMAL - at > 3.2)
    assert cut.above == 30 + beyond
    assert cut.mirrored == np.count_nonzero(NORMAL - at < -3.2)
    assert cut.flanks == pytest.approx((8 - at) / shape.peak.width)
    width = max(shape.peak.left, shape.peak.width)
    assert cut.by_tail == pytest.approx(4030 * norm.sf(3.2 / width))


CUT = Cut(5.0, flanks=5.0, above=8, mirrored=0, by_tail=0.0)


@pytest.mark.parametrize(
    ("above", "mirrored", "by_tail", "more"),
    [
        (7, 0, 0.0, True),  # 1 in 128 by chance
        (6, 0, 0.0, False),  # 1 in 64
        (20, 15, 0.0, False),  # a peak with heavy tails
        (20, 3, 0.0, True),
        (20, 0, 7.0, False),  # its own tail
        (0, 0, 0.0, False),
    ],
)
def test_more_than_tails_explain(above, mirrored, by_tail, more):
    cut = replace(CUT, above=above, mirrored=mirrored, by_tail=by_tail)
    assert cut.more_than_tails == more


@given(st.integers(1, 200), st.integers(0, 200))
def test_the_chance_of_heavy_tails_is_binomial(above, mirrored):
    cut = replace(CUT, above=above, mirrored=mirrored)
    test = binomtest(above, above + mirrored, 0.5, alternative="greater")
    assert cut.more_than_tails == (test.pvalue < 0.01)


@settings(deadline=None, max_examples=30)
@given(st.integers(-20, 20), st.integers(0, 99))
def test_a_shape_knows_no_unit(power, seed):
    levels = np.random.default_rng(seed).lognormal(3, 0.6, 300)
    one, other = Shape(levels), Shape(2.0**power * levels)
    assert other.background == pytest.approx(2.0**power * one.background)
    assert other.peak.width == pytest.approx(one.peak.width)
    assert [c.above for c in other.cuts] == [c.above for c in one.cuts]
