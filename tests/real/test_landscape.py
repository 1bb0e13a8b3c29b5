"""Scores of a real field whose cells people have named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import calls
from mifprofile.core.landscape import landscape_of_areas
from mifprofile.options import LandscapeOptions


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
