from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from mifprofile.errors import UsageError
from mifprofile.io.results import Results
from mifprofile.options import IngestOptions, Options
from mifprofile.stages import Job
from mifprofile.stages.cell_table import landscape_of_table
from tests.panels import make_panel

PANEL = make_panel(
    {"CD8": "CD8/membrane", "PanCK": "CK/cytoplasm", "PD-L1": "PDL1/membrane"},
    phenotypes={"tumour": "PanCK+/CD8-", "CTL": "CD8+/PanCK-"},
    states=["PD-L1"],
    tumour="tumour",
)


def job_in(folder: Path, pixel_size_um: float | None = None) -> Job:
    options = Options(ingest=IngestOptions(pixel_size_um=pixel_size_um))
    return Job(Results(folder / "out"), PANEL, options, quiet=True)


def value(folder: Path, metric: str, region: str, phenotype: str) -> pd.Series:
    table = pd.read_csv(folder / "out" / "landscape.csv")
    row = table[
        (table["metric"] == metric)
        & (table["region"] == region)
        & (table["phenotype"] == phenotype)
    ]
    return row.iloc[0]


@pytest.fixture
def halo(tmp_path: Path) -> Path:
    """Three tumour cells, one of them PD-L1+, and two CTL in the stroma."""
    text = (
        "XMin,XMax,YMin,YMax,Classifier Label,CK Positive,CD8 Positive,PDL1 Positive\n"
        "0,10,0,10,Tumor,1,0,1\n20,30,0,10,Tumor,1,0,0\n40,50,0,10,Tumor,1,0,0\n"
        "60,70,0,10,Stroma,0,1,0\n80,90,0,10,Stroma,0,1,0\n"
    )
    path = tmp_path / "halo.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_calls_and_areas_of_another_program(tmp_path: Path, halo: Path) -> None:
    areas = tmp_path / "areas.csv"
    areas.write_text("region,area_mm2\nTumor,0.5\nStroma,0.25\n", encoding="utf-8")
    landscape_of_table(job_in(tmp_path, 0.5), halo, areas)
    row = value(tmp_path, "density", "stroma", "CTL")
    assert (row["value"], row["status"]) == (8.0, "OK")
    assert row["reason"] == "no interval: the shape of the tissue is not known"
    assert value(tmp_path, "density", "tissue", "all")["value"] == 5 / 0.75
    assert value(tmp_path, "pct_positive", "tumour", "tumour")["n_num"] == 1
    assert value(tmp_path, "density", "distal", "CTL")["status"] == "NOT_COMPUTABLE"
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "cells.parquet").is_file()


def test_without_areas_there_is_no_density(tmp_path: Path, halo: Path) -> None:
    landscape_of_table(job_in(tmp_path, 0.5), halo, None)
    row = value(tmp_path, "density", "stroma", "CTL")
    assert np.isnan(row["value"])
    assert row["status"] == "NOT_COMPUTABLE"
    assert value(tmp_path, "count", "stroma", "CTL")["value"] == 2
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "No tissue was found" not in page
    assert "No tumour nest was found" not in page


def test_a_tissue_map_gives_regions_and_their_shape(tmp_path: Path) -> None:
    codes = np.zeros((100, 200), np.uint16)
    codes[:, 100:] = 1
    names = (
        "<TissueClassMap><Entry><Name>Tumor</Name></Entry><Entry><Name>Stroma</Name>"
    )
    path = tmp_path / "maps.tif"
    tifffile.imwrite(path, codes, description=f"{names}</Entry></TissueClassMap>")
    table = tmp_path / "cells.csv"
    table.write_text("x_um,y_um,phenotype\n50,50,tumour\n350,50,CTL\n")
    facts = landscape_of_table(job_in(tmp_path, 2.0), table, path)
    assert facts["area_mm2"] == {"tumour": 0.04, "stroma": 0.04}
    assert value(tmp_path, "count", "stroma", "CTL")["value"] == 1
    assert value(tmp_path, "count", "tumour", "tumour")["value"] == 1


def test_a_table_without_regions_speaks_of_the_tissue_alone(tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    table.write_text("x_um,y_um,phenotype\n50,50,tumour\n350,50,CTL\n")
    landscape_of_table(job_in(tmp_path), table, None)
    assert value(tmp_path, "count", "tissue", "CTL")["value"] == 1
    row = value(tmp_path, "count", "tumour", "tumour")
    assert row["status"] == "NOT_COMPUTABLE"
    assert row["reason"] == "the table names no tissue categories"


def test_a_folder_with_a_slide_is_kept(tmp_path: Path, halo: Path) -> None:
    (tmp_path / "out" / "slide.zarr").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds the results of a slide"):
        landscape_of_table(job_in(tmp_path, 0.5), halo, None)


def test_our_own_table_gives_the_same_counts(finished: Job, tmp_path: Path) -> None:
    job = Job(Results(tmp_path / "out"), finished.panel, quiet=True)
    cells = pd.read_parquet(finished.results.cells)
    doubtful = cells["phenotype_confidence"].rank(method="first") <= 20
    cells["phenotype"] = cells["phenotype"].astype(str).mask(doubtful, "uncertain")
    cells.to_parquet(tmp_path / "cells.parquet")
    landscape_of_table(job, tmp_path / "cells.parquet", None)
    counted = cells[cells["region"].isin(["tumour", "stroma", "outside"])]
    for name, count in counted["phenotype"].value_counts().items():
        assert value(tmp_path, "count", "tissue", str(name))["value"] == count
