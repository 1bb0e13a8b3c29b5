import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import (
    EXCLUDED,
    GLASS,
    OUTSIDE,
    STROMA,
    TUMOUR,
    areas_mm2,
    evaluable,
    overlay_drawn,
    region_map_of_marker,
)
from mifprofile.core.landscape.regions import interface_bands, invasive_margin
from mifprofile.options import LandscapeOptions


@pytest.fixture
def stripe():
    """Columns of 10 µm: 20 of glass, 20 of tumour, 60 of stroma, 150 outside."""
    out = np.full((250, 250), OUTSIDE, np.uint8)
    out[:, :20], out[:, 20:40], out[:, 40:100] = GLASS, TUMOUR, STROMA
    return out


def test_bands_tile_the_tissue_around_the_nests(stripe):
    bands = interface_bands(stripe, 10.0, (10.0, 30.0))
    columns = {name: np.flatnonzero(mask[0]).tolist() for name, mask in bands.items()}
    assert columns["interface_0_10_um"] == [40]
    assert columns["interface_10_30_um"] == [41, 42]
    assert columns["distal"] == list(range(43, 250))
    total = sum(mask.astype(int) for mask in bands.values())
    np.testing.assert_array_equal(total, (stripe != GLASS) & (stripe != TUMOUR))


def test_without_nests_there_are_no_bands(stripe):
    stripe[stripe == TUMOUR] = STROMA
    bands = interface_bands(stripe, 10.0, (10.0, 30.0))
    assert not any(mask.any() for mask in bands.values())


def test_the_margin_lies_on_both_sides_of_the_bed(stripe):
    zone, visible_mm = invasive_margin(stripe, 10.0, 500.0)
    assert np.flatnonzero(zone[100]).tolist() == list(range(50, 150))
    assert visible_mm == pytest.approx(2.5)


def test_an_edge_of_glass_is_no_margin(stripe):
    stripe[stripe == OUTSIDE] = GLASS
    zone, visible_mm = invasive_margin(stripe, 10.0, 500.0)
    assert not zone.any()
    assert visible_mm == 0


def test_the_margin_on_a_finer_map_is_the_same(stripe):
    fine = np.repeat(np.repeat(stripe, 5, axis=0), 5, axis=1)
    zone, visible_mm = invasive_margin(fine, 2.0, 500.0)
    assert np.flatnonzero(zone[500]).tolist() == list(range(250, 750))
    assert visible_mm == pytest.approx(2.5)


def tumour_at(*columns):
    return pd.DataFrame({"x_um": columns, "y_um": 5.0}, dtype=float)


def test_nests_are_pieces_of_stain_with_enough_cell_centres():
    stained = np.array([[1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1]], bool)
    cells = tumour_at(5.0, 5.5, 75.0, 115.0)
    options = LandscapeOptions(
        nest_close_um=1, nest_min_cells=2, nest_hole_um2=0, bed_close_um=1
    )
    found = region_map_of_marker(stained | True, stained, cells, 10.0, options)
    assert found.tolist() == [[1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3]]
    one = options.model_copy(update={"nest_min_cells": 1})
    found = region_map_of_marker(stained | True, stained, cells, 10.0, one)
    assert found.tolist() == [[1, 1, 1, 1, 3, 3, 1, 1, 1, 3, 3, 1]]


def test_stain_off_the_tissue_or_on_what_is_excluded_makes_no_nest():
    tissue = np.array([[0, 0, 1, 1, 1, 1]], bool)
    excluded = np.array([[0, 0, 1, 0, 0, 0]], bool)
    stained = np.array([[1, 1, 1, 1, 1, 0]], bool)
    options = LandscapeOptions(
        nest_close_um=1, nest_min_cells=1, nest_hole_um2=0, bed_close_um=1
    )
    found = region_map_of_marker(
        tissue, stained, tumour_at(35.0), 10.0, options, excluded
    )
    assert found.tolist() == [[0, 0, 4, 1, 1, 3]]
    none = region_map_of_marker(tissue, stained, tumour_at(), 10.0, options, excluded)
    assert none.tolist() == [[0, 0, 4, 3, 3, 3]]


def test_drawn_regions_replace_others_on_evaluable_tissue_alone():
    regions = np.array([[GLASS, TUMOUR, STROMA, OUTSIDE, EXCLUDED]] * 2, np.uint8)
    drawn = np.array([[TUMOUR] * 5, [0, OUTSIDE, 0, STROMA, 0]], np.uint8)
    found = overlay_drawn(regions, drawn)
    assert found.tolist() == [
        [GLASS, TUMOUR, TUMOUR, TUMOUR, EXCLUDED],
        [GLASS, OUTSIDE, STROMA, STROMA, EXCLUDED],
    ]
    assert (evaluable(found) == evaluable(regions)).all()
    areas = areas_mm2(found, 1000.0)
    assert areas == {"glass": 2, "tumour": 3, "stroma": 2, "outside": 1, "excluded": 2}
