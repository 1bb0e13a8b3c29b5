import pytest
from pydantic import ValidationError

from mifprofile.errors import UsageError
from mifprofile.model import Marker, Panel, PixelSize, Rule, nearest


def panel(**changes):
    content = {
        "name": "p",
        "species": "human",
        "nucleus": "DAPI",
        "markers": {"CD8": {"channel": "CD8a", "measure": "membrane"}},
        "phenotypes": {"CTL": "CD8+"},
    }
    return Panel.model_validate(content | changes)


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
    markers = {
        name: {"channel": name, "measure": "cell"} for name in ("CD3", "CD8", "CK")
    }
    return panel(markers=markers, phenotypes=phenotypes)


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
