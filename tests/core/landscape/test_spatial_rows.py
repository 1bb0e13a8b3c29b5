import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import (
    EXCLUDED,
    OUTSIDE,
    STROMA,
    TUMOUR,
    landscape,
    landscape_of_areas,
    widen,
)
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.options import LandscapeOptions
from tests.panels import make_panel

MARKERS = ("CK", "CD8", "FOXP3")
PHENOTYPES = {"tumour": "CK+/CD8-", "CTL": "CD8+/CK-", "Treg": "FOXP3+/CD8-"}
OPTIONS = LandscapeOptions(
    min_pair_cells=2,
    radii_um=(10, 20),
    block_um=125,
    min_block_um=100,
    min_area_mm2=0,
)


def panel_of(*markers, tumour="tumour"):
    wanted = {"CK": "tumour", "CD8": "CTL", "FOXP3": "Treg"}
    names = [wanted[marker] for marker in markers]
    return make_panel(
        MARKERS, phenotypes={n: PHENOTYPES[n] for n in names}, tumour=tumour
    )


PANEL = panel_of(*MARKERS)


def placed(**points):
    """Cells of each phenotype at (x, y) µm."""
    rows = [
        {"x_um": x, "y_um": y, "phenotype": name}
        for name, places in points.items()
        for x, y in places
    ]
    return pd.DataFrame(rows).assign(region="stroma")


def table_of(cells, regions, panel=PANEL, options=OPTIONS, **given):
    return landscape("s", cells, regions, 10.0, panel, options, **given)


def pick(table, metric, phenotype="", phenotype_b="", param=""):
    keys = {
        "metric": metric,
        "phenotype": phenotype,
        "phenotype_b": phenotype_b,
        "param": param,
    }
    hit = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]
    assert len(hit) == 1
    return hit.iloc[0]


@pytest.fixture(scope="module")
def regions():
    """1 mm² of tissue: a quarter of nests, half of stroma, a quarter outside."""
    out = np.full((100, 100), STROMA, np.uint8)
    out[:25], out[75:] = TUMOUR, OUTSIDE
    return out


@pytest.fixture(scope="module")
def cells():
    """Ten CTL, 100 µm apart; seven have a tumour cell 15 µm away, and one two."""
    along = [50.0 + 100 * i for i in range(10)]
    return placed(
        CTL=[(x, 500.0) for x in along],
        tumour=[*((x, 515.0) for x in along[:7]), (50.0, 485.0)],
        other=[(x, 255.0) for x in along],
    )


@pytest.fixture(scope="module")
def table(cells, regions):
    return table_of(cells, regions)


def test_nearest(table):
    median = pick(table, "nn_median_um", "CTL", "tumour")
    assert (median.value, median.n_num, median.n_den) == (15.0, 10, 8)
    assert (median.status, median.ci_method) == ("OK", "none")
    assert median.area_mm2 == pytest.approx(1.0)
    third = np.hypot(100, 15)
    # Quartiles lie between the 3rd and 4th, and the 7th and 8th cell.
    spread = pick(table, "nn_iqr_um", "CTL", "tumour").value
    assert spread == pytest.approx(0.75 * (third - 15))
    assert pick(table, "nn_median_um", "CTL", "CTL").value == 100
    assert pick(table, "nn_z", "CTL", "tumour").value < 0


def test_within(table):
    near = pick(table, "pct_with_neighbour", "CTL", "tumour", "r_um=20")
    assert (near.value, near.n_num, near.n_den) == (70.0, 7, 10)
    assert near.ci_method == "logit-t"
    assert 0 < near.ci_low < 70 < near.ci_high < 100
    mean = pick(table, "mean_neighbours", "CTL", "tumour", "r_um=20")
    assert (mean.value, mean.n_num, mean.n_den) == (0.8, 8, 10)
    assert mean.ci_low < 0.8 < mean.ci_high
    # Six blocks hold one of them, two hold two: 10² / 14.
    assert mean.n_blocks == near.n_blocks == 7
    none = pick(table, "pct_with_neighbour", "CTL", "tumour", "r_um=10")
    assert (none.value, none.n_num, none.ci_method) == (0.0, 0, "one-sided")
    all_of_them = pick(table, "pct_with_neighbour", "tumour", "CTL", "r_um=20")
    assert (all_of_them.value, all_of_them.ci_high) == (100.0, 100.0)


