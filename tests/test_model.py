from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mifprofile.errors import UsageError
from mifprofile.model import Marker, Panel, PixelSize, Rule, nearest
from tests.panels import make_panel


def panel(**changes):
    return make_panel(
        {"CD8": "CD8a/membrane"}, **{"phenotypes": {"CTL": "CD8+"}} | changes
    )


@pytest.mark.parametrize("size", [(0.0, 0.5), (-1, -1), (0.5, 0.52), (float("nan"), 1)])
def test_impossible_pixel_sizes_are_refused(size):
    with pytest.raises(UsageError, match="pixel size"):
        PixelSize(*size)


def test_slightly_oblong_pixels_are_averaged():
    assert PixelSize(0.5, 0.504).um == pytest.approx(0.502, abs=1e-4)


@pytest.mark.parametrize(("um", "plausible"), [(0.1, False), (0.5, True), (2.0, False)])
def test_plausible(um, plausible):
    assert PixelSize(um, um).plausible is plausible


def test_a_rule_is_a_conjunction_of_signs():
    rule = Rule.parse("PD-L1+ / CD8-", ["CD8", "PD-L1"])
    assert rule.signs == (("PD-L1", True), ("CD8", False))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CD8", "followed by"),
        ("CD9+", "did you mean 'CD8'"),
        ("CD8+/CD8-", "never match"),
        ("", "followed by"),
    ],
)
def test_wrong_rules_say_why(text, message):
    with pytest.raises(UsageError, match=message):
        Rule.parse(text, ["CD8", "FOXP3"])


@pytest.mark.parametrize(
    "changes",
    [
        {"phenotypes": {"CTL": "CD4+"}},
        {"phenotypes": {"other": "CD8+"}},
        {"states": ["PD-L1"]},
        {"tumour": "tumour"},
        {"impossible": ["CD8+/CK+"]},
        {"species": "rat"},
    ],
)
def test_panels_that_contradict_themselves_are_refused(changes):
    with pytest.raises(ValidationError):
        panel(**changes)


def marker(**fields):
    return Marker.model_validate({"channel": "a", "measure": "nucleus"} | fields)


def test_levels_are_read_from_the_statistic_that_the_panel_names():
    ours = panel(
        markers={
            "CD8": marker(measure="membrane"),
            "FOXP3": marker(statistic="nc_ratio"),
            "GZMB": marker(measure="cytoplasm", statistic="p95"),
        }
    )
    assert ours.level_columns == {
        "CD8": "CD8_membrane_mean",
        "FOXP3": "FOXP3_nc_ratio",
        "GZMB": "GZMB_cytoplasm_p95",
    }
    assert ours.percentiles == {95}


def test_a_ratio_to_the_cytoplasm_is_for_markers_of_the_nucleus():
    with pytest.raises(ValidationError, match=r"channel a: .*set measure: nucleus"):
        marker(measure="membrane", statistic="nc_ratio")


def test_channels_are_listed_once_with_the_nucleus_first():
    assert panel(membrane=("CD8a", "CK")).channel_names == ("DAPI", "CD8a", "CK")


def test_nearest_ignores_case_and_says_nothing_if_nothing_is_alike():
    assert nearest("pdl1", ["DAPI", "PD-L1"]) == " (did you mean 'PD-L1'?)"
    assert nearest("zzz", ["DAPI"]) == ""


def rules(**phenotypes):
    return make_panel(("CD3", "CD8", "CK"), phenotypes=phenotypes)


def test_a_phenotype_that_is_never_reached():
    with pytest.raises(ValidationError, match=r"'CTL' is never reached.*'T' \(CD3\+\)"):
        rules(T="CD3+", CTL="CD8+/CD3+")
    assert list(rules(CTL="CD8+/CD3+", T="CD3+").rules) == ["CTL", "T"]


@pytest.mark.parametrize(
    ("phenotypes", "expected"),
    [
        ({"tumour": "CK+", "T": "CD3+"}, (("tumour", "T"),)),
        ({"tumour": "CK+/CD3-", "T": "CD3+"}, ()),
        ({"CTL": "CD3+/CD8+", "T": "CD3+", "tumour": "CK+/CD3-"}, ()),
    ],
)
def test_phenotypes_that_overlap(phenotypes, expected):
    assert rules(**phenotypes).overlaps == expected


def nested(**subsets):
    t_cell = {"rule": "CD3+/CK-", "subsets": subsets}
    return make_panel(
        ("CD3", "CD4", "CD8", "CK", "FOXP3"),
        phenotypes={"tumour": "CK+", "T cell": t_cell},
    )


