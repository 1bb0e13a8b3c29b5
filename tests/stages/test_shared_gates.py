import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mifprofile.core.phenotype.gates import GATE_FIGURES
from mifprofile.errors import MissingError, UsageError
from mifprofile.io.config import override_options
from mifprofile.io.results import Results
from mifprofile.io.tables import read_parquet, write_table
from mifprofile.options import Options
from mifprofile.stages import run_stage
from mifprofile.stages.shared_gates import GatesJob, gates

SHEET = """sample_id patient_id species arm timepoint slide panel batch
before P1 human a baseline - {panel} B1
after P1 human a week3 - {panel} B1
other P2 human a baseline - {panel} B2
"""


@pytest.fixture(scope="module")
def biopsies(tmp_path_factory, finished, panel_path):
    """Three measured samples; the second patient's is stained twice as strongly."""
    root = tmp_path_factory.mktemp("biopsies")
    table = read_parquet(finished.results.measurements)
    bright = [name for name in table if name.endswith("_mean")]
    for name, stain in (("before", 1.0), ("after", 1.0), ("other", 2.0)):
        results = Results(root / name)
        shutil.copytree(finished.results.quality, results.quality)
        shutil.copy(finished.results.quality_figures, results.quality_figures)
        write_table(
            table.assign(**{c: table[c] * stain for c in bright}), results.measurements
        )
    text = SHEET.format(panel=panel_path).replace(" ", "\t")
    (root / "samples.tsv").write_text(text)
    return root


def job(root, out, **gates_options):
    return GatesJob(
        folders=tuple(root / name for name in ("before", "after", "other")),
        out=out,
        options=override_options(Options(), {"gates": gates_options}, "test"),
        samples=root / "samples.tsv",
    )


def test_locked_gates_reach_the_phenotypes(biopsies, tmp_path, finished):
    out = tmp_path / "gates.csv"
    table = gates(job(biopsies, out, scope="patient", lock_to="baseline"))
    pd.testing.assert_frame_equal(pd.read_csv(out), table, check_dtype=False)
    locked = table[table["method"] == "locked"]
    assert set(locked["sample"]) == {"after"}
    copy = tmp_path / "after"
    shutil.copytree(finished.results.folder, copy, symlinks=True)
    run_stage(replace(finished, results=Results(copy), gates=out), "phenotype")
    used = pd.read_csv(copy / "gates.csv")
    assert set(used["method"]) == {"locked"}
    assert used["drift"].isna().all()
    np.testing.assert_allclose(used["threshold"], locked["threshold"])


def test_excluded_cells_have_no_part_in_gates(partly_excluded, tmp_path, panel_path):
    folder = partly_excluded.results.folder
    given = GatesJob((folder,), tmp_path / "gates.csv", panel=panel_path)
    used = pd.read_csv(folder / "gates.csv").set_index("marker")
    found = gates(given).set_index("marker")
    for name in ("threshold", *GATE_FIGURES):
        np.testing.assert_allclose(found[name], used[name], rtol=1e-6)


def test_excluded_cells_of_a_control_slide_anchor_nothing(
    partly_excluded, finished, tmp_path
):
    copy = tmp_path / "S1"
    shutil.copytree(finished.results.folder, copy, symlinks=True)
    control = partly_excluded.results
    given = {"control": str(control.folder), "methods": {"CD8": "control"}}
    options = override_options(finished.options, {"phenotype": given}, "test")
    run_stage(replace(finished, results=Results(copy), options=options), "phenotype")
    gate = pd.read_csv(copy / "gates.csv").set_index("marker").loc["CD8"]
    cells = pd.read_parquet(control.cells)
    levels = cells.loc[cells["qc_evaluable"], "CD8_membrane_mean"]
    assert gate["threshold"] == pytest.approx(np.percentile(levels, 99))


