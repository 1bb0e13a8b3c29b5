from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mifprofile.options import STAGES

if TYPE_CHECKING:
    from .conftest import Batch

ROOT = Path(__file__).parents[2]
SAMPLES = ("A", "B")
ALL = dict.fromkeys(STAGES, len(SAMPLES))


def from_stage(stage: str) -> dict[str, int]:
    """Jobs of a stage and of all that follow."""
    order = [*STAGES]
    return dict.fromkeys(order[order.index(stage) :], len(SAMPLES))


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_every_stage_of_every_sample_is_planned(batch: Batch, snakefile: str):
    assert batch.planned("--cores", "2", snakefile=snakefile) == ALL


def test_a_cohort_is_asked_once_all_samples_are_there(batch: Batch):
    said = batch.snakemake("-n", "cohort")
    assert re.search(r"^cohort +1$", said, re.M)
    assert batch.planned("cohort") == ALL
    command = next(line for line in said.splitlines() if "mifprofile cohort" in line)
    assert "config/samples.tsv results -o results/cohort" in command


def test_a_biopsy_that_is_missing_has_no_slide_to_run(batch: Batch):
    sheet = batch.folder / "config" / "samples.tsv"
    header, *rows = sheet.read_text().splitlines()
    lost = "\tP2\thuman\tdemo\ton_tx\t\t\t\tprogression"
    lines = [f"{header}\tmissing_reason", *(f"{row}\t" for row in rows), lost]
    sheet.write_text("\n".join(lines) + "\n")
    assert batch.planned() == ALL


def test_rules_write_what_the_stages_write(batch: Batch):
    said = batch.snakemake("-n")
    written = {
        batch.folder / name
        for line in re.findall(r"^    output: (.+)$", said, re.M)
        for name in line.replace(" (update)", "").split(", ")
    }
    assert written == {
        path
        for sample in SAMPLES
        for stage in STAGES
        for path in batch.results(sample).outputs(stage)
    }


def test_a_finished_batch_has_nothing_to_do(finished_batch: Batch):
    assert finished_batch.planned() == {}


def test_only_a_stage_whose_section_changed_and_later_ones_run_again(
    finished_batch: Batch,
):
    finished_batch.edit(
        "config/config.yaml", "min_separation_sd: 2.0", "min_separation_sd: 3"
    )
    assert finished_batch.planned() == from_stage("phenotype")


def test_a_config_may_be_laid_over_the_first(finished_batch: Batch):
    (finished_batch.folder / "mine.yaml").write_text("report: {seed: 1}")
    assert finished_batch.planned("--configfile", "mine.yaml") == from_stage("report")


def test_a_changed_phenotype_runs_nothing_before_phenotype(finished_batch: Batch):
    finished_batch.edit(
        "config/panel.yaml", "Treg:   FOXP3+/CD8-/CK-", "Treg: FOXP3+/CD8-"
    )
    assert finished_batch.planned() == from_stage("phenotype")


@pytest.mark.parametrize(
    ("column", "stage"), [("exclusions", "quality"), ("regions", "landscape")]
)
def test_drawn_areas_in_the_sheet_reach_their_stage(
    batch: Batch, column: str, stage: str
):
    sheet = batch.folder / "config" / "samples.tsv"
    header, first, second = sheet.read_text().splitlines()
    sheet.write_text(f"{header}\t{column}\n{first}\tmy dust.json\n{second}\t\n")
    (batch.folder / "my dust.json").write_text("[]")
    commands = re.findall(f"mifprofile {stage} .*", batch.snakemake("-n"))
    given = [f"--{column} 'my dust.json'" in line for line in commands]
    assert sorted(given) == [False, True]


def test_a_changed_membrane_runs_quality_and_later_stages(finished_batch: Batch):
    finished_batch.edit(
        "config/panel.yaml", "membrane: [HER2, CD8]", "membrane: [HER2]"
    )
    assert finished_batch.planned() == from_stage("quality")


