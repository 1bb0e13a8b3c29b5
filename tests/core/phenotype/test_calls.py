import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mifprofile.core.phenotype import (
    call_cells,
    call_conflicts,
    call_phenotypes,
    call_positive,
    lineage_of,
    marker_confidence,
    marker_levels,
    matches,
)
from mifprofile.model import Panel
from tests.panels import make_panel

PANEL = make_panel(
    {"CD8": "a/membrane", "CK": "b/cytoplasm"},
    phenotypes={"tumour": "CK+/CD8-", "CTL": "CD8+/CK-"},
    tumour="tumour",
    impossible=["CD8+/CK+"],
)
POSITIVE = pd.DataFrame(
    {
        "CD8_positive": [True, False, False, True],
        "CK_positive": [False, True, False, True],
    }
)


def test_levels_are_read_where_the_panel_says():
    table = pd.DataFrame(
        {
            f"{m}_{c}_mean": [float(i)]
            for i, (m, c) in enumerate(
                (m, c)
                for m in ("CD8", "CK")
                for c in ("nucleus", "cytoplasm", "membrane")
            )
        }
    )
    assert marker_levels(table, PANEL).to_dict("list") == {"CD8": [2.0], "CK": [4.0]}


def test_positive_is_above_the_gate_and_no_gate_calls_none():
    levels = pd.DataFrame({"CD8": [1.0, 2.0, 3.0], "CK": [9.0, 9.0, 9.0]})
    positive = call_positive(levels, {"CD8": 2.0, "CK": np.nan})
    assert positive["CD8_positive"].tolist() == [False, False, True]
    assert not positive["CK_positive"].any()


def test_phenotypes_and_conflicts():
    names = call_phenotypes(POSITIVE, PANEL)
    assert names.tolist() == ["CTL", "tumour", "other", "other"]
    assert call_conflicts(POSITIVE, PANEL).tolist() == [False, False, False, True]


def with_phenotypes(panel, phenotypes):
    return Panel.model_validate(panel.model_dump() | {"phenotypes": phenotypes})


def test_the_first_rule_wins():
    panel = with_phenotypes(PANEL, {"T": "CD8+", "tumour": "CK+"})
    names = call_phenotypes(POSITIVE, panel)
    assert names.tolist() == ["T", "tumour", "other", "T"]


T_CELLS = make_panel(
    ("CD3", "CD8", "FOXP3", "CK", "PD-L1"),
    phenotypes={
        "tumour": "CK+/CD3-",
        "T cell": {
            "rule": "CD3+/CK-",
            "subsets": {"CTL": "CD8+", "Treg": "FOXP3+/CD8-"},
        },
    },
    states=["PD-L1"],
)
GATES = dict.fromkeys(T_CELLS.markers, 100.0)


def t_cell_levels(*rows):
    """Levels of cells above a crowd of negative ones, whose spread sets the scale."""
    crowd = np.expm1(np.log1p(10) + np.linspace(-0.5, 0.5, 101))
    markers = list(T_CELLS.markers)
    negative = pd.DataFrame(dict.fromkeys(markers, crowd))
    return pd.concat([pd.DataFrame(rows, columns=markers), negative], ignore_index=True)


def call(*rows, gates=GATES, min_confidence=0.6, undecided=frozenset()):
    levels = t_cell_levels(*rows)
    calls = call_cells(levels, gates, T_CELLS, min_confidence, undecided=undecided)
    return calls.head(len(rows))


def test_a_cell_has_its_most_specific_phenotype_and_its_lineage():
    #              CD3   CD8  FOXP3   CK  PD-L1
    calls = call(
        [900.0, 900.0, 900.0, 10.0, 900.0],
        [900.0, 10.00, 900.0, 10.0, 10.00],
        [900.0, 10.00, 10.00, 10.0, 10.00],
        [10.00, 900.0, 10.00, 10.0, 10.00],
        [10.00, 10.00, 10.00, 900.0, 900.0],
    )
    names = ["CTL", "Treg", "T cell", "other", "tumour"]
    assert calls["phenotype"].tolist() == names
    lineages = ["T cell", "T cell", "T cell", "other", "tumour"]
    assert calls["lineage"].tolist() == lineages


def test_a_cell_near_a_gate_is_uncertain_and_keeps_what_it_would_be():
    calls = call([101.0, 900.0, 10.0, 10.0, 10.0])
    assert calls["phenotype"].tolist() == ["uncertain"]
    assert calls["lineage"].tolist() == ["uncertain"]
    assert calls["phenotype_best"].tolist() == ["CTL"]
    assert 0.5 < calls["phenotype_confidence"][0] < 0.6


def test_a_lineage_can_be_sure_where_the_subset_is_not():
    calls = call([900.0, 101.0, 10.0, 10.0, 10.0], [900.0, 99.0, 10.0, 10.0, 10.0])
    assert calls["phenotype"].tolist() == ["uncertain", "uncertain"]
    assert calls["phenotype_best"].tolist() == ["CTL", "T cell"]
    assert calls["lineage"].tolist() == ["T cell", "T cell"]


