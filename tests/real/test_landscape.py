"""A score of a real field whose cells people have named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import calls
from mifprofile.core.landscape import landscape_of_areas
from mifprofile.core.landscape.scores import HAS_VALUE
from mifprofile.io.config import override_options
from mifprofile.io.results import Results
from mifprofile.options import STAGES, LandscapeOptions, Options
from mifprofile.stages import Job, run_stage

pytestmark = pytest.mark.xdist_group("mibi")
SCORES = ("pdl1_tps", "pdl1_cps", "her2_pct_pos", "her2_h_score")


@pytest.fixture(scope="module")
def landscapes(data_dir, mibi_folder):
    """Gates and landscape of every MIBI image and of the tonsil."""
    slides = dict.fromkeys(sorted((data_dir / "mibi_dcis").glob("point_*.tif")), "mibi")
    slides[data_dir / "tonsil_5ch" / "input.tiff"] = "tonsil"
    return {
        slide.name: _landscape(slide, name, mibi_folder)
        for slide, name in slides.items()
    }


def _landscape(slide, panel_name, out):
    um = {"pixel_size_um": calls.UM} if panel_name == "tonsil" else {}
    given = {"ingest": um, "landscape": {"spatial": False}}
    options = override_options(Options(), given, "test")
    panel = calls.panel_of(panel_name)
    job = Job(Results(out / slide.name), panel, options, slide=slide, quiet=True)
    for stage in STAGES[: STAGES.index("landscape") + 1]:
        run_stage(job, stage)
    tables = (job.results.gates, job.results.landscape)
    return (*(pd.read_csv(t, keep_default_na=False) for t in tables), panel)


def test_no_number_rests_on_an_undecided_marker(landscapes):
    for name, (gates, table, panel) in landscapes.items():
        undecided = set(gates.loc[gates["grade"] == "undecided", "marker"])
        asking = {
            phenotype
            for phenotype, rule in panel.rules.items()
            if any(sign and marker in undecided for marker, sign in rule.signs)
        } | undecided
        rows = table[
            table["phenotype"].isin(asking) | table["phenotype_b"].isin(asking)
        ]
        assert (rows["value"] == "").all(), name
        assert (rows["n_num"] == "").all(), name
        assert (rows["status"] == "NOT_COMPUTABLE").all(), name


def test_no_tumour_is_said_only_where_tumour_cells_could_be_seen(landscapes):
    for name, (gates, table, panel) in landscapes.items():
        asked = (
            [m for m, sign in panel.rules.get(panel.tumour, ()).signs if sign]
            if (panel.tumour)
            else []
        )
        grades = gates.set_index("marker").loc[asked, "grade"]
        if (table["status"] == "NO_TUMOUR").any():
            assert "undecided" not in set(grades), name


def test_scores_are_given_where_there_are_tumour_cells(landscapes):
    seen = 0
    for name, (_, table, panel) in landscapes.items():
        count = table[(table["metric"] == "count") & (table["region"] == "tissue")]
        tumour = count.set_index("phenotype")["value"].get(panel.tumour, "")
        if tumour in ("", "0.0"):
            continue
        seen += 1
        for score in SCORES:
            row = table[table["metric"] == score].iloc[0]
            assert row["value"] != "", (name, score, row["status"], row["reason"])
            assert row["status"] in HAS_VALUE
    assert seen >= 18


def test_both_ends_of_the_cps_of_the_lung_field(data_dir):
    field = calls.lung_field(data_dir)
    panel = calls.panel_of("lung")
    cells = pd.read_csv(data_dir / "lung_inform" / "sample_cell_seg_data.csv.gz")
    region = cells["Tissue Category"].map({"Tumor": "tumour", "Stroma": "stroma"})
    pdl1 = cells["Membrane PDL1 (Opal 520) Mean"] > 5.0
    placed = field.sample.cells.assign(
        region=region.fillna("outside").to_numpy(),
        phenotype=cells["Phenotype"].to_numpy(),
        **{"PD-L1_positive": pdl1.to_numpy()},
        **{f"{m}_positive": False for m in panel.markers if m != "PD-L1"},
    )
    areas = {"tumour": 0.3, "stroma": 0.3}
    table = landscape_of_areas("lung", placed, areas, panel, LandscapeOptions())
    rows = table[table["metric"] == "pdl1_cps"].set_index("param")
    tumour = cells["Phenotype"] == "CK+"
    bed = cells["Tissue Category"].isin(["Tumor", "Stroma"])
    named = cells["Phenotype"].isin(["CD8+", "FoxP3+", "CD68+"]) & bed
    ends = [
        100 * (pdl1 & (tumour | immune)).sum() / tumour.sum()
        for immune in (named, ~tumour & bed)
    ]
    assert rows.loc["within_um=500,immune=named", "value"] == pytest.approx(ends[0])
    assert rows.loc["within_um=500", "value"] == pytest.approx(min(100, ends[1]))
    assert np.isfinite(ends).all()


def test_a_status_says_whether_there_is_a_value(landscapes):
    for name, (_, table, _) in landscapes.items():
        # A region that is not there has an area of 0, and none of its cells.
        asked = table[~table["metric"].isin(["area", "count"])]
        given = asked["status"].isin(HAS_VALUE)
        assert ((asked["value"] != "") == given).all(), name


def test_what_rests_on_a_graded_gate_says_so_and_what_population_it_may_be(landscapes):
    seen = 0
    for name, (gates, table, panel) in landscapes.items():
        graded = set(gates.loc[gates["grade"] == "graded", "marker"])
        rows = table[(table["metric"] == "density") & (table["value"] != "")]
        for phenotype, rule in panel.rules.items():
            asked = {marker for marker, sign in rule.signs if sign}
            mine = rows[rows["phenotype"] == phenotype]
            if mine.empty or not asked & graded:
                continue
            seen += 1
            assert set(mine["grade"]) == {"graded"}, (name, phenotype)
            least, most = (
                mine[f"n_corrected_{end}"].astype(float) for end in ("low", "high")
            )
            assert mine["n_num"].astype(float).between(least, most).all()
            assert (mine["value_at_low_gates"] != "").all()
    assert seen >= 40


def test_tps_ic_and_til_of_the_lung_field_are_plain_sums(data_dir):
    field = calls.lung_field(data_dir)
    panel = calls.panel_of("lung")
    cells = pd.read_csv(data_dir / "lung_inform" / "sample_cell_seg_data.csv.gz")
    region = cells["Tissue Category"].map({"Tumor": "tumour", "Stroma": "stroma"})
    pdl1 = (cells["Membrane PDL1 (Opal 520) Mean"] > 5.0).to_numpy()
    area_um2 = np.random.default_rng(0).uniform(20, 200, len(cells))
    placed = field.sample.cells.assign(
        region=region.fillna("outside").to_numpy(),
        phenotype=cells["Phenotype"].to_numpy(),
        area_um2=area_um2,
        **{"PD-L1_positive": pdl1},
        **{f"{m}_positive": False for m in panel.markers if m != "PD-L1"},
    )
    areas = {"tumour": 0.3, "stroma": 0.2}
    table = landscape_of_areas("lung", placed, areas, panel, LandscapeOptions())
    found = table[~table["metric"].str.endswith("probability")]
    found = found.groupby("metric")["value"].first()
    tumour = (cells["Phenotype"] == "CK+").to_numpy()
    there, lymphocyte = placed["region"], placed["phenotype"].isin(["CD8+", "FoxP3+"])
    bed = there.isin(["tumour", "stroma"])
    stroma = (there == "stroma").to_numpy()
    assert found["pdl1_tps"] == pytest.approx(100 * pdl1[tumour].sum() / tumour.sum())
    covered = area_um2[pdl1 & ~tumour & bed].sum() / 1e6
    assert found["pdl1_ic"] == pytest.approx(100 * covered / 0.5)
    covered = area_um2[lymphocyte & stroma].sum() / 1e6
    assert found["stil_area_pct"] == pytest.approx(100 * covered / 0.2)
    share = (lymphocyte & stroma).sum() / stroma.sum()
    assert found["til_cell_pct"] == pytest.approx(100 * share)
    inside = (lymphocyte & (there == "tumour")).sum()
    assert found["itil_density"] == pytest.approx(inside / 0.3)
