import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.core.phenotype.gates import find_gates, gate_alone, grade_of
from mifprofile.core.phenotype.gates.shape import Shape
from mifprofile.options import PhenotypeOptions
from tests.panels import make_panel

OPTIONS = PhenotypeOptions()
PANEL = make_panel(
    {"CD3": "a/cell", "CK": "b/cell", "FOXP3": "c/nucleus"},
    phenotypes={
        "tumour": "CK+/CD3-",
        "T": {"rule": "CD3+/CK-", "subsets": {"Treg": "FOXP3+"}},
    },
)


def peak(rng, n, level=100.0, spread=0.25):
    return level * np.exp(rng.normal(0, spread, n))


def humps(seed, share, n, high=900.0):
    """Levels of which the first are positive."""
    rng = np.random.default_rng(seed)
    levels = peak(rng, n)
    levels[: round(share * n)] = peak(rng, round(share * n), high)
    return levels


# One population: what it may look like.
NULLS = {
    "lognormal .3": lambda rng, n: 100 * np.exp(rng.normal(0, 0.3, n)),
    "lognormal .6": lambda rng, n: 100 * np.exp(rng.normal(0, 0.6, n)),
    "lognormal 1": lambda rng, n: 100 * np.exp(rng.normal(0, 1, n)),
    "gamma": lambda rng, n: rng.gamma(2, 100, n),
    "exponential": lambda rng, n: rng.exponential(100, n),
    "Pareto from 0": lambda rng, n: 100 * rng.pareto(2, n),
    "Pareto from 1": lambda rng, n: 100 * (1 + rng.pareto(2, n)),
    "lognormal of t": lambda rng, n: 100 * np.exp(0.3 * rng.standard_t(3, n)),
}


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("cells", [240, 1000])
def test_one_population_of_any_shape_is_undecided(null, cells):
    grades = [
        gate_alone(NULLS[null](np.random.default_rng(seed), cells), OPTIONS).grade
        for seed in range(20)
    ]
    assert "clear" not in grades
    assert "absent" not in grades
    assert grades.count("graded") <= 1


@pytest.mark.parametrize("cells", [240, 1000])
def test_counts_of_a_background_are_absent(cells):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        area = rng.uniform(30, 120, cells)
        levels = rng.poisson(0.005 * area) / area
        table = pd.DataFrame({"area_um2": area, "CD3_cell_mean": levels})
        gate = gates_of(CD3=levels, cells=table)["CD3"]
        assert gate.grade == "absent"
        assert not (levels > gate.threshold).any()
        assert not gate_alone(levels, OPTIONS).found


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("cells", [1000, 5000])
def test_positives_five_times_brighter_are_found(share, cells):
    for seed in range(10):
        levels = humps(seed, share, cells, 500)
        gate = gate_alone(levels, OPTIONS)
        positive = np.arange(cells) < round(share * cells)
        assert gate.found
        assert (levels[positive] > gate.threshold).mean() >= 0.8
        assert (levels[~positive] > gate.threshold).mean() < 0.002


@pytest.mark.parametrize("share", [0.03, 0.1])
@pytest.mark.parametrize("cells", [1000, 5000])
def test_positives_that_are_spread_over_a_decade_are_found(share, cells):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        levels = peak(rng, cells)
        positive = np.arange(cells) < round(share * cells)
        levels[positive] *= np.exp(rng.uniform(np.log(2), np.log(20), positive.sum()))
        gate = gate_alone(levels, OPTIONS)
        assert gate.found
        assert (levels[positive] > gate.threshold).mean() > 0.4
        assert (levels[~positive] > gate.threshold).mean() < 0.002


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_two_humps_are_clear(share):
    levels = humps(0, share, 2000)
    gate = gate_alone(levels, OPTIONS)
    assert gate.grade == "clear"
    assert 200 < gate.threshold < 500
    assert "widths of the main peak" in gate.note


@pytest.mark.parametrize("seed", range(3))
def test_negative_cells_that_a_subtracted_background_spread_hide_no_hump(seed):
    rng = np.random.default_rng(seed)
    levels = np.append(peak(rng, 550, 2.0, spread=0.9), peak(rng, 450, 60.0, 0.3))
    gate = gate_alone(levels, OPTIONS)
    assert gate.grade == "clear"
    assert np.mean(levels > gate.threshold) == pytest.approx(0.45, abs=0.02)


