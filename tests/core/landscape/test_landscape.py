import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import (
    COLUMNS,
    OUTSIDE,
    STROMA,
    TUMOUR,
    Row,
    landscape,
    region_map,
    region_of_cells,
    widen,
)
from mifprofile.core.landscape.guard import Guard
from mifprofile.core.landscape.scores import HAS_VALUE
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.model import Panel
from mifprofile.options import LandscapeOptions
from tests.panels import make_panel

PANEL = make_panel(
    {
        "CD8": "a/membrane",
        "FOXP3": "b/nucleus",
        "CK": "c/cytoplasm",
        "PD-L1": "d/membrane",
    },
    phenotypes={"tumour": "CK+/CD8-", "CTL": "CD8+/CK-", "Treg": "FOXP3+/CD8-"},
    states=["PD-L1"],
    tumour="tumour",
)


def panel_with(**changes):
    return Panel.model_validate(PANEL.model_dump() | changes)


# Blocks small enough for intervals on 1 mm².
OPTIONS = LandscapeOptions(
    nest_min_cells=2, bed_close_um=20, block_um=125, min_block_um=100
)


def unseen(*markers):
    return KnownGates(grades=dict.fromkeys(markers, "undecided"))


def cells_of(region_counts):
    """Cells from {(region, phenotype): count}; every tumour cell is PD-L1+."""
    tops = {"tumour": 0, "stroma": 250, "outside": 750}
    rows = [
        {
            "x_um": 1000 * (i + 0.5) / n,
            "y_um": tops[r] + 125.0,
            "region": r,
            "phenotype": p,
            "PD-L1_positive": p == "tumour",
        }
        for (r, p), n in region_counts.items()
        for i in range(n)
    ]
    columns = ["x_um", "y_um", "region", "phenotype", "PD-L1_positive"]
    return pd.DataFrame(rows, columns=columns)


def value(table, metric, region, phenotype, state=""):
    hit = table[
        (table["metric"] == metric)
        & (table["region"] == region)
        & (table["phenotype"] == phenotype)
        & (table["phenotype_b"] == state)
    ]
    assert len(hit) == 1
    return hit.iloc[0]


@pytest.fixture
def regions():
    """1 mm² of tissue at 10 µm per pixel: 0.25 tumour, 0.5 stroma, 0.25 outside."""
    out = np.full((100, 100), STROMA, np.uint8)
    out[:25], out[75:] = TUMOUR, OUTSIDE
    return out


@pytest.fixture
def table(regions):
    cells = cells_of(
        {
            ("tumour", "tumour"): 100,
            ("tumour", "CTL"): 20,
            ("stroma", "CTL"): 30,
            ("stroma", "Treg"): 10,
            ("outside", "other"): 40,
        }
    )
    return landscape("s1", cells, regions, 10.0, PANEL, OPTIONS)


def test_columns_and_areas(table):
    assert tuple(table.columns) == COLUMNS
    areas = [value(table, "area", r, "").value for r in ("tumour", "stroma", "outside")]
    assert areas == pytest.approx([0.25, 0.5, 0.25])
    assert value(table, "area", "tissue", "").value == pytest.approx(sum(areas))


def test_density_is_count_over_area(table):
    row = value(table, "density", "tumour", "CTL")
    assert (row.value, row.n_num, row.area_mm2) == pytest.approx((80.0, 20, 0.25))
    assert row.status == "OK"


def test_the_whole_is_the_ratio_of_sums(table):
    row = value(table, "density", "tissue", "CTL")
    assert row.value == pytest.approx(50.0)


def test_percentages_name_their_denominator(table):
    row = value(table, "pct_of_cells", "tumour", "CTL")
    assert (row.value, row.n_num, row.n_den) == pytest.approx((100 * 20 / 120, 20, 120))
    state = value(table, "pct_positive", "tumour", "tumour", "PD-L1")
    assert (state.value, state.n_num, state.n_den) == (100.0, 100, 100)


def test_a_share_of_few_parents_is_small(table):
    row = value(table, "pct_positive", "stroma", "Treg", "PD-L1")
    assert (row.value, row.status) == (0.0, "SMALL")


