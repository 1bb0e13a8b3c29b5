import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from mifprofile.core.phenotype.gates.relations import Relation
from mifprofile.core.phenotype.gates.shape import Cut
from mifprofile.core.phenotype.gates.witness import (
    MIN_RATIO,
    NUCLEAR_POWER,
    Partner,
    best_chance,
    brighter_than_chance,
    in_the_nucleus,
)
from mifprofile.model import Marker


def beside(hits, strays, fitting, others, name="CD3"):
    """A partner, and which of the cells lie above a cut."""
    fits = np.arange(fitting + others) < fitting
    above = np.r_[np.arange(fitting) < hits, np.arange(others) < strays]
    return Partner(Relation(name, sign=True), fits), above


def test_three_of_three_among_23_possible_carriers_are_no_chance():
    partner, above = beside(3, 0, 23, 3777)
    # 23/3800 · 22/3799 · 21/3798
    assert partner.chance(above) == pytest.approx(1.938e-7, rel=1e-3)


def test_carriers_that_are_no_more_frequent_are_chance():
    partner, above = beside(40, 20, 2000, 2000)
    assert partner.chance(above) == 1.0


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 60), st.integers(1, 60))
def test_the_chance_is_fisher_s_or_1(hits, strays, more, others):
    fitting, others = hits + more, strays + others
    partner, above = beside(hits, strays, fitting, others)
    table = [[hits, strays], [fitting - hits, others - strays]]
    exact = fisher_exact(table, alternative="greater").pvalue
    assert partner.chance(above) in (1.0, pytest.approx(exact))
    if hits / fitting < MIN_RATIO * strays / others:
        assert partner.chance(above) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("fitting", "others", "tells"), [(10, 10, True), (9, 99, False), (99, 9, False)]
)
def test_a_partner_tells_if_there_are_cells_of_both_kinds(fitting, others, tells):
    partner, _ = beside(0, 0, fitting, others)
    assert partner.tells == tells


def test_of_several_partners_the_best_is_heard_and_pays_for_the_choice():
    good, above = beside(8, 0, 50, 50, "CD3")
    poor = Partner(Relation("CK", sign=False), np.arange(100) % 2 == 0)
    mute = Partner(Relation("CD8", sign=True), np.arange(100) < 3)
    alone, whose = best_chance([good], above)
    assert whose == "CD3+"
    assert best_chance([poor, good, mute], above) == (pytest.approx(2 * alone), "CD3+")
    assert best_chance([mute], above) == (1.0, "")
    assert best_chance([], above) == (1.0, "")


def test_no_choice_makes_a_chance_larger_than_1():
    partner, above = beside(1, 1, 50, 50)
    assert best_chance([partner] * 3, above)[0] == 1.0


NUCLEAR = Marker(channel="a", measure="nucleus")
ABOVE = np.array([True] * 3 + [False] * 5)


def places(nucleus, cytoplasm, name="FOXP3"):
    """Three cells so many times as bright as five others, in both places."""
    return pd.DataFrame(
        {
            f"{name}_nucleus_mean": np.where(ABOVE, 100.0 * nucleus, 100),
            f"{name}_cytoplasm_mean": np.where(ABOVE, 50.0 * cytoplasm, 50),
        }
    )


@pytest.mark.parametrize(
    ("nucleus", "cytoplasm", "nuclear"),
    [
        (5, 1.2, True),
        (5, 2.8, True),  # 5 ** 0.65 = 2.85
        (5, 2.9, False),
        (5, 5, False),  # autofluorescence, debris
        (0.5, 0.1, False),
    ],
)
def test_a_nuclear_stain_is_brighter_in_the_nucleus(nucleus, cytoplasm, nuclear):
    assert 2.8 < 5**NUCLEAR_POWER < 2.9
    cells = places(nucleus, cytoplasm)
    assert in_the_nucleus("FOXP3", NUCLEAR, cells, ABOVE) is nuclear


def test_the_place_says_nothing_of_others():
    cells = places(5, 1.2)
    elsewhere = Marker(channel="a", measure="membrane")
    assert not in_the_nucleus("FOXP3", elsewhere, cells, ABOVE)
    assert not in_the_nucleus("FOXP3", NUCLEAR, None, ABOVE)
    assert not in_the_nucleus("CD8", NUCLEAR, cells, ABOVE)
    two = np.arange(8) < 2
    assert not in_the_nucleus("FOXP3", NUCLEAR, cells, two)


def test_cells_without_a_cytoplasm_are_left_out():
    cells = places(5, 1.2)
    cells.loc[[0, 7], "FOXP3_cytoplasm_mean"] = np.nan
    assert in_the_nucleus("FOXP3", NUCLEAR, cells, ABOVE)


@pytest.mark.parametrize(
    ("flanks", "above", "by_tail", "bright"),
    [(2.3, 10, 3.0, True), (2.2, 10, 3.0, False), (9.0, 9, 3.0, False)],
)
def test_brighter_than_chance(flanks, above, by_tail, bright):
    cut = Cut(5.0, flanks, above, mirrored=99, by_tail=by_tail)
    assert brighter_than_chance(cut, 2.3) is bright
