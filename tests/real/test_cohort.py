"""Published lung cohort: 50 patients, 33 deaths, recomputed figures of its survival."""

import numpy as np
import pandas as pd
import pytest

from mifprofile.core.statistics import (
    cox,
    log_rank,
    pair_times,
    paired_change,
    pool_slides,
)
from mifprofile.synthetic.trial import TrialOptions, synthetic_trial


@pytest.fixture(scope="module")
def patients(data_dir):
    """Patients with the share of CD8⁺ among all their tumour cells, log₂."""
    folder = data_dir / "lung_cohort"
    cells = pd.read_csv(folder / "cells.csv.gz", usecols=["patient_id", "cd8"])
    own = cells.groupby("patient_id")["cd8"].agg(["sum", "size"]).reset_index()
    table = pd.read_csv(folder / "patients.csv").merge(own, on="patient_id")
    share = np.log2((table["sum"] + 0.5) / (table["size"] + 1))
    return table.assign(share=share, dead=table["survival_status"])


def test_hazard_by_doubling_of_cd8_adjusted_for_age(patients):
    found = cox(
        patients["survival_days"],
        patients["dead"],
        patients["share"],
        "log2 share of CD8",
        covariates=patients[["age"]],
    )
    assert (found.n_patients, found.n_events, found.n_missing) == (50, 33, 0)
    seen = [found.estimate, found.low, found.high, found.p_value]
    np.testing.assert_allclose(seen, [1.033, 0.794, 1.344, 0.809], atol=5e-4)
    age = found.coefficients.set_index("name").loc[
        "age", ["hazard_ratio", "low", "high"]
    ]
    np.testing.assert_allclose(age.astype(float), [1.044, 1.012, 1.078], atol=5e-4)


def test_log_rank_at_the_median(patients):
    above = patients["share"] > patients["share"].median()
    found = log_rank(patients["survival_days"], patients["dead"], above)
    assert found.chi2 == pytest.approx(0.078, abs=5e-4)


def test_planted_effects_on_a_real_design(data_dir):
    """24 patients of whom 15 are paired, one to four fields; 500 in the benchmark."""
    skeleton = pd.read_csv(data_dir / "trial_skeleton.csv")
    options = TrialOptions(changes={"treated": 1.0})
    held = []
    for seed in range(80):
        trial = synthetic_trial(options, skeleton=skeleton, seed=seed)
        cd8 = trial.fields.query("phenotype == 'CD8'")
        pairs = pair_times(pool_slides(cd8), "baseline", "on_tx")
        found = paired_change(pairs["n_num"], pairs["area_mm2"])
        assert (found.n_pairs, found.n_missing) == (15, 9)
        held.append(found.low <= 1 <= found.high)
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 80)