def test_closer_than_chance(table):
    assert pick(table, "g_auc", "tumour", "CTL", "r_um=20").value > 0
    assert pick(table, "l_minus_r_um", "CTL", "tumour", "r_um=20").value > 0
    assert pick(table, "doc_ratio", "CTL", "tumour", "r_um=20").value > 1
    far = pick(table, "l_minus_r_um", "CTL", "CTL", "r_um=20")
    assert (far.value, far.status) == (-20.0, "OK")


def test_mixing(table):
    none = pick(table, "mixing_keren", "immune", "tumour", "r_um=20")
    assert (none.status, none.n_num, none.n_den) == ("LOW_N", 8, 0)
    assert "no pair" in none.reason


def test_mixing_counts_each_pair_of_immune_cells_once(regions):
    cells = placed(
        CTL=[(500, 500), (509, 500)], Treg=[(500, 509)], tumour=[(491, 500), (0, 0)]
    )
    table = table_of(cells, regions)
    # Tumour: 9 µm from one of them; immune cells: 9 µm twice, 12.7 µm once.
    keren = pick(table, "mixing_keren", "immune", "tumour", "r_um=10")
    assert (keren.value, keren.n_num, keren.n_den) == (0.5, 1, 2)
    normal = pick(table, "mixing_spiat_normalised", "immune", "tumour", "r_um=10")
    assert normal.value == pytest.approx(0.5 * 2 / 4)
    wide = pick(table, "mixing_keren", "immune", "tumour", "r_um=20")
    assert wide.n_den == 3


def test_tiles_and_diversity(cells, regions):
    options = OPTIONS.model_copy(update={"spatial_tile_um": 500})
    table = table_of(cells, regions, options=options)
    # Below the middle: 5 and 5 CTL, 5 and 2 tumour cells; one of these above.
    p, q = np.array([0, 0, 5, 5]) / 10, np.array([1, 0, 5, 2]) / 8
    overlap = pick(table, "morisita_horn", "tumour", "CTL", "tile_um=500")
    assert overlap.value == pytest.approx(2 * p @ q / (p @ p + q @ q))
    assert pick(table, "moran_i", "CTL", param="tile_um=500").n_den == 4
    bits = pick(table, "shannon_bits")
    shares = np.array([10, 8]) / 18
    assert bits.value == pytest.approx(-(shares * np.log2(shares)).sum())
    assert (bits.n_num, bits.n_den) == (2, 18)


def test_infiltration(regions):
    cells = placed(
        CTL=[*((x, 245.0) for x in (200, 300, 400)), (500, 205), (600, 265)],
        tumour=[(500, 100)],
    )
    cells.loc[cells["y_um"] < 250, "region"] = "tumour"
    options = OPTIONS.model_copy(update={"infiltration_band_um": 20})
    table = table_of(cells, regions, options=options)
    # Two rows of pixels 5 and 15 µm from the border at 250 µm; of the second, the
    # outermost pixels are nearer to the edge of the tissue.
    inner = pick(table, "density_by_distance", "CTL", param="from_um=-20,to_um=0")
    assert (inner.n_num, inner.area_mm2) == (3, pytest.approx(0.0198))
    assert inner.value == pytest.approx(3 / 0.0198)
    outer = pick(table, "density_by_distance", "CTL", param="from_um=0,to_um=20")
    assert (outer.n_num, outer.value) == (1, pytest.approx(1 / 0.0198))
    # 5, 5, 5 and 45 µm deep.
    assert pick(table, "median_depth_um", "CTL").value == 5
    ratio = pick(table, "log2_nest_stroma", "CTL")
    assert ratio.value == pytest.approx(np.log2(4.5 / 0.25 / (1.5 / 0.5)))
    assert (ratio.n_num, ratio.n_den) == (4, 1)
    mass = pick(table, "centre_of_mass_um", "CTL")
    assert -50 < mass.value < 0


def test_few_cells_and_far_radii_have_reasons(cells, regions):
    options = OPTIONS.model_copy(update={"min_pair_cells": 9, "radii_um": (20, 300)})
    table = table_of(cells, regions, options=options)
    few = pick(table, "nn_median_um", "CTL", "tumour")
    assert np.isnan(few.value)
    assert (few.status, few.reason) == ("LOW_N", "8 target cells, fewer than 9")
    far = pick(table, "doc_ratio", "CTL", "CTL", "r_um=300")
    assert (far.status, np.isnan(far.value)) == ("LOW_AREA", True)


