from dataclasses import replace

import pandas as pd
import pytest

from mifprofile.errors import UsageError
from mifprofile.io.config import override_options
from mifprofile.io.tables import read_manual_gates
from mifprofile.stages import open_results, run_all, run_stage


def finish_time(job):
    return job.results.record_path("phenotype").stat().st_mtime_ns


def write_manual(job, text):
    job.results.gates_manual.write_text(f"sample,marker,threshold\n{text}\n")


def test_a_folder_knows_its_panel_and_options(copy):
    options = override_options(copy.options, {"phenotype": {"min_share": 0.01}}, "test")
    run_all(replace(copy, options=options))
    again = open_results(copy.results.folder)
    assert again.panel == copy.panel
    assert again.options == options
    before = finish_time(copy)
    run_stage(again, "phenotype")
    assert finish_time(copy) == before


def test_a_folder_keeps_the_gate_table_it_was_given(copy, tmp_path):
    table = tmp_path / "cohort.csv"
    table.write_text("marker,threshold\nCK,1e9\n")
    run_all(replace(copy, gates=table))
    table.unlink()
    again = open_results(copy.results.folder)
    before = finish_time(copy)
    run_stage(again, "phenotype")
    assert finish_time(copy) == before
    run_stage(again, "phenotype", force=True)
    gates = pd.read_csv(copy.results.gates).set_index("marker")
    assert gates.loc["CK", "threshold"] == 1e9


def test_gates_set_in_the_viewer_come_before_a_table(copy, tmp_path, capsys):
    table = tmp_path / "cohort.csv"
    table.write_text("marker,threshold\nCK,1e9\nCD8,1e8\n")
    write_manual(copy, "sample,CD8,7")
    run_stage(replace(copy, gates=table, quiet=False), "phenotype")
    gates = pd.read_csv(copy.results.gates).set_index("marker")["threshold"]
    assert (gates["CD8"], gates["CK"]) == (7, 1e9)
    assert "CD8: the gate in" in capsys.readouterr().err


def test_a_plain_run_keeps_gates_set_in_the_viewer(copy):
    write_manual(copy, "sample,CD8,7")
    before = finish_time(copy)
    run_stage(copy, "phenotype")
    assert finish_time(copy) != before
    gates = pd.read_csv(copy.results.gates).set_index("marker")["threshold"]
    assert gates["CD8"] == 7


def test_gates_of_another_sample_are_refused(copy):
    write_manual(copy, "other,CD8,7")
    with pytest.raises(UsageError, match="correct the column 'sample'"):
        read_manual_gates(copy.results)


def test_a_run_that_did_not_finish_is_refused(copy):
    options = override_options(copy.options, {"phenotype": {"min_share": 0.01}}, "test")
    run_stage(replace(copy, options=options), "phenotype")
    with pytest.raises(UsageError, match="did not finish"):
        open_results(copy.results.folder)
