import numpy as np
import pandas as pd
import pytest

from mifprofile.core.phenotype import (
    call_conflicts,
    call_phenotypes,
    call_positive,
    confidence,
    fit_gate,
    gate_figures,
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
LIMITS = {
    "min_cells": 50,
    "min_separation_sd": 2.0,
    "min_share": 0.005,
    "max_share": 0.95,
    "seed": 0,
}
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


def population(rng, n, level, spread=0.25):
    return np.expm1(rng.normal(np.log1p(level), spread, n))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.7])
def test_the_gate_splits_two_populations(share):
    rng = np.random.default_rng(0)
    low = population(rng, int(5000 * (1 - share)), 100)
    high = population(rng, int(5000 * share), 900)
    gate = fit_gate(np.concatenate([low, high]), **LIMITS)
    assert 150 < gate.threshold < 700
    assert (low > gate.threshold).mean() < 0.02
    assert (high > gate.threshold).mean() > 0.95


@pytest.mark.parametrize("seed", range(10))
def test_one_population_has_no_gate(seed):
    rng = np.random.default_rng(seed)
    gate = fit_gate(population(rng, 5000, 100), **LIMITS)
    assert np.isnan(gate.threshold)
    assert "no positive population" in gate.note


@pytest.mark.parametrize("seed", range(10))
def test_a_skewed_population_has_no_gate(seed):
    levels = np.random.default_rng(seed).gamma(4, 30, 5000)
    assert np.isnan(fit_gate(levels, **LIMITS).threshold)


@pytest.mark.parametrize("levels", [np.full(100, 7.0), np.ones(3), np.empty(0)])
def test_too_little_to_tell_has_no_gate(levels):
    assert np.isnan(fit_gate(levels, **LIMITS).threshold)


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


def test_what_a_gate_does():
    levels = np.array([10.0, 20, 79, 81, 99, 101, 124, 126, 400, np.nan])
    assert gate_figures(levels, 100.0) == {
        "positive_pct": pytest.approx(100 * 4 / 9),
        "positive_pct_at_0.8": pytest.approx(100 * 6 / 9),
        "positive_pct_at_1.25": pytest.approx(100 * 2 / 9),
        "separation_sd": pytest.approx(1.743, abs=0.001),
    }


def test_separation_is_counted_within_both_sides():
    logs = np.array([0.9, 1.1, 2.9, 3.1])  # means 1 and 3, deviations of 0.1
    figures = gate_figures(np.expm1(logs), float(np.expm1(2.0)))
    assert figures["separation_sd"] == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("levels", "threshold"), [([], 1.0), ([1.0, 2.0], np.nan), ([np.nan], 1.0)]
)
def test_a_gate_on_nothing_has_no_figures(levels, threshold):
    assert np.isnan(list(gate_figures(np.array(levels), threshold).values())).all()


def test_no_separation_without_two_sides():
    figures = gate_figures(np.array([5.0, 6.0, 7.0]), 1.0)
    assert figures["positive_pct"] == 100
    assert np.isnan(figures["separation_sd"])
