import numpy as np
import pandas as pd
import pytest

from mifprofile.core.statistics import paired_change
from mifprofile.errors import UsageError

BEFORE = [10, 20, 40, 15, 30, 25, 50, 12]
AFTER = [30, 35, 90, 20, 80, 40, 120, 40]


def primary(analysis) -> pd.Series:
    findings = analysis.parts[0].findings
    (row,) = findings[findings["family"] == "predeclared"].to_dict("records")
    return row


def arms(analysis) -> dict:
    findings = analysis.parts[0].findings
    (row,) = findings[findings["question"] == "arms"].to_dict("records")
    return row


def test_the_change_is_that_of_the_pooled_counts(cohort):
    cohort.pairs(BEFORE, AFTER)
    found = primary(cohort.analyse())
    counts = np.column_stack([BEFORE, AFTER])
    expected = paired_change(counts, np.ones_like(counts))
    # Differences of logarithms and logarithms of quotients differ in rounding.
    assert found["estimate"] == pytest.approx(expected.estimate, rel=1e-12)
    assert found["low"] == pytest.approx(expected.low, rel=1e-12)
    assert found["high"] == pytest.approx(expected.high, rel=1e-12)
    assert found["p_value"] == found["p_adjusted"] == expected.p_value
    assert found["loo_low"] < found["estimate"] < found["loo_high"]


def test_slides_of_a_biopsy_are_a_ratio_of_sums(cohort):
    cohort.pairs(BEFORE[:7], AFTER[:7])
    for count, area in ((1, 0.5), (2, 0.5), (3, 1.0), (4, 1.0), (5, 2.0)):
        cohort.add("P7", "baseline", count, area_mm2=area)
    cohort.add("P7", "on_tx", 31)
    values = cohort.analyse().parts[0].values["cd8"]
    assert values.table.loc["P7", "baseline"] == np.log2(15.5 / 5.0)
    assert values.table.loc["P7", "on_tx"] == np.log2(31.5)


def test_two_pairs_have_an_estimate_and_no_interval(cohort):
    cohort.pairs(BEFORE[:2], AFTER[:2])
    found = primary(cohort.analyse())
    assert found["status"] == "NO_INTERVAL"
    assert found["reason"] == "2 pairs are too few for an interval of 95 %"
    assert found["p_value"] == 0.5


def test_an_arm_without_pairs_has_no_effect(cohort):
    cohort.pairs(BEFORE, AFTER)
    cohort.add("Q1", "baseline", 10, arm="B")
    found = arms(cohort.analyse())
    assert found["status"] == "NOT_COMPUTABLE"
    assert np.isnan(found["p_value"])
    assert "one arm has no patient with both times" in found["reason"]


def test_missing_at_progression_is_an_event_in_the_flow(cohort):
    cohort.pairs(BEFORE, AFTER)
    for name in ("P0", "P1"):
        cohort.add(name, "progression", None, missing_reason="progression")
    analysis = cohort.analyse()
    flow = analysis.tables["flow"]
    lost = flow[(flow["timepoint"] == "progression") & (flow["step"] == "no biopsy")]
    assert dict(zip(lost["kind"], lost["n_patients"], strict=True)) == {
        "event": 2,
        "not in the sheet": 6,
    }
    resistance = analysis.parts[0].findings.query("question == 'resistance'")
    assert set(resistance["status"]) == {"NOT_COMPUTABLE"}
    assert resistance["p_value"].isna().all()


def test_all_missing_on_treatment_is_said(cohort):
    for i, count in enumerate(BEFORE):
        cohort.add(f"P{i}", "baseline", count)
        cohort.add(f"P{i}", "on_tx", None, missing_reason="progression")
    found = primary(cohort.analyse())
    assert found["status"] == "NOT_COMPUTABLE"
    assert found["reason"] == "no patient has a value at on_tx"
    assert np.isnan(found["p_value"])


def test_identical_values_give_no_effect_and_no_certainty(cohort):
    cohort.pairs([20] * 8, [20] * 8)
    found = primary(cohort.analyse())
    assert found["estimate"] == 0
    assert found["p_value"] == 1


def test_identical_values_in_two_arms(cohort):
    cohort.pairs([20] * 4, [20] * 4)
    cohort.pairs([20] * 4, [20] * 4, arm="B")
    found = arms(cohort.analyse())
    assert np.isnan(found["p_value"])
    assert found["reason"] == "all changes are equal, which leaves no error to go by"


