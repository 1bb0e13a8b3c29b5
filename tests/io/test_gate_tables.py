import pandas as pd
import pytest

from mifprofile.errors import UsageError
from mifprofile.io.tables import read_gates, write_table


def read(folder, text, sample="S1", levels=None):
    path = folder / "gates.csv"
    path.write_text(text)
    return read_gates(path, sample, levels).to_dict("records")


def test_two_columns_are_enough(tmp_path):
    (row,) = read(tmp_path, "marker,threshold\nCD8,5\n")
    assert row == {
        "sample": "S1",
        "marker": "CD8",
        "threshold": 5.0,
        "grade": "",
        "method": "manual",
        "scope": "slide",
        "note": "",
        "author": "",
        "time": "",
        "drift": "",
    }


def test_rows_of_other_samples_are_left_out(tmp_path):
    rows = read(tmp_path, "sample,marker,threshold\n01,CD8,5\n1,CD8,6\n,CK,7\n", "01")
    assert [row["threshold"] for row in rows] == [5, 7]


def test_who_set_a_gate_and_when_survives(tmp_path):
    text = "marker,threshold,author,time\nCD8,5,A. Person,2026-01-02T03:04:05Z\n"
    rows = read(tmp_path, text)
    write_table(pd.DataFrame(rows), tmp_path / "again.csv")
    again = read_gates(tmp_path / "again.csv", "S1").to_dict("records")
    assert again == rows
    assert again[0]["author"] == "A. Person"
    assert again[0]["time"] == "2026-01-02T03:04:05Z"


def test_a_grade_survives_and_one_that_is_missing_is_empty(tmp_path):
    text = "marker,threshold,grade\nCD8,5,clear\nCK,,undecided\nCD3,,\n"
    rows = read(tmp_path, text)
    assert [row["grade"] for row in rows] == ["clear", "undecided", ""]
    write_table(pd.DataFrame(rows), tmp_path / "again.csv")
    again = read_gates(tmp_path / "again.csv", "S1")
    assert again["grade"].tolist() == ["clear", "undecided", ""]
    assert again["threshold"].isna().tolist() == [False, True, True]


def test_other_layouts_are_known_by_their_columns(tmp_path):
    (row,) = read(tmp_path, "markers,S1\nCD8,0.6931471805599453\n")
    assert row["threshold"] == pytest.approx(1.0)
    levels = pd.DataFrame({"CD8": [10.0, 1000.0]})
    text = "marker,sample,condition,replicate,gate\nCD8,S1,a,1,0.5\nCK,S1,a,1,\n"
    (row,) = read(tmp_path, text, levels=levels)
    assert row["threshold"] == pytest.approx(100.0)
    assert row["note"] == "from cylinter"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "no gate table"),
        ("marker,threshold\nCD8,high\n", "threshold of CD8 is 'high', no number"),
        ("markers,S1\nCD8,high\n", "S1 of CD8 is 'high', no number"),
    ],
)
def test_what_is_no_gate_table_is_refused(tmp_path, text, says):
    with pytest.raises(UsageError, match=says):
        read(tmp_path, text)