def test_a_marker_that_most_cells_carry_is_clear_where_there_are_two_humps():
    for seed in range(5):
        levels = humps(seed, 0.85, 2000)
        gate = gate_alone(levels, OPTIONS)
        assert gate.grade == "clear"
        assert (levels > gate.threshold).mean() == pytest.approx(0.85, abs=0.005)


@pytest.mark.parametrize("offset", [50, 100, 300, 1000])
def test_a_camera_s_offset_hides_no_population(offset):
    for seed in range(5):
        levels = humps(seed, 0.1, 2000, 500)
        own = gate_alone(levels, OPTIONS)
        gate = gate_alone(levels + offset, OPTIONS)
        assert own.grade == gate.grade == "clear"
        positive = np.arange(2000) < 200
        assert (levels[positive] + offset > gate.threshold).mean() > 0.95
        assert (levels[~positive] + offset > gate.threshold).mean() < 0.005


@pytest.mark.parametrize("offset", [0, 100, 1000])
def test_a_camera_s_offset_makes_no_population(offset):
    grades = [
        gate_alone(peak(np.random.default_rng(s), 1000) + offset, OPTIONS).grade
        for s in range(20)
    ]
    assert set(grades) == {"undecided"}


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        (humps(0, 0.3, 49), "only 49 cells"),
        (np.r_[humps(0, 0.3, 49), [np.nan] * 9], "only 49 cells"),
        (np.full(500, 7.0), "every cell has the same level"),
        (np.zeros(500), "every cell has the same level"),
        (np.r_[np.zeros(400), np.full(100, 7.0)], "every cell has the same level"),
        (peak(np.random.default_rng(0), 2000, spread=0.8), "no population stands out"),
    ],
)
def test_what_cannot_be_told_is_undecided_and_not_absent(levels, why):
    gate = gate_alone(levels, OPTIONS)
    assert gate.grade == "undecided"
    assert np.isnan(gate.threshold)
    assert why in gate.note


def gates_of(cells=None, known=None, **levels):
    """Gates of the markers given; the others are everywhere the same."""
    n = len(next(iter(levels.values())))
    table = pd.DataFrame({m: levels.get(m, np.full(n, 7.0)) for m in PANEL.markers})
    return find_gates(table, PANEL, OPTIONS, cells=cells, known=known)


def rare(seed):
    """3 of 3,800 cells are FOXP3+, and of 23 that are CD3+."""
    rng = np.random.default_rng(seed)
    cd3 = peak(rng, 3800)
    cd3[:23] = peak(rng, 23, 900, 0.15)
    foxp3 = peak(rng, 3800, 100, 0.5)
    foxp3[:3] = (1500, 1800, 2500)
    return cd3, foxp3


@pytest.mark.parametrize("seed", range(5))
def test_three_bright_cells_are_found_beside_the_lineage_that_they_need(seed):
    cd3, foxp3 = rare(seed)
    gates = gates_of(CD3=cd3, FOXP3=foxp3)
    gate = gates["FOXP3"]
    assert gates["CD3"].grade == "clear"
    assert gate.grade == "graded"
    assert "CD3+" in gate.note
    assert np.flatnonzero(foxp3 > gate.threshold).tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_three_bright_cells_alone_are_undecided_and_not_absent(seed):
    cd3, foxp3 = rare(seed)
    assert gate_alone(foxp3, OPTIONS).grade == "undecided"
    assert gates_of(FOXP3=foxp3)["FOXP3"].grade == "undecided"
    # No better where the bright cells are of another lineage.
    gates = gates_of(CD3=np.roll(cd3, 1000), FOXP3=foxp3)
    assert gates["CD3"].grade == "clear"
    assert gates["FOXP3"].grade == "undecided"


def test_a_gate_that_stands_bears_witness_too():
    cd3, foxp3 = rare(0)
    gates = gates_of(CD3=cd3, FOXP3=foxp3, known={"CD3": 400.0, "CK": np.nan})
    assert list(gates) == ["FOXP3"]
    assert gates["FOXP3"].grade == "graded"


def carried_by_most(seed):
    """CK of tumour cells is spread widely; 300 of 2,000 cells are CD3+."""
    rng = np.random.default_rng(seed)
    ck = peak(rng, 2000, 1000, 0.5)
    ck[:300] = peak(rng, 300, 200, 0.6)
    return humps(seed, 0.15, 2000), ck


