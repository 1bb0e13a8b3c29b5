import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mifprofile.core.phenotype.gates.counts import counted_gate, one_count
from mifprofile.options import PhenotypeOptions

OPTIONS = PhenotypeOptions()


def cells(area_um2, **counts):
    """Means of cells in which so many ions were counted."""
    area = np.array(area_um2, float)
    means = {f"{m}_cell_mean": np.array(n) / area for m, n in counts.items()}
    return pd.DataFrame({"area_um2": area, **means})


def test_one_count_is_read_off_a_channel_that_is_mostly_empty():
    table = cells([50, 50, 100, 100, 100], CD8=[0, 0, 0, 1, 3])
    assert one_count(table, ["CD8"]) == pytest.approx(1 / 100)


def test_a_channel_that_is_full_counts_by_another_that_is_empty():
    table = cells([50] * 5, CD8=[0, 0, 0, 2, 1], CK=[40, 41, 52, 60, 77])
    assert one_count(table, ["CK"]) != one_count(table, ["CK", "CD8"])
    assert one_count(table, ["CK", "CD8"]) == pytest.approx(1 / 50)


@pytest.mark.parametrize(
    "table",
    [
        cells([50] * 4, CD8=[1, 2, 3, 4]),  # hardly a cell is empty
        cells([50] * 6, CD8=[0, 0, 0, 0, 1, 1.5]),  # no whole numbers
        cells([50] * 4, CD8=[0, 0, 0, 0]),
        cells([50] * 4, CD4=[0, 0, 0, 1]),
        cells([50] * 4, CD8=[0, 0, 0, 1]).drop(columns="area_um2"),
        cells([], CD8=[]),
    ],
)
def test_where_nothing_is_counted_there_is_no_count(table):
    assert np.isnan(one_count(table, ["CD8"]))


@given(st.integers(-20, 20))
def test_a_count_has_the_unit_of_the_levels(power):
    table = cells([50] * 5, CD8=[0, 0, 0, 1, 3])
    times = table.assign(CD8_cell_mean=2.0**power * table["CD8_cell_mean"])
    assert one_count(times, ["CD8"]) == 2.0**power * one_count(table, ["CD8"])


def counts_of(empty, *others):
    return np.r_[np.zeros(empty), others]


def test_25_counts_are_needed_where_nearly_all_cells_are_empty():
    gate = counted_gate(counts_of(100_000, 26, 30), 1.0, OPTIONS)
    assert gate.threshold == pytest.approx(25, abs=0.01)
    assert gate.grade in ("clear", "graded")


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
def test_more_counts_are_needed_where_fewer_cells_are_empty(share):
    levels = counts_of(round(1000 * share), *[3] * round(1000 * (1 - share)))
    gate = counted_gate(levels, 0.25, OPTIONS)
    needed = gate.threshold / 0.25
    # As many deviations of their own above the rate that the empty cells show.
    rate = -np.log(share)
    assert needed - rate == pytest.approx(5 * np.sqrt(needed))
    assert needed > 25


def test_without_empty_cells_no_background_is_known():
    assert counted_gate(counts_of(9, *[1] * 991), 1.0, OPTIONS) is None
    assert counted_gate(counts_of(10, *[1] * 990), 1.0, OPTIONS) is not None


def test_a_few_counts_in_many_cells_are_no_population():
    gate = counted_gate(counts_of(600, *[1] * 300, *[2] * 90, *[5] * 10), 1.0, OPTIONS)
    assert gate.grade == "absent"
    assert np.isfinite(gate.threshold)
    assert "at most 0.3 %" in gate.note


def test_a_channel_without_one_count_may_not_have_been_stained():
    gate = counted_gate(np.zeros(300), 1.0, OPTIONS)
    assert gate.grade == "absent"
    assert gate.note.endswith("at most 1 %, if the channel was stained")


def test_many_counts_apart_from_few_are_clear():
    gate = counted_gate(counts_of(600, *[1] * 300, *range(60, 160)), 1.0, OPTIONS)
    assert gate.grade == "clear"
    assert "10 % have" in gate.note


def test_counts_at_all_heights_are_graded():
    levels = counts_of(600, *[1] * 200, *np.geomspace(1, 60, 200).round())
    assert counted_gate(levels, 1.0, OPTIONS).grade == "graded"