def test_a_status_says_whether_there_is_a_value(table):
    given = table[~table["metric"].isin(["area", "count"])]
    assert (given["value"].notna() == given["status"].isin(HAS_VALUE)).all()


def test_looked_and_found_none_is_zero(table):
    row = value(table, "density", "tumour", "Treg")
    assert (row.value, row.n_num, row.status) == (0.0, 0, "OK")


def test_ratio_and_zero_denominator(table):
    row = value(table, "ratio", "stroma", "CD8+", "FOXP3+")
    assert (row.value, row.n_num, row.n_den, row.status) == (3.0, 30, 10, "OK")
    none = value(table, "ratio", "tumour", "CD8+", "FOXP3+")
    assert np.isnan(none.value)
    assert (none.reason, none.n_num) == ("zero_denominator", 20)


def test_the_ratio_for_statistics_is_never_infinite(table):
    row = value(table, "log2_ratio", "stroma", "CD8+", "FOXP3+")
    assert (row.value, row.status) == (pytest.approx(np.log2(30.5 / 10.5)), "OK")
    row = value(table, "log2_ratio", "tumour", "CD8+", "FOXP3+")
    assert (row.value, row.status) == (pytest.approx(np.log2(20.5 / 0.5)), "OK")
    row = value(table, "log2_ratio", "outside", "CD8+", "FOXP3+")
    assert (np.isnan(row.value), row.reason) == (True, "no cell of either")


def test_a_ratio_to_macrophages_needs_cd68(table):
    row = value(table, "ratio", "stroma", "CD8+", "CD68+")
    assert (row.status, row.reason) == ("NOT_COMPUTABLE", "the panel has no CD68")


def test_a_panel_without_foxp3_cannot_compute_the_ratio(regions):
    markers = {k: v for k, v in PANEL.markers.items() if k != "FOXP3"}
    panel = panel_with(markers=markers, phenotypes={"tumour": "CK+/CD8-"})
    table = landscape("s", cells_of({}), regions, 10.0, panel, OPTIONS)
    row = value(table, "ratio", "tissue", "CD8+", "FOXP3+")
    assert (row.status, row.reason) == ("NOT_COMPUTABLE", "the panel has no FOXP3")


def test_a_panel_may_spell_cd8_and_foxp3_otherwise(regions):
    other = {"CD8": "CD8a", "FOXP3": "FoxP3"}
    markers = {other.get(k, k): v for k, v in PANEL.markers.items()}
    phenotypes = {"tumour": "CK+/CD8a-", "CTL": "CD8a+/CK-", "Treg": "FoxP3+/CD8a-"}
    panel = panel_with(markers=markers, phenotypes=phenotypes)
    cells = cells_of({("stroma", "CTL"): 30, ("stroma", "Treg"): 10})
    asked = "s1", cells, regions, 10.0, panel, OPTIONS
    row = value(landscape(*asked), "ratio", "stroma", "CD8+", "FOXP3+")
    assert (row.value, row.status) == (3.0, "OK")
    row = value(landscape(*asked, unseen("CD8a")), "ratio", "stroma", "CD8+", "FOXP3+")
    assert (row.status, row.reason) == (
        "NOT_COMPUTABLE",
        "undecided: CD8a",
    )


def test_an_empty_slide_has_states_instead_of_numbers():
    empty = np.zeros((10, 10), np.uint8)
    table = landscape("s", cells_of({}), empty, 10.0, PANEL, OPTIONS)
    assert table.loc[table["metric"] == "area", "value"].eq(0).all()
    unknown = table[table["value"].isna()]
    assert unknown["status"].ne("OK").all()
    assert unknown["reason"].ne("").all()
    assert np.isfinite(table["value"].dropna()).all()


def test_no_tumour_is_a_state_of_the_tumour_rows():
    tissue = np.full((100, 100), OUTSIDE, np.uint8)
    cells = cells_of({("outside", "CTL"): 60})
    table = landscape("s", cells, tissue, 10.0, PANEL, OPTIONS)
    assert value(table, "density", "tumour", "CTL").status == "NO_TUMOUR"
    assert value(table, "density", "tissue", "CTL").value == pytest.approx(60.0)


