import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.core.measure import (
    add_edges,
    contact_table,
    outline_edges,
    perimeters_um,
)
from mifprofile.core.segment import plan_blocks
from mifprofile.testing import label_images

CELLS = np.array([[0, 1, 1, 3], [2, 1, 1, 0], [2, 2, 0, 0]], np.uint32)


def edges_of(cells, block_px):
    blocks = plan_blocks(cells.shape, block_px, 1)
    return add_edges(
        outline_edges(cells[b.outer_slices], b.inner_slices) for b in blocks
    )


def test_touching_pairs_and_outlines_by_eye():
    edges = edges_of(CELLS, 4)
    contacts = contact_table(edges, um=0.5)
    assert contacts.to_numpy().tolist() == [[1, 2, 1.0], [1, 3, 0.5]]
    # The slide's border belongs to the outline.
    assert perimeters_um(edges, np.array([1, 2, 3, 9]), 0.5).tolist() == [4, 4, 2, 0]


def test_dtypes_hold_without_any_contact():
    for cells in (np.zeros((3, 3), np.uint32), CELLS):
        table = contact_table(edges_of(cells, 2), um=1.0)
        assert [str(t) for t in table.dtypes] == ["uint32", "uint32", "float64"]


@settings(max_examples=40, deadline=None)
@given(label_images(), st.integers(1, 30))
def test_blocks_add_up_to_every_pair_of_neighbours(labels, block_px):
    cells = labels.astype(np.uint32)
    padded = np.pad(cells, 1)
    pairs = [
        (min(a, b), max(a, b))
        for one, other in ((padded[:, :-1], padded[:, 1:]), (padded[:-1], padded[1:]))
        for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
        if a != b
    ]
    counted = pd.Series(pairs, dtype=object).value_counts()
    edges = edges_of(cells, block_px)
    ours = {(r.cell_a, r.cell_b): r.edges for r in edges.itertuples()}
    assert ours == counted.to_dict()
