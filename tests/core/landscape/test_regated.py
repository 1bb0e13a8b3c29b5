import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import STROMA, TUMOUR, landscape
from mifprofile.core.phenotype import called_again
from mifprofile.core.phenotype.gates import KnownGates
from mifprofile.options import LandscapeOptions
from tests.panels import make_panel

PANEL = make_panel(
    {name: f"{name}/membrane" for name in ("CK", "CD8", "PD-L1")},
    phenotypes={"tumour": "CK+/CD8-", "CTL": "CD8+/CK-"},
    states=["PD-L1"],
    tumour="tumour",
)
# Blocks small enough for intervals on 1 mm².
OPTIONS = LandscapeOptions(block_um=125, min_block_um=100, spatial=False)
GATES = KnownGates(
    {"CK": 10.0, "CD8": 10.0, "PD-L1": 10.0},
    {"CK": "clear", "CD8": "graded", "PD-L1": "clear"},
    {"CK": 10.0, "CD8": 5.0, "PD-L1": 10.0},
)
# Half of 1 mm² is nest, half stroma; each row is so many cells of each level.
KINDS = pd.DataFrame(
    [(200, 50, 1, 1), (100, 50, 1, 9), (40, 1, 50, 1), (20, 1, 9, 1), (60, 1, 1, 1)],
    columns=["n", "CK", "CD8", "PD-L1"],
)


def levels_of(kinds):
    return kinds.loc[
        kinds.index.repeat(kinds["n"]), ["CK", "CD8", "PD-L1"]
    ].reset_index(drop=True)


def cells_of(levels, thresholds):
    tumour = levels["CK"] > 10
    place = np.linspace(5, 995, len(levels))
    calls = called_again(levels, thresholds, PANEL, 0.5)
    return calls.assign(
        x_um=place,
        y_um=np.where(tumour, 250.0, 750.0),
        region=np.where(tumour, "tumour", "stroma"),
        area_um2=100.0,
    )


def table_of(kinds=KINDS, gates=GATES, options=OPTIONS):
    regions = np.full((100, 100), STROMA, np.uint8)
    regions[:50] = TUMOUR
    levels = levels_of(kinds)
    return landscape(
        "s",
        cells_of(levels, gates.thresholds),
        regions,
        10.0,
        PANEL,
        options,
        gates,
        lambda moved: called_again(levels, moved, PANEL, 0.5),
    )


def pick(table, metric, phenotype, region="tissue", param=""):
    hit = table[
        (table["metric"] == metric)
        & (table["phenotype"] == phenotype)
        & (table["region"] == region)
        & (table["param"] == param)
    ]
    assert len(hit) == 1
    return hit.iloc[0]


def test_a_count_of_graded_cells_comes_with_the_population_behind_it():
    row = pick(table_of(), "density", "CTL")
    assert (row.value, row.n_num, row.grade) == (40.0, 40, "graded")
    assert row.reason == "graded: CD8"
    # 40 are beyond the gate and 60 beyond the negative peak.
    assert row.n_corrected == pytest.approx((40 * 60) ** 0.5)
    # Exact Poisson limits (Garwood): 28.58 below 40, 77.23 above 60.
    assert (row.n_corrected_low, row.n_corrected_high) == pytest.approx(
        (28.58, 77.23), abs=0.01
    )


def test_what_rests_on_clear_gates_needs_no_correction():
    row = pick(table_of(), "density", "tumour")
    assert (row.grade, row.reason) == ("clear", "")
    assert np.isnan([row.n_corrected, row.n_corrected_low, row.n_corrected_high]).all()


def test_a_marker_that_is_absent_is_a_zero_with_its_upper_bound():
    gates = KnownGates(
        GATES.thresholds | {"CD8": np.nan}, GATES.grades | {"CD8": "absent"}, {}
    )
    row = pick(table_of(gates=gates), "density", "CTL")
    assert (row.value, row.n_num, row.grade, row.status) == (0.0, 0, "absent", "OK")
    # None in 1 mm²: at most 3 (95 %, one-sided), or 3.69 (97.5 %).
    assert (row.ci_low, row.ci_high) == pytest.approx((0, 2.996), abs=0.001)
    assert (row.n_corrected, row.n_corrected_high) == pytest.approx(
        (0, 3.689), abs=1e-3
    )


def test_headline_numbers_are_given_at_other_gates():
    table = table_of()
    row = pick(table, "density", "CTL")
    # At 0.8 times the gate the twenty of level 9 are CD8+, too.
    assert (row.value_at_low_gates, row.value, row.value_at_high_gates) == (60, 40, 40)
    assert pick(table, "density", "CTL", "stroma").value_at_low_gates == 120
    tps = pick(table, "pdl1_tps", "tumour")
    assert (tps.value, tps.value_at_high_gates) == (0, 0)
    assert tps.value_at_low_gates == pytest.approx(100 * 100 / 300)
    every = table[table["value_at_low_gates"].notna()]
    assert "count" not in set(every["metric"])


def test_a_tumour_that_goes_with_its_gate_leaves_no_score():
    faint = KINDS.assign(CK=KINDS["CK"].replace(50, 11))
    row = pick(table_of(faint), "pdl1_tps", "tumour")
    assert np.isnan(row.value_at_high_gates)
    assert (row.status, row.value) == ("OK", 0)


def test_without_the_levels_of_cells_nothing_is_said_of_other_gates():
    regions = np.full((100, 100), STROMA, np.uint8)
    cells = cells_of(levels_of(KINDS), GATES.thresholds)
    table = landscape("s", cells, regions, 10.0, PANEL, OPTIONS, GATES)
    assert table[["value_at_low_gates", "n_corrected"]].isna().all(axis=None)
    assert pick(table, "density", "CTL").grade == "graded"
