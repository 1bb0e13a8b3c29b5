"""What must hold for every row of the landscape, whatever the sample."""

import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import (
    EXCLUDED,
    OUTSIDE,
    STROMA,
    TUMOUR,
    landscape,
    region_map,
    region_of_cells,
)
from mifprofile.core.measure import cell_runs, measure_cells
from mifprofile.options import LandscapeOptions
from tests.panels import make_panel

KEYS = ["region", "phenotype", "phenotype_b", "metric", "param"]
NUMBERS = ["value", "n_num", "n_den", "area_mm2", "ci_low", "ci_high", "n_blocks"]
MARKERS = ("PanCK", "HER2", "CD8", "FOXP3", "PD-L1")
PANEL = make_panel(
    {marker: f"{marker}/membrane" for marker in MARKERS},
    phenotypes={
        "tumour": "PanCK+/CD8-",
        "CTL": "CD8+/PanCK-",
        "Treg": "FOXP3+/CD8-/PanCK-",
    },
    states=["PD-L1"],
    tumour="tumour",
)
OPTIONS = LandscapeOptions(
    her2_levels=(10, 20, 30),
    block_um=250,
    min_block_um=100,
    min_pair_cells=5,
    limited_bed_mm2=0.01,
    spatial_tile_um=100,
    nest_min_cells=2,
)


def cells_at(x_um, y_um, phenotypes, regions, um, seed=0):
    """Cells with all columns that scores ask for, tied to their place."""
    rng = np.random.default_rng(seed)
    n = len(x_um)
    made = pd.DataFrame({"x_um": x_um, "y_um": y_um}, dtype=float)
    made["phenotype"] = np.array(phenotypes, dtype=object)
    made["area_um2"] = 100.0
    made["HER2_membrane_mean"] = rng.choice([5.0, 15, 25, 35], n)
    made["HER2_membrane_completeness"] = rng.uniform(0.5, 1, n)
    for marker in ("PD-L1", "HER2"):
        made[f"{marker}_positive"] = rng.random(n) < 0.4
    return made.assign(region=region_of_cells(made, regions, um))


def table_of(cells, regions, um=10.0):
    return landscape("s", cells, regions, um, PANEL, OPTIONS)


def stripes():
    """1 mm² of nests, stroma and tissue outside."""
    out = np.full((100, 100), OUTSIDE, np.uint8)
    out[:, :60] = STROMA
    out[:, :20] = out[:, 40:60] = TUMOUR
    return out


