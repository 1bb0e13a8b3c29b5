from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from mifprofile.cli import cli
from mifprofile.errors import UsageError
from mifprofile.io.config import read_options, read_panel, read_samples, read_study
from mifprofile.stages.check import check_config
from mifprofile.stages.cohort import protocol_of
from mifprofile.stages.example import ExampleJob, example
from mifprofile.synthetic.example import ExampleOptions, example_trial, mixtures_of


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    out = tmp_path_factory.mktemp("example") / "trial"
    args = ["cohort", "example", "-o", str(out), "--patients", "2", "--mice", "1"]
    done = CliRunner().invoke(cli, [*args, "--size-mm", "0.3", "-q"])
    assert done.exit_code == 0, done.output
    return out


def test_the_sheet_reads_back_and_names_files_that_are_there(trial):
    study = read_study(trial / "samples.tsv")
    assert study.species == ("human", "mouse")
    assert set(study.arms) == {"control", "treated", "vehicle"}
    assert study.timepoints == ("baseline", "on_tx")
    assert len(study.patients) == 2 * 2 + 2 * 1
    samples = read_samples(trial / "samples.tsv")
    assert len(samples) == len(study.slides)
    for sample in samples:
        panel = read_panel(trial / sample.panel)
        assert panel.species == sample.species


def test_the_check_of_the_whole_trial_finds_nothing_wrong(trial, monkeypatch):
    monkeypatch.chdir(trial)
    assert "P001" in check_config(Path("config.yaml"))


def test_the_config_asks_for_endpoints_that_are_there(trial):
    options = read_options(trial / "config.yaml").cohort
    protocol = protocol_of(str(trial / options.endpoints))
    assert protocol.predeclared(options.regimen)[0].id == "cd8_nest"


def test_the_truth_tells_what_was_planted_and_what_was_drawn(trial):
    truth = pd.read_csv(trial / "truth.csv").set_index("patient_id")
    humans = truth[truth["species"] == "human"]
    assert humans["drawn_per_mm2_on_tx"].notna().any()
    mice = truth[truth["species"] == "mouse"]
    assert mice["sample_baseline"].isna().all()
    assert mice["nest_per_mm2_on_tx"].gt(0).all()


def test_biopsies_that_are_missing_have_a_reason_and_no_slide():
    trial = example_trial(ExampleOptions(patients=40, mice=3))
    sheet = trial.samples
    missing = sheet[sheet["missing_reason"].notna()]
    assert "progression" in set(missing["missing_reason"])
    assert missing[["sample_id", "slide", "block_id"]].isna().all(axis=None)
    assert set(sheet["sample_id"].dropna()) == set(trial.slides)
    assert len({slide.seed for slide in trial.slides.values()}) == len(trial.slides)
    changes = trial.truth.groupby(["species", "arm"])["log2_change"].median()
    assert changes["human", "control"] == pytest.approx(0, abs=0.2)
    assert changes["human", "treated"] == pytest.approx(1, abs=0.2)


def test_cells_make_room_for_more_ctl():
    nest, stroma = mixtures_of(20.0)
    assert nest.ctl == stroma.ctl == 0.5
    assert sum(nest.shares) == pytest.approx(1)


def test_what_cannot_be_is_refused(trial, tmp_path):
    with pytest.raises(UsageError, match="holds something else"):
        example(ExampleJob(trial))
    with pytest.raises(UsageError, match="no slide is smaller"):
        ExampleOptions(size_mm=0.1)
    with pytest.raises(UsageError, match="takes a patient"):
        ExampleOptions(patients=0)
    with pytest.raises(UsageError, match="above 0"):
        ExampleOptions(fold_change=0)