def test_wide_has_one_row_and_every_value(table):
    wide = widen(table)
    assert len(wide) == 1
    assert wide["density__tumour__CTL"].item() == pytest.approx(80.0)
    assert wide["density__tumour__CTL__grade"].item() == ""


def test_regions_tile_the_tissue():
    rng = np.random.default_rng(0)
    tissue = np.zeros((80, 80), bool)
    tissue[5:75, 5:75] = True
    tumour_cells = np.zeros((80, 80), np.uint32)
    tumour_cells[20:40, 20:40] = rng.integers(1, 50, (20, 20))
    tumour_cells[60, 60] = 99
    regions = region_map(tissue, tumour_cells, 2.0, OPTIONS)
    assert ((regions > 0) == tissue).all()
    assert (regions[20:40, 20:40] == TUMOUR).all()
    assert regions[60, 60] == OUTSIDE


def test_stroma_lies_between_nests():
    tissue = np.ones((30, 60), bool)
    tumour_cells = np.zeros((30, 60), np.uint32)
    tumour_cells[5:25, 5:25] = np.arange(400).reshape(20, 20) + 1
    tumour_cells[5:25, 40:60] = 500 + np.arange(400).reshape(20, 20)
    regions = region_map(tissue, tumour_cells, 2.0, OPTIONS)
    assert regions[15, 32] == STROMA
    assert regions[0, 0] == OUTSIDE


def test_small_holes_belong_to_the_nest():
    tumour_cells = np.zeros((40, 40), np.uint32)
    tumour_cells[5:35, 5:35] = np.arange(900).reshape(30, 30) + 1
    tumour_cells[10:28, 10:28] = 0
    big = region_map(tumour_cells >= 0, tumour_cells, 2.0, OPTIONS)
    assert big[19, 19] == STROMA
    filled = OPTIONS.model_copy(update={"nest_hole_um2": 2000.0})
    assert region_map(tumour_cells >= 0, tumour_cells, 2.0, filled)[19, 19] == TUMOUR


def test_a_cells_region_is_where_its_centroid_lies(regions):
    cells = pd.DataFrame({"x_um": [5.0, 999.9], "y_um": [249.9, 250.1]})
    assert region_of_cells(cells, regions, 10.0).tolist() == ["tumour", "stroma"]


def test_no_number_rests_on_a_marker_that_is_undecided(regions):
    cells = cells_of({("tumour", "tumour"): 100, ("tumour", "CTL"): 60})
    gates = unseen("FOXP3", "PD-L1")
    table = landscape("s", cells, regions, 10.0, PANEL, OPTIONS, gates)
    for metric in ("count", "density", "pct_of_cells"):
        row = value(table, metric, "tumour", "Treg")
        assert (row.status, row.reason) == ("NOT_COMPUTABLE", "undecided: FOXP3")
        assert np.isnan([row.value, row.n_num, row.n_den]).all()
    assert value(table, "density", "tumour", "CTL").status == "OK"
    state = value(table, "pct_positive", "tumour", "CTL", "PD-L1")
    assert (state.status, state.reason) == ("NOT_COMPUTABLE", "undecided: PD-L1")
    ratio = value(table, "ratio", "tumour", "CD8+", "FOXP3+")
    assert (ratio.status, ratio.reason) == ("NOT_COMPUTABLE", "undecided: FOXP3")


def test_no_tumour_is_a_finding_only_where_tumour_cells_could_be_seen(regions):
    bare = np.where(regions == TUMOUR, STROMA, regions).astype(np.uint8)
    cells = cells_of({("stroma", "CTL"): 60})
    seen = landscape("s", cells, bare, 10.0, PANEL, OPTIONS)
    assert value(seen, "density", "tumour", "CTL").status == "NO_TUMOUR"
    blind = landscape("s", cells, bare, 10.0, PANEL, OPTIONS, unseen("CK"))
    assert not (blind["status"] == "NO_TUMOUR").any()
    row = value(blind, "density", "tumour", "CTL")
    assert (row.status, row.reason) == ("NOT_COMPUTABLE", "undecided: CK")


