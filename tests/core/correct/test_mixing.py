import numpy as np
import pandas as pd
import pytest

from mifprofile.core.correct import bleed_through_matrix, mixing_matrix
from mifprofile.errors import UsageError

CHANNELS = ("DAPI", "CD8", "FOXP3", "HER2")


def table(shares=((1, 0.1), (0.2, 1)), rows=("HER2", "CD8"), columns=("HER2", "CD8")):
    return pd.DataFrame(shares, index=rows, columns=columns, dtype=float)


def test_shares_land_at_their_channels():
    found = mixing_matrix(table(), CHANNELS, "m.csv")
    wanted = np.eye(4)
    wanted[3, 1], wanted[1, 3] = 0.1, 0.2
    np.testing.assert_array_equal(found, wanted)


def test_columns_may_stand_in_another_order():
    turned = table()[["CD8", "HER2"]]
    np.testing.assert_array_equal(
        mixing_matrix(turned, CHANNELS, "m.csv"),
        mixing_matrix(table(), CHANNELS, "m.csv"),
    )


def test_pairs_make_the_same_matrix():
    pairs = {"CD8": {"HER2": 0.1}, "HER2": {"CD8": 0.2}}
    np.testing.assert_array_equal(
        bleed_through_matrix(pairs, CHANNELS, "bleed_through"),
        mixing_matrix(table(), CHANNELS, "m.csv"),
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (table(rows=("HER2", "CD9")), "no channel 'CD9' .did you mean 'CD8'"),
        (table(columns=("HER2", "FOXP3")), "'CD8' must name exactly one row"),
        (table(rows=("CD8", "CD8")), "must name exactly one row"),
        (table(((1, 1), (1, 1))), "singular"),
        (table(((2, 0.1), (0.2, 1))), "diagonal must be 1"),
        (table(((1, -0.1), (0.2, 1))), "at least 0"),
        (table(((1, np.nan), (0.2, 1))), "at least 0"),
        (table()[["CD8"]], "must be square"),
    ],
)
def test_a_bad_matrix_is_refused(bad, message):
    with pytest.raises(UsageError, match=rf"m\.csv: .*{message}"):
        mixing_matrix(bad, CHANNELS, "m.csv")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"CD8": {"CD8": 0.2}}, "cannot bleed into itself"),
        ({"CD8": {"CD3": 0.2}}, "no channel 'CD3'"),
        ({"CD8": {"HER2": 1.0}, "HER2": {"CD8": 1.0}}, "singular"),
    ],
)
def test_bad_pairs_are_refused(pairs, message):
    with pytest.raises(UsageError, match=message):
        bleed_through_matrix(pairs, CHANNELS, "bleed_through")
