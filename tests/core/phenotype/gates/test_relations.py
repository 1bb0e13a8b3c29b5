import pytest

from mifprofile.core.phenotype.gates.relations import relations
from mifprofile.model import Panel


def known(markers, phenotypes, impossible=(), states=()):
    """Relations of each marker, as text."""
    panel = Panel.model_validate(
        {
            "name": "test",
            "species": "human",
            "nucleus": "DAPI",
            "markers": {m: {"channel": m, "measure": "cell"} for m in markers.split()},
            "phenotypes": phenotypes,
            "impossible": list(impossible),
            "states": list(states),
        }
    )
    return {m: {*map(str, found)} for m, found in relations(panel).items()}


@pytest.mark.parametrize(
    ("pair", "cd8", "cd3"),
    [
        ("CD8+/CD3+", {"CD3-"}, {"CD8-"}),
        ("CD8+/CD3-", {"CD3+"}, set()),
        ("CD8-/CD3+", set(), {"CD8+"}),
        ("CD8-/CD3-", set(), set()),
    ],
)
def test_an_impossible_pair_says_what_a_carrier_is(pair, cd8, cd3):
    found = known("CD8 CD3 CK", {"tumour": "CK+"}, [pair])
    assert found == {"CD8": cd8, "CD3": cd3, "CK": set()}


def test_three_at_once_that_are_impossible_say_nothing_of_two():
    found = known("CD8 CD3 CK", {"tumour": "CK+"}, ["CD8+/CD3+/CK+"])
    assert found == {"CD8": set(), "CD3": set(), "CK": set()}


def test_two_exclude_each_other_if_the_rules_say_so_both_ways():
    both = known("CD3 CK", {"tumour": "CK+/CD3-", "T": "CD3+/CK-"})
    assert both == {"CD3": {"CK-"}, "CK": {"CD3-"}}
    one = known("CD3 CK", {"tumour": "CK+", "T": "CD3+/CK-"})
    assert one == {"CD3": set(), "CK": set()}


def test_a_marker_that_some_rule_asks_for_along_with_another_is_not_excluded():
    rules = {"tumour": "CK+/CD3-", "odd": "CK+/CD3+", "T": "CD3+/CK-"}
    assert known("CD3 CK", rules) == {"CD3": set(), "CK": set()}


def test_a_subset_needs_what_its_phenotype_asks_for():
    found = known(
        "CD3 CK FOXP3 CD8",
        {
            "tumour": "CK+/CD3-",
            "T": {"rule": "CD3+/CK-", "subsets": {"Treg": "FOXP3+", "CTL": "CD8+"}},
        },
    )
    assert found["FOXP3"] == {"CD3+"}
    assert found["CD8"] == {"CD3+"}
    # A CD3+ cell need be neither.
    assert found["CD3"] == {"CK-"}


def test_subsets_that_rule_each_other_out_exclude_each_other():
    found = known(
        "CD3 FOXP3 CD8",
        {"T": {"rule": "CD3+", "subsets": {"Treg": "FOXP3+/CD8-", "CTL": "CD8+"}}},
    )
    assert found["FOXP3"] == {"CD3+"}
    found = known(
        "CD3 FOXP3 CD8",
        {
            "T": {
                "rule": "CD3+",
                "subsets": {"Treg": "FOXP3+/CD8-", "CTL": "CD8+/FOXP3-"},
            }
        },
    )
    assert found["FOXP3"] == {"CD3+", "CD8-"}
    assert found["CD8"] == {"CD3+", "FOXP3-"}


def test_a_marker_that_two_phenotypes_need_otherwise_needs_neither():
    rules = {"A": "CD4+/CD3+", "B": "CD4+/CD68+"}
    assert known("CD3 CD4 CD68", rules)["CD4"] == set()
    assert known("CD3 CD4 CD68", rules)["CD3"] == {"CD4+"}


def test_of_states_only_impossible_pairs_say_anything():
    rules = {"tumour": "CK+/CD3-", "T": "CD3+/CK-", "exhausted": "CD3+/PD1+"}
    assert known("CD3 CK PD1", rules, states=["PD1"])["PD1"] == set()
    assert known("CD3 CK PD1", rules)["PD1"] == {"CD3+"}
    impossible = known("CD3 CK PD1", rules, ["PD1+/CK+"], states=["PD1"])
    assert impossible["PD1"] == {"CK-"}
    assert "PD1-" in impossible["CK"]


def test_what_is_said_twice_counts_once():
    rules = {"tumour": "CK+/CD3-", "T": "CD3+/CK-"}
    panel = Panel.model_validate(
        {
            "name": "test",
            "species": "human",
            "nucleus": "DAPI",
            "markers": {m: {"channel": m, "measure": "cell"} for m in ("CD3", "CK")},
            "phenotypes": rules,
            "impossible": ["CD3+/CK+"],
        }
    )
    assert [len(found) for found in relations(panel).values()] == [1, 1]
