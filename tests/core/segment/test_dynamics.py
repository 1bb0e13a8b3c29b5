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
    found, _ = sink_labels(follow_flows(flows, labels > 0, doublings=3))
    names = {n: set(np.unique(found[labels == n])) for n in (1, 2)}
    assert all(len(n) == 1 for n in names.values())
    assert names[1] != names[2]


def test_an_object_is_named_by_the_place_of_its_sink():
    labels, flows = discs((30, 40), [(15, 12)], 7)
    found, sinks = sink_labels(follow_flows(flows, labels > 0, doublings=3))
    row, col = divmod(sinks[found[15, 12] - 1], 40)
    assert np.hypot(row - 15, col - 12) <= 1.5


def test_sinks_of_no_more_than_ten_pixels_are_none():
    labels, flows = discs((20, 20), [(10, 10)], 1)
    found, sinks = sink_labels(follow_flows(flows, labels > 0, doublings=3))
    assert not found.any()
    assert sinks.size == 0


def ends_at(arrivals):
    """Ends of pixels in a row below, as many as are to arrive at each place."""
    arrivals = np.array(arrivals)
    ends = np.full((3, arrivals.sum()), -1, np.int32)
    ends[2] = np.repeat(np.arange(arrivals.size), arrivals)
    return ends


def test_a_sink_takes_in_ends_within_five_steps_of_more_than_two():
    arrivals = [3, 3, 3, 3, 3, 3, 20, 3, 2, 3]
    found = sink_labels(ends_at(arrivals))[0][2]
    taken = [0, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert (found == np.repeat(taken, arrivals)).all()


@pytest.mark.parametrize(("left", "right"), [(20, 30), (30, 20), (20, 20)])
def test_ends_between_two_sinks_go_to_the_one_of_more_pixels(left, right):
    arrivals = [left, 3, 3, 3, right]
    found = sink_labels(ends_at(arrivals))[0][2]
    assert set(found) == {1 if left >= right else 2}


@pytest.mark.parametrize("doublings", [1, 2, 3])
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
    inner = (slice(37 + 60, 340), slice(51 + 60, 360))
    shifted = (slice(60, 340 - 37), slice(60, 360 - 51))
    known = foreground[inner]
    np.testing.assert_array_equal(y[inner][known], v[shifted][known] + 37)
    np.testing.assert_array_equal(x[inner][known], u[shifted][known] + 51)
