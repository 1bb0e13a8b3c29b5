import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.draw import polygon

from mifprofile.core.masks import DrawnArea, draw_areas
from mifprofile.core.quality import (
    CAUSES,
    areas_by_cause,
    edge_mask,
    evaluable_mask,
    flag_cells,
)


def ring(*points):
    return np.array([*points, points[0]], float)


def masks(**given):
    return {c: np.array(given.get(c, np.zeros((2, 3))), bool) for c in CAUSES}


def test_a_polygon_with_a_hole_covers_the_centres_within():
    outer = ring((0, 0), (40, 0), (40, 40), (0, 40))
    hole = ring((10, 10), (30, 10), (30, 30), (10, 30))
    drawn = draw_areas([(DrawnArea(((outer, hole),)), 1)], (5, 6), 10.0)
    assert drawn.astype(int).tolist() == [
        [1, 1, 1, 1, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_a_polygon_may_reach_beyond_the_slide():
    outer = ring((-50, -50), (500, -50), (500, 14), (-50, 14))
    drawn = draw_areas([(DrawnArea(((outer,),)), 1)], (3, 2), 10.0)
    assert drawn.astype(int).tolist() == [[1, 1], [0, 0], [0, 0]]


def test_of_areas_that_overlap_the_later_holds():
    first = ring((0, 0), (40, 0), (40, 20), (0, 20))
    second = ring((20, 10), (60, 10), (60, 30), (20, 30))
    areas = [(DrawnArea(((first,),)), 2), (DrawnArea(((second,),)), 7)]
    assert draw_areas(areas, (3, 6), 10.0).tolist() == [
        [2, 2, 2, 2, 0, 0],
        [2, 2, 7, 7, 7, 7],
        [0, 0, 7, 7, 7, 7],
    ]
    assert draw_areas(reversed(areas), (3, 6), 10.0)[1].tolist() == [2, 2, 2, 2, 7, 7]


@given(
    arrays(np.float64, (7, 2), elements=st.floats(-30.3, 130.7)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_a_polygon_is_filled_as_scikit_image_fills_it(points, shape):
    # Off the centres of all pixels, where a side is a matter of taste.
    points = points.round(1) + np.array([0.013, 0.037])
    y, x = points[:, 1] / 10 - 0.5, points[:, 0] / 10 - 0.5
    expected = np.zeros(shape, np.uint8)
    expected[polygon(y, x, shape)] = 1
    found = draw_areas([(DrawnArea(((points,),)), 1)], shape, 10.0)
    np.testing.assert_array_equal(found, expected)


def test_overlapping_causes_add_up_to_the_tissue():
    tissue = np.array([[1, 1, 1], [1, 1, 0]], bool)
    found = masks(
        fold=[[1, 1, 0], [0, 0, 1]],
        out_of_focus=[[0, 1, 1], [0, 0, 0]],
    )
    areas = areas_by_cause(tissue, found, 1000.0)
    assert areas["fold"] == 2
    assert areas["out_of_focus"] == 1
    assert areas["evaluable"] == 2 == evaluable_mask(tissue, found).sum()
    parts = [areas[c] for c in (*CAUSES, "evaluable")]
    assert sum(parts) == areas["tissue"] == 5


def test_cells_are_flagged_by_their_centroid_for_every_cause():
    cells = pd.DataFrame({"x_um": [1.0, 9.9, 25.0], "y_um": [1.0, 9.9, 19.0]})
    found = masks(
        fold=[[1, 0, 0], [0, 0, 0]],
        edge=[[1, 0, 0], [0, 0, 1]],
    )
    flags = flag_cells(cells, found, 10.0)
    assert list(flags) == [*(f"qc_{c}" for c in CAUSES), "qc_evaluable"]
    assert flags["qc_fold"].tolist() == [True, True, False]
    assert flags["qc_edge"].tolist() == [True, True, True]
    assert not flags["qc_evaluable"].any()
    assert len(flag_cells(cells[:0], found, 10.0)) == 0


@pytest.mark.parametrize(("edge_um", "wide"), [(0.0, 0), (10.0, 2)])
def test_the_edge_is_a_rim_towards_glass(edge_um, wide):
    tissue = np.zeros((20, 30), bool)
    tissue[:, 10:] = True
    rim = edge_mask(tissue, 5.0, edge_um)
    assert rim.sum() == 20 * wide
    assert not rim[:, 10 + wide :].any()
