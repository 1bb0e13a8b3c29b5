import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu, threshold_triangle

from mifprofile.core.gates import (
    drift,
    find_gate,
    find_gates,
    fit_gate,
    gate_figures,
    gating_order,
    pool,
)
from mifprofile.errors import UsageError
from mifprofile.model import Panel
from mifprofile.options import PhenotypeOptions

OPTIONS = PhenotypeOptions()
PANEL = Panel.model_validate(
    {
        "name": "test",
        "species": "human",
        "nucleus": "DAPI",
        "markers": {m: {"channel": m, "measure": "cell"} for m in ("CD8", "CK", "CD3")},
        "phenotypes": {"tumour": "CK+"},
    }
)


def population(rng, n, level, spread=0.25):
    return np.expm1(rng.normal(np.log1p(level), spread, n))


def mixed(seed, share, n=3000, high=900):
    rng = np.random.default_rng(seed)
    count = round(n * share)
    low = population(rng, n - count, 100)
    return np.concatenate([low, population(rng, count, high)]), np.arange(n) >= (
        n - count
    )


@pytest.mark.parametrize("share", [0.01, 0.02, 0.05, 0.3, 0.7, 0.94])
def test_the_gate_splits_two_populations(share):
    levels, positive = mixed(0, share)
    gate = fit_gate(levels, OPTIONS)
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
        assert "no positive population" in gate.note


def test_a_rare_population_is_found_beside_skewed_negatives():
    rng = np.random.default_rng(0)
    negative = SHAPES["spill-over from some neighbours"](rng, 4850)
    positive = population(rng, 150, 2500)
    gate = fit_gate(np.r_[negative, positive], OPTIONS)
    assert (negative > gate.threshold).mean() < 0.01
    assert (positive > gate.threshold).mean() > 0.95


@pytest.mark.parametrize("levels", [np.full(100, 7.0), np.ones(3), np.empty(0)])
@pytest.mark.parametrize("method", ["gmm", "otsu", "triangle", "manual"])
def test_too_little_to_tell_has_no_gate(levels, method):
    assert np.isnan(find_gate(levels, method, OPTIONS).threshold)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)), st.integers(0, 20))
def test_a_gate_knows_no_order_and_no_missing_cell(order, missing):
    levels = np.r_[np.linspace(90, 110, 40), np.linspace(800, 1000, 20)]
    shuffled = np.r_[levels[list(order)], np.full(missing, np.nan)]
    options = OPTIONS.model_copy(update={"max_gap": 1.0})
    assert fit_gate(shuffled, options) == fit_gate(levels, options)
    assert 110 < fit_gate(levels, options).threshold < 800


@pytest.mark.parametrize(
    ("method", "oracle"), [("otsu", threshold_otsu), ("triangle", threshold_triangle)]
)
def test_otsu_and_triangle_work_on_the_logarithm(method, oracle):
    levels, _ = mixed(1, 0.2)
    gate = find_gate(levels, method, OPTIONS)
    assert gate.threshold == pytest.approx(np.expm1(oracle(np.log1p(levels))))


def table(cells=1000):
    """Half CK+ with a little CD8 light, a fifth CD8+."""
    rng = np.random.default_rng(0)
    tumour = np.arange(cells) < cells // 2
    lymphoid = np.arange(cells) >= cells * 4 // 5
    return pd.DataFrame(
        {
            "CK": population(rng, cells, np.where(tumour, 2000, 100)),
            "CD8": population(rng, cells, np.where(lymphoid, 900, 100)),
            "CD3": population(rng, cells, np.where(lymphoid, 900, 100)),
        }
    )


def test_a_gate_is_anchored_to_known_negatives():
    levels = table()
    options = PhenotypeOptions(negatives={"CD8": "CK+", "CK": "CD3+"})
    gates = find_gates(levels, PANEL, options)
    assert list(gates) == ["CD8", "CK", "CD3"]
    known = levels["CD3"] > gates["CD3"].threshold
    ck = np.percentile(levels.loc[known, "CK"], 99)
    assert gates["CK"].threshold == pytest.approx(ck)
    cd8 = np.percentile(levels.loc[levels["CK"] > ck, "CD8"], 99)
    assert gates["CD8"].threshold == pytest.approx(cd8)
    assert "CK+" in gates["CD8"].note


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


def test_negatives_that_rest_on_no_gate_give_none():
    levels = table().assign(CK=7.0)
    gates = find_gates(levels, PANEL, PhenotypeOptions(negatives={"CD8": "CK-"}))
    assert np.isnan(gates["CD8"].threshold)
    assert "CK has none" in gates["CD8"].note


def test_a_gate_is_anchored_to_a_control_slide():
    options = PhenotypeOptions(methods={"CD8": "control"}, control_percentile=90)
    control = pd.DataFrame({"CD8": np.arange(101.0)})
    gates = find_gates(table(), PANEL, options, control=control)
    assert gates["CD8"].threshold == 90
    with pytest.raises(UsageError, match="nothing to be anchored"):
        find_gates(table(), PANEL, options)


@pytest.mark.parametrize("field", ["methods", "negatives"])
def test_an_unknown_marker_is_refused(field):
    options = PhenotypeOptions.model_validate({field: {"CD88": "control"}})
    with pytest.raises(UsageError, match="did you mean 'CD8'"):
        find_gates(table(), PANEL, options)


def test_a_gate_that_fits_has_not_drifted():
    levels, _ = mixed(2, 0.2)
    own = fit_gate(levels, OPTIONS).threshold
    assert drift(levels, own, OPTIONS) == ""
    assert drift(levels, 1.1 * own, OPTIONS) == ""


def test_a_gate_on_cells_that_have_lost_the_marker_has_not_drifted():
    levels, _ = mixed(2, 0.0)
    assert drift(levels, 350.0, OPTIONS) == ""


@pytest.mark.parametrize(
    ("stain", "says"), [(3.0, "own gate"), (0.25, "own gate"), (1.8, "own gate")]
)
def test_a_gate_has_drifted_when_the_stain_has(stain, says):
    levels, _ = mixed(3, 0.2)
    assert says in drift(stain * levels, fit_gate(levels, OPTIONS).threshold, OPTIONS)


def test_a_gate_within_one_population_has_drifted():
    levels, _ = mixed(3, 0.0)
    said = drift(levels, float(np.percentile(levels, 80)), OPTIONS)
    assert "separates by only" in said
    assert "positive would be" in said


def test_no_gate_has_drifted_when_cells_come_with_treatment():
    assert "the cells split at" in drift(mixed(4, 0.2)[0], np.nan, OPTIONS)
    assert drift(mixed(4, 0.0)[0], np.nan, OPTIONS) == ""


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


def test_every_sample_gives_as_many_cells():
    tables = [pd.DataFrame({"CD8": np.arange(n) + 0.5}) for n in (3, 300)]
    pooled = pool(tables)
    assert pooled["CD8"].tolist() == [0.5, 1.5, 2.5, 0.5, 150.5, 299.5]
