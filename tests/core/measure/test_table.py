import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops, regionprops_table

from mifprofile.core.measure import Reading, membrane_ring

IMAGE = np.arange(24, dtype=np.uint16).reshape(1, 4, 6)
CELLS = np.array(
    [
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 2, 0],
        [0, 1, 1, 1, 0, 0],
    ],
    np.uint32,
)
NUCLEI = np.zeros_like(CELLS)
NUCLEI[1:3, 2] = 1
NUCLEI[2, 4] = 2


@pytest.fixture
def small(scene):
    made = scene()
    made.image, made.nuclei, made.cells = IMAGE, NUCLEI, CELLS
    return made


def test_means_by_compartment(small, measured):
    row = measured(small, [Reading("A")]).iloc[0]
    assert row["A_nucleus_mean"] == (8 + 14) / 2
    outside = (1, 2, 3, 7, 9, 13, 15, 19, 20, 21)
    assert row["A_cytoplasm_mean"] == np.float32(sum(outside) / 10)
    assert row["A_membrane_mean"] == (1 + 3 + 7 + 9 + 13 + 15 + 19 + 21) / 8
    assert row["A_cell_mean"] == np.float32(IMAGE[0][CELLS == 1].mean())


def test_a_cell_without_cytoplasm_is_read_on_its_membrane(small, measured):
    row = measured(small, [Reading("A", "cytoplasm", 15)], percentiles=(50,)).iloc[1]
    places = ("nucleus", "cytoplasm", "membrane", "cell")
    assert [row[f"A_{p}_mean"] for p in places] == [16, 16, 16, 16]
    assert row["A_cytoplasm_p50"] == 16
    assert row["A_cytoplasm_positive_fraction"] == 1


def test_a_cell_without_nucleus_has_no_figure_there(small, measured):
    small.nuclei = np.zeros_like(CELLS)
    row = measured(small, [Reading("A", "nucleus", 0)], percentiles=(50,)).iloc[0]
    names = [n for n in row.index if n.startswith("A_nucleus")]
    assert len(names) == 4
    assert row[[*names, "A_nc_ratio"]].isna().all()
    assert row["nucleus_area_um2"] == 0


def test_nucleus_to_cytoplasm(small, measured):
    row = measured(small, [Reading("A", "nucleus", 0)]).iloc[0]
    assert row["A_nc_ratio"] == np.float32(11 / 11)
    small.image = np.where(NUCLEI > 0, 40, 0)[None].astype(np.uint16)
    for floor, ratio in ((1.0, 40), (2.0, 20), (0.0, np.nan)):
        table = measured(small, [Reading("A", "nucleus", 0, floor)])
        np.testing.assert_equal(float(table["A_nc_ratio"][0]), ratio)


def test_in_an_image_of_zeros_the_ratio_is_0(small, measured):
    small.image = np.zeros_like(IMAGE)
    for floor in (0.0, 1.0):
        table = measured(small, [Reading("A", "nucleus", 0, floor)])
        assert (table["A_nc_ratio"] == 0).all()


@pytest.mark.parametrize("constant", [1e-6, 0.37, 1e6])
def test_a_ratio_has_no_unit(small, measured, constant):
    before = measured(small, [Reading("A", "nucleus", 0, 3.0)])["A_nc_ratio"]
    small.image = (IMAGE * constant).astype(np.float32)
    after = measured(small, [Reading("A", "nucleus", 0, 3.0 * constant)])["A_nc_ratio"]
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_only_markers_have_more_than_means(scene, measured):
    table = measured(scene(), percentiles=(50, 95))
    names = {n for n in table.columns if n.startswith("A_")}
    spread = {"sd", "positive_fraction", "p50", "p95", "completeness"}
    places = ("nucleus", "cytoplasm", "membrane", "cell")
    means = {f"A_{place}_mean" for place in places}
    assert names == means | {f"A_membrane_{s}" for s in spread}
    assert {n for n in table.columns if n.startswith("D_")} == {
        n.replace("A_", "D_") for n in means
    }
    assert "B_nc_ratio" in table


