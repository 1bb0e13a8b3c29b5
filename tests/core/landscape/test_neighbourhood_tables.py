import numpy as np
import pandas as pd
import pytest

from mifprofile.core.landscape import Makeup, makeup_table, neighbourhood_shares

AROUND = np.float32([[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 1, 0]])
KIND = np.int32([0, 0, 1, 1])


def test_makeup_of_neighbourhoods_by_hand():
    table = makeup_table(Makeup.of(AROUND, KIND, 2), ["tumour", "CTL", "Treg"])
    assert table["neighbourhood"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table["phenotype"].tolist() == ["tumour", "CTL", "Treg"] * 2
    assert table["share"].tolist() == [0.75, 0.25, 0, 0, 1, 0]
    # Of all windows, tumour is 3/8 and CTL 5/8.
    np.testing.assert_allclose(
        table["enrichment_log2"],
        [1, np.log2(0.4), np.nan, np.nan, np.log2(1.6), np.nan],
    )
    missing = table["enrichment_log2"].isna()
    assert (table["reason"] == "in none of its windows").tolist() == missing.tolist()


def test_samples_weigh_the_same_in_a_makeup():
    """Ten times the cells of a sample move nothing; a sample without any neither."""
    other = Makeup.of(np.float32([[0, 0, 1]]), np.int32([1]), 2)
    none = Makeup.of(np.empty((0, 3), np.float32), np.empty(0, np.int32), 2)
    names = ["tumour", "CTL", "Treg"]
    small = Makeup.of(AROUND, KIND, 2) + other
    large = Makeup.of(np.tile(AROUND, (10, 1)), np.tile(KIND, 10), 2) + none + other
    pd.testing.assert_frame_equal(
        makeup_table(small, names), makeup_table(large, names)
    )
    assert makeup_table(small, names)["share"].tolist()[3:] == pytest.approx(
        [0, 1 / 3, 2 / 3]
    )


def test_shares_of_regions_by_hand():
    regions = pd.Series(["tumour", "tumour", "stroma", "tumour"])
    table = neighbourhood_shares("S1", regions, KIND, 2, least=4)
    found = table.set_index(["region", "neighbourhood"])
    assert set(found["sample_id"]) == {"S1"}
    assert found.loc[("tissue", 1), ["n_num", "n_den", "value"]].tolist() == [2, 4, 50]
    assert found.loc[("tumour", 2), ["n_num", "n_den"]].tolist() == [1, 3]
    assert found.loc[("stroma", 1), "value"] == 0
    assert found.loc[("tumour_bed", 2), "status"] == "OK"
    assert found.loc[("tumour", 2), "reason"] == "fewer than 4 cells"
    nowhere = found.loc[("outside", 1)]
    assert np.isnan(nowhere["value"])
    assert nowhere["n_den"] == 0
    assert nowhere["status"] == "LOW_N"
    assert nowhere["reason"] == "no cell in the denominator"
    assert found.groupby("region")["value"].sum().drop("outside").tolist() == [100] * 4