def test_a_new_sample_runs_alone(finished_batch: Batch):
    sheet = finished_batch.folder / "config" / "samples.tsv"
    row = sheet.read_text().splitlines()[-1]
    shutil.copy(*(finished_batch.folder / "my slides" / f"{n}.ome.tiff" for n in "BC"))
    sheet.write_text(sheet.read_text() + row.replace("B", "C") + "\n")
    assert finished_batch.planned() == dict.fromkeys(STAGES, 1)


def test_samples_are_gated_alone_by_default(batch: Batch):
    assert "mifprofile gates" not in batch.snakemake("-n")


@pytest.mark.parametrize(
    ("scope", "tables"),
    [("patient", ["P1"]), ("batch", ["1"]), ("cohort", ["all"])],
)
def test_samples_that_share_a_gate_wait_for_each_other(
    batch: Batch, scope: str, tables: list[str]
):
    batch.edit("config/config.yaml", "scope: slide", f"scope: {scope}")
    said = batch.snakemake("-n")
    commands = re.findall("mifprofile gates (.*) --config", said)
    assert commands == ["results/A results/B --samples config/samples.tsv"] * len(
        tables
    )
    for table in tables:
        used = re.findall(rf"--gates results/gates/{table}\.csv", said)
        assert len(used) == len(SAMPLES)


def test_files_that_options_name_are_inputs(batch: Batch):
    (batch.folder / "mixing.csv").write_text("")
    batch.edit("config/config.yaml", "unmixing: null", "unmixing: mixing.csv")
    batch.edit("config/config.yaml", "control: null", "control: results/A")
    inputs = re.findall("^    input: (.+)$", batch.snakemake("-n"), re.M)
    assert sum(", mixing.csv" in line for line in inputs) == len(SAMPLES)
    control = "results/A/measurements.parquet, results/A/quality.zarr"
    assert sum(control in line for line in inputs) == len(SAMPLES)


def test_another_scope_runs_nothing_before_phenotype(finished_batch: Batch):
    finished_batch.edit("config/config.yaml", "scope: slide", "scope: patient")
    assert finished_batch.planned() == from_stage("phenotype")


def test_a_pixel_size_in_the_sheet_reaches_ingest(batch: Batch):
    sheet = batch.folder / "config" / "samples.tsv"
    header, first, second = sheet.read_text().splitlines()
    sheet.write_text(f"{header}\tpixel_size_um\n{first}\t0.325\n{second}\t\n")
    commands = re.findall("mifprofile ingest .*", batch.snakemake("-n"))
    assert sorted("--pixel-size 0.325" in line for line in commands) == [False, True]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("flow_error: 0.4", "flow_eror: 0.4", "flow_eror"),
        ("min_share: 0.005", "min_share: 5", "5 is greater than the maximum of 1"),
    ],
)
def test_a_wrong_config_is_refused(batch: Batch, old: str, new: str, complaint: str):
    batch.edit("config/config.yaml", old, new)
    with pytest.raises(AssertionError, match=complaint):
        batch.planned()


def test_a_wrong_sample_sheet_is_refused(batch: Batch):
    sheet = batch.folder / "config" / "samples.tsv"
    sheet.write_text(sheet.read_text().replace("human", "rat"))
    with pytest.raises(AssertionError, match="'rat' is not one of"):
        batch.planned()


def test_the_slurm_profile_can_be_read(batch: Batch):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    profile = ROOT / "workflow" / "profiles" / "slurm"
    assert batch.planned("--workflow-profile", str(profile)) == ALL


def test_lint(batch: Batch):
    assert "good condition" in batch.snakemake("--lint")


def test_format():
    snakefmt = Path(sys.executable).parent / "snakefmt"
    if not snakefmt.exists():
        pytest.skip("snakefmt is not installed")
    done = subprocess.run(
        [snakefmt, "--check", ROOT / "Snakefile", ROOT / "workflow"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
