def test_table_one_counts_who_lacks_a_fact_and_why(cohort):
    answers = ("PR", "NE", "NA", "", "PR")
    for i, best in enumerate(answers):
        cohort.add(f"P{i}", "baseline", 5, best_response_recist=best, age=str(50 + i))
    table = cohort.analyse().tables["table_one"].set_index(["fact", "level"])["A"]
    best = table["best_response_recist"].to_dict()
    assert best == {
        "PR": "2 (40 %)",
        "NE": "1 (20 %)",
        "missing: not known": "1",
        "missing: not given": "1",
    }
    assert table["age", "median (range)"] == "52 (50 to 54)"
    assert "dose" not in table


def test_a_slide_without_results_is_told_from_one_that_failed(cohort):
    cohort.add("P0", "baseline", 5)
    cohort.add("P1", "baseline", 5, verdict="fail")
    cohort.add("P2", "baseline", 5)
    del cohort.samples[cohort.rows[-1]["sample_id"]]
    states = cohort.analyse().tables["biopsies"].set_index("patient_id")["kind"]
    assert states.to_dict() == {
        "P0": "evaluable",
        "P1": "failed quality",
        "P2": "no results",
    }
