import numpy as np
import pandas as pd
import pytest

from mifprofile.core.phenotype.gates import find_gates
from mifprofile.core.phenotype.gates.anchored import (
    gate_from_negatives,
    gate_from_slide,
)
from mifprofile.errors import UsageError
from mifprofile.model import Rule
from mifprofile.options import PhenotypeOptions
from tests.core.phenotype.gates.populations import PANEL, table


def test_a_gate_is_anchored_to_known_negatives():
    levels = table()
    options = PhenotypeOptions(negatives={"CD8": "CK+", "CK": "CD3+"})
    gates = find_gates(levels, PANEL, options)
    assert list(gates) == ["CD8", "CK", "CD3"]
    known = levels["CD3"] > gates["CD3"].threshold
    ck = np.percentile(levels.loc[known, "CK"], 99)
    assert gates["CK"].threshold == pytest.approx(ck)
    cd8 = np.percentile(levels.loc[levels["CK"] > ck, "CD8"], 99)
    assert gates["CD8"].threshold == pytest.approx(cd8)
    assert "CK+" in gates["CD8"].note


def test_negatives_that_rest_on_no_gate_give_none():
    levels = table().assign(CK=7.0)
    gates = find_gates(levels, PANEL, PhenotypeOptions(negatives={"CD8": "CK-"}))
    assert np.isnan(gates["CD8"].threshold)
    assert gates["CD8"].grade == "undecided"
    assert "CK has no gate" in gates["CD8"].note


def test_a_gate_is_anchored_to_a_control_slide():
    options = PhenotypeOptions(methods={"CD8": "control"}, control_percentile=90)
    control = pd.DataFrame({"CD8": np.arange(101.0)})
    gates = find_gates(table(), PANEL, options, control=control)
    assert gates["CD8"].threshold == 90
    with pytest.raises(UsageError, match="nothing to be anchored"):
        find_gates(table(), PANEL, options)


def test_a_percentile_of_the_negatives_and_of_no_other_cell():
    levels = pd.DataFrame(
        {
            "CK": np.r_[np.full(101, 9.0), np.full(50, 1.0)],
            "CD8": np.r_[np.arange(101.0), np.full(50, 1e6)],
        }
    )
    rule = Rule.parse("CK+", ["CK", "CD8"])
    options = PhenotypeOptions(control_percentile=95)
    gate = gate_from_negatives(levels, "CD8", rule, {"CK": 5.0}, options)
    assert gate.threshold == 95
    assert gate.grade == "graded"


def test_too_few_negatives_anchor_nothing():
    control = pd.DataFrame({"CD8": [1.0] * 49 + [np.nan] * 9})
    gate = gate_from_slide(control, "CD8", PhenotypeOptions())
    assert gate.grade == "undecided"
    assert "only 49 cells" in gate.note
