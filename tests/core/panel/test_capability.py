import pytest

from mifprofile.core.panel.capability import capabilities, capability, traps
from mifprofile.core.panel.targets import target_of
from tests.panels import make_panel

CORE = ("CD8", "FOXP3", "PD-L1", "HER2")
PANCK = (*CORE, "PanCK")
LINEAGE = (*PANCK, "CD3", "CD68")
WIDE = (*LINEAGE, "CD20", "CD4")
STATES = (*WIDE, "Ki67", "GZMB", "PD-1", "4-1BB")
PANELS = (CORE, PANCK, LINEAGE, WIDE, STATES)
YES, ROUGHLY, NO = "OK", "APPROX", "NOT_COMPUTABLE"


def panel(names, **changes):
    tumour = next((n for n in ("PanCK", "HER2") if n in names), None)
    parts = {"phenotypes": {"tumour": f"{tumour}+"}, "tumour": "tumour"}
    return make_panel(
        {name: f"{name}/{target_of(name).measure[0]}" for name in names},
        **(parts if tumour else {}) | changes,
    )


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("CD8 density", (YES, YES, YES, YES, YES)),
        ("Treg density", (ROUGHLY, YES, YES, YES, YES)),
        ("CD8:FOXP3", (ROUGHLY, YES, YES, YES, YES)),
        ("tumour nests and stroma", (ROUGHLY, YES, YES, YES, YES)),
        ("share of HER2+ tumour cells", (NO, YES, YES, YES, YES)),
        ("HER2 H-score", (ROUGHLY, YES, YES, YES, YES)),
        ("PD-L1 TPS", (ROUGHLY, YES, YES, YES, YES)),
        ("PD-L1 CPS", (ROUGHLY, ROUGHLY, YES, YES, YES)),
        ("PD-L1 IC", (ROUGHLY, ROUGHLY, YES, YES, YES)),
        ("stromal TILs", (ROUGHLY, ROUGHLY, ROUGHLY, YES, YES)),
        ("proliferation", (NO, NO, NO, NO, YES)),
        ("cytotoxic activation", (NO, NO, NO, NO, YES)),
        ("exhaustion", (NO, NO, NO, NO, YES)),
        ("4-1BB activation", (NO, NO, NO, NO, YES)),
    ],
)
def test_the_matrix(question, answers):
    found = tuple(capability(panel(names), question).answer for names in PANELS)
    assert found == answers


@pytest.mark.parametrize("names", [(), ("CD20",), *PANELS])
def test_what_is_not_plainly_answered_has_a_reason(names):
    for found in capabilities(panel(names)):
        assert found.answer == YES or found.reason, found.question


def test_only_the_exact_treg_has_no_caveat():
    caveats = [capability(panel(names), "Treg density").reason for names in PANELS]
    assert [bool(reason) for reason in caveats] == [True, True, True, False, False]


def test_a_tumour_told_by_something_else_is_approximate():
    other = panel(("CD8", "PanCK"), phenotypes={"tumour": "CD8-"})
    found = capability(other, "tumour nests and stroma")
    assert (found.answer, found.reason) == (ROUGHLY, "by what is absent, not by PanCK")


def test_an_unknown_question():
    with pytest.raises(KeyError):
        capability(panel(CORE), "weather")


def codes(**changes):
    return [(trap.code, trap.marker) for trap in traps(panel(CORE, **changes))]


def markers(name, measure, clone=None):
    return {name: {"channel": name, "measure": measure, "clone": clone}}


def test_a_panel_without_clones_read_in_the_right_places_has_no_traps():
    assert codes() == []


def test_a_marker_read_in_the_wrong_place():
    found = traps(
        panel((), markers=markers("FOXP3", "membrane"), phenotypes={}, tumour=None)
    )
    text = "FOXP3 is read in the membrane; FOXP3 is in the nucleus"
    assert [(trap.code, trap.text) for trap in found] == [("compartment", text)]


@pytest.mark.parametrize(
    ("species", "name", "clone", "therapies", "expected"),
    [
        ("human", "PD-L1", "22C3", ["atezolizumab"], ["drug_in_the_way"]),
        ("human", "PD-L1", "22C3", ["trastuzumab"], []),
        ("human", "PD-L1", "E1L3N", ["avelumab"], []),
        ("human", "HER2", "SP3", ["Trastuzumab"], ["drug_in_the_way"]),
        ("human", "HER2", "4B5", ["trastuzumab"], []),
        ("mouse", "CD8", "4SM15", ["rat anti-PD-1"], ["drug_seen"]),
        ("mouse", "CD8", "D4W2Z", ["rat anti-PD-1"], []),
        ("mouse", "CD20", "L26", [], ["species", "mouse_on_mouse"]),
        ("human", "CD8", "4SM15", [], ["species"]),
        ("human", "CD8", "my own", ["trastuzumab"], []),
    ],
)
def test_traps_of_antibodies(species, name, clone, therapies, expected):
    asked = panel(
        (),
        species=species,
        markers=markers(name, "membrane", clone),
        phenotypes={},
        tumour=None,
        therapies=therapies,
    )
    assert [trap.code for trap in traps(asked)] == expected


def test_a_way_out_is_named():
    asked = panel(
        (),
        markers=markers("PD-L1", "membrane", "22C3"),
        phenotypes={},
        tumour=None,
        therapies=["avelumab"],
    )
    assert "free of it: SP142, E1L3N, SP263" in traps(asked)[0].text


@pytest.mark.parametrize(("states", "expected"), [(["HER2"], 1), (["PD-L1"], 0)])
def test_a_state_that_defines_a_phenotype_is_a_trap(states, expected):
    found = [t for t in traps(panel(CORE, states=states)) if t.code == "state_in_rule"]
    assert len(found) == expected
    assert all(
        "HER2 is a state and also in the rule of tumour" in t.text for t in found
    )