def test_cells_that_should_have_been_left_out_are_said_to_be_in():
    rule = {"tumour": "CK+/CD8-", "CTL": "CD8+"}
    guard = Guard(panel_with(phenotypes=rule), unseen("CD8"))
    scope = Row("s", "tissue", "tumour", "", "count", "", 5.0, "cells")
    judged = guard.judge(scope)
    assert (judged.value, judged.status) == (5.0, "APPROX")
    assert judged.reason == "undecided, and so not left out: CD8"


@pytest.mark.parametrize("name", ["other", "uncertain"])
def test_cells_without_a_name_may_carry_a_marker_that_is_undecided(name):
    guard = Guard(PANEL, unseen("FOXP3"))
    judged = guard.judge(Row("s", "tissue", name, "", "count", "", 5.0, "cells"))
    assert (judged.value, judged.status) == (5.0, "APPROX")
    assert judged.reason == "undecided, and so not left out: FOXP3"


def test_no_count_stands_where_the_panel_cannot_tell_a_region(regions):
    panel = panel_with(tumour=None)
    cells = cells_of({("stroma", "CTL"): 60})
    table = landscape("s", cells, regions * 0 + STROMA, 10.0, panel, OPTIONS)
    row = value(table, "density", "tumour", "CTL")
    assert (row.status, np.isnan(row.n_num)) == ("NOT_COMPUTABLE", True)


def test_what_her2_alone_tells_is_approximate(regions):
    markers = PANEL.model_dump()["markers"]
    markers["HER2"] = markers.pop("CK")
    phenotypes = {"tumour": "HER2+/CD8-", "CTL": "CD8+", "Treg": "FOXP3+/CD8-"}
    core = panel_with(markers=markers, phenotypes=phenotypes)
    cells = cells_of({("stroma", "CTL"): 300, ("stroma", "Treg"): 100})
    table = landscape("s1", cells, regions, 10.0, core, OPTIONS)
    nest = value(table, "density", "tumour", "CTL")
    assert (nest.status, nest.value) == ("APPROX", 0)
    assert "HER2 alone" in nest.reason
    treg = value(table, "density", "tissue", "Treg")
    assert (treg.status, treg.value) == ("APPROX", 100)
    assert "tumour cells may be among them" in treg.reason
    assert value(table, "ratio", "tissue", "CD8+", "FOXP3+").status == "APPROX"
    assert value(table, "density", "tissue", "CTL").status == "OK"


def test_a_lineage_is_reported_with_its_subsets(regions):
    t_cells = {"rule": "CK-", "subsets": {"CTL": "CD8+", "Treg": "FOXP3+/CD8-"}}
    panel = panel_with(phenotypes={"tumour": "CK+", "T cell": t_cells})
    counts = {"tumour": 100, "CTL": 60, "Treg": 20, "T cell": 10, "uncertain": 5}
    cells = cells_of({("stroma", name): n for name, n in counts.items()})
    # One of the uncertain cells is surely a T cell, but no one knows which.
    cells["lineage"] = cells["phenotype"].map(panel.lineages)
    cells.loc[cells.index[-1], "lineage"] = "T cell"
    table = landscape("s1", cells, regions, 10.0, panel, OPTIONS)
    row = value(table, "density", "stroma", "T cell (all)")
    assert (row.n_num, row.param) == (91, "lineage")
    assert value(table, "count", "stroma", "T cell").value == 10
    every = table[(table["metric"] == "count") & (table["region"] == "stroma")]
    parts = every[(every["phenotype"] != "all") & (every["param"] != "lineage")]
    assert parts["value"].sum() == len(cells)
    assert "density__stroma__T cell (all)__lineage" in widen(table)


def test_uncertain_cells_have_rows_of_their_own(regions):
    cells = cells_of({("stroma", "CTL"): 60, ("stroma", "uncertain"): 40})
    table = landscape("s1", cells, regions, 10.0, PANEL, OPTIONS)
    assert value(table, "pct_of_cells", "stroma", "uncertain").value == 40.0