def crowd(regions, count=800, seed=1):
    """Cells anywhere, most of those in nests tumour."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 1000, (2, count))
    in_nest = regions[(y / 10).astype(int), (x / 10).astype(int)] == TUMOUR
    immune = rng.choice(["CTL", "CTL", "Treg", "other", "uncertain"], count)
    names = np.where(in_nest & (rng.random(count) < 0.8), "tumour", immune)
    return cells_at(x, y, names, regions, 10.0)


def whole():
    regions = stripes()
    return crowd(regions), regions


def no_treg():
    cells, regions = whole()
    return cells[cells["phenotype"] != "Treg"], regions


def no_tumour():
    regions = np.full((100, 100), OUTSIDE, np.uint8)
    cells = crowd(stripes()).assign(region="outside")
    return cells[cells["phenotype"] != "tumour"], regions


def no_tissue():
    return crowd(stripes()).iloc[:0], np.zeros((100, 100), np.uint8)


def all_excluded():
    regions = np.full((100, 100), EXCLUDED, np.uint8)
    return crowd(stripes()).assign(region="excluded"), regions


def all_on_glass():
    return crowd(stripes()).assign(region="glass"), np.zeros((100, 100), np.uint8)


def one_cell():
    regions = stripes()
    return cells_at([500.0], [500.0], ["CTL"], regions, 10.0), regions


def one_tumour_cell():
    regions = stripes()
    return cells_at([100.0], [500.0], ["tumour"], regions, 10.0), regions


def all_in_one_place():
    regions = stripes()
    names = ["CTL"] * 30 + ["tumour"] * 30
    return cells_at([500.0] * 60, [500.0] * 60, names, regions, 10.0), regions


SCENES = {
    f.__name__: f
    for f in (
        whole,
        no_treg,
        no_tumour,
        no_tissue,
        all_excluded,
        all_on_glass,
        one_cell,
        one_tumour_cell,
        all_in_one_place,
    )
}


@pytest.fixture(params=list(SCENES))
def scene(request):
    return SCENES[request.param]()


def test_every_value_is_a_number_or_has_a_reason(scene):
    table = table_of(*scene)
    assert not np.isinf(table[NUMBERS].to_numpy(float)).any()
    missing = table["value"].isna()
    assert table.loc[missing, "status"].ne("OK").all()
    assert table.loc[missing, "reason"].ne("").all()
    assert table.loc[table["status"] != "OK", "reason"].ne("").all()
    without = table["ci_method"] == "none"
    assert (without == table["ci_low"].isna()).all()
    assert (without == table["ci_high"].isna()).all()
    known = table[~without]
    inside = (known["ci_low"] <= known["value"] + 1e-9) & (
        known["value"] <= known["ci_high"] + 1e-9
    )
    assert inside.all()


def test_the_rows_are_the_same_for_every_sample(scene):
    complete = table_of(*whole())
    pd.testing.assert_frame_equal(table_of(*scene)[KEYS], complete[KEYS])


def test_none_found_is_zero_and_no_tumour_a_state():
    cells, regions = no_treg()
    table = table_of(cells, regions).set_index(KEYS)
    none = table.loc[("tissue", "Treg", "", "density", "")]
    assert (none["value"], none["status"]) == (0.0, "OK")
    pair = table.loc[("tissue", "CTL", "Treg", "nn_median_um", "")]
    assert (pair["status"], pair["n_den"]) == ("LOW_N", 0)
    ratio = table.loc[("tissue", "CD8+", "FOXP3+", "ratio", "")]
    assert ratio["reason"] == "zero_denominator"
    bare = table_of(*no_tumour()).set_index(KEYS)
    mixing = bare.loc[("tissue", "immune", "tumour", "mixing_keren", "r_um=20")]
    assert mixing["status"] == "NO_TUMOUR"


def segmented(factor):
    """One scene as labels of half a µm, or of a part of it: 0.4 mm, cells of 5 µm."""
    rng = np.random.default_rng(4)
    labels = np.zeros((800, 800), np.uint32)
    corners = [(r, c) for r in range(4, 780, 20) for c in range(4, 780, 20)]
    kept = rng.permutation(len(corners))[:900]
    for cell, (row, col) in enumerate((corners[k] for k in kept), start=1):
        labels[row : row + 10, col : col + int(rng.integers(8, 13))] = cell
    return labels.repeat(factor, axis=0).repeat(factor, axis=1)


def measured(labels, um):
    """Positions and areas of the cells, in the order of their ids."""
    margin = round(4 / um)
    padded = np.pad(labels, margin)
    inner = tuple(slice(margin, margin + size) for size in labels.shape)
    runs = cell_runs(padded, padded, inner, (-margin, -margin), 1 / um)
    planes = np.zeros((0, padded.size), np.uint8)
    return measure_cells(runs, planes, [], um=um).sort_values("cell_id")


def landscape_of_labels(labels, um):
    """From labels to the table, with the region map on pixels of 2 µm."""
    shapes = measured(labels, um)
    names = np.array(["tumour", "CTL", "Treg", "other"])[np.arange(len(shapes)) % 4]
    step = round(2 / um)
    coarse = labels[step // 2 :: step, step // 2 :: step]
    tumour = np.isin(coarse, shapes.loc[names == "tumour", "cell_id"])
    tissue = np.ones(coarse.shape, bool)
    regions = region_map(tissue, np.where(tumour, coarse, 0), 2.0, OPTIONS)
    x_um, y_um = shapes["x_um"].to_numpy(), shapes["y_um"].to_numpy()
    cells = cells_at(x_um, y_um, names, regions, 2.0)
    return table_of(cells.assign(area_um2=shapes["area_um2"].to_numpy()), regions, 2.0)


def test_pixels_of_half_the_size_change_nothing():
    coarse = landscape_of_labels(segmented(1), 0.5)
    fine = landscape_of_labels(segmented(2), 0.25)
    assert coarse["value"].notna().mean() > 0.5
    pd.testing.assert_frame_equal(fine, coarse, rtol=1e-9)


def test_order_and_orientation_change_nothing():
    cells, regions = whole()
    table = table_of(cells, regions)
    shuffled = cells.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(table_of(shuffled, regions), table, rtol=1e-9)
    turned = cells.assign(x_um=cells["y_um"], y_um=1000 - cells["x_um"])
    other = table_of(turned, np.rot90(regions).copy())
    pd.testing.assert_frame_equal(other, table, rtol=1e-9)
