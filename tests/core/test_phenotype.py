import numpy as np
import pandas as pd

from mifprofile.core.phenotype import (
    call_conflicts,
    call_phenotypes,
    call_positive,
    confidence,
    impossible_rates,
    marker_levels,
)
from mifprofile.model import Panel

PANEL = Panel.model_validate(
    {
        "name": "test",
        "species": "human",
        "nucleus": "DAPI",
        "markers": {
            "CD8": {"channel": "a", "measure": "membrane"},
            "CK": {"channel": "b", "measure": "cytoplasm"},
        },
        "phenotypes": {"tumour": "CK+/CD8-", "CTL": "CD8+/CK-"},
        "tumour": "tumour",
        "impossible": ["CD8+/CK+"],
    }
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


def test_the_first_rule_wins():
    panel = PANEL.model_copy(update={"phenotypes": {"any": "CD8+", "CTL": "CD8+/CK-"}})
    assert call_phenotypes(POSITIVE, panel).tolist() == ["any", "other", "other", "any"]


def test_impossible_rates_name_the_rarer_marker():
    rates = impossible_rates(POSITIVE, PANEL)
    assert rates.to_dict("records") == [
        {"combination": "CD8+/CK+", "cells": 1, "of": 2, "percent": 50.0}
    ]


def test_confidence_grows_with_the_distance_to_the_gate():
    levels = pd.DataFrame({"CD8": [10.0, 12.0, 14.0, 25.0, 90.0], "CK": [5.0] * 5})
    gates = {"CD8": 20.0, "CK": np.nan}
    names = call_phenotypes(call_positive(levels, gates), PANEL)
    sure = confidence(levels, gates, names, PANEL)
    assert sure.between(0.5, 1).all()
    assert sure[0] > sure[2]
    assert sure[4] > sure[3]
