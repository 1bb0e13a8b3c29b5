import pandas as pd
import pytest

from mifprofile.core.landscape import landscape_of_areas
from mifprofile.options import LandscapeOptions
from tests.panels import make_panel

PANEL = make_panel(
    {name: f"{name}/membrane" for name in ("PanCK", "CD8", "PD-L1")},
    phenotypes={"tumour": "PanCK+/CD8-", "CTL": "CD8+/PanCK-"},
    states=["PD-L1"],
    tumour="tumour",
)
# 200 tumour cells, 40 of 80 cytotoxic ones PD-L1+.
CELLS = pd.DataFrame(
    {
        "x_um": range(280),
        "y_um": 5.0,
        "phenotype": ["tumour"] * 200 + ["CTL"] * 80,
        "PD-L1_positive": [False] * 240 + [True] * 40,
    }
)


def value(metric, region="", areas=None, **columns):
    cells = CELLS.assign(region=region, **columns)
    table = landscape_of_areas("s", cells, areas or {}, PANEL, LandscapeOptions())
    return table[table["metric"] == metric].iloc[0]


def test_cps_without_tissue_categories_counts_every_immune_cell():
    row = value("pdl1_cps")
    assert (row.value, row.status) == (20.0, "APPROX")
    assert value("pdl1_cps", region="outside").value == 0.0


def test_what_needs_a_region_is_not_computable_without_categories():
    row = value("itil_density")
    assert (row.status, row.reason) == (
        "NOT_COMPUTABLE",
        "the table names no tissue categories",
    )


def test_adequacy_without_an_area_is_of_the_cells_alone():
    row = value("adequacy", region="tumour")
    assert (row.value, row.status) == (2, "APPROX")
    assert "the area of the bed is not known" in row.reason


@pytest.mark.parametrize("metric", ["immune_class", "pdl1_ic", "stil_area_pct"])
def test_an_area_that_is_not_known_is_not_a_small_one(metric):
    row = value(metric, region="tumour", area_um2=100.0)
    assert (row.status, row.reason) == (
        "NOT_COMPUTABLE",
        "the area of this region is not known",
    )


def test_a_value_without_a_map_has_no_interval_but_a_zero_its_limit():
    areas = {"tumour": 0.5}
    row = value("density", region="tumour", areas=areas)
    assert (row.value, row.status) == (560.0, "NO_INTERVAL")
    assert row.reason == "no interval: the shape of the tissue is not known"
    none = value("pdl1_tps", region="tumour", areas=areas)
    # The rule of three for none of 200.
    assert (none.value, none.ci_high) == (0.0, pytest.approx(1.487, abs=1e-3))