def test_no_distance_rests_on_a_marker_that_is_undecided(regions):
    points = {"CTL": [(500, 500), (520, 500)], "Treg": [(500, 520), (520, 520)]}
    cells = placed(**points, tumour=[(600, 600), (620, 600)])
    table = table_of(cells, regions, gates=KnownGates(grades={"FOXP3": "undecided"}))
    for pair in (("CTL", "Treg"), ("Treg", "CTL")):
        row = pick(table, "nn_median_um", *pair)
        assert (row.status, row.reason) == ("NOT_COMPUTABLE", "undecided: FOXP3")
        assert np.isnan(row.value)
    assert pick(table, "nn_median_um", "CTL", "tumour").status == "OK"
    mixing = pick(table, "mixing_keren", "immune", "tumour", "r_um=20")
    assert (mixing.status, mixing.reason) == ("NOT_COMPUTABLE", "undecided: FOXP3")


def test_no_tumour_is_a_state_and_a_panel_may_not_tell(cells, regions):
    bare = np.where(regions == TUMOUR, STROMA, regions)
    table = table_of(cells[cells["phenotype"] != "tumour"], bare)
    for metric, names in (
        ("mixing_keren", ("immune", "tumour", "r_um=20")),
        ("median_depth_um", ("CTL",)),
    ):
        row = pick(table, metric, *names)
        assert (row.status, np.isnan(row.value)) == ("NO_TUMOUR", True)
    blind = table_of(cells, regions, panel_of("CD8", tumour=None))
    row = pick(blind, "mixing_keren", "immune", "", "r_um=20")
    assert row.status == "NOT_COMPUTABLE"
    no_immune = table_of(cells, regions, panel_of("CK"))
    row = pick(no_immune, "mixing_keren", "immune", "tumour", "r_um=20")
    assert row.status == "NOT_COMPUTABLE"
    assert "no lymphocyte" in row.reason


def test_without_a_map_there_are_distances_but_nothing_of_the_window(cells, table):
    moved = cells.assign(x_um=cells["x_um"] - 700, y_um=cells["y_um"] + 300)
    areas = {"tumour": 0.25, "stroma": 0.5, "outside": 0.25}
    bare = landscape_of_areas("s", moved, areas, PANEL, OPTIONS)
    keys = ["metric", "region", "phenotype", "phenotype_b", "param"]
    pd.testing.assert_frame_equal(
        bare[keys].sort_values(keys, ignore_index=True),
        table[keys].sort_values(keys, ignore_index=True),
    )
    near = pick(bare, "pct_with_neighbour", "CTL", "tumour", "r_um=20")
    assert (near.value, near.ci_method) == (70.0, "none")
    assert pick(bare, "nn_median_um", "CTL", "tumour").value == 15
    for metric, names in (
        ("l_minus_r_um", ("CTL", "tumour", "r_um=20")),
        ("median_depth_um", ("CTL",)),
    ):
        row = pick(bare, metric, *names)
        assert np.isnan(row.value)
        assert row.status == "NOT_COMPUTABLE"
        assert row.reason == "the shape of the tissue is not known"


def test_when_all_is_excluded_quality_is_the_reason(cells, regions):
    nothing = np.full_like(regions, EXCLUDED)
    table = table_of(cells.assign(region="excluded"), nothing)
    row = pick(table, "nn_median_um", "CTL", "tumour")
    assert (row.status, row.reason) == ("QC_FAIL", "all tissue is excluded")


def test_they_can_be_left_out(cells, regions, table):
    options = OPTIONS.model_copy(update={"spatial": False})
    without = table_of(cells, regions, options=options)
    shared = ["metric", "region", "phenotype", "phenotype_b", "param"]
    spatial = set(table["metric"]) - set(without["metric"])
    assert "nn_z" in spatial
    rest = table[~table["metric"].isin(spatial)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, without)
    assert not table.duplicated(shared).any()


def test_a_pair_of_phenotypes_has_its_column_in_the_wide_table(table):
    wide = widen(table)
    name = "pct_with_neighbour__tissue__CTL__tumour__r_um=20"
    assert wide[name].item() == 70.0