def test_a_subsets_rule_is_its_parents_and_its_own():
    found = nested(CTL="CD8+", Treg="FOXP3+/CD8-")
    texts = {name: rule.text for name, rule in found.rules.items()}
    assert texts == {
        "tumour": "CK+",
        "CTL": "CD3+/CK-/CD8+",
        "Treg": "CD3+/CK-/FOXP3+/CD8-",
        "T cell": "CD3+/CK-",
    }
    assert found.lineages == {
        "tumour": "tumour",
        "CTL": "T cell",
        "Treg": "T cell",
        "T cell": "T cell",
        "other": "other",
        "uncertain": "uncertain",
    }
    assert found.within("T cell") == ("CTL", "Treg", "T cell")
    assert found.categories[-2:] == ("other", "uncertain")


def test_subsets_may_have_subsets():
    found = nested(CD4={"rule": "CD4+", "subsets": {"Treg": "FOXP3+"}}, CTL="CD8+")
    assert found.rules["Treg"].text == "CD3+/CK-/CD4+/FOXP3+"
    assert list(found.rules) == ["tumour", "Treg", "CD4", "CTL", "T cell"]
    assert found.lineages["Treg"] == "T cell"


@pytest.mark.parametrize(
    ("subsets", "message"),
    [
        ({"X": "CK+"}, r"'X' can never match: it asks for CK\+, but every 'T cell'"),
        ({"X": "CD3+"}, "'X' .* asks for no more than 'T cell'"),
        ({"X": "CD88+"}, "did you mean 'CD8'"),
        ({"X": "CD8+/CD8-"}, "asked to be"),
        ({"tumour": "CD8+"}, "'tumour' is named twice"),
        ({"uncertain": "CD8+"}, "reserved"),
        ({"A": "CD8+", "B": "CD4+/CD8+"}, "'B' is never reached.*'A'.*move 'B' up"),
        ({"A": "CD8+", "B": "CD8-", "C": "CD4+"}, "'C' is never reached.*'A'.*'B'"),
        ({"A": {"subsets": {}}}, "rule"),
        ({"A": 3}, "3 is no rule"),
        ({"A": {"rule": "CD8+", "subset": {}}}, "subset"),
    ],
)
def test_wrong_subsets_say_why(subsets, message):
    with pytest.raises(ValidationError, match=message):
        nested(**subsets)


def test_a_lineage_behind_a_wider_one_is_named_rather_than_its_subsets():
    markers = {n: {"channel": n, "measure": "cell"} for n in ("CD3", "CD8")}
    t_cell = {"rule": "CD3+", "subsets": {"CTL": "CD8+"}}
    with pytest.raises(ValidationError, match=r"'T cell' is never.*move 'T cell' up"):
        panel(markers=markers, phenotypes={"immune": "CD3+", "T cell": t_cell})


def test_subsets_may_leave_nothing_to_their_parent():
    assert list(nested(A="CD8+", B="CD8-").rules) == ["tumour", "A", "B", "T cell"]


def test_overlaps_are_named_once_among_siblings():
    markers = {n: {"channel": n, "measure": "cell"} for n in ("CD3", "CD8", "CK", "F")}
    t_cell = {"rule": "CD3+", "subsets": {"CTL": "CD8+", "Treg": "F+"}}
    found = panel(markers=markers, phenotypes={"tumour": "CK+", "T cell": t_cell})
    assert set(found.overlaps) == {("CTL", "Treg"), ("tumour", "T cell")}


def test_a_panel_is_written_as_it_was_read():
    content = nested(CTL="CD8+", Treg="FOXP3+/CD8-").model_dump(mode="json")
    assert content["phenotypes"] == {
        "tumour": "CK+",
        "T cell": {
            "rule": "CD3+/CK-",
            "subsets": {"CTL": "CD8+", "Treg": "FOXP3+/CD8-"},
        },
    }
    assert (
        Panel.model_validate(content).rules
        == nested(CTL="CD8+", Treg="FOXP3+/CD8-").rules
    )


@given(
    st.dictionaries(
        st.sampled_from("ABCD"),
        st.dictionaries(
            st.sampled_from(["CD3", "CD8", "CK"]), st.booleans(), min_size=1
        ),
        min_size=1,
    )
)
def test_what_is_reached_is_found_by_trying_every_cell(signs):
    texts = {
        name: "/".join(f"{m}{'+' if s else '-'}" for m, s in rule.items())
        for name, rule in signs.items()
    }
    cells = [
        dict(zip(("CD3", "CD8", "CK"), values, strict=True))
        for values in product([True, False], repeat=3)
    ]
    first = {
        next((n for n, r in signs.items() if r.items() <= cell.items()), None)
        for cell in cells
    }
    if set(signs) <= first:
        assert list(rules(**texts).rules) == list(signs)
    else:
        with pytest.raises(ValidationError, match="never reached"):
            rules(**texts)
