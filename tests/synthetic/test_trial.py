import numpy as np
import pandas as pd
import pytest

from mifprofile.core.statistics import (
    CountModel,
    cox,
    firth_logistic,
    pair_times,
    paired_change,
    pool_slides,
)
from mifprofile.errors import UsageError
from mifprofile.synthetic.trial import TrialOptions, synthetic_trial


@pytest.fixture(scope="module")
def skeleton():
    """Three patients of whom two are paired, one to four fields."""
    return pd.DataFrame(
        [
            ("P01", "PreTx", "Liver", "PR", 3),
            ("P01", "OnTx", "Liver", "PR", 1),
            ("P02", "PreTx", "Lung", "PD", 4),
            ("P03", "PreTx", "Lung", "SD", 2),
            ("P03", "OnTx", "Lung", "SD", 2),
        ],
        columns=["patient_id", "timepoint", "biopsy_site", "best_response", "n_fields"],
    )


def pairs_of(trial, phenotype="CD8", arm="treated"):
    fields = trial.fields
    kept = fields[(fields["phenotype"] == phenotype) & (fields["arm"] == arm)]
    return pair_times(pool_slides(kept), "baseline", "on_tx")


def test_a_balanced_trial():
    trial = synthetic_trial(TrialOptions(patients_per_arm=5, median_pfs_days=1e6))
    assert len(trial.patients) == 10
    assert trial.patients["arm"].value_counts().to_dict() == {
        "control": 5,
        "treated": 5,
    }
    assert len(trial.samples) == 20
    assert trial.samples["sample_id"].is_unique
    assert len(trial.fields) == 20 * 3 * 2
    assert set(trial.fields["sample_id"]) == set(trial.samples["sample_id"])
    assert (trial.fields["n_num"] <= trial.fields["n_den"]).all()


def test_a_seed_is_a_trial():
    first, again, other = (synthetic_trial(seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(one, two)
    assert not first.fields["n_num"].equals(other.fields["n_num"])


def test_the_planted_change_is_there_and_no_other():
    options = TrialOptions(
        patients_per_arm=8,
        counts=CountModel(
            per_mm2=5000, between_changes=0, between_biopsies=0, aggregation=0
        ),
        median_pfs_days=1e6,
    )
    trial = synthetic_trial(options)
    for phenotype, arm, change in (
        ("CD8", "treated", 1),
        ("CD8", "control", 0),
        ("FOXP3", "treated", 0),
    ):
        pairs = pairs_of(trial, phenotype, arm)
        found = paired_change(pairs["n_num"], pairs["area_mm2"])
        assert found.estimate == pytest.approx(change, abs=0.1)


def test_who_progressed_is_not_biopsied_again():
    options = TrialOptions(patients_per_arm=40, median_pfs_days=30, lost=0.1)
    trial = synthetic_trial(options)
    gone = trial.samples[trial.samples["missing_reason"].notna()]
    assert gone["sample_id"].isna().all()
    fell = gone["missing_reason"].isin(["progression", "death"])
    assert (gone.loc[fell, "timepoint"] == "on_tx").all()
    assert (gone.loc[fell, "pfs_days"] < options.biopsy_day).all()
    assert fell.sum() > 15
    assert (~fell).sum() > 5
    there = trial.samples.dropna(subset="sample_id")
    assert set(trial.fields["sample_id"]) == set(there["sample_id"])


def test_slides_of_a_biopsy():
    options = TrialOptions(patients_per_arm=2, n_fields=5, slides_per_biopsy=5)
    trial = synthetic_trial(options)
    baseline = trial.samples.query("timepoint == 'baseline'")
    assert baseline.groupby("patient_id").size().tolist() == [5] * 4
    pooled = pool_slides(trial.fields.query("phenotype == 'CD8'"))
    assert (pooled["n_slides"] == 5).all()


def test_a_skeleton_keeps_its_design(skeleton):
    trial = synthetic_trial(skeleton=skeleton)
    cd8 = trial.fields.query("phenotype == 'CD8'")
    counts = cd8.groupby(["patient_id", "timepoint"]).size()
    assert counts.to_dict() == {
        ("P01", "baseline"): 3,
        ("P01", "on_tx"): 1,
        ("P02", "baseline"): 4,
        ("P03", "baseline"): 2,
        ("P03", "on_tx"): 2,
    }
    best = trial.patients.set_index("patient_id")
    assert best["best_response_recist"].tolist() == ["PR", "PD", "SD"]
    assert best["objective_response"].tolist() == [True, False, False]
    with pytest.raises(UsageError, match="no column n_fields"):
        synthetic_trial(skeleton=skeleton.drop(columns="n_fields"))
    with pytest.raises(UsageError, match="takes a patient"):
        synthetic_trial(TrialOptions(n_fields=0))


def test_mice_live_in_cages():
    trial = synthetic_trial(TrialOptions(patients_per_arm=6, species="mouse"))
    mice = trial.patients
    assert (mice.groupby("cage").size() == 3).all()
    assert (mice.groupby("cage")["arm"].nunique() == 1).all()
    assert "cage" in trial.samples


def test_outcomes_follow_what_was_planted():
    options = TrialOptions(
        patients_per_arm=600, log_hazard_of_baseline=-0.4, log_odds_of_response=1.2
    )
    patients = synthetic_trial(options).patients
    hazard = cox(
        patients["pfs_days"], patients["pfs_event"], patients["log2_level"], "CD8"
    )
    assert hazard.low < np.exp(-0.4) < hazard.high
    odds = firth_logistic(
        patients["log2_change"], patients["objective_response"], "change"
    )
    assert odds.low < np.exp(1.2) < odds.high
