import numpy as np
from hypothesis import given, settings
from skimage.measure import find_contours

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


@settings(deadline=None)
@given(label_images())
def test_outlines_stay_within_half_a_pixel_of_the_pixels(labels):
    wanted = np.unique(labels[labels > 0])
    for label, line in outlines(labels, wanted).items():
        rows, cols = np.nonzero(labels == label)
        assert line[:, 0].min() >= cols.min()
        assert line[:, 1].max() <= rows.max() + 1


def turned_to_its_least(line):
    """Points of a closed polygon from the least one on, in one direction."""
    ring = [tuple(point) for point in line[:-1].tolist()]
    first = ring.index(min(ring))
    ring = ring[first:] + ring[:first]
    return ring if ring[1] < ring[-1] else [ring[0], *ring[:0:-1]]


def by_skimage(mask):
    """Longest marching-squares contour, without the points at which it goes on."""
    contours = find_contours(np.pad(mask, 1).astype(float), 0.5)
    length = max(map(len, contours))
    lines = []
    for contour in contours:
        if len(contour) == length:
            ring = contour[:-1, ::-1] - 0.5
            before = ring - np.roll(ring, 1, axis=0)
            after = np.roll(ring, -1, axis=0) - ring
            turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
            lines.append(np.concatenate([ring[turns], ring[turns][:1]]))
    return [turned_to_its_least(line) for line in lines]


@settings(deadline=None)
@given(label_images())
def test_outlines_are_marching_squares_contours(labels):
    wanted = np.unique(labels[labels > 0])
    found = outlines(labels, wanted)
    assert sorted(found) == wanted.tolist()
    for label, line in found.items():
        assert turned_to_its_least(line) in by_skimage(labels == label)
