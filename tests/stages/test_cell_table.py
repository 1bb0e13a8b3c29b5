import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from mifprofile.errors import UsageError
from mifprofile.io.results import Results
from mifprofile.options import IngestOptions, Options
from mifprofile.stages import Job, open_results, run_all, run_stage
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


def test_calls_that_came_with_the_table_have_no_other_gates(
    tmp_path: Path, halo: Path
) -> None:
    areas = tmp_path / "areas.csv"
    areas.write_text("region,area_mm2\nTumor,0.5\nStroma,0.25\n", encoding="utf-8")
    run_all(replace(job_in(tmp_path, 0.5), table=halo, areas=areas))
    table = pd.read_csv(tmp_path / "out" / "landscape.csv")
    assert table["value"].notna().any()
    assert table[["value_at_low_gates", "value_at_high_gates"]].isna().all(axis=None)


def test_calls_and_areas_of_another_program(tmp_path: Path, halo: Path) -> None:
    areas = tmp_path / "areas.csv"
    areas.write_text("region,area_mm2\nTumor,0.5\nStroma,0.25\n", encoding="utf-8")
    run_all(replace(job_in(tmp_path, 0.5), table=halo, areas=areas))
    row = value(tmp_path, "density", "stroma", "CTL")
    assert (row["value"], row["status"]) == (8.0, "NO_INTERVAL")
    assert row["reason"] == "no interval: the shape of the tissue is not known"
    assert value(tmp_path, "density", "tissue", "all")["value"] == 5 / 0.75
    assert value(tmp_path, "pct_positive", "tumour", "tumour")["n_num"] == 1
    assert value(tmp_path, "density", "distal", "CTL")["status"] == "NOT_COMPUTABLE"
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "cells.parquet").is_file()


def test_without_areas_there_is_no_density(tmp_path: Path, halo: Path) -> None:
    run_all(replace(job_in(tmp_path, 0.5), table=halo))
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
    job = replace(job_in(tmp_path, 2.0), table=table, areas=path)
    run_all(job)
    facts = job.results.read_record("landscape")["facts"]
    assert facts["area_mm2"] == {"tumour": 0.04, "stroma": 0.04}
    assert value(tmp_path, "count", "stroma", "CTL")["value"] == 1
    assert value(tmp_path, "count", "tumour", "tumour")["value"] == 1


def test_a_table_without_regions_speaks_of_the_tissue_alone(tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    table.write_text("x_um,y_um,phenotype\n50,50,tumour\n350,50,CTL\n")
    run_all(replace(job_in(tmp_path), table=table))
    assert value(tmp_path, "count", "tissue", "CTL")["value"] == 1
    row = value(tmp_path, "count", "tumour", "tumour")
    assert row["status"] == "NOT_COMPUTABLE"
    assert row["reason"] == "the table names no tissue categories"


def test_a_folder_with_a_slide_is_kept(tmp_path: Path, halo: Path) -> None:
    (tmp_path / "out" / "slide.zarr").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds the results of a slide"):
        run_all(replace(job_in(tmp_path, 0.5), table=halo))


def test_a_folder_of_a_table_is_taken_up_without_it(tmp_path: Path, halo: Path) -> None:
    areas = tmp_path / "areas.csv"
    areas.write_text("region,area_mm2\nTumor,0.5\nStroma,0.25\n", encoding="utf-8")
    job = replace(job_in(tmp_path, 0.5), table=halo, areas=areas)
    run_all(job)
    landscape = job.results.landscape.read_bytes()
    halo.unlink()
    areas.unlink()
    again = open_results(job.results.folder)
    assert (again.panel, again.options) == (job.panel, job.options)
    for stage in ("phenotype", "landscape", "export", "report"):
        before = job.results.record_path(stage).stat().st_mtime_ns
        run_stage(again, stage)
        assert job.results.record_path(stage).stat().st_mtime_ns == before
    run_stage(again, "landscape", force=True)
    assert job.results.landscape.read_bytes() == landscape
    with pytest.raises(UsageError, match="ingest needs the table of cells"):
        run_stage(again, "ingest")
    with pytest.raises(UsageError, match="segment: a stage of slides"):
        run_stage(again, "segment")


def test_gates_set_later_count_for_cells_of_a_table(tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    levels = "\n".join(f"{k},{k},{k},1" for k in range(9))
    table.write_text(f"x_um,y_um,CD8_membrane_mean,PanCK_cytoplasm_mean\n{levels}\n")
    job = replace(job_in(tmp_path), table=table)
    run_all(job)
    assert set(pd.read_parquet(job.results.cells)["phenotype"]) == {"other"}
    job.results.gates_manual.write_text("sample,marker,threshold\nout,CD8,5\n")
    again = open_results(job.results.folder)
    for stage in ("phenotype", "landscape", "export", "report"):
        run_stage(again, stage)
    cells = pd.read_parquet(job.results.cells)
    assert (cells["phenotype"] == "CTL").sum() == 3
    assert (pd.read_csv(job.results.folder / "cells.csv")["CD8_positive"]).sum() == 3


def test_a_table_is_read_again_once_it_has_changed(tmp_path: Path, halo: Path) -> None:
    job = replace(job_in(tmp_path, 0.5), table=halo)
    run_all(job)
    halo.write_text(halo.read_text() + "99,100,0,10,Stroma,0,1,0\n")
    run_all(job)
    assert value(tmp_path, "count", "stroma", "CTL")["value"] == 3


def test_a_slide_is_refused_in_the_folder_of_a_table(
    tmp_path: Path, halo: Path
) -> None:
    run_all(replace(job_in(tmp_path, 0.5), table=halo))
    with pytest.raises(UsageError, match="holds the results of a table of cells"):
        run_all(replace(job_in(tmp_path, 0.5), slide=tmp_path / "slide.tif"))


def test_a_folder_that_holds_the_landscape_alone_is_one_line(
    tmp_path: Path, halo: Path
) -> None:
    job = replace(job_in(tmp_path, 0.5), table=halo)
    run_all(job)
    for stage in ("ingest", "phenotype", "export", "report"):
        job.results.record_path(stage).unlink()
    record = {"options": {}, "inputs": {"table": {"name": "halo.csv"}}, "facts": {}}
    job.results.record_path("landscape").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="landscape --from-table' to the end first"):
        open_results(job.results.folder)
    run_all(job)
    assert open_results(job.results.folder).panel == PANEL


def test_our_own_table_gives_the_same_counts(finished: Job, tmp_path: Path) -> None:
    job = Job(Results(tmp_path / "out"), finished.panel, quiet=True)
    cells = pd.read_parquet(finished.results.cells)
    doubtful = cells["phenotype_confidence"].rank(method="first") <= 20
    cells["phenotype"] = cells["phenotype"].astype(str).mask(doubtful, "uncertain")
    cells.to_parquet(tmp_path / "cells.parquet")
    run_all(replace(job, table=tmp_path / "cells.parquet"))
    counted = cells[cells["region"].isin(["tumour", "stroma", "outside"])]
    for name, count in counted["phenotype"].value_counts().items():
        assert value(tmp_path, "count", "tissue", str(name))["value"] == count
