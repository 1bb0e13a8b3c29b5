"""Published lung cohort, from its cells to its figures by the cohort's own command."""

from __future__ import annotations

import pandas as pd
import pytest

from mifprofile.stages.cohort import cohort
from mifprofile.stages.given import cohort_job

PANEL = """\
name: lung-cohort
species: human
nucleus: DAPI
markers:
  CK:  {channel: CK,  measure: cell}
  CD8: {channel: CD8, measure: cell}
phenotypes: {CD8+: CD8+, tumour: CK+}
tumour: tumour
"""
ENDPOINTS = """\
estimands:
  death:
    population: all patients
    treatment: surgery
    intercurrent_events: none
    summary: hazard ratio of death per doubling, adjusted for age
endpoints:
  - id: cd8_share
    title: CD8+ share of cells
    variable: {metric: pct_of_cells, region: tissue, phenotype: CD8+}
    question: survival
    end: os
    estimand: death
regimens: {lung: [cd8_share]}
"""


@pytest.fixture(scope="module")
def survival(data_dir, tmp_path_factory):
    """What the command says of survival, from all fields of all patients."""
    root, source = tmp_path_factory.mktemp("lung"), data_dir / "lung_cohort"
    cells = pd.read_csv(source / "cells.csv.gz")
    names = {"x": "x_um", "y": "y_um", "ck": "CK_positive", "cd8": "CD8_positive"}
    cells = cells.rename(columns=names)[["patient_id", "image_id", *names.values()]]
    patient, image = cells["patient_id"].astype(str), cells["image_id"].astype(str)
    cells["sample_id"] = "P" + patient + "_" + image
    cells.to_parquet(root / "cells.parquet")
    known = pd.read_csv(source / "patients.csv")
    known = known.rename(columns={"survival_days": "os_days"})
    known = known.rename(columns={"survival_status": "os_event", "gender": "sex"})
    sheet = cells[["sample_id", "patient_id"]].drop_duplicates().merge(known)
    design = {"species": "human", "arm": "surgery", "timepoint": "baseline"}
    sheet.assign(**design).to_csv(root / "samples.tsv", sep="\t", index=False)
    (root / "panel.yaml").write_text(PANEL)
    (root / "endpoints.yaml").write_text(ENDPOINTS)
    job = cohort_job(
        root / "samples.tsv",
        root / "results",
        root / "out",
        from_table=root / "cells.parquet",
        panel=root / "panel.yaml",
        endpoints=root / "endpoints.yaml",
        regimen="lung",
        cohort={"adjust": ["age"]},
        landscape={"spatial": False},
        quiet=True,
    )
    cohort(job)
    assert len(sheet) == 247
    return pd.read_csv(root / "out" / "survival.csv").set_index("what")


def figures(row: pd.Series) -> list[float]:
    return [round(row[name], 3) for name in ("estimate", "low", "high", "p_value")]


def test_the_hazard_by_doubling_of_cd8_adjusted_for_age(survival):
    row = survival.loc["hazard ratio per unit of CD8+ share of cells"]
    assert figures(row) == [1.033, 0.794, 1.344, 0.809]
    assert (row["n_patients"], row["n_events"]) == (50, 33)
    assert row["family"] == "predeclared"


def test_the_hazard_by_age(survival):
    row = survival.loc["hazard ratio per unit of age, beside CD8+ share of cells"]
    assert figures(row)[:3] == [1.044, 1.012, 1.078]


def test_the_log_rank_at_the_median(survival):
    row = survival.loc["above the median against the others"]
    assert row["note"] == "split at the median; chi2 0.0781"
