from dataclasses import replace

import anndata
import pandas as pd
import pytest

from mifprofile.io.results import Results
from mifprofile.sample import Sample
from mifprofile.stages import Job, run_all
from mifprofile.stages.run import run_stage


@pytest.fixture
def undecided(copy, tmp_path):
    """A sample whose PD-L1 nobody could tell."""
    gates = pd.read_csv(copy.results.gates)[["marker", "threshold", "grade"]]
    unknown = gates["marker"] == "PD-L1"
    gates.loc[unknown, ["threshold", "grade"]] = [float("nan"), "undecided"]
    path = tmp_path / "gates.csv"
    gates.assign(sample="").to_csv(path, index=False)
    job = replace(copy, gates=path)
    for stage in ("phenotype", "landscape", "export"):
        run_stage(job, stage)
    return job


def test_a_call_that_nobody_could_make_is_empty_everywhere(undecided):
    path = undecided.results.cells
    for table in (
        pd.read_parquet(path),
        pd.read_csv(path.with_suffix(".csv")),
        anndata.read_h5ad(path.with_suffix(".h5ad")).obs,
    ):
        assert table["PD-L1_positive"].isna().all()
        assert table["CD8_positive"].notna().all()


def test_anndata_holds_gates_and_landscape(undecided):
    table = anndata.read_h5ad(undecided.results.cells.with_suffix(".h5ad"))
    gates = table.uns["gates"].set_index("marker")
    assert gates.at["PD-L1", "grade"] == "undecided"
    written = pd.read_csv(undecided.results.landscape)
    rows = table.uns["landscape"]
    assert list(rows) == list(written)
    assert rows["status"].tolist() == written["status"].tolist()
    assert rows["n_corrected"].equals(written["n_corrected"])


def test_our_own_table_read_again_leaves_the_marker_undecided(undecided, tmp_path):
    job = Job(
        Results(tmp_path / "again"),
        undecided.panel,
        table=undecided.results.cells,
        quiet=True,
    )
    run_all(job)
    rows = Sample(job.results.folder).landscape()
    share = rows[(rows["metric"] == "pct_positive") & (rows["phenotype_b"] == "PD-L1")]
    called = rows[(rows["metric"] == "count") & (rows["phenotype"] == "CTL")]
    assert (share["grade"] != "absent").all()
    assert called["value"].notna().any()
