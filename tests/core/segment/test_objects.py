import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from mifprofile.core.segment import fill_holes, flow_errors, keep_largest_piece
from mifprofile.core.segment.objects import areas_px, compact, contrasts, drop

LABELS = arrays(np.int32, (9, 11), elements=st.integers(0, 3))


def test_compact_keeps_the_order_of_names():
    labels, names = compact(np.array([[7, 0, 3], [3, 0, 9]], np.int32))
    assert labels.tolist() == [[2, 0, 1], [1, 0, 3]]
    assert names.tolist() == [3, 7, 9]


def test_drop():
    labels = np.array([[1, 2, 3]], np.int32)
    assert drop(labels, np.array([False, True, False])).tolist() == [[1, 0, 3]]


def test_areas_of_absent_labels_are_zero():
    assert areas_px(np.array([[1, 1, 3]], np.int32), 4).tolist() == [2, 0, 1, 0]


def test_only_the_largest_piece_stays():
    labels = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [2, 0, 2, 2]], np.int32)
    expected = [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 2, 2]]
    assert keep_largest_piece(labels).tolist() == expected


def test_of_equal_pieces_the_first_stays():
    labels = np.array([[1, 0, 1]], np.int32)
    assert keep_largest_piece(labels).tolist() == [[1, 0, 0]]


@given(LABELS)
def test_largest_piece_as_scipy_finds_it(labels):
    kept = keep_largest_piece(labels)
    for label in np.unique(labels[labels > 0]):
        pieces, count = ndimage.label(labels == label)
        sizes = ndimage.sum_labels(labels == label, pieces, range(1, count + 1))
        assert (kept == label).sum() == sizes.max()


def test_a_hole_inside_one_object_is_filled():
    labels = np.ones((5, 5), np.int32)
    labels[2, 2] = 0
    assert (fill_holes(np.pad(labels, 1), 4) == np.pad(np.ones((5, 5)), 1)).all()


@pytest.mark.parametrize("limit", [0, 3])
def test_a_hole_over_the_limit_stays(limit):
    labels = np.pad(np.ones((6, 6), np.int32), 1)
    labels[3:5, 3:5] = 0
    assert (fill_holes(labels, limit) == labels).all()


def test_a_gap_between_two_objects_stays():
    labels = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [2, 2, 2, 2]], np.int32)
    labels = np.pad(labels, 1)
    assert (fill_holes(labels, 9) == labels).all()


def test_a_gap_at_the_edge_stays_open():
    labels = np.array([[1, 0, 1], [1, 1, 1]], np.int32)
    assert (fill_holes(labels, 9) == labels).all()


def ring_flows(labels):
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
    rng = np.random.default_rng(1)
    flows = ring_flows(labels) + rng.normal(scale=0.4, size=(2, 40, 50))
    ours = flow_errors(labels, flows.astype(np.float32), 2)
    theirs, _ = metrics.flow_error(labels, 5 * flows, torch.device("cpu"))
    # Cellpose diffuses as long as the largest object needs, each of ours on its own.
    np.testing.assert_allclose(ours, theirs, atol=0.01)


def test_objects_that_contradict_the_flows_have_large_errors():
    labels = np.zeros((30, 30), np.int32)
    labels[5:25, 5:25] = 1
    good = ring_flows(labels).astype(np.float32)
    assert flow_errors(labels, good, 1)[0] < 0.05
    assert flow_errors(labels, -good, 1)[0] > 2


def test_contrast_is_to_the_background_around():
    labels = np.zeros((7, 14), np.int32)
    labels[2:5, 2:5], labels[2:5, 9:12] = 1, 2
    stain = np.full((7, 14), 5.0, np.float32)
    stain[2:5, 2:5], stain[2:5, 9:12] = 9.0, 1.0
    assert contrasts(labels, stain, 2, 1).tolist() == [4.0, -4.0]


def test_an_object_without_background_around_is_not_judged():
    labels = np.ones((3, 3), np.int32)
    assert contrasts(labels, np.ones((3, 3), np.float32), 1, 1).tolist() == [np.inf]
