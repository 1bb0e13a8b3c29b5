import numpy as np
import pandas as pd
import pytest

from mifprofile.core.phenotype.gate_layouts import gates_for, layout_of, to_layout
from mifprofile.core.phenotype.gates import GATE_COLUMNS
from mifprofile.errors import UsageError

LEVELS = {
    "S1": pd.DataFrame({"CD8": [10.0, 100.0, 1000.0], "CK": [1.0, 2.0, 4.0]}),
    "S2": pd.DataFrame({"CD8": [20.0, 200.0, 2000.0], "CK": [0.0, 2.0, 9.0]}),
}
GATES = pd.DataFrame(
    [
        ("S1", "CD8", 100.0),
        ("S1", "CK", 3.0),
        ("S2", "CD8", 150.0),
        ("S2", "CK", np.nan),
    ],
    columns=["sample", "marker", "threshold"],
).reindex(columns=list(GATE_COLUMNS))


@pytest.mark.parametrize(
    ("columns", "layout"),
    [
        (GATE_COLUMNS, "mifprofile"),
        (["marker", "threshold"], "mifprofile"),
        (["marker", "sample", "condition", "replicate", "gate"], "cylinter"),
        (["markers", "S1", "S2"], "scimap"),
        (["marker", "gate"], "scimap"),
        (["threshold"], None),
        (["markers"], None),
    ],
)
def test_a_layout_is_told_by_its_columns(columns, layout):
    assert layout_of(columns) == layout


def test_scimap_gates_are_natural_logarithms_of_1_plus_the_level():
    table = pd.DataFrame({"markers": ["CD8", "CK"], "S1": [7.8, np.nan]})
    gates = gates_for(table, "scimap", "S1", None)
    assert gates["marker"].tolist() == ["CD8"]
    assert gates["threshold"].tolist() == [pytest.approx(np.exp(7.8) - 1)]


def test_one_column_of_scimap_is_for_every_sample_and_several_are_not():
    table = pd.DataFrame({"marker": ["CD8"], "gate": [2.0]})
    assert gates_for(table, "scimap", "S1", None)["sample"].tolist() == ["S1"]
    with pytest.raises(UsageError, match="no column for sample 'S3'"):
        gates_for(to_layout(GATES, "scimap", LEVELS, {}), "scimap", "S3", None)


def test_cylinter_gates_run_from_the_lowest_to_the_highest_level():
    table = to_layout(GATES, "cylinter", LEVELS, {"S1": "baseline"})
    assert list(table) == ["marker", "sample", "condition", "replicate", "gate"]
    first = table[(table["marker"] == "CD8") & (table["sample"] == "S1")].iloc[0]
    assert first["gate"] == pytest.approx(0.5)  # 100 lies between 10 and 1000
    assert first["condition"] == "baseline"


@pytest.mark.parametrize("layout", ["scimap", "cylinter"])
def test_gates_come_back_and_call_the_same_cells(layout):
    table = to_layout(GATES, layout, LEVELS, {})
    for sample, levels in LEVELS.items():
        back = gates_for(table, layout, sample, levels).set_index("marker")["threshold"]
        here = GATES[GATES["sample"] == sample].set_index("marker")["threshold"]
        known = here.dropna()
        np.testing.assert_allclose(back[known.index], known, rtol=1e-7)
        for marker in levels:
            called = (levels[marker] > back[marker]).tolist()
            assert called == (levels[marker] > here[marker]).tolist()
