import numpy as np
import pandas as pd
import pytest

from mifprofile.core.shared_gates import shared_gates
from mifprofile.model import Panel
from mifprofile.options import GatesOptions, Options

PANEL = Panel.model_validate(
    {
        "name": "test",
        "species": "human",
        "nucleus": "DAPI",
        "markers": {"CD8": {"channel": "a", "measure": "cell"}},
        "phenotypes": {"CTL": "CD8+"},
    }
)
TIMES = {"A0": "baseline", "A1": "week3", "B0": "baseline", "B1": "week3"}
PATIENTS = {name: name[0] for name in TIMES}


def cells(seed, share, n=2000, stain=1.0):
    rng = np.random.default_rng(seed)
    positive = np.arange(n) < n * share
    logs = rng.normal(np.where(positive, np.log(900), np.log(100)), 0.25)
    return pd.DataFrame({"CD8": stain * np.exp(rng.permutation(logs))})


def gate(levels, scope, lock_to=None, groups=PATIENTS):
    options = Options(gates=GatesOptions(scope=scope, lock_to=lock_to))
    table = shared_gates(
        levels, {name: groups[name] for name in levels}, TIMES, PANEL, options
    )
    return table.set_index("sample")


def four(a0=0.1, a1=0.2, b0=0.1, b1=0.1):
    return {
        "A0": cells(0, a0),
        "A1": cells(1, a1),
        "B0": cells(2, b0, stain=4),
        "B1": cells(3, b1, stain=4),
    }


def test_samples_of_a_patient_share_a_gate_and_patients_do_not():
    table = gate(four(), "patient")
    assert table["threshold"].nunique() == 2
    assert table.at["B0", "threshold"] > 3 * table.at["A0", "threshold"]
    assert table.at["A0", "note"].endswith("from A0, A1")
    assert set(table["method"]) == {"gmm"}
    assert table.at["A1", "positive_pct"] == pytest.approx(20, abs=0.2)


def test_a_locked_gate_is_fitted_to_the_baseline_alone():
    levels = four()
    table = gate(levels, "patient", "baseline")
    alone = gate({"A0": levels["A0"]}, "slide", groups={"A0": "A0"})
    assert table.at["A1", "threshold"] == alone.at["A0", "threshold"]
    assert table["method"].tolist() == ["gmm", "locked", "gmm", "locked"]
    assert table.at["A1", "note"].endswith("from A0")


def test_cells_that_come_with_treatment_are_not_overlooked():
    table = gate(four(a0=0.0), "patient", "baseline")
    assert np.isfinite(table.at["A1", "threshold"])
    assert table.at["A0", "positive_pct"] == pytest.approx(0, abs=0.1)
    assert table.at["A1", "note"].endswith("from A0, A1")


def test_a_patient_without_baseline_is_gated_slide_by_slide():
    levels = four()
    del levels["A0"]
    table = gate(levels, "patient", "baseline")
    assert table.at["A1", "note"].startswith("not locked: no sample at baseline")
    assert table.at["A1", "scope"] == "slide"
    assert table.at["B1", "method"] == "locked"


def test_a_large_slide_does_not_dominate():
    small, large = cells(0, 0.1, n=1000), cells(1, 0.1, n=20_000, stain=1.3)
    same = gate({"A0": small, "A1": large}, "patient").at["A0", "threshold"]
    half = gate({"A0": small, "A1": large[::20]}, "patient").at["A0", "threshold"]
    assert same == pytest.approx(half, rel=0.05)


def test_a_sample_of_few_cells_is_left_out():
    table = gate({"A0": cells(0, 0.1), "A1": cells(1, 0.1, n=60)}, "patient")
    assert table.at["A1", "note"].endswith("from A0")
