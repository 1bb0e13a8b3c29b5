import numpy as np
import pytest

from mifprofile.core.spatial import (
    Pattern,
    Window,
    band_edges,
    distance_bands,
    infiltration_profile,
    infiltration_summary,
)
from mifprofile.errors import UsageError

NO = -1


def strip(height=41, width=60, nest_from=30):
    """A nest to the right of column ``nest_from``, tissue to its left."""
    nest = np.zeros((height, width), bool)
    nest[:, nest_from:] = True
    return Window(np.ones(nest.shape, bool), 1.0), nest


def test_edges_on_both_sides():
    assert band_edges(25, 60) == [-50, -25, 0, 25, 50]
    assert len(band_edges(0.1, 0.3)) == 7


def test_bands_of_a_straight_border_stop_where_the_window_is_nearer():
    window, nest = strip()
    bands = distance_bands(window, nest, band_edges(5, 10))
    middle = bands.index[20].tolist()
    wanted = [NO] * 20 + [3] * 5 + [2] * 5 + [1] * 5 + [0] * 5 + [NO] * 20
    assert middle == wanted
    # Three px from the upper edge, nothing beyond three px from the nest is known.
    assert np.flatnonzero(bands.index[2] >= 0).tolist() == [27, 28, 29, 30, 31, 32]


def test_a_nest_that_ends_at_glass_has_no_border_there():
    mask = np.ones((60, 60), bool)
    mask[:, 50:] = False
    nest = mask.copy()
    nest[:, :30] = False
    bands = distance_bands(Window(mask, 1.0), nest, band_edges(5, 25))
    assert (bands.index[30, 30:40] >= 0).all()
    assert (bands.index[30, 40:] == NO).all()


@pytest.mark.parametrize("block", [7, 16])
def test_blocks_know_the_bands_of_the_whole(holed, block):
    nest = np.zeros(holed.mask.shape, bool)
    nest[40:90, 100:180] = True
    one = distance_bands(holed, nest, band_edges(20, 60))
    parts = distance_bands(holed, nest, band_edges(20, 60), block_px=block)
    np.testing.assert_array_equal(parts.index, one.index)


def test_a_block_far_from_glass_knows_no_border():
    """Blocks in the middle are, with their halo, tissue alone."""
    window = Window(np.ones((80, 80), bool), 1.0)
    nest = np.zeros((80, 80), bool)
    nest[:, 41:] = True
    one = distance_bands(window, nest, [-4, 0, 4])
    parts = distance_bands(window, nest, [-4, 0, 4], block_px=20)
    assert (one.index[20:60, 37:41] == 1).all()
    np.testing.assert_array_equal(parts.index, one.index)


def test_profile_counts_cells_and_area_on_one_map():
    window, nest = strip()
    bands = distance_bands(window, nest, band_edges(5, 10))
    pattern = Pattern.of([27.5, 32.1, 33.0, 3.0], [20.5] * 4, [0, 0, 1, 0], 2, window)
    table = infiltration_profile(pattern, bands, min_area_mm2=0)
    assert table["n_cells"].tolist() == [0, 1, 1, 0, 0, 1, 0, 0]
    assert table["from_um"].tolist() == [-10, -5, 0, 5] * 2
    pixels = np.bincount(bands.index[bands.index >= 0])
    np.testing.assert_allclose(table["area_mm2"], np.tile(pixels, 2) / 1e6)
    row = table.iloc[1]
    assert row["density_per_mm2"] == pytest.approx(1e6 / pixels[1])
    low = infiltration_profile(pattern, bands)
    assert low["density_per_mm2"].isna().all()
    assert set(low["reason"]) == {"less than 0.01 mm2"}


def test_even_cells_have_the_same_density_in_every_band(scatter, holed):
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:200, :200]
    nest = (rows - 100) ** 2 + (cols - 40) ** 2 < 35**2
    bands = distance_bands(holed, nest, band_edges(25, 75))
    points = scatter(rng, holed.mask, 4.0, 40_000)
    pattern = Pattern.of(*points.T, np.zeros(40_000), 1, holed)
    table = infiltration_profile(pattern, bands, min_area_mm2=0)
    wanted = 40_000 / holed.area_mm2
    error = np.sqrt(wanted / table["area_mm2"])
    assert (np.abs(table["density_per_mm2"] - wanted) < 4 * error).all()


def summary(pattern, nest, stroma, edges, **options):
    bands = distance_bands(pattern.window, nest, edges)
    profile = infiltration_profile(pattern, bands, min_area_mm2=0)
    table = infiltration_summary(pattern, nest, stroma, profile, **options)
    return table.set_index(["type_a", "metric"])


def test_summary_by_hand():
    window, nest = strip(61, 80, 40)
    x = [38.0, 41.0, 44.0, 45.0, 79.5]
    pattern = Pattern.of(x, [30.5] * 5, [0] * 5, 2, window)
    table = summary(pattern, nest, ~nest, band_edges(5, 10), min_cells=1)
    ratio = table.loc[(0, "log2_nest_stroma")]
    assert ratio["value"] == pytest.approx(np.log2(4.5 / 1.5))
    assert (ratio["n_num"], ratio["n_den"]) == (4, 1)
    depth = table.loc[(0, "median_depth_um")]
    # 1, 4 and 5 um; the cell at 39.5 um is half a um from the window's border.
    assert (depth["value"], depth["n_num"], depth["n_den"]) == (4, 3, 4)
    centre = table.loc[(0, "centre_of_mass_um")]["value"]
    assert -5 < centre < 0
    none = table.loc[1]
    assert none["value"].isna().all()
    assert (none["status"] == "LOW_N").all()


def test_half_a_cell_keeps_the_ratio_finite():
    window, nest = strip()
    pattern = Pattern.of([40.0] * 30, np.linspace(1, 40, 30), [0] * 30, 1, window)
    table = summary(pattern, nest, ~nest, [-5, 0, 5])
    ratio = table.loc[(0, "log2_nest_stroma")]
    assert ratio["value"] == pytest.approx(np.log2(30.5 / 0.5))


def test_deeper_than_was_looked_is_said():
    window, nest = strip(81, 120, 40)
    pattern = Pattern.of([75.0] * 30, np.full(30, 40.0), [0] * 30, 1, window)
    table = summary(pattern, nest, ~nest, [-5, 0, 5], max_depth_um=10.0)
    depth = table.loc[(0, "median_depth_um")]
    assert (depth["value"], depth["status"]) == (10, "APPROX")


@pytest.mark.parametrize("full", [True, False])
def test_all_nest_or_none(full):
    window, _ = strip()
    nest = np.full(window.mask.shape, full)
    pattern = Pattern.of(np.linspace(1, 50, 30), [20.0] * 30, [0] * 30, 1, window)
    table = summary(pattern, nest, ~nest, [-5, 0, 5])
    assert table["value"].isna().all()
    assert (table["reason"] != "").all()


def test_what_cannot_be_asked():
    window, nest = strip()
    with pytest.raises(UsageError, match="edges_um"):
        distance_bands(window, nest, [5, 0])
    with pytest.raises(UsageError, match="nest"):
        distance_bands(window, nest[1:], [0, 5])
