import numpy as np
import pytest

from mifprofile.core.spatial import (
    Pattern,
    Tiles,
    Window,
    count_tiles,
    moran,
    morisita_horn,
)
from mifprofile.errors import UsageError


def tiles(cells, area=100.0):
    cells = np.array(cells)
    return Tiles(cells, np.full(cells.shape[1:], area), 10.0)


def overlap(cells):
    return morisita_horn(tiles(cells), min_cells=1)["morisita_horn"].tolist()


def test_overlap_of_types_that_are_alike_apart_and_half_alike():
    one = [[4, 2], [0, 2]]
    assert overlap([one, np.multiply(one, 5)]) == [pytest.approx(1)]
    assert overlap([one, [[0, 0], [7, 0]]]) == [0]
    # p = (1/2, 1/4, 0, 1/4), q = (1/2, 0, 1/2, 0): 2 · 1/4 / (6/16 + 8/16)
    assert overlap([one, [[3, 0], [3, 0]]]) == [pytest.approx(0.5 / (14 / 16))]


def test_overlap_without_cells_has_a_reason():
    table = morisita_horn(tiles([[[30, 0]], [[0, 0]]]), min_cells=0)
    assert np.isnan(table["morisita_horn"].iloc[0])
    assert table["reason"].iloc[0] == "0 target cells, fewer than 1"


def test_tiles_meet_in_the_middle_and_share_the_pixels_they_cut():
    mask = np.zeros((8, 10), bool)
    mask[1:6, 2:9] = True
    window = Window(mask, 1.0)
    found = count_tiles(Pattern.of([5.6, 5.4], [3.4, 3.6], [0, 1], 2, window), 3.0)
    assert found.area_um2.sum() == pytest.approx(5 * 7)
    rows, cols = found.area_um2.shape
    middle = found.area_um2[
        rows // 2 - 2 : rows // 2 + 2, cols // 2 - 2 : cols // 2 + 2
    ]
    # 5 x 7 um about the middle: 2.5 um up and down, 3 + 0.5 um to either side.
    sides, ups = np.array([0.5, 3, 3, 0.5]), np.array([0, 2.5, 2.5, 0])
    np.testing.assert_allclose(middle, np.outer(ups, sides))
    assert found.cells[0, rows // 2 - 1, cols // 2] == 1
    assert found.cells[1, rows // 2, cols // 2 - 1] == 1


def test_tile_areas_add_up_to_the_window(clustered):
    found = count_tiles(clustered, 37.0)
    assert found.area_um2.sum() == pytest.approx(clustered.window.area_um2)
    assert found.cells.sum(axis=(1, 2)).tolist() == clustered.counts.tolist()


def test_tile_size_that_cannot_be_right(clustered):
    with pytest.raises(UsageError, match="tile_um"):
        count_tiles(clustered, 0)


def brute_moran(density, used):
    """Moran's I by a loop over all ordered pairs of tiles."""
    at = np.argwhere(used)
    z = density[used] - density[used].mean()
    top = total = 0.0
    for i, p in enumerate(at):
        for j, q in enumerate(at):
            if i != j and np.abs(p - q).max() == 1:
                top, total = top + z[i] * z[j], total + 1
    return len(z) / total * top / (z @ z)


@pytest.mark.parametrize("seed", range(5))
def test_moran_as_by_trying_all(seed):
    rng = np.random.default_rng(seed)
    cells, area = rng.integers(0, 9, (1, 6, 5)), rng.uniform(20, 100, (6, 5))
    table = moran(Tiles(cells, area, 10.0), min_cells=1)
    assert table["moran_i"].iloc[0] == pytest.approx(
        brute_moran(cells[0] / area, area >= 50)
    )
    assert table["n_tiles"].iloc[0] == np.count_nonzero(area >= 50)
    assert table["n_cells"].iloc[0] == cells[0][area >= 50].sum()


def test_z_has_the_moments_of_all_permutations():
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 20, (1, 4, 4))
    row = moran(tiles(cells), min_cells=1).iloc[0]
    used = np.ones((4, 4), bool)
    drawn = [
        brute_moran(rng.permutation(cells[0].ravel()).reshape(4, 4) / 100, used)
        for _ in range(600)
    ]
    assert row["expected"] == pytest.approx(np.mean(drawn), abs=0.02)
    wanted = (row["moran_i"] - np.mean(drawn)) / np.std(drawn)
    assert row["z"] == pytest.approx(wanted, abs=0.2)
    assert row["p_value"] == pytest.approx(np.mean(drawn >= row["moran_i"]), abs=0.05)


def test_moran_of_clusters_noise_and_a_chessboard():
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:12, :12]
    half = 50 * (cols < 6)
    found = moran(tiles([half, rng.poisson(20, half.shape), 9 * ((rows + cols) % 2)]))
    assert found["moran_i"].iloc[0] > 0.7
    assert found["p_value"].iloc[0] == 1 / 1000
    assert abs(found["z"].iloc[1]) < 3
    assert found["p_value"].iloc[2] > 0.3


@pytest.mark.parametrize(
    ("cells", "area", "status"),
    [
        ([[[9, 9, 9]]], 100.0, "LOW_AREA"),
        ([[[9, 9], [9, 9]]], 100.0, "NOT_COMPUTABLE"),
        ([[[1, 0], [0, 0]]], 100.0, "LOW_N"),
        ([[[9, 5], [9, 9]]], 10.0, "LOW_AREA"),
    ],
)
def test_moran_that_cannot_be_had_has_a_reason(cells, area, status):
    row = moran(tiles(cells, area)).iloc[0]
    assert row["status"] == status
    assert row["reason"]
    assert row[["moran_i", "z", "p_value"]].isna().all()


def test_tiles_that_do_not_touch():
    cells = np.zeros((1, 5, 5), int)
    area = np.zeros((5, 5))
    area[::2, ::2], cells[0, ::2, ::2] = 100, np.arange(9).reshape(3, 3)
    row = moran(Tiles(cells, area, 10.0)).iloc[0]
    assert row["reason"] == "no two tiles of tissue touch"


def test_four_tiles_that_all_touch_tell_nothing():
    row = moran(tiles([[[20, 5], [7, 9]]])).iloc[0]
    assert row["moran_i"] == pytest.approx(-1 / 3)
    assert np.isnan(row["z"])
    assert row["reason"] == "z: every permutation gives this I"
