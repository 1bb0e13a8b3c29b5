import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mifprofile.core.phenotype.gates import pool
from mifprofile.core.phenotype.gates.pooling import MAX_POOL_CELLS, evenly


def tables(*counts):
    return [
        pd.DataFrame({"CD8": np.arange(n) + 0.5, "of": i}) for i, n in enumerate(counts)
    ]


def given_by(*counts):
    """Cells that each table gives."""
    of = pool(tables(*counts))["of"]
    return [int((of == i).sum()) for i in range(len(counts))]


def test_every_sample_gives_as_many_cells():
    pooled = pool(tables(3, 300))
    assert pooled["CD8"].tolist() == [0.5, 1.5, 2.5, 0.5, 150.5, 299.5]


@pytest.mark.parametrize(
    ("counts", "given_cells"),
    [
        ((7,), [7]),
        ((3, 300), [3, 3]),
        ((3, 300, 300_000), [3, 300, 300]),
        ((10, 20, 3_000, 4_000), [10, 20, 20, 20]),
    ],
)
def test_no_sample_gives_more_than_the_middle_one_has(counts, given_cells):
    assert given_by(*counts) == given_cells


def test_a_small_sample_does_not_leave_the_pool_with_few_cells():
    assert given_by(10, 1000, 1000) == [10, 1000, 1000]


def test_a_pool_has_an_upper_end():
    assert given_by(MAX_POOL_CELLS + 9) == [MAX_POOL_CELLS]


@given(st.lists(st.integers(1, 400), min_size=2, max_size=9))
def test_at_least_half_of_the_samples_give_as_many_cells_as_any(counts):
    shares = given_by(*counts)
    assert all(0 < mine <= have for mine, have in zip(shares, counts, strict=True))
    assert 2 * shares.count(max(shares)) >= len(shares)


@pytest.mark.parametrize(
    ("values", "count", "even"),
    [
        ([1, 2, 3], 3, [1, 2, 3]),
        ([1, 2, 3], 9, [1, 2, 3]),
        ([0, 1, 2, 3, 4], 3, [0, 2, 4]),
        ([0, 1, 2, 3, 4, 5, 6], 3, [0, 3, 6]),
    ],
)
def test_evenly_keeps_both_ends(values, count, even):
    assert evenly(np.array(values), count).tolist() == even
