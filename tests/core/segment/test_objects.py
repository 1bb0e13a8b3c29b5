import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from mifprofile.core.segment import (
    boxes_of,
    contrasts,
    flow_errors,
    solid_areas,
    solid_objects,
)

LABELS = arrays(np.int32, (9, 11), elements=st.integers(0, 3))


def solid(labels, wanted=None):
    """Solid objects 1..n of a list or array of labels."""
    labels = np.array(labels, np.int32)
    count = int(labels.max())
    wanted = np.ones(count, bool) if wanted is None else np.array(wanted)
    return solid_objects(labels, boxes_of(labels, count), wanted)


def present(labels):
    return np.isin(np.arange(1, labels.max() + 1), labels)


def test_boxes():
    labels = np.array([[0, 3, 0], [3, 0, 1]], np.int32)
    expected = [[1, 2, 2, 3], [0, 0, 0, 0], [0, 2, 0, 2]]
    assert boxes_of(labels, 3).tolist() == expected


def test_only_what_is_wanted_stays_and_is_renumbered():
    labels, kept = solid([[1, 2, 3]], [False, True, True])
    assert labels.tolist() == [[0, 1, 2]]
    assert kept.tolist() == [1, 2]


def test_only_the_largest_piece_stays():
    labels = [[1, 1, 0, 1], [0, 0, 0, 0], [2, 0, 2, 2]]
    expected = [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 2, 2]]
    assert solid(labels)[0].tolist() == expected


def test_of_equal_pieces_the_first_stays():
    assert solid([[1, 0, 1]])[0].tolist() == [[1, 0, 0]]


def test_a_hole_is_filled():
    labels = np.pad(np.ones((5, 5), np.int32), 1)
    holed = labels.copy()
    holed[3, 3] = 0
    assert (solid(holed)[0] == labels).all()


def test_an_object_in_a_hole_stays():
    labels = np.ones((5, 5), np.int32)
    labels[1:4, 1:4] = 0
    labels[2, 2] = 2
    expected = np.ones((5, 5))
    expected[2, 2] = 2
    assert (solid(labels)[0] == expected).all()


def test_a_pixel_in_two_holes_is_given_to_the_first_object():
    labels = np.ones((7, 7), np.int32)
    labels[1:6, 1:6] = 0
    labels[2:5, 2:5] = 2
    labels[3, 3] = 0
    assert solid(labels)[0][3, 3] == 1


def test_a_gap_between_two_objects_stays():
    labels = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [2, 2, 2, 2]], np.int32)
    assert (solid(labels)[0] == labels).all()


def test_a_gap_at_the_edge_stays_open():
    assert solid([[1, 0, 1], [1, 1, 1]])[0].tolist() == [[1, 0, 1], [1, 1, 1]]


@settings(deadline=None)
@given(LABELS)
def test_shapes_as_scipy_finds_them(labels):
    areas = solid_areas(labels, boxes_of(labels, int(labels.max())))
    kept, _ = solid(labels, present(labels))
    for i, name in enumerate(np.flatnonzero(present(labels)) + 1, start=1):
        pieces, count = ndimage.label(labels == name)
        sizes = ndimage.sum_labels(labels == name, pieces, range(1, count + 1))
        largest = pieces == 1 + np.argmax(sizes)
        assert (kept[largest] == i).all()
        assert areas[name - 1] == ndimage.binary_fill_holes(largest).sum()


def cellpose_flows(labels):
    dynamics = pytest.importorskip("cellpose.dynamics")
    torch = pytest.importorskip("torch")
    return dynamics.masks_to_flows(labels, device=torch.device("cpu"))


def test_flow_errors_equal_cellposes():
    metrics = pytest.importorskip("cellpose.metrics")
    torch = pytest.importorskip("torch")
    y, x = np.mgrid[:40, :50]
    labels = np.zeros((40, 50), np.int32)
    labels[np.hypot(y - 12, x - 13) < 8] = 1
    labels[np.hypot((y - 26) / 2, x - 33) < 5] = 2
    labels[2:4, 40:42] = 2
    rng = np.random.default_rng(1)
    flows = cellpose_flows(labels) + rng.normal(scale=0.4, size=(2, 40, 50))
    ours = flow_errors(labels, flows.astype(np.float32), boxes_of(labels, 2))
    theirs, _ = metrics.flow_error(labels, 5 * flows, torch.device("cpu"))
    # Cellpose diffuses as long as the largest object needs, each of ours on its own.
    np.testing.assert_allclose(ours, theirs, atol=0.01)


