import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from mifprofile.core.spatial import (
    Pattern,
    Window,
    distance_to_pixels,
    set_covariance,
)
from mifprofile.errors import UsageError

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def test_area_and_width_of_a_rectangle():
    window = Window(np.pad(np.ones((10, 40), bool), 3), 2.0)
    assert window.area_um2 == 10 * 40 * 4
    assert window.width_um == pytest.approx(20, abs=2)
    assert window.centre_um.tolist() == [46, 16]


def test_holes_do_not_narrow_a_window():
    mask = np.ones((60, 60), bool)
    mask[28:32, 28:32] = False
    assert Window(mask, 1.0).width_um == Window(np.ones((60, 60), bool), 1.0).width_um


def test_two_cores_are_as_wide_as_one():
    mask = np.zeros((100, 60), bool)
    mask[:20], mask[70:90] = True, True
    assert Window(mask, 1.0).width_um == pytest.approx(20, abs=1)


def test_cells_outside_the_window_are_left_out_and_counted():
    window = Window(np.array([[True, False]]), 2.0)
    pattern = Pattern.of(
        [1.0, 3.0, -0.1, 1.9], [1.0, 1.0, 1.0, 2.0], [0] * 4, 1, window
    )
    assert pattern.points.tolist() == [[1.0, 1.0]]
    assert pattern.n_outside == 3


@pytest.mark.parametrize(
    ("x", "types", "message"),
    [
        ([np.nan], [0], "not finite"),
        ([1.0], [2], "types run from 2 to 2; give 0 to 1"),
        ([1.0], [-1], "types run from -1"),
        ([1.0], [0, 1], "1 positions but 2 types"),
    ],
)
def test_cells_that_cannot_be_right(x, types, message):
    with pytest.raises(UsageError, match=message):
        Pattern.of(x, [1.0], types, 2, Window(np.ones((3, 3), bool), 1.0))


@pytest.mark.parametrize("um", [0.0, np.nan, -1.0])
def test_a_pixel_size_that_cannot_be_right(um):
    with pytest.raises(UsageError, match="pixel size"):
        Window(np.ones((3, 3), bool), um)


@given(masks, st.integers(0, 4), st.integers(1, 5))
def test_set_covariance_counts_shared_pixels(mask, reach, block):
    table = set_covariance(mask, reach, block)
    wide = np.pad(mask, reach)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            moved = np.roll(wide, (dy, dx), (0, 1))
            wanted = np.count_nonzero(
                moved[reach:, reach:][: len(mask), : len(mask[0])] & mask
            )
            assert table[reach + dy, reach + dx] == wanted


def _to_square(point, row, col, um):
    """Distance from a point to the square of one pixel."""
    x, y = point
    dx = max(col * um - x, 0, x - (col + 1) * um)
    dy = max(row * um - y, 0, y - (row + 1) * um)
    return np.hypot(dx, dy)


@given(masks, st.booleans(), st.floats(0.1, 8), st.integers(0, 99))
def test_distance_to_pixels_as_by_trying_all(target, beyond, within_um, seed):
    um = 0.7
    height, width = target.shape
    points = np.random.default_rng(seed).random((5, 2)) * [width * um, height * um]
    squares = np.argwhere(target).tolist()
    if beyond:
        ring = np.pad(np.zeros(target.shape, bool), 1, constant_values=True)
        squares += (np.argwhere(ring) - 1).tolist()
    found = distance_to_pixels(points, target, um, within_um, beyond=beyond)
    for point, distance in zip(points, found, strict=True):
        wanted = min((_to_square(point, *s, um) for s in squares), default=np.inf)
        assert distance == pytest.approx(wanted if wanted <= within_um else np.inf)
