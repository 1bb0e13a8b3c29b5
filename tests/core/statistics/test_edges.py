"""Data with nothing to go by: every statistic says so, in words, and invents no p."""

import numpy as np
import pandas as pd
import pytest

from mifprofile.core.statistics import (
    arm_effect,
    beta_binomial,
    cox,
    log_rank,
    lognormal_mixed,
    negative_binomial,
    paired_change,
    sign_flips,
)

TIMES = ("baseline", "on_tx")
MODELS = (lognormal_mixed, negative_binomial, beta_binomial)
ALIKE = {
    "equal": lambda patient, later: 10,
    "doubled": lambda patient, later: 10 * (1 + later),
    "steady": lambda patient, later: 10 + patient,
}


def fields(counts, per_biopsy):
    rows = [
        (
            f"P{patient}",
            TIMES[later],
            counts(patient, later),
            200,
            1.0,
            "ab"[patient % 2],
        )
        for patient in range(8)
        for later in (0, 1)
        for _ in range(per_biopsy)
    ]
    names = ["patient_id", "timepoint", "n_num", "n_den", "area_mm2", "arm"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize("counts", ALIKE.values(), ids=ALIKE)
@pytest.mark.parametrize("per_biopsy", [1, 3])
@pytest.mark.parametrize("reference", [None, "a"])
@pytest.mark.parametrize("model", MODELS)
def test_patients_who_change_alike_leave_no_error(model, counts, per_biopsy, reference):
    found = model(fields(counts, per_biopsy), *TIMES, "x", reference=reference)
    assert "change alike" in found.reason
    assert np.isnan([found.estimate, found.low, found.p_value]).all()


@pytest.mark.parametrize("model", MODELS[1:])
def test_no_cell_at_one_time_has_no_fold_change_of_means(model):
    none_left = fields(lambda patient, later: 0 if later else 3 + patient, 2)
    assert "no cell at all" in model(none_left, *TIMES, "x").reason


def test_identical_values_of_pairs():
    found = paired_change(np.ones((7, 2)), np.ones((7, 2)))
    assert (found.estimate, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    assert sign_flips(np.zeros(7), "x").p_value == 1


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (np.arange(10) ** 1.5, np.zeros(10), "explains every change"),
        (np.zeros(10), np.arange(10) % 2, "explains every change"),
        (np.r_[np.zeros(9), 5], np.sin(np.arange(10)), "one patient alone"),
        (np.arange(10), np.arange(10) + 1, "all changes are equal"),
    ],
)
def test_a_model_that_explains_all_has_no_error(before, after, says):
    found = arm_effect(before, after, np.arange(10) % 2, "x")
    assert says in found.reason
    assert np.isnan([found.estimate, found.p_value]).all()


def test_events_on_one_day_order_nobody():
    found = cox(np.full(12, 5.0), np.ones(12), np.arange(12.0), "x")
    assert "orders nobody" in found.reason
    constant = pd.DataFrame({"site": np.ones(12)})
    days, values = np.arange(1.0, 13), np.sin(np.arange(12.0))
    found = cox(days, np.ones(12), values, "x", covariates=constant)
    assert found.reason == "all values of site are equal"


def test_a_patient_without_a_group_is_left_out():
    found = log_rank([1, 2, 3, 4, 5], [1] * 5, [0.0, 0, 1, 1, np.nan])
    assert (found.n_patients, found.n_missing, found.freedom) == (4, 1, 1)
