import numpy as np


def test_of_six_fields_on_a_biopsy_has_an_interval(cohort):
    for count in (4, 9, 6, 11, 7, 5):
        cohort.add("P0", "baseline", count)
    (row,) = cohort.analyse().tables["biopsy_values"].to_dict("records")
    assert row["value"] == 7
    assert row["low"] < 7 < row["high"]
    assert row["method"].startswith("two-level bootstrap")


def test_a_single_slide_keeps_the_interval_of_its_landscape(cohort):
    cohort.add("P0", "baseline", 8, more={"ci_low": 5.0, "ci_high": 12.0})
    (row,) = cohort.analyse().tables["biopsy_values"].to_dict("records")
    assert (row["low"], row["high"], row["n_slides"]) == (5, 12, 1)


def test_of_two_slides_there_is_none_and_it_is_said(cohort):
    cohort.add("P0", "baseline", 8)
    cohort.add("P0", "baseline", 9)
    (row,) = cohort.analyse().tables["biopsy_values"].to_dict("records")
    assert np.isnan(row["low"])
    assert row["reason"] == "2 fields are too few for an interval; it takes 6"
