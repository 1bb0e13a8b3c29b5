import pandas as pd
import pytest

from mifprofile.core.foreign import (
    drawn_region,
    implied_positive,
    is_marker_list,
    phenotypes_of,
    positive_by_list,
    region_of,
)
from mifprofile.errors import UsageError
from tests.panels import make_panel

PANEL = make_panel(
    {
        "CD8": "CD8a/membrane",
        "PD-L1": "PDL1/membrane",
        "FOXP3": "FOXP3/nucleus",
        "PanCK": "CK/cytoplasm",
    },
    name="four",
    phenotypes={"tumour": "PanCK+/CD8-", "CTL": "CD8+", "Treg": "FOXP3+/CD8-"},
)


def names(*given: str) -> pd.Series:
    return pd.Series(given, dtype=str)


def test_names_and_rules_and_their_positive_part() -> None:
    given = names(
        "Tumour", "CD8+", "FoxP3+", "PanCK+/CD8-", "other", "", "Negative", "uncertain"
    )
    assert list(phenotypes_of(given, PANEL)) == [
        *("tumour", "CTL", "Treg", "tumour"),
        *("other", "other", "other", "uncertain"),
    ]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'B cell', 'NK' are not in panel four"):
        phenotypes_of(names("CTL", "NK", "B cell"), PANEL)


def test_lists_of_markers() -> None:
    given = names("CD8: PD-L1", "CD8a", "", "Negative")
    assert is_marker_list(given, PANEL)
    positive = positive_by_list(given, PANEL)
    assert list(positive["CD8_positive"]) == [True, True, False, False]
    assert list(positive["PD-L1_positive"]) == [True, False, False, False]
    assert not positive["FOXP3_positive"].any()


@pytest.mark.parametrize("given", [("",), ("CD8: CD99",), ("CTL",), ("CD8+", "PanCK+")])
def test_no_list_of_markers(given: tuple[str, ...]) -> None:
    assert not is_marker_list(names(*given), PANEL)


@pytest.mark.parametrize(
    ("category", "region"),
    [
        ("Tumor", "tumour"),
        ("tumour nest", "tumour"),
        ("Non-Tumor", "stroma"),
        ("Stroma", "stroma"),
        ("Background", "outside"),
        ("", "outside"),
    ],
)
def test_regions(category: str, region: str) -> None:
    assert region_of(category) == region


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("Tumor", "tumour"),
        ("Tumour nest", "tumour"),
        ("Stroma", "stroma"),
        ("Other", "outside"),
        ("Normal lobule", "outside"),
        ("Necrosis", "outside"),
    ],
)
def test_drawn_regions(name: str, region: str) -> None:
    assert drawn_region(name) == region


@pytest.mark.parametrize(
    "name", ["", "Fold", "Immune cells", "Tumor bed", "Tumor stroma", "excluded"]
)
def test_a_class_that_names_no_region(name: str) -> None:
    with pytest.raises(UsageError, match=f"class '{name}' names no region"):
        drawn_region(name)


def test_positive_by_phenotype() -> None:
    kinds = pd.Series(["CTL", "Treg", "other"])
    positive = implied_positive(kinds, PANEL)
    assert list(positive["CD8_positive"]) == [True, False, False]
    assert list(positive["FOXP3_positive"]) == [False, True, False]
    assert not positive["PD-L1_positive"].any()
