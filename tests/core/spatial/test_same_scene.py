"""No value moves when the scene is turned, shuffled or put on smaller pixels."""

import numpy as np
import pandas as pd
import pytest

from mifprofile.core.spatial import (
    Pattern,
    Window,
    compositions,
    count_tiles,
    cross_g,
    cross_k,
    distance_bands,
    diversity,
    infiltration_profile,
    mixing_scores,
    moran,
    morisita_horn,
    nearest_distances,
    nearest_null,
    nearest_table,
    pair_sums,
    within_table,
)


def tables(pattern):
    """All that is computed of a pattern, table by table."""
    nearest, sums = nearest_distances(pattern), pair_sums(pattern, [10, 20, 50])
    null = nearest_null(pattern, nearest, permutations=5, max_reference=50)
    tiles = count_tiles(pattern, 90.0)
    around = diversity(pattern, 30.0)
    yield nearest_table(pattern, nearest, null)
    yield within_table(pattern, nearest, sums)
    yield cross_g(pattern, nearest, [10, 20, 50])
    yield cross_k(sums)
    yield mixing_scores(sums, [0], [1], 20)
    yield morisita_horn(tiles)
    # The permutations are drawn over tiles in raster order.
    yield moran(tiles).drop(columns="p_value")
    yield pd.DataFrame([around])
    windows = compositions(pattern.points, pattern.types, pattern.n_types)
    yield pd.DataFrame(windows).sort_values([0, 1, 2], ignore_index=True)


def test_statistics(clustered, same_scene):
    other = same_scene(clustered)
    for one, two in zip(tables(clustered), tables(other), strict=True):
        pd.testing.assert_frame_equal(one, two, rtol=1e-6, atol=1e-6)


def test_infiltration(clustered, same_scene):
    """Areas of bands are counted in pixels: smaller ones move them by little."""
    rows, cols = np.mgrid[:200, :200]
    nest = (rows - 100) ** 2 + (cols - 60) ** 2 < 40**2
    marked = Pattern.of(*clustered.points.T, clustered.types, 3, Window(nest, 4.0))
    other, other_nest = same_scene(clustered), same_scene(marked).window.mask
    found = [
        infiltration_profile(p, distance_bands(p.window, n, [-100, -50, 0, 50, 100]))
        for p, n in ((clustered, nest), (other, other_nest))
    ]
    same_pixels = other.window.um == 4
    one, two = (f["area_mm2"] for f in found)
    np.testing.assert_allclose(one, two, rtol=1e-9 if same_pixels else 0.05)
    one, two = (f["n_cells"] for f in found)
    assert (np.abs(one - two) <= (0 if same_pixels else 5)).all()


@pytest.mark.parametrize("cells", [0, 1])
@pytest.mark.parametrize("mask", [np.zeros((30, 40), bool), np.ones((30, 40), bool)])
def test_without_cells_or_tissue_every_value_has_a_reason(cells, mask):
    window = Window(mask, 10.0)
    pattern = Pattern.of([55.0] * cells, [55.0] * cells, [1] * cells, 3, window)
    for table in list(tables(pattern))[:-1]:
        assert (table["reason"] != "").all()
        assert not np.isinf(table.select_dtypes("number")).any(axis=None)
    around = compositions(pattern.points, pattern.types, pattern.n_types)
    assert around.shape == (len(pattern.points), 3)
