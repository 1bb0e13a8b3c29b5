import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mifprofile.core.levels import FLOOR, from_scale, to_scale, unit_of

CONSTANTS = st.floats(-6, 6).map(lambda power: 10.0**power)
LEVELS = arrays(
    float,
    st.integers(1, 30),
    elements=st.floats(-100, 60_000, allow_subnormal=False).map(lambda v: round(v, 3)),
)


def test_the_unit_is_a_tenth_of_the_median_level_above_0():
    levels = np.array([-5.0, 0.0, 0.0, 20.0, 30.0, 400.0, np.nan, np.inf])
    assert unit_of(levels) == FLOOR * 30.0


@pytest.mark.parametrize("levels", [[], [0.0, 0.0], [-1.0, np.nan]])
def test_without_a_level_above_0_the_unit_is_1(levels):
    assert unit_of(np.array(levels)) == 1.0
    assert to_scale(np.array([0.0]), 1.0) == 0.0


def test_the_scale_is_linear_below_the_unit_and_logarithmic_above():
    scaled = to_scale(np.array([-7.0, 0.0, 0.003, 3.0, 30.0, 3000.0]), 3.0)
    expected = [0.0, 0.0, 0.0009995, np.log(2), np.log(11), np.log(1001)]
    assert scaled == pytest.approx(expected, rel=1e-4)


@given(LEVELS, CONSTANTS)
def test_a_constant_factor_changes_nothing(levels, constant):
    # Where no level is above 0, every one is 0 on the scale.
    times = levels * constant
    ours, theirs = (to_scale(x, unit_of(x)) for x in (levels, times))
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12)


@given(LEVELS, CONSTANTS)
def test_from_scale_undoes_to_scale(levels, constant):
    levels = np.maximum(levels, 0.0) * constant
    unit = unit_of(levels)
    back = from_scale(to_scale(levels, unit), unit)
    np.testing.assert_allclose(back, levels, rtol=1e-9, atol=1e-9 * unit)


def test_integers_are_scaled_like_floats():
    counts = np.array([0, 3, 500, 65_535], np.uint16)
    np.testing.assert_array_equal(to_scale(counts, 2.0), to_scale(counts * 1.0, 2.0))
