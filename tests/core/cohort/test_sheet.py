import pytest

from mifprofile.core.cohort.sheet import Study, parse_study
from mifprofile.errors import UsageError

ROW = {
    "sample_id": "s1",
    "patient_id": "P1",
    "species": "human",
    "arm": "A",
    "timepoint": "baseline",
    "missing_reason": "",
    "best_response_recist": "PR",
}


def study(*rows: dict[str, str]) -> Study:
    return parse_study(enumerate(({**ROW, **row} for row in rows), start=2), "s.tsv")


def test_slides_and_missing_biopsies_are_told_apart():
    found = study({}, {"sample_id": "", "missing_reason": "progression"})
    assert [s.sample_id for s in found.slides] == ["s1"]
    assert found.specimens[1].missing_reason == "progression"


@pytest.mark.parametrize(
    ("text", "value", "absence"),
    [
        ("", None, "not given"),
        ("NA", None, "not known"),
        (".", None, "not applicable"),
        ("NE", "NE", None),
        ("PR", "PR", None),
    ],
)
def test_ways_to_have_no_response_are_told_apart(text, value, absence):
    (row,) = study({"best_response_recist": text}).specimens
    assert row.best_response_recist == value
    assert row.absent.get("best_response_recist") == absence


@pytest.mark.parametrize(("best", "responded"), [("CR", True), ("SD", False)])
def test_response_follows_from_recist(best, responded):
    assert study({"best_response_recist": best}).patients["P1"].responded is responded


def test_not_evaluable_is_no_response_and_no_failure():
    assert study({"best_response_recist": "NE"}).patients["P1"].responded is None


def test_not_evaluable_days_are_no_number():
    (row,) = study({"pfs_days": "NE", "pfs_event": "NE"}).specimens
    assert row.pfs_days is None
    assert row.absent["pfs_days"] == "not evaluable"


def test_all_problems_are_named_at_once_with_line_and_nearest_name():
    with pytest.raises(UsageError) as error:
        study(
            {"species": "hunam"},
            {"sample_id": "s2", "best_response_recist": "RP", "patient_id": "P2"},
            {"sample_id": "", "patient_id": "P3"},
        )
    text = str(error.value)
    assert text.startswith("s.tsv: 3 problems: line 2: species: unknown value 'hunam'")
    assert "(did you mean 'human'?)" in text
    assert "line 3: best_response_recist: unknown value 'RP'" in text
    assert "line 4: no sample_id" in text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (({}, {}), "line 3: sample_id 's1' is that of line 2"),
        (
            ({"arm": "A"}, {"sample_id": "s2", "arm": "B"}),
            "line 3: arm of patient 'P1' is B, but A in line 2",
        ),
        (({"pfs_days": "10"},), "pfs_days and pfs_event belong together"),
        (({"pfs_days": "soon"},), "line 2: pfs_days: .*not 'soon'"),
        (({"objective_response": "0"},), "objective_response contradicts"),
        (({"missing_reason": "refused"},), "give one of them"),
        (({"missing_reason": "progresion"},), "did you mean 'progression'"),
        (({"best_respons_recist": "PR"},), "did you mean 'best_response_recist'"),
    ],
)
def test_what_cannot_be_is_named(rows, message):
    with pytest.raises(UsageError, match=message):
        study(*rows)


def test_columns_of_the_users_own_are_kept():
    assert study({"ldh": "1.5"}).patients["P1"].number("ldh") == 1.5


def test_times_are_ordered_by_their_days():
    found = study(
        {"timepoint": "week3", "days_from_treatment_start": "21"},
        {
            "sample_id": "s2",
            "timepoint": "screening",
            "days_from_treatment_start": "-5",
        },
    )
    assert found.timepoints == ("screening", "week3")


def test_times_without_days_are_in_their_usual_order():
    found = study(
        {"timepoint": "progression"},
        {"sample_id": "s2"},
        {"sample_id": "s3", "timepoint": "on_tx"},
    )
    assert found.timepoints == ("baseline", "on_tx", "progression")


def test_an_empty_sheet_is_refused():
    with pytest.raises(UsageError, match="no sample"):
        study()