def test_an_undecided_gate_takes_half_the_samples_out(cohort):
    cohort.pairs(BEFORE[:6], AFTER[:6])
    undecided = {
        "value": np.nan,
        "n_num": np.nan,
        "status": "NOT_COMPUTABLE",
        "reason": "undecided: CD8",
        "grade": "undecided",
    }
    for i in range(6, 12):
        cohort.add(f"P{i}", "baseline", 10)
        cohort.add(f"P{i}", "on_tx", 20, more=undecided)
    analysis = cohort.analyse()
    found = primary(analysis)
    assert (found["n_patients"], found["n_missing"]) == (6, 6)
    left_out = analysis.tables["observations"].query("not enters")
    assert set(left_out["reason"]) == {"undecided: CD8"}
    assert len(left_out) == 6


def test_a_sample_that_failed_quality_does_not_enter(cohort):
    cohort.pairs(BEFORE, AFTER)
    cohort.add("P9", "baseline", 10)
    cohort.add("P9", "on_tx", 1000, verdict="fail")
    analysis = cohort.analyse()
    assert primary(analysis)["n_patients"] == 8
    state = analysis.tables["biopsies"].query("kind == 'failed quality'")
    assert list(state["reason"]) == ["out of focus"]


def test_graded_counts_enter_and_their_corrections_are_read_beside(cohort):
    for i, (before, after) in enumerate(zip(BEFORE, AFTER, strict=True)):
        cohort.add(f"P{i}", "baseline", before)
        more = {"grade": "graded", "n_corrected": after / 2}
        cohort.add(f"P{i}", "on_tx", after, more=more)
    analysis = cohort.analyse()
    rows = analysis.parts[0].sensitivity.set_index("reading")
    corrected = rows.loc["counts corrected for gate errors"]
    assert corrected["n_changed"] == 8
    assert corrected["estimate"] == pytest.approx(
        rows.loc["main analysis", "estimate"] - 1, abs=0.05
    )


def test_a_biopsy_after_progression_is_kept_and_comes_too_late_for_survival(cohort):
    for i, (before, after) in enumerate(zip(BEFORE, AFTER, strict=True)):
        times = {"pfs_days": "10", "pfs_event": "1"}
        cohort.add(f"P{i}", "baseline", before, days_from_treatment_start="-5", **times)
        cohort.add(f"P{i}", "on_tx", after, days_from_treatment_start="21", **times)
    findings = cohort.analyse().parts[0].findings
    later = findings.query("question == 'survival' and time == 'on_tx'")
    landmark = later[later["test"].str.contains("landmark")].iloc[0]
    assert landmark["status"] == "NOT_COMPUTABLE"
    assert "0 events" in landmark["reason"]
    assert primary(cohort.analyse())["n_patients"] == 8


def test_a_patient_with_another_lesion_is_left_out_where_the_same_one_is_asked(cohort):
    cohort.pairs(BEFORE, AFTER, lesion_id="L1")
    cohort.add("P9", "baseline", 10, lesion_id="L1")
    cohort.add("P9", "on_tx", 500, lesion_id="L2", same_lesion_as_baseline="0")
    rows = cohort.analyse().parts[0].sensitivity.set_index("reading")
    assert rows.loc["main analysis", "n_patients"] == 9
    assert rows.loc["same lesion only", "n_patients"] == 8


def test_of_two_lesions_the_one_that_was_followed_counts(cohort):
    cohort.add("P0", "baseline", 10, lesion_id="L1")
    cohort.add("P0", "on_tx", 40, lesion_id="L1")
    cohort.add("P0", "on_tx", 900, area_mm2=5.0, lesion_id="L2")
    values = cohort.analyse().parts[0].values["cd8"]
    assert values.table.loc["P0", "on_tx"] == np.log2(40.5)
    assert values.lesions.loc["P0", "on_tx"] == "L1"


def test_what_is_not_there_is_named(cohort):
    cohort.pairs(BEFORE, AFTER, pfs_days="10", pfs_event="1")
    cohort.pairs(BEFORE, AFTER, arm="B", pfs_days="10", pfs_event="1")
    with pytest.raises(UsageError, match=r"no regimen 'cor'.*did you mean 'core'"):
        cohort.analyse(regimen="cor")
    with pytest.raises(UsageError, match="no arm 'C'; there are A, B"):
        cohort.analyse(control_arm="C")
    with pytest.raises(UsageError, match="no column 'agee'"):
        cohort.analyse(adjust=("agee",))


def test_the_order_of_the_sheet_does_not_change_the_answer(cohort):
    cohort.pairs(BEFORE, AFTER)
    first = primary(cohort.analyse())
    cohort.rows.reverse()
    second = primary(cohort.analyse())
    assert first == pytest.approx(second, nan_ok=True)
