import numpy as np
import pandas as pd
import pytest

from mifprofile.core.cohort.pooling import Reading, scaled


@pytest.mark.parametrize(
    ("kind", "scale", "expected"),
    [
        ("rate", "log2", np.log2(12.5 / 2)),
        ("rate", "identity", 6),
        ("share", "log2", np.log2(12.5 / 49)),
        ("share", "logit", np.log2(12.5 / 36.5)),
        ("share", "identity", 25),
        ("ratio", "log2", np.log2(12.5 / 48.5)),
        ("ratio", "identity", 0.25),
        ("mean", "identity", 30),
        ("mean", "log2", np.log2(30)),
    ],
)
def test_scales(kind, scale, expected):
    row = {"kind": kind, "n_num": 12, "n_den": 48, "area_mm2": 2.0, "mean": 30.0}
    assert scaled(pd.DataFrame([row]), scale)[0] == pytest.approx(expected)


def test_nothing_has_a_logarithm_only_with_a_part_of_a_cell():
    row = {"kind": "rate", "n_num": 0, "n_den": 0, "area_mm2": 1.0, "mean": np.nan}
    table = pd.DataFrame([row])
    assert scaled(table, "log2")[0] == -1
    assert np.isnan(scaled(table, "log2", Reading(pseudo_cells=0.0))[0])
