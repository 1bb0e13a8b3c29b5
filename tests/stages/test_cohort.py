from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from click.testing import CliRunner

import mifprofile as mp
from mifprofile.cli import cli
from mifprofile.errors import MissingError, UsageError
from mifprofile.stages.cohort import CohortJob, cohort
from mifprofile.stages.given import cohort_job
from tests.core.cohort.conftest import PANEL, landscape
from tests.core.cohort.test_analyse import AFTER, BEFORE

ENDPOINTS = """\
estimands:
  usual: {population: all, treatment: any, intercurrent_events: none, summary: median}
endpoints:
  - id: cd8
    title: CD8+ cells
    variable: {metric: density, region: tissue, phenotype: CD8+}
    estimand: usual
regimens: {core: [cd8]}
families: {densities: {metrics: [density]}}
"""


def write_result(folder, count):
    folder.mkdir(parents=True)
    landscape(count, 2.0).to_csv(folder / "landscape.csv", index=False)
    verdict = {"word": "pass", "reasons": []}
    provenance = {
        "sample_id": folder.name,
        "panel": PANEL.model_dump(mode="json"),
        "stages": {"landscape": {"facts": {"verdict": verdict}}},
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Folder with samples.tsv, endpoints.yaml and results of eight patients."""
    root = tmp_path_factory.mktemp("study")
    rows = []
    for i, counts in enumerate(zip(BEFORE, AFTER, strict=True)):
        for (time, day), count in zip(
            (("baseline", -3), ("on_tx", 21)), counts, strict=True
        ):
            name = f"P{i}_{time}"
            write_result(root / "results" / name, count)
            rows.append([name, f"P{i}", "human", "AB"[i % 2], time, day, 100 + i, 1])
    rows.append(["", "P8", "human", "A", "on_tx", "", 50, 1])
    columns = [
        *("sample_id", "patient_id", "species", "arm", "timepoint"),
        *("days_from_treatment_start", "pfs_days", "pfs_event"),
    ]
    sheet = pd.DataFrame(rows, columns=columns)
    sheet["missing_reason"] = ["progression" if not n else "" for n in sheet.sample_id]
    sheet.to_csv(root / "samples.tsv", sep="\t", index=False)
    (root / "endpoints.yaml").write_text(ENDPOINTS)
    return root


def job(study, out, **more) -> CohortJob:
    given = {"endpoints": study / "endpoints.yaml", "quiet": True} | more
    return cohort_job(study / "samples.tsv", study / "results", out, **given)


@pytest.fixture(scope="module")
def finished(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "out"
    cohort(job(study, out))
    return out


def test_the_page_needs_no_other_file_and_is_small(finished):
    page = (finished / "cohort.html").read_text(encoding="utf-8")
    assert len(page) < 5_000_000
    assert set(re.findall(r'src="(\w+):', page)) == {"data"}
    assert "http" not in re.sub(r'src="[^"]*"', "", page)
    assert "<script" not in page


def test_the_page_tells_what_a_statistician_asks(finished):
    page = (finished / "cohort.html").read_text(encoding="utf-8")
    for text in ("Estimands", "Table 1", "REMARK", "STORMI", "Sensitivity"):
        assert text in page
    assert "Wilcoxon signed-rank, exact; Hodges–Lehmann" in page
    assert "analysis of covariance" in page


def test_every_figure_lies_beside_its_numbers(finished):
    figures = {path.stem for path in (finished / "figures").glob("*.svg")}
    assert figures <= {path.stem for path in (finished / "figures").glob("*.csv")}
    assert {"human_flow", "human_forest", "human_cd8", "human_swimmer"} <= figures


def test_tables_hold_the_numbers(finished):
    endpoints = pd.read_csv(finished / "endpoints.csv")
    primary = endpoints[endpoints["family"] == "predeclared"].iloc[0]
    assert primary["n_patients"] == 8
    assert primary["n_missing"] == 1
    flow = pd.read_csv(finished / "flow.csv")
    assert list(flow.loc[flow["kind"] == "event", "reason"]) == ["progression"]
    provenance = json.loads((finished / "provenance.json").read_text())
    assert len(provenance["samples"]) == 16
    assert provenance["options"]["regimen"] == "core"


def test_the_same_input_gives_the_same_page(study, finished, tmp_path):
    cohort(job(study, tmp_path / "again"))
    for name in ("cohort.html", "endpoints.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (
            finished / name
        ).read_bytes()


def test_the_python_door_gives_the_tables(study, tmp_path):
    found = mp.cohort(
        study / "samples.tsv",
        study / "results",
        tmp_path / "out",
        endpoints=study / "endpoints.yaml",
        cohort={"exploratory": False},
        quiet=True,
    )
    assert found.report.is_file()
    assert found.tables["exploratory"]["family"].unique().tolist() == ["resistance"]
    with pytest.raises(UsageError, match="did you mean 'regimen'"):
        mp.cohort("samples.tsv", "results", "out", regimes="core")


def test_features_are_read_and_tested(study, tmp_path):
    table = tmp_path / "features.csv"
    rows = "".join(f"P{i},TMB,{i}\n" for i in range(8))
    table.write_text(f"patient_id,feature,value\n{rows}")
    cohort(job(study, tmp_path / "out", features=table))
    found = pd.read_csv(tmp_path / "out" / "exploratory.csv")
    assert (found["family"] == "outside features: association").sum() == 2


def test_a_folder_of_something_else_is_left_alone(study, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds something else"):
        cohort(job(study, tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_results_that_are_not_there_are_named(study, tmp_path):
    (tmp_path / "empty").mkdir()
    lost = CohortJob(study / "samples.tsv", tmp_path / "empty", tmp_path / "out")
    with pytest.raises(MissingError, match=r"P0_baseline/landscape\.csv"):
        cohort(lost)
    assert not (tmp_path / "out").exists()


def test_cells_of_all_samples_in_one_table(tmp_path):
    cells = pd.DataFrame(
        {
            "sample_id": ["s1"] * 30 + ["s2"] * 30,
            "x_um": range(60),
            "y_um": range(60),
            "CD8_positive": [1, 0, 0] * 20,
            "CK_positive": [0, 1, 0] * 20,
        }
    )
    cells.to_csv(tmp_path / "cells.csv", index=False)
    (tmp_path / "panel.yaml").write_text(PANEL.model_dump_json())
    share = "{metric: pct_of_cells, region: tissue, phenotype: CD8+}"
    text = ENDPOINTS.replace(
        "{metric: density, region: tissue, phenotype: CD8+}", share
    )
    (tmp_path / "endpoints.yaml").write_text(text)
    (tmp_path / "samples.tsv").write_text(
        "sample_id\tpatient_id\tspecies\tarm\ttimepoint\n"
        "s1\tP1\thuman\tA\tbaseline\ns2\tP1\thuman\tA\ton_tx\n"
    )
    made = cohort_job(
        tmp_path / "samples.tsv",
        tmp_path / "results",
        tmp_path / "out",
        from_table=tmp_path / "cells.csv",
        panel=tmp_path / "panel.yaml",
        endpoints=tmp_path / "endpoints.yaml",
        quiet=True,
    )
    cohort(made)
    observed = pd.read_csv(tmp_path / "out" / "observations.csv")
    assert list(observed["n_num"]) == [10, 10]
    assert list(observed["n_den"]) == [30, 30]


def test_a_bad_sheet_is_one_line(study, tmp_path):
    sheet = tmp_path / "bad.tsv"
    sheet.write_text((study / "samples.tsv").read_text().replace("human", "hunam"))
    args = ["cohort", str(sheet), str(study / "results"), "-o", str(tmp_path / "out")]
    found = CliRunner().invoke(cli, args)
    assert isinstance(found.exception, UsageError)
    assert "did you mean 'human'" in str(found.exception)
    assert "\n" not in str(found.exception)
