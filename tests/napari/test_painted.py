import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mifprofile.napari._painted import PaintedLabels

IDS = np.array(
    [
        [1, 1, 0, 2],
        [1, 1, 0, 2],
        [0, 0, 0, 0],
        [3, 3, 0, 9],
    ],
    np.uint32,
)
LEVELS = [IDS, IDS[::2, ::2]]
VALUES = np.array([0, 10, 20, 0], np.uint32)


class Counted:
    """An array that counts how often it is read."""

    shape = IDS.shape

    def __init__(self):
        self.reads = 0

    def __getitem__(self, window):
        self.reads += 1
        return IDS[window]


def test_pixels_show_the_value_of_their_cell():
    fine, coarse = PaintedLabels(LEVELS, VALUES).data
    shown = [[10, 10, 0, 20], [10, 10, 0, 20], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(np.asarray(fine), shown)
    np.testing.assert_array_equal(fine[1:3, 2:], [[0, 20], [0, 0]])
    np.testing.assert_array_equal(coarse, [[10, 0], [0, 0]])


def test_painting_changes_every_level_in_place():
    painted = PaintedLabels(LEVELS, VALUES)
    fine, coarse = painted.data
    painted.paint(np.array([0, 0, 0, 7], np.uint32))
    np.testing.assert_array_equal(fine[3:, :], [[7, 7, 0, 0]])
    np.testing.assert_array_equal(coarse, [[0, 0], [0, 0]])
    assert painted.data[1] is coarse


def test_a_single_level_is_a_plain_array():
    data = PaintedLabels([IDS], VALUES).data
    np.testing.assert_array_equal(data[0], [10, 10, 0, 20])


def test_a_window_is_read_once_while_values_change():
    source = Counted()
    painted = PaintedLabels([source, IDS[::2, ::2]], VALUES)
    fine = painted.data[0]
    for value in (1, 2, 3):
        painted.paint(np.array([0, value], np.uint32))
        assert fine[0:2, 0:2].max() == value
    assert source.reads == 1
    np.testing.assert_array_equal(fine[0:1, 3:4], [[0]])
    assert source.reads == 2


@given(st.lists(st.integers(0, 2**32 - 1), max_size=12))
def test_painted_is_a_plain_look_up(values):
    values = np.array([0, *values], np.uint32)
    fine = PaintedLabels(LEVELS, values).data[0]
    expected = [[values[i] if i < values.size else 0 for i in row] for row in IDS]
    np.testing.assert_array_equal(np.asarray(fine), expected)
