import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mifprofile as mp
from mifprofile.errors import FormatError, MissingError, UsageError
from mifprofile.io.config import override_options
from mifprofile.io.tables import fill_text
from mifprofile.stages import run_stage


@pytest.fixture(scope="module")
def sample(finished):
    return mp.open(str(finished.results.folder))


@pytest.fixture(scope="module")
def from_table(tmp_path_factory, demo_panel):
    """Two cells of a table, of which one has no phenotype and no remark."""
    table = pd.DataFrame(
        {
            "x_um": [1.0, 2.0],
            "y_um": [3.0, 4.0],
            "phenotype": ["CTL", None],
            "remark": ["touching", None],
            "seen": [True, None],
        }
    )
    out = tmp_path_factory.mktemp("table") / "two"
    return mp.landscape(table, demo_panel, out, quiet=True)


def test_a_sample_knows_what_it_is(sample, finished):
    assert sample.sample_id == "sample"
    assert sample.panel == finished.panel
    assert sample.folder == finished.results.folder
    assert sample.report.read_text().startswith("<!DOCTYPE html>")
    assert next(iter(sample.provenance["stages"])) == "ingest"
    assert repr(sample) == f"Sample({str(finished.results.folder)!r})"


def test_the_verdict_is_the_last_one(sample, finished):
    verdict = finished.results.read_record("phenotype")["facts"]["verdict"]
    assert (sample.verdict, list(sample.reasons)) == (
        verdict["word"],
        verdict["reasons"],
    )


@pytest.mark.parametrize("table", ["cells", "landscape", "gates"])
def test_no_text_is_missing(sample, table):
    text = getattr(sample, table)().select_dtypes(["object", "category"])
    assert text.shape[1] > 2
    assert not text.isna().any(axis=None)


def test_tables_have_their_types(sample):
    landscape, gates, cells = sample.landscape(), sample.gates(), sample.cells()
    assert set(landscape["phenotype_b"]) > {"", "PD-L1"}
    numbers = ["value", "n_num", "n_den", "area_mm2", "ci_low", "ci_high"]
    assert {*map(str, landscape[numbers].dtypes)} == {"float64"}
    assert landscape["n_blocks"].dtype == np.int64
    assert gates["threshold"].dtype == gates["corrected_pct"].dtype == float
    assert (gates["author"] == "").all()
    assert cells["CD8_positive"].dtype == cells["qc_evaluable"].dtype == bool


def test_cells_are_there_as_anndata(sample):
    adata, cells = sample.adata(), sample.cells()
    np.testing.assert_array_equal(adata.obs["cell_id"], cells["cell_id"])
    assert adata.uns["mifprofile"]["sample_id"] == "sample"


def test_image_and_labels_are_lazy_and_lie_on_each_other(sample):
    slide, labels = sample.image(), sample.labels()
    assert slide.channel_names[0] == "DAPI"
    assert hasattr(slide.levels[0], "dask")
    assert set(labels) == {"nuclei", "cells"}
    assert labels["cells"].levels[0].shape == slide.shape_px
    first = sample.cells().iloc[0]
    row, column = (int(first[c] / slide.um) for c in ("y_um", "x_um"))
    assert labels["cells"].levels[0][row, column] == first["cell_id"]


def test_a_sample_stands_for_its_folder(sample):
    assert Path(sample) == sample.folder
    assert mp.open(sample).sample_id == "sample"


def test_a_sample_of_a_table(from_table):
    cells = from_table.cells()
    assert from_table.sample_id == "two"
    assert cells["phenotype"].tolist() == ["CTL", "other"]
    assert cells["remark"].tolist() == ["touching", ""]
    assert cells["seen"].dtype == "boolean"
    assert from_table.landscape()["value"].dtype == float
    assert from_table.gates()["marker"].tolist() == list(from_table.panel.markers)
    assert from_table.adata().obsm["spatial"].tolist() == [[1, 3], [2, 4]]
    assert from_table.verdict in {"pass", "review", "fail"}
    assert from_table.report.is_file()


@pytest.mark.parametrize("part", ["image", "labels"])
def test_a_sample_of_a_table_has_no_pixels(from_table, part):
    with pytest.raises(MissingError, match="'two' came from a table"):
        getattr(from_table, part)()


@pytest.mark.parametrize("folder", [None, 3, ["OUT"], ""])
def test_what_is_no_folder_is_refused(folder):
    with pytest.raises(UsageError, match=r"^folder: give a path"):
        mp.open(folder)


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(MissingError, match="not a finished result folder"):
        mp.open(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_damaged_records_are_named(tmp_path, text):
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(FormatError, match=r"provenance\.json"):
        mp.open(tmp_path)


def test_a_run_that_did_not_finish_is_refused(copy):
    options = override_options(copy.options, {"phenotype": {"min_share": 0.01}}, "test")
    run_stage(replace(copy, options=options), "phenotype")
    with pytest.raises(UsageError, match="did not finish"):
        mp.open(copy.results.folder)


def test_a_stage_that_was_killed_is_noticed(copy):
    copy.results.record_path("landscape").unlink()
    with pytest.raises(UsageError, match="did not finish"):
        mp.open(copy.results.folder)


def test_a_renamed_folder_keeps_the_name_in_its_tables(copy):
    there = copy.results.folder.with_name("renamed")
    shutil.move(copy.results.folder, there)
    sample = mp.open(there)
    assert sample.sample_id == sample.landscape()["sample_id"].iloc[0] == "sample"


def test_without_a_verdict_there_is_none(copy):
    content = json.loads(copy.results.provenance.read_text())
    for record in content["stages"].values():
        record.get("facts", {}).pop("verdict", None)
    copy.results.provenance.write_text(json.dumps(content))
    sample = mp.open(copy.results.folder)
    assert (sample.verdict, sample.reasons) == ("", ())


def test_missing_text_is_empty_and_missing_numbers_are_not():
    table = pd.DataFrame(
        {
            "text": ["a", None],
            "kind": pd.Categorical(["b", None]),
            "seen": [True, None],
            "none": [None, None],
            "size": [1.0, np.nan],
        }
    )
    filled = fill_text(table)
    assert filled["text"].tolist() == ["a", ""]
    assert filled["kind"].tolist() == ["b", ""]
    assert filled["none"].tolist() == ["", ""]
    assert filled["seen"].tolist() == [True, pd.NA]
    assert filled["size"].isna().tolist() == [False, True]
