import numpy as np
from hypothesis import given

from mifprofile.core.outlines import outlines
from mifprofile.testing import label_images


def area(line):
    """Area that a closed polygon of (x, y) encloses."""
    x, y = line.T
    return abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2


def test_a_square_is_traced_with_its_corners_cut():
    labels = np.zeros((6, 7), int)
    labels[1:4, 2:6] = 5
    line = outlines(labels, np.array([5]))[5]
    assert line.min(axis=0).tolist() == [2, 1]
    assert line.max(axis=0).tolist() == [6, 4]
    assert area(line) == 12 - 4 * 0.125
    assert len(line) == 8 + 1
    assert (line[0] == line[-1]).all()


def test_only_what_is_wanted_and_there_is_traced():
    labels = np.array([[1, 0, 2], [1, 0, 2]])
    assert set(outlines(labels, np.array([2, 9]))) == {2}
    assert outlines(labels, np.array([], int)) == {}


@given(label_images())
def test_outlines_stay_within_half_a_pixel_of_the_pixels(labels):
    wanted = np.unique(labels[labels > 0])
    for label, line in outlines(labels, wanted).items():
        rows, cols = np.nonzero(labels == label)
        assert line[:, 0].min() >= cols.min()
        assert line[:, 1].max() <= rows.max() + 1
