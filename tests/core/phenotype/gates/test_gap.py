import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import expon, norm, t

from mifprofile.core.phenotype.gates.gap import has_gap

MAX_GAP = 0.7
# Ten cells at each unit of 0 to 4 and of 16 to 20, and nothing between.
APART = np.repeat([0.0, 1, 2, 3, 4, 16, 17, 18, 19, 20], 10)
EVEN = np.repeat(np.arange(21.0), 10)


def test_nothing_between_two_groups_is_a_gap():
    assert has_gap(APART, 10.0, MAX_GAP)


def test_as_many_between_as_beside_is_none():
    assert not has_gap(EVEN, 10.0, MAX_GAP)


def test_some_cells_between_are_a_gap_up_to_the_share_that_is_allowed():
    some = np.sort(np.r_[np.repeat(APART, 10), np.repeat(np.arange(5.0, 16), 20)])
    assert has_gap(some, 10.0, MAX_GAP)
    assert has_gap(some, 10.0, 0.3)
    assert not has_gap(some, 10.0, 0.1)


def test_a_gap_between_a_handful_of_cells_may_be_chance():
    assert not has_gap(np.array([0.0, 1, 9, 10]), 5.0, MAX_GAP)


@pytest.mark.parametrize("cut", [-1.0, 20.0, 99.0])
def test_there_is_no_gap_without_two_sides(cut):
    assert not has_gap(APART, cut, MAX_GAP)


@pytest.mark.parametrize("shape", [norm(), expon(), t(3), t(1)])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.99])
def test_one_population_only_becomes_less_dense(shape, share):
    ordered = shape.ppf((np.arange(5000) + 0.5) / 5000)
    assert not has_gap(ordered, float(shape.ppf(share)), MAX_GAP)


@given(
    st.sampled_from([0.25, 0.5, 2.0, 1024.0]),
    st.integers(-1000, 1000),
    st.lists(st.integers(0, 63), min_size=2, max_size=200),
    st.integers(0, 63),
)
def test_a_gap_knows_no_scale_and_no_origin(times, plus, cells, cut):
    ordered = np.sort(np.array(cells, float))
    same = has_gap(times * ordered + plus, times * cut + plus, MAX_GAP)
    assert same == has_gap(ordered, float(cut), MAX_GAP)