def test_a_locked_gate_that_no_longer_fits_is_named(
    biopsies, tmp_path, finished, capsys
):
    out = tmp_path / "gates.csv"
    table = gates(job(biopsies, out, scope="patient"))
    table[table["sample"] == "other"].assign(sample="").to_csv(out, index=False)
    copy = tmp_path / "S1"
    shutil.copytree(finished.results.folder, copy, symlinks=True)
    changed = replace(finished, results=Results(copy), gates=out, quiet=False)
    for stage in ("phenotype", "landscape", "export", "report"):
        run_stage(changed, stage)
    said = capsys.readouterr().err
    assert re.search(r"the gate of CK may not fit: .*the sample's own gate", said)
    assert (
        "own gate" in pd.read_csv(copy / "gates.csv").set_index("marker")["drift"]["CK"]
    )
    assert "The gate of CK may not fit here" in (copy / "report.html").read_text()


def test_gates_of_another_program_are_converted_and_back(biopsies, tmp_path):
    made = gates(job(biopsies, tmp_path / "gates.csv", scope="batch"))
    for layout in ("scimap", "cylinter"):
        there, back = tmp_path / f"{layout}.csv", tmp_path / f"{layout}_back.csv"
        first = job(biopsies, there)
        gates(replace(first, source=tmp_path / "gates.csv", layout=layout))
        table = gates(replace(first, out=back, source=there))
        same = made["threshold"].notna()
        np.testing.assert_allclose(
            table.set_index(["sample", "marker"])["threshold"],
            made[same]
            .set_index(["sample", "marker"])["threshold"]
            .reindex(pd.MultiIndex.from_frame(table[["sample", "marker"]])),
            rtol=1e-6,
        )


def test_a_control_slide_anchors_a_gate(biopsies, finished, tmp_path):
    copy = tmp_path / "S1"
    shutil.copytree(finished.results.folder, copy, symlinks=True)
    given = {"control": str(biopsies / "before"), "methods": {"CD8": "control"}}
    options = override_options(finished.options, {"phenotype": given}, "test")
    run_stage(replace(finished, results=Results(copy), options=options), "phenotype")
    gate = pd.read_csv(copy / "gates.csv").set_index("marker").loc["CD8"]
    cells = read_parquet(finished.results.cells)
    levels = cells.loc[cells["qc_evaluable"], "CD8_membrane_mean"]
    assert gate["threshold"] == pytest.approx(np.percentile(levels, 99))
    assert gate["method"] == "control"
    given["methods"] = {}
    options = override_options(finished.options, {"phenotype": given}, "test")
    with pytest.raises(UsageError, match="no marker is gated by it"):
        run_stage(
            replace(finished, results=Results(copy), options=options), "phenotype"
        )


@pytest.mark.parametrize(
    ("changes", "gates_options", "says"),
    [
        ({"samples": None}, {"scope": "patient"}, "needs the sample sheet"),
        ({}, {"scope": "patient", "lock_to": "basline"}, "did you mean 'baseline'"),
        ({}, {"lock_to": "baseline"}, "choose the scope patient"),
        ({"samples": None}, {}, "give --panel"),
    ],
)
def test_what_cannot_be_grouped_is_refused(
    biopsies, tmp_path, changes, gates_options, says
):
    with pytest.raises(UsageError, match=says):
        gates(replace(job(biopsies, tmp_path / "g.csv", **gates_options), **changes))


def test_a_sample_that_is_not_in_the_sheet_is_refused(biopsies, tmp_path):
    given = replace(job(biopsies, tmp_path / "g.csv"), folders=(biopsies / "befor",))
    with pytest.raises(UsageError, match="did you mean 'before'"):
        gates(given)


def test_a_sample_that_is_not_measured_is_named(biopsies, tmp_path, panel_path):
    given = job(biopsies, tmp_path / "g.csv")
    with pytest.raises(MissingError, match=r"measurements\.parquet"):
        gates(
            replace(given, folders=(tmp_path / "none",), samples=None, panel=panel_path)
        )
