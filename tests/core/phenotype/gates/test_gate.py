import numpy as np
import pandas as pd
import pytest

from mifprofile.core.phenotype.gates import Gate, KnownGates
from mifprofile.core.phenotype.gates.gate import too_few, undecided


@pytest.mark.parametrize(
    ("grade", "found"),
    [("clear", True), ("graded", True), ("absent", False), ("undecided", False)],
)
def test_there_are_positive_cells_where_the_grade_says_so(grade, found):
    assert Gate(5.0, "", grade).found is found


def test_what_nobody_can_tell_has_no_threshold_and_is_not_absent():
    for gate in (undecided("why"), too_few(3)):
        assert np.isnan(gate.threshold)
        assert gate.grade == "undecided"
        assert not gate.found
    assert too_few(3).note == "only 3 cells: too few for an automatic gate"


def test_undecided_markers_are_the_undecided_ones_and_not_the_absent():
    gates = pd.DataFrame(
        {
            "marker": ["CD3", "CD8", "CK", "PD1"],
            "grade": ["clear", "undecided", "absent", "graded"],
            "threshold": [5.0, np.nan, np.nan, 7.0],
        }
    )
    assert KnownGates.of(gates).undecided == {"CD8"}
