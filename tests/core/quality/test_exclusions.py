import numpy as np
import pandas as pd
import pytest

from mifprofile.core.quality import (
    CAUSES,
    Exclusion,
    areas_by_cause,
    draw_exclusions,
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
    drawn = draw_exclusions([Exclusion(((outer, hole),))], (5, 6), 10.0)
    assert drawn.astype(int).tolist() == [
        [1, 1, 1, 1, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_a_polygon_may_reach_beyond_the_slide():
    outer = ring((-50, -50), (500, -50), (500, 14), (-50, 14))
    drawn = draw_exclusions([Exclusion(((outer,),))], (3, 2), 10.0)
    assert drawn.astype(int).tolist() == [[1, 1], [0, 0], [0, 0]]


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
