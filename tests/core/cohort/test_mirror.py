from tests.core.cohort.test_analyse import AFTER, BEFORE


def test_treated_patients_are_beside_mice_against_their_controls(cohort):
    cohort.pairs(BEFORE, AFTER)
    for i, count in enumerate([10, 12, 9, 30, 36, 28]):
        arm = "vehicle" if i < 3 else "drug"
        cohort.add(f"M{i}", "on_tx", count, species="mouse", arm=arm)
    analysis = cohort.analyse()
    (row,) = analysis.mirror.to_dict("records")
    assert row["comparison"] == "direction"
    assert "denser" in row["why_not"]
    assert row["agree"] is True
    assert row["mouse_against"] == "value at on_tx, control arm"
    assert analysis.concordance.estimate == 1


def test_mice_without_a_first_biopsy_are_compared_between_arms(cohort):
    for i, count in enumerate([10, 12, 9, 11, 30, 36, 28, 31]):
        arm = "vehicle" if i < 4 else "drug"
        cohort.add(f"M{i}", "on_tx", count, species="mouse", arm=arm)
    (part,) = cohort.analyse().parts
    (primary,) = part.findings.query("family == 'predeclared'").to_dict("records")
    assert primary["question"] == "arms"
    assert primary["group"] == "drug against vehicle"
    assert primary["p_value"] < 0.05
