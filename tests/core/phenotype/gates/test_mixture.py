import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mifprofile.core.phenotype.gates import fit_gate
from mifprofile.options import PhenotypeOptions
from tests.core.phenotype.gates.populations import mixed, population

OPTIONS = PhenotypeOptions()


@pytest.mark.parametrize("share", [0.01, 0.02, 0.05, 0.3, 0.7, 0.94])
def test_the_gate_splits_two_populations(share):
    levels = mixed(0, share)
    positive = np.arange(levels.size) >= levels.size - round(levels.size * share)
    gate = fit_gate(levels, OPTIONS)
    assert gate.grade == "clear"
    assert 150 < gate.threshold < 700
    assert (levels[~positive] > gate.threshold).mean() < 0.02
    assert (levels[positive] > gate.threshold).mean() > 0.95


SHAPES = {
    "lognormal": lambda rng, n: population(rng, n, 100),
    "wide lognormal": lambda rng, n: population(rng, n, 150, 1.2),
    "exponential": lambda rng, n: rng.exponential(100, n),
    "gamma": lambda rng, n: rng.gamma(2, 100, n),
    "gamma on a background": lambda rng, n: 200 + rng.gamma(0.5, 200, n),
    "right-skewed in the logarithm": lambda rng, n: (
        population(rng, n, 100, 0.2) * np.exp(rng.exponential(0.4, n))
    ),
    "heavy tails": lambda rng, n: 200 * (1 + rng.pareto(3, n)),
    "uniform": lambda rng, n: rng.uniform(100, 600, n),
    "spill-over from some neighbours": lambda rng, n: (
        population(rng, n, 100)
        + np.where(rng.random(n) < 0.3, 400 * rng.beta(1, 4, n), 0)
    ),
    "bleed-through on some cells": lambda rng, n: (
        population(rng, n, 400, 0.15) + np.where(rng.random(n) < 0.3, 120, 0)
    ),
    "small numbers": lambda rng, n: rng.gamma(2, 0.1, n),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cells", [200, 3000])
def test_one_population_of_any_shape_has_no_gate(shape, cells):
    for seed in range(5):
        levels = SHAPES[shape](np.random.default_rng(seed), cells)
        gate = fit_gate(levels, OPTIONS)
        assert np.isnan(gate.threshold)
        assert gate.grade == "undecided"
        assert "no positive population" in gate.note


def test_a_rare_population_is_found_beside_skewed_negatives():
    rng = np.random.default_rng(0)
    negative = SHAPES["spill-over from some neighbours"](rng, 4850)
    positive = population(rng, 150, 2500)
    gate = fit_gate(np.r_[negative, positive], OPTIONS)
    assert (negative > gate.threshold).mean() < 0.01
    assert (positive > gate.threshold).mean() > 0.95


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)), st.integers(0, 20))
def test_a_gate_knows_no_order_and_no_missing_cell(order, missing):
    levels = np.r_[np.linspace(90, 110, 40), np.linspace(800, 1000, 20)]
    shuffled = np.r_[levels[list(order)], np.full(missing, np.nan)]
    options = OPTIONS.model_copy(update={"max_gap": 1.0})
    assert fit_gate(shuffled, options) == fit_gate(levels, options)
    assert 110 < fit_gate(levels, options).threshold < 800


@settings(max_examples=20, deadline=None)
@given(st.floats(-6, 6))
def test_a_mixture_knows_no_unit(power):
    levels = mixed(0, 0.1, n=500)
    own, other = fit_gate(levels, OPTIONS), fit_gate(10**power * levels, OPTIONS)
    assert other.grade == own.grade == "clear"
    assert other.threshold == pytest.approx(10**power * own.threshold)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("min_separation_sd", 40.0, "too close"),
        ("min_fold", 12.0, "hardly brighter"),
        ("min_share", 0.2, "too small or too large"),
        ("max_share", 0.05, "too small or too large"),
    ],
)
def test_a_split_is_doubted_by_the_options(name, value, why):
    levels = mixed(0, 0.1, n=500)
    gate = fit_gate(levels, OPTIONS.model_copy(update={name: value}))
    assert gate.grade == "undecided"
    assert why in gate.note