def plain_flow_error(inside, flows):
    """The definition, in float64 and without any thought of speed."""
    rows, cols = np.nonzero(inside)
    nearest = ((rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2).argmin()
    heat = np.zeros(np.array(inside.shape) + 2)
    for _ in range(2 * (np.ptp(rows) + np.ptp(cols) + 4)):
        heat[1 + rows[nearest], 1 + cols[nearest]] += 1
        spread = ndimage.convolve(heat, np.full((3, 3), 1 / 9), mode="constant")
        heat[1:-1, 1:-1] = np.where(inside, spread[1:-1, 1:-1], 0)
    gradient = np.stack(
        [heat[2:, 1:-1] - heat[:-2, 1:-1], heat[1:-1, 2:] - heat[1:-1, :-2]]
    )
    size = np.hypot(*gradient)
    # Where heat is equal on all sides, rounding alone tells the direction.
    assume((size[inside] > 1e-4 * heat[1:-1, 1:-1][inside]).all())
    own = gradient / (size + 1e-60)
    return ((own - flows) ** 2).sum(axis=0)[inside].mean()


@settings(deadline=None)
@given(
    arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 30))),
    st.integers(0, 99),
)
def test_flow_errors_are_as_defined(inside, seed):
    if not inside.any():
        return
    rng = np.random.default_rng(seed)
    flows = rng.normal(size=(2, *inside.shape)).astype(np.float32)
    labels = inside.astype(np.int32)
    ours = flow_errors(labels, flows, boxes_of(labels, 1))
    np.testing.assert_allclose(ours, plain_flow_error(inside, flows), atol=1e-4)


def test_the_centre_of_a_symmetric_object_has_no_flow():
    labels = np.ones((5, 7), np.int32)
    flows = np.zeros((2, 5, 7), np.float32)
    assert flow_errors(labels, flows, boxes_of(labels, 1)) == 34 / 35


def test_objects_that_contradict_the_flows_have_large_errors():
    labels = np.zeros((30, 30), np.int32)
    labels[5:25, 5:25] = 1
    good, boxes = cellpose_flows(labels).astype(np.float32), boxes_of(labels, 1)
    assert flow_errors(labels, good, boxes)[0] < 0.05
    assert flow_errors(labels, -good, boxes)[0] > 2


def contrast(labels, stain, foreground, ring_px):
    boxes = boxes_of(labels, int(labels.max()))
    return contrasts(labels, boxes, foreground, stain, ring_px).tolist()


def test_contrast_is_to_the_background_around():
    labels = np.zeros((7, 14), np.int32)
    labels[2:5, 2:5], labels[2:5, 9:12] = 1, 2
    stain = np.full((7, 14), 5.0, np.float32)
    stain[2:5, 2:5], stain[2:5, 9:12] = 9.0, 1.0
    assert contrast(labels, stain, labels > 0, 1) == [4.0, -4.0]


def test_the_ring_is_of_the_said_width_and_only_of_background():
    labels = np.zeros((9, 9), np.int32)
    labels[4, 4] = 1
    foreground = labels > 0
    foreground[2:4, :] = True
    y, x = np.mgrid[:9, :9]
    distance = np.maximum(abs(y - 4), abs(x - 4))
    stain = np.where((distance > 2) | foreground, 99, distance).astype(np.float32)
    stain[4, 4] = 10
    ring = stain[(distance <= 2) & ~foreground]
    assert contrast(labels, stain, foreground, 2) == [10 - ring.mean(dtype=float)]


def test_an_object_without_background_around_is_not_judged():
    labels = np.ones((3, 3), np.int32)
    assert contrast(labels, np.ones((3, 3), np.float32), labels > 0, 1) == [np.inf]