def test_only_markers_that_decide_count():
    # FOXP3 of a CTL and PD-L1 of any cell may lie where they will.
    calls = call([900.0, 900.0, 101.0, 10.0, 101.0])
    assert calls["phenotype"].tolist() == ["CTL"]
    assert calls["phenotype_confidence"][0] > 0.99


def test_half_sure_is_enough_if_asked_for():
    assert not (call([101.0] * 5, min_confidence=0.5)["phenotype"] == "uncertain").any()


def test_nobody_knows_how_sure_a_call_is_that_an_undecided_marker_decides():
    gates, unknown = GATES | {"CD8": np.nan}, frozenset({"CD8", "not in the panel"})
    #              CD3   CD8  FOXP3   CK  PD-L1
    calls = call(
        [900.0, 101.0, 10.0, 10.0, 10.0],
        [10.00, 101.0, 10.0, 900.0, 10.0],
        gates=gates,
        undecided=unknown,
    )
    assert calls["phenotype"].tolist() == ["T cell", "tumour"]
    assert np.isnan(calls["phenotype_confidence"][0])
    assert calls["phenotype_confidence"][1] > 0.99
    assert calls["lineage"].tolist() == ["T cell", "tumour"]


def test_where_the_marker_is_absent_a_cell_is_surely_negative():
    calls = call([900.0, 101.0, 10.0, 10.0, 10.0], gates=GATES | {"CD8": np.nan})
    assert calls["phenotype"].tolist() == ["T cell"]
    assert calls["phenotype_confidence"][0] > 0.99


def test_without_a_level_nothing_is_known():
    calls = call([900.0, np.nan, 10.0, 10.0, 10.0])
    assert calls["phenotype"].tolist() == ["uncertain"]
    assert calls["phenotype_confidence"].tolist() == [0.5]


def test_confidence_grows_with_the_distance_to_the_gate():
    levels = pd.DataFrame({"CD8": [10.0, 12.0, 14.0, 25.0, 90.0]})
    sure = marker_confidence(levels, {"CD8": 20.0})["CD8"]
    assert sure.between(0.5, 1).all()
    assert sure[0] > sure[1] > sure[2]
    assert sure[4] > sure[3]


def test_confidence_is_a_normal_probability_of_the_distance():
    logs = np.array([-1.0, 0.0, 1.0, 2.4826])  # negative cells: MAD 1 around 0
    start = np.log(22 / (1 + np.e))  # the median level is then ten units
    levels, gate = np.expm1(logs + start), float(np.expm1(1.0 + start))
    for unit in (1.0, 1 / 64, 1024.0):
        sure = marker_confidence(pd.DataFrame({"a": unit * levels}), {"a": unit * gate})
        assert sure["a"][3] == pytest.approx(0.8413, abs=1e-4)


@given(st.floats(-6, 6), st.floats(1, 40))
def test_confidence_knows_no_unit(power, gate):
    levels, times = np.array([1.0, 2, 3, 4, 5, 7, 11, 20, 30, 35]), 10**power
    own = marker_confidence(pd.DataFrame({"a": levels}), {"a": gate})
    # An equal level may be rounded to the other side.
    assume(abs(levels - gate).min() > 1e-6)
    other = marker_confidence(pd.DataFrame({"a": times * levels}), {"a": times * gate})
    np.testing.assert_allclose(other, own)


def test_flat_panels_have_the_phenotype_as_lineage():
    names = call_phenotypes(POSITIVE, PANEL)
    assert lineage_of(names, PANEL).tolist() == names.tolist()


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1))
def test_a_subsets_cells_fit_every_rule_above(rows):
    columns = [f"{name}_positive" for name in T_CELLS.markers]
    positive = pd.DataFrame(rows, columns=columns)
    names = call_phenotypes(positive, T_CELLS)
    for population in T_CELLS.populations:
        mine = positive[names == population.name]
        for above in (population.name, *population.parents):
            assert matches(mine, T_CELLS.rules[above]).all()


def test_excluded_cells_do_not_widen_the_negatives():
    rng = np.random.default_rng(0)
    levels = pd.DataFrame({"CD8": rng.lognormal(2, 0.2, 400), "CK": 1.0})
    blurred = pd.DataFrame({"CD8": rng.lognormal(1, 2, 400), "CK": 1.0})
    both = pd.concat([levels, blurred], ignore_index=True)
    evaluable = pd.Series(both.index < 400)
    asked = {"CD8": 12.0}, PANEL, 0.6
    alone = call_cells(levels, *asked)
    assert len(call_cells(both, *asked, evaluable)) == 800
    pd.testing.assert_frame_equal(call_cells(both, *asked, evaluable).head(400), alone)