def test_shapes_and_means_equal_skimages(scene, measured):
    made = scene()
    table = measured(made)
    wanted = ("label", "area", "centroid", "axis_major_length", "axis_minor_length")
    oracle = regionprops_table(
        made.cells,
        np.moveaxis(made.image, 0, -1),
        properties=(*wanted, "eccentricity", "intensity_mean"),
    )
    np.testing.assert_array_equal(table["cell_id"], oracle["label"])
    for ours, theirs, scale in (
        ("area_um2", "area", 0.25),
        ("major_axis_um", "axis_major_length", 0.5),
        ("minor_axis_um", "axis_minor_length", 0.5),
        ("eccentricity", "eccentricity", 1),
        ("A_cell_mean", "intensity_mean-0", 1),
        ("C_cell_mean", "intensity_mean-2", 1),
    ):
        np.testing.assert_allclose(table[ours], oracle[theirs] * scale, 1e-6, 1e-6)
    # skimage counts from a pixel's centre, the slide's corner lies half a pixel off.
    np.testing.assert_allclose(table["x_um"], (oracle["centroid-1"] + 0.5) * 0.5)
    np.testing.assert_allclose(table["y_um"], (oracle["centroid-0"] + 0.5) * 0.5)


def test_a_marker_in_its_own_compartment_equals_numpys(scene, measured):
    made = scene(1)
    table = measured(made, percentiles=(5, 50, 95))
    ring = membrane_ring(made.cells, 1.0)
    for name, plane, place, limit in (
        ("A_membrane", made.image[0], ring, 30_000),
        ("B_nucleus", made.image[1], made.nuclei == made.cells, 20_000),
        ("C_cytoplasm", made.image[2], made.nuclei != made.cells, 40_000),
    ):
        values = [plane[place & (made.cells == i)] for i in table["cell_id"]]
        for suffix, function in (
            ("mean", np.mean),
            ("sd", np.std),
            ("positive_fraction", lambda v, limit=limit: (v > limit).mean()),
            ("p5", lambda v: np.percentile(v, 5)),
            ("p50", np.median),
            ("p95", lambda v: np.percentile(v, 95)),
        ):
            theirs = [function(v) if v.size else np.nan for v in values]
            known = np.isfinite(theirs)
            ours = table[f"{name}_{suffix}"]
            np.testing.assert_allclose(ours[known], np.array(theirs)[known], 1e-6)


def test_completeness_is_the_share_of_stained_sectors(scene, measured):
    made = scene(2)
    table = measured(made, sectors=8).set_index("cell_id")
    ring = membrane_ring(made.cells, 1.0)
    for region in regionprops(made.cells):
        y, x = np.nonzero(ring & (made.cells == region.label))
        cy, cx = region.centroid
        angle = np.arctan2(y - cy, x - cx)
        sector = ((angle + np.pi) // (2 * np.pi / 8)).astype(int) % 8
        values = pd.Series(made.image[0][y, x].astype(float))
        stained = values.groupby(sector).mean() > 30_000
        ours = table["A_membrane_completeness"][region.label]
        assert ours == pytest.approx(stained.mean(), abs=1e-6)


def test_a_ring_stained_on_one_side_is_half_complete(scene, measured):
    made = scene()
    made.cells = np.zeros((24, 24), np.uint32)
    y, x = np.mgrid[:24, :24] - 11.5
    made.cells[y**2 + x**2 < 100] = 1
    made.nuclei = np.zeros_like(made.cells)
    made.image = np.where(x > 0, 100, 0)[None].astype(np.uint16)
    row = measured(made, [Reading("HER2", "membrane", 50)]).iloc[0]
    assert row["HER2_membrane_completeness"] == 0.5
    assert row["HER2_membrane_positive_fraction"] == 0.5


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 100), st.integers(0, 99), st.sampled_from(["u2", "u1", "f4"]))
def test_blocks_give_the_bits_of_the_whole(scene, measured, block_px, seed, dtype):
    made = scene(seed, dtype=np.uint16)
    made.image = (made.image / 257).astype(dtype)
    kept = {"percentiles": (50, 95), "strip": True}
    blocks = measured(made, block_px=block_px, membrane_px=2.0, **kept)
    pd.testing.assert_frame_equal(
        blocks, measured(made, membrane_px=2.0, **kept), check_exact=True
    )


def test_no_cell_gives_an_empty_table(small, measured):
    small.cells = small.nuclei = np.zeros((4, 6), np.uint32)
    table = measured(small, [Reading("A", "membrane", 1)], percentiles=(50,))
    assert table.empty
    assert {"A_nucleus_mean", "A_membrane_p50"} <= set(table.columns)
