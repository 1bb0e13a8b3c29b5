import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.core.measure import (
    CellRuns,
    cell_runs,
    label_areas,
    membrane_ring,
    whole_cells,
)
from mifprofile.core.measure.runs import NUCLEUS, RING, STRIP
from mifprofile.core.segment import plan_blocks
from mifprofile.testing import label_images

CELLS = np.array([[0, 3, 3, 0], [5, 3, 3, 3], [5, 5, 0, 0]], np.uint32)
NUCLEI = np.array([[0, 0, 3, 0], [0, 0, 3, 3], [5, 5, 0, 0]], np.uint32)
WHOLE = (slice(0, 3), slice(0, 4))


def test_runs_by_eye():
    runs = cell_runs(NUCLEI, CELLS, WHOLE, (100, 200), 1.0)
    assert runs.ids.tolist() == [3, 5]
    assert runs.first.tolist() == [0, 4, 7]
    assert runs.areas.tolist() == [5, 3]
    assert runs.y.tolist() == [100, 100, 101, 101, 101, 102, 102]
    assert runs.x.tolist() == [201, 202, 201, 202, 200, 200, 201]
    assert runs.start.tolist() == [1, 2, 5, 6, 4, 8, 9]
    assert runs.length.tolist() == [1, 1, 1, 2, 1, 1, 1]
    inside = NUCLEUS + RING
    assert runs.zone.tolist() == [RING, inside, RING, inside, RING, NUCLEUS, inside]


def test_a_strip_may_be_wider_than_the_ring():
    cells = np.zeros((9, 9), np.uint32)
    cells[1:8, 1:8] = 1
    whole = (slice(0, 9), slice(0, 9))
    runs = cell_runs(np.zeros_like(cells), cells, whole, (0, 0), 1.0, 2.0)
    pixels = np.bincount(runs.zone, runs.length, 8)
    assert pixels[RING + STRIP] == 49 - 25
    assert pixels[STRIP] == 25 - 9
    assert pixels[0] == 9


def test_the_ring_is_as_wide_as_told():
    cells = np.zeros((9, 9), np.uint32)
    cells[1:8, 1:8] = 1
    assert membrane_ring(cells, 1.0).sum() == 49 - 25
    assert membrane_ring(cells, 2.0).sum() == 49 - 9
    part = membrane_ring(cells, 2.0, (slice(3, 6), slice(0, 9)))
    np.testing.assert_array_equal(part, membrane_ring(cells, 2.0)[3:6])


def test_areas_of_labels():
    ids, pixels = label_areas(CELLS)
    assert dict(zip(ids, pixels, strict=True)) == {3: 5, 5: 3}
    assert label_areas(np.zeros((2, 2), np.uint32))[0].size == 0


def blocks_of(cells, block_px, order=None):
    planes = np.arange(cells.size).reshape(1, *cells.shape)
    blocks = plan_blocks(cells.shape, block_px, 3)
    for k in range(len(blocks)) if order is None else order(len(blocks)):
        outer, inner = blocks[k].outer_slices, blocks[k].inner_slices
        corner = (blocks[k].outer[0], blocks[k].outer[2])
        runs = cell_runs(cells[outer], cells[outer], inner, corner, 1.0)
        yield runs, planes[:, *outer]


@settings(max_examples=40, deadline=None)
@given(label_images(), st.integers(1, 30), st.randoms(use_true_random=False))
def test_every_cell_comes_once_with_all_its_pixels(labels, block_px, random):
    cells = labels.astype(np.uint32)
    areas = np.bincount(cells.ravel(), minlength=2)
    shuffled = blocks_of(cells, block_px, lambda n: random.sample(range(n), n))
    seen = {}
    for runs, planes in whole_cells(shuffled, areas):
        for i, cell in enumerate(runs.ids):
            assert cell not in seen
            span = range(runs.first[i], runs.first[i + 1])
            pieces = [
                planes[0, runs.start[k] : runs.start[k] + runs.length[k]] for k in span
            ]
            seen[cell] = np.concatenate(pieces)
    assert set(seen) == set(np.unique(cells[cells > 0]))
    for cell, values in seen.items():
        np.testing.assert_array_equal(values, np.flatnonzero(cells == cell))


def test_a_label_in_two_pieces_is_one_cell():
    cells = np.zeros((8, 8), np.uint32)
    cells[1, 1] = cells[6, 6] = 1
    found = list(whole_cells(blocks_of(cells, 4), np.array([62, 2])))
    assert [runs.areas.tolist() for runs, _ in found if runs.ids.size] == [[2]]


def test_no_cell():
    none = CellRuns.none()
    assert none.areas.size == none.owner.size == 0