@pytest.mark.parametrize("seed", range(5))
def test_a_marker_that_most_cells_carry_is_told_by_those_that_cannot(seed):
    cd3, ck = carried_by_most(seed)
    assert gate_alone(ck, OPTIONS).grade == "undecided"
    gate = gates_of(CD3=cd3, CK=ck)["CK"]
    assert gate.grade == "graded"
    assert "cells that are CD3+" in gate.note
    # Halfway between both middles in the logarithm.
    assert gate.threshold == pytest.approx((1000 * 200) ** 0.5, rel=0.1)
    assert (ck[300:] > gate.threshold).mean() > 0.92
    assert (ck[:300] > gate.threshold).mean() < 0.13


@pytest.mark.parametrize("seed", range(5))
def test_a_marker_is_absent_where_all_are_like_those_that_cannot_carry_it(seed):
    ck = peak(np.random.default_rng(100 + seed), 2000)
    assert gate_alone(ck, OPTIONS).grade == "undecided"
    gate = gates_of(CD3=humps(seed, 0.15, 2000), CK=ck)["CK"]
    assert gate.grade == "absent"
    assert np.isnan(gate.threshold)
    most = float(gate.note.split("at most ")[1].removesuffix(" %"))
    # No cell among 2,000, by the rule of three, or a few that might be.
    assert 0.15 <= most < 0.5


def test_a_broad_peak_is_not_absent_as_dim_cells_may_be_in_it():
    ck = peak(np.random.default_rng(0), 2000, 100, 1.0)
    gate = gates_of(CD3=humps(0, 0.15, 2000), CK=ck)["CK"]
    assert gate.grade == "undecided"


def test_without_known_negatives_nothing_is_absent():
    ck = peak(np.random.default_rng(0), 2000)
    assert gates_of(CK=ck)["CK"].grade == "undecided"
    # FOXP3 needs CD3: no cell is known not to carry it.
    gates = gates_of(CD3=humps(0, 0.15, 2000), FOXP3=ck)
    assert gates["FOXP3"].grade == "undecided"


