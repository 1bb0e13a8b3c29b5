import numpy as np
import pandas as pd
import pytest

from mifprofile.core.measure import compensate_spill_over

CELLS = pd.DataFrame(
    {
        "cell_id": [1, 2, 4],
        "perimeter_um": [20.0, 10.0, 10.0],
        "membrane_px": [40, 20, 20],
        "strip_px": [40, 20, 20],
        "CD8_membrane_mean": np.float32([1100, 300, 100]),
        "CD8_strip_mean": np.float32([1100, 300, 100]),
    }
)
CONTACTS = pd.DataFrame({"cell_a": [1], "cell_b": [2], "boundary_um": [4.0]})


def compensated(gamma, contacts=CONTACTS):
    return compensate_spill_over(CELLS, contacts, {"CD8": 100.0}, gamma)


def test_the_formula_by_eye():
    # Sums above the background of 100: 40 000, 4 000, 0. Cell 1 gives 4/20 of its
    # strip to cell 2 and gets 4/10 of that one's.
    means = compensated(0.0)["CD8_membrane_mean"]
    assert means.tolist() == [100 + (40_000 - 0.4 * 4_000) / 40, 100, 100]
    means = compensated(1.0)["CD8_membrane_mean"]
    assert means.tolist() == [100 + (80_000 - 1_600) / 40, 100, 100]


def test_raw_means_stay_and_helpers_go():
    table = compensated(1.0)
    assert list(table.columns) == [
        *("cell_id", "perimeter_um", "CD8_membrane_mean", "CD8_membrane_raw_mean")
    ]
    raw = CELLS["CD8_membrane_mean"]
    assert table["CD8_membrane_raw_mean"].tolist() == raw.tolist()


def test_without_contact_and_reinforcement_nothing_changes():
    table = compensated(0.0, CONTACTS[:0])
    assert table["CD8_membrane_mean"].tolist() == pytest.approx([1100, 300, 100])
