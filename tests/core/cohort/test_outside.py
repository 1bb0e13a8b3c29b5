import pandas as pd
import pytest

from mifprofile.core.cohort.outside import placed_features
from mifprofile.core.cohort.sheet import parse_study
from mifprofile.errors import UsageError

ROWS = [
    {"sample_id": f"s{i}", "patient_id": "P1", "species": "human", "arm": "A"}
    | {"timepoint": time}
    for i, time in enumerate(("baseline", "baseline", "on_tx"))
]
STUDY = parse_study(enumerate(ROWS, start=2), "sheet")


def features(**columns):
    start = {"sample_id": "", "patient_id": "", "timepoint": "", "feature": "TMB"}
    return pd.DataFrame(start | {"value": [1.0, 3.0]} | columns)


def test_slides_of_a_biopsy_are_averaged():
    placed = placed_features(features(sample_id=["s0", "s1"]), STUDY)
    assert placed.to_dict("records") == [
        {"feature": "TMB", "patient_id": "P1", "timepoint": "baseline", "value": 2.0}
    ]


def test_who_is_not_in_the_sheet_is_named():
    with pytest.raises(UsageError, match="features: no patient 'P2'"):
        placed_features(features(patient_id="P2"), STUDY)