def nuclear(seed, around):
    """15 of 1,000 cells are bright in the nucleus, and so much brighter around it.

    Some cells are dark, so that the bright ones could be the other tail.
    """
    rng = np.random.default_rng(seed)
    levels = peak(rng, 1000)
    levels[:15] = peak(rng, 15, 700, 0.2)
    levels[15:30] = peak(rng, 15, 100 / 7, 0.2)
    cytoplasm = peak(rng, 1000, 50, 0.2)
    cytoplasm[:15] *= around
    return pd.DataFrame(
        {"FOXP3_nucleus_mean": levels, "FOXP3_cytoplasm_mean": cytoplasm}
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_place_on_the_cell_vouches_for_what_the_levels_leave_open(seed):
    cells = nuclear(seed, around=1.3)
    levels = cells["FOXP3_nucleus_mean"]
    assert gates_of(FOXP3=levels)["FOXP3"].grade == "undecided"
    gate = gates_of(FOXP3=levels, cells=cells)["FOXP3"]
    assert gate.grade == "graded"
    assert "in the nucleus" in gate.note
    assert np.flatnonzero(levels > gate.threshold).tolist() == [*range(15)]


@pytest.mark.parametrize("seed", range(5))
def test_a_cell_that_is_bright_everywhere_is_not_vouched_for(seed):
    cells = nuclear(seed, around=7)
    levels = cells["FOXP3_nucleus_mean"]
    assert gates_of(FOXP3=levels, cells=cells)["FOXP3"].grade == "undecided"


def counted():
    rng = np.random.default_rng(0)
    area = rng.uniform(30, 120, 1000)
    rate = np.where(np.arange(1000) < 100, 0.6, 0.003)
    levels = rng.poisson(rate * area) / area
    return pd.DataFrame({"CD3": levels}), pd.DataFrame(
        {"area_um2": area, "CD3_cell_mean": levels}
    )


def scenes():
    """Levels and cells as measured, by the grade that one marker is given."""
    cd3, foxp3 = rare(0)
    most, ck = carried_by_most(0)
    alone = peak(np.random.default_rng(100), 2000)
    cells = nuclear(0, 1.3)
    rng = np.random.default_rng(5)
    spread = peak(rng, 1000)
    spread[:100] *= np.exp(rng.uniform(np.log(2), np.log(20), 100))
    return {
        "clear": (pd.DataFrame({"CD3": humps(0, 0.1, 1000)}), None, "CD3"),
        "graded": (pd.DataFrame({"CD3": spread}), None, "CD3"),
        "counts": (*counted(), "CD3"),
        "lineage": (pd.DataFrame({"CD3": cd3, "FOXP3": foxp3}), None, "FOXP3"),
        "nuclear": (
            pd.DataFrame({"FOXP3": cells["FOXP3_nucleus_mean"]}),
            cells,
            "FOXP3",
        ),
        "most": (pd.DataFrame({"CD3": most, "CK": ck}), None, "CK"),
        "absent": (
            pd.DataFrame({"CD3": humps(0, 0.15, 2000), "CK": alone}),
            None,
            "CK",
        ),
        "undecided": (pd.DataFrame({"CD3": alone}), None, "CD3"),
    }


SCENES = scenes()
GRADES = {
    **{"clear": "clear", "graded": "graded", "counts": "clear", "lineage": "graded"},
    **{"nuclear": "graded", "most": "graded", "absent": "absent"},
    "undecided": "undecided",
}


def calls(levels, cells, kind=np.float64, times=1.0):
    """Positive cells and grades of the levels times a constant."""
    levels = (times * levels).astype(kind).astype(np.float64)
    if cells is not None:
        brightness = [c for c in cells if c.endswith("_mean")]
        cells = cells.assign(**{c: times * cells[c] for c in brightness})
    gates = gates_of(cells, **{m: levels[m].to_numpy() for m in levels})
    positive = {m: levels[m].to_numpy() > gates[m].threshold for m in levels}
    return pd.DataFrame(positive), {m: gates[m].grade for m in levels}


@pytest.mark.parametrize("scene", SCENES)
def test_the_scenes_are_what_they_are_called(scene):
    levels, cells, marker = SCENES[scene]
    positive, grades = calls(levels, cells)
    assert grades[marker] == GRADES[scene]
    assert positive[marker].any() == (GRADES[scene] in ("clear", "graded"))


@pytest.mark.parametrize("scene", SCENES)
def test_a_gate_that_comes_back_from_a_table_has_the_grade_that_it_had(scene):
    levels, cells, marker = SCENES[scene]
    gate = gates_of(cells, **{m: levels[m].to_numpy() for m in levels})[marker]
    again = grade_of(levels[marker].to_numpy(float), gate.threshold, gate.grade)
    assert again == gate.grade


@pytest.mark.parametrize("scene", SCENES)
@settings(max_examples=15, deadline=None)
@given(power=st.floats(-6, 6))
def test_the_unit_of_the_levels_changes_no_call(scene, power):
    levels, cells, _ = SCENES[scene]
    positive, grades = calls(levels, cells)
    again, same = calls(levels, cells, times=10**power)
    assert same == grades
    pd.testing.assert_frame_equal(again, positive)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("times", [1e-6, 1e-3, 1 / 255, 1.0, 1e3, 1e6])
def test_single_precision_changes_no_call(scene, times):
    levels, cells, _ = SCENES[scene]
    positive, grades = calls(levels, cells)
    again, same = calls(levels, cells, kind=np.float32, times=times)
    assert same == grades
    pd.testing.assert_frame_equal(again, positive)


@pytest.mark.parametrize("scene", ["clear", "graded", "lineage", "most", "absent"])
def test_whole_numbers_and_shares_of_them_are_called_alike(scene):
    levels, cells, _ = SCENES[scene]
    whole = (10 * levels).round().astype(np.uint16)
    positive, grades = calls(whole.astype(float), cells)
    for again, same in (
        calls(whole, cells),
        calls(whole / 65535, cells),
        calls(whole / 65535, cells, kind=np.float32),
    ):
        assert same == grades
        pd.testing.assert_frame_equal(again, positive)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 30))
def test_a_gate_knows_no_order_and_no_missing_cell(random, missing):
    levels = humps(0, 0.1, 300)
    order = [*range(300)]
    random.shuffle(order)
    shuffled = np.r_[levels[order], np.full(missing, np.nan)]
    assert gate_alone(shuffled, OPTIONS) == gate_alone(levels, OPTIONS)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 1e6), min_size=50, max_size=120))
def test_no_levels_are_refused(levels):
    values = np.array(levels)
    gate = gate_alone(values, OPTIONS)
    assert gate.found == bool((values > gate.threshold).any())


def test_the_background_is_that_of_the_marker_and_not_of_a_constant():
    levels = humps(0, 0.1, 2000)
    assert Shape(levels).background < 20
    assert Shape(levels + 400).background == pytest.approx(400, abs=20)
