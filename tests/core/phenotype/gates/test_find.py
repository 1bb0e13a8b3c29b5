import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_li, threshold_otsu, threshold_triangle

from mifprofile.core.levels import from_scale, to_scale, unit_of
from mifprofile.core.phenotype.gates import (
    find_gate,
    find_gates,
    gating_order,
    method_of,
)
from mifprofile.errors import UsageError
from mifprofile.options import PhenotypeOptions
from tests.core.phenotype.gates.populations import PANEL, mixed, population, table

OPTIONS = PhenotypeOptions()


@pytest.mark.parametrize("levels", [np.full(100, 7.0), np.ones(3), np.empty(0)])
@pytest.mark.parametrize(
    "method", ["evidence", "gmm", "li", "otsu", "triangle", "manual"]
)
def test_too_little_to_tell_has_no_gate(levels, method):
    gate = find_gate(levels, method, OPTIONS)
    assert np.isnan(gate.threshold)
    assert gate.grade == "undecided"


@pytest.mark.parametrize(
    ("method", "oracle"), [("otsu", threshold_otsu), ("triangle", threshold_triangle)]
)
def test_otsu_and_triangle_work_on_the_logarithm(method, oracle):
    wide = population(np.random.default_rng(1), 3000, 100, 0.8)
    for levels in (mixed(1, 0.2), wide):
        gate = find_gate(levels, method, OPTIONS)
        unit = unit_of(levels)
        cut = float(from_scale(np.array(oracle(to_scale(levels, unit))), unit))
        assert gate.threshold == pytest.approx(cut)


def test_li_works_on_the_bare_levels():
    levels = mixed(1, 0.2)
    gate = find_gate(levels, "li", OPTIONS)
    cut = threshold_li(levels)
    assert gate.threshold == pytest.approx(cut)


@pytest.mark.parametrize("method", ["li", "otsu", "triangle"])
def test_what_finds_a_gate_in_any_levels_says_so(method):
    gate = find_gate(mixed(1, 0.0), method, OPTIONS)
    assert gate.grade == "graded"
    assert "in any levels" in gate.note


@settings(max_examples=30, deadline=None)
@given(st.floats(-6, 6), st.sampled_from(["evidence", "gmm", "li", "otsu", "triangle"]))
def test_no_method_knows_a_unit(power, method):
    levels = mixed(2, 0.1, n=500)
    own = find_gate(levels, method, OPTIONS)
    other = find_gate(10**power * levels, method, OPTIONS)
    called = 10**power * levels > other.threshold
    assert (called == (levels > own.threshold)).all()
    assert other.grade == own.grade


@pytest.mark.parametrize("method", ["control", "ostu", ""])
def test_an_unknown_method_is_refused(method):
    with pytest.raises(UsageError, match=f"no gate method '{method}'"):
        find_gate(mixed(1, 0.2), method, OPTIONS)


def test_every_marker_has_its_own_method():
    options = PhenotypeOptions(
        method="otsu", methods={"CD3": "manual"}, negatives={"CD8": "CK+"}
    )
    methods = [method_of(m, options) for m in ("CK", "CD3", "CD8")]
    assert methods == ["otsu", "manual", "control"]
    assert method_of("CK", OPTIONS) == "evidence"
    gates = find_gates(table(), PANEL, options)
    assert list(gates) == ["CD8", "CK", "CD3"]
    assert gates["CD3"].grade == "undecided"
    assert "--gates" in gates["CD3"].note


def test_gates_that_stand_are_not_sought():
    gates = find_gates(table(), PANEL, OPTIONS, known={"CK": 5.0})
    assert list(gates) == ["CD8", "CD3"]


def test_gates_are_found_after_those_on_which_they_rest():
    options = PhenotypeOptions(negatives={"CD8": "CK+", "CK": "CD3+"})
    assert gating_order(PANEL, options) == ("CD3", "CK", "CD8")


def test_gates_that_rest_on_each_other_are_refused():
    options = PhenotypeOptions(negatives={"CD8": "CK+", "CK": "CD8+"})
    with pytest.raises(UsageError, match=r"CK needs CD8|CD8 needs CK"):
        find_gates(table(), PANEL, options)
    assert gating_order(PANEL, options, known=["CK"]) == ("CD8", "CD3")
    otsu = options.model_copy(update={"methods": {"CK": "otsu"}})
    assert set(gating_order(PANEL, otsu)) == {"CK", "CD8", "CD3"}


@pytest.mark.parametrize("field", ["methods", "negatives"])
def test_an_unknown_marker_is_refused(field):
    options = PhenotypeOptions.model_validate({field: {"CD88": "control"}})
    with pytest.raises(UsageError, match="did you mean 'CD8'"):
        find_gates(table(), PANEL, options)
