import numpy as np
import pytest

from mifprofile.core.segment import follow_flows, sink_labels
from mifprofile.core.segment.dynamics import travel_px


def discs(shape, centres, radius):
    """Labels of discs and the unit flows that point at their centres."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    flows = np.zeros((2, *shape), np.float32)
    for i, (cy, cx) in enumerate(centres, start=1):
        distance = np.hypot(y - cy, x - cx)
        inside = (distance <= radius) & (labels == 0)
        labels[inside] = i
        pull = np.maximum(distance, 1e-6)
        flows[0][inside] = ((cy - y) / pull)[inside]
        flows[1][inside] = ((cx - x) / pull)[inside]
    return labels, flows


def test_every_pixel_ends_at_the_centre_of_its_disc():
    labels, flows = discs((40, 60), [(12, 14), (25, 44)], 9)
    ends = follow_flows(flows, labels > 0, doublings=3)
    for label, centre in ((1, (12, 14)), (2, (25, 44))):
        rows, cols = np.divmod(ends[labels == label], 60)
        assert np.hypot(rows - centre[0], cols - centre[1]).max() <= 1.5
    assert (ends[labels == 0] == -1).all()


def test_touching_discs_stay_apart():
    labels, flows = discs((30, 40), [(15, 12), (15, 25)], 7)
    found = sink_labels(follow_flows(flows, labels > 0, doublings=3))
    names = {n: set(np.unique(found[labels == n])) for n in (1, 2)}
    assert all(len(n) == 1 for n in names.values())
    assert names[1] != names[2]


def test_an_object_is_named_by_the_place_of_its_sink():
    labels, flows = discs((30, 40), [(15, 12)], 7)
    name = int(sink_labels(follow_flows(flows, labels > 0, doublings=3)).max())
    row, col = divmod(name - 1, 40)
    assert np.hypot(row - 15, col - 12) <= 1.5


def test_specks_of_fewer_than_ten_pixels_are_dropped():
    labels, flows = discs((20, 20), [(10, 10)], 1)
    assert not sink_labels(follow_flows(flows, labels > 0, doublings=3)).any()


@pytest.mark.parametrize("doublings", [0, 1, 3])
def test_no_pixel_travels_further_than_said(doublings):
    flows = np.zeros((2, 5, 400), np.float32)
    flows[1] = 1
    ends = follow_flows(flows, np.ones((5, 400), bool), doublings)
    moved = ends % 400 - np.arange(400)
    assert moved.max() == travel_px(doublings)


def test_the_result_does_not_depend_on_where_the_array_begins():
    rng = np.random.default_rng(0)
    flows = rng.normal(size=(2, 400, 420)).astype(np.float32)
    foreground = rng.random((400, 420)) < 0.9
    whole = follow_flows(flows, foreground, 2)
    part = follow_flows(flows[:, 37:, 51:], foreground[37:, 51:], 2)
    y, x = np.divmod(whole, 420)
    v, u = np.divmod(part, 420 - 51)
    inner = (slice(37 + 40, 360), slice(51 + 40, 380))
    shifted = (slice(40, 360 - 37), slice(40, 380 - 51))
    known = foreground[inner]
    np.testing.assert_array_equal(y[inner][known], v[shifted][known] + 37)
    np.testing.assert_array_equal(x[inner][known], u[shifted][known] + 51)
