import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm, poisson

from mifprofile.core.phenotype.gates import (
    GATE_FIGURES,
    drift,
    find_gate,
    fit_gate,
    gate_figures,
    grade_of,
)
from mifprofile.core.phenotype.gates.figures import dim_threshold, population_pct
from mifprofile.core.phenotype.gates.shape import Shape
from mifprofile.options import PhenotypeOptions
from tests.core.phenotype.gates.populations import mixed

OPTIONS = PhenotypeOptions()


def test_a_gate_that_fits_has_not_drifted():
    levels = mixed(2, 0.2)
    for own in (fit_gate(levels, OPTIONS), find_gate(levels, "evidence", OPTIONS)):
        assert drift(levels, own.threshold, OPTIONS) == ""
        assert drift(levels, 1.1 * own.threshold, OPTIONS) == ""


def test_a_gate_on_cells_that_have_lost_the_marker_has_not_drifted():
    levels = mixed(2, 0.0)
    assert drift(levels, 350.0, OPTIONS) == ""


@pytest.mark.parametrize(
    ("stain", "says"), [(3.0, "own gate"), (0.25, "own gate"), (1.8, "own gate")]
)
def test_a_gate_has_drifted_when_the_stain_has(stain, says):
    levels = mixed(3, 0.2)
    for own in (fit_gate(levels, OPTIONS), find_gate(levels, "evidence", OPTIONS)):
        assert says in drift(stain * levels, own.threshold, OPTIONS)


def test_a_gate_within_one_population_has_drifted():
    levels = mixed(3, 0.0)
    said = drift(levels, float(np.percentile(levels, 80)), OPTIONS)
    assert "separates by only" in said
    assert "positive would be" in said


def test_no_gate_has_drifted_when_cells_come_with_treatment():
    assert "the cells split at" in drift(mixed(4, 0.2), np.nan, OPTIONS)
    assert drift(mixed(4, 0.0), np.nan, OPTIONS) == ""


@settings(max_examples=20, deadline=None)
@given(st.floats(-6, 6), st.sampled_from([350.0, 120.0, 40.0, np.nan]))
def test_drift_knows_no_unit(power, threshold):
    levels, times = mixed(4, 0.2, n=500), 10**power
    said = drift(levels, threshold, OPTIONS)
    again = drift(times * levels, times * threshold, OPTIONS)
    # The sample's own gate is named in the levels' unit.
    assert again.split("gate would be")[0] == said.split("gate would be")[0] or (
        "split at" in again and "split at" in said
    )


LEVELS = np.array([10.0, 20, 79, 81, 99, 101, 124, 126, 400, np.nan])


def test_what_a_gate_does():
    # A tenth of the median cell is 9.9: log(1 + level / 9.9) is 2.841 above the gate on
    # average and 1.723 below, from which the nine deviate by 0.616.
    assert gate_figures(LEVELS, 100.0) == {
        "positive_pct": pytest.approx(100 * 4 / 9),
        "positive_pct_at_0.8": pytest.approx(100 * 6 / 9),
        "positive_pct_at_1.25": pytest.approx(100 * 2 / 9),
        "separation_sd": pytest.approx(1.814, abs=0.001),
        "corrected_pct": pytest.approx(100 * 4 / 9),
        "corrected_low": pytest.approx(100 * 1.090 / 9, abs=0.01),
        "corrected_high": pytest.approx(100 * 10.242 / 9, abs=0.01),
        "dim": 100.0,
    }


def test_separation_is_counted_within_both_sides():
    # Means 2 apart, deviations of 0.1, where the median level is ten units.
    start = np.log(22 / (np.exp(0.1) + np.exp(1.9)))
    logs = start + np.array([-0.1, 0.1, 1.9, 2.1])
    figures = gate_figures(np.expm1(logs), float(np.expm1(start + 1)))
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


@settings(max_examples=30, deadline=None)
@given(st.floats(-6, 6), st.integers(0, 50), st.floats(20, 900))
def test_figures_know_no_unit(power, seed, threshold):
    levels, times = mixed(seed, 0.1, n=200), 10**power
    own = gate_figures(levels, threshold)
    other = gate_figures(times * levels, times * threshold)
    assert other == pytest.approx(own | {"dim": times * own["dim"]}, nan_ok=True)


def peak_and_tail(*tail):
    """Quantiles of a peak around 100, and cells beyond."""
    peak = 100 * np.exp(0.2 * norm.ppf((np.arange(500) + 0.5) / 500))
    return np.r_[peak, tail]


def test_dim_cells_between_the_peak_and_the_gate_are_in_doubt():
    levels = peak_and_tail(*[300] * 10, *[900] * 40)
    corrected, low, high = population_pct(levels, 600.0, dim_threshold(levels, 600.0))
    # 40 surely, 50 at most.
    assert corrected == pytest.approx(100 * 2000**0.5 / 550)
    assert low == pytest.approx(100 * chi2.ppf(0.025, 80) / 2 / 550)
    assert high == pytest.approx(100 * chi2.ppf(0.975, 102) / 2 / 550)


def test_a_gate_within_the_peak_leaves_no_doubt_about_dim_cells():
    levels = peak_and_tail(*[900] * 40)
    threshold = float(np.median(levels))
    assert Shape(levels).edge(4) > threshold
    share = 100 * (levels > threshold).mean()
    assert population_pct(levels, threshold, dim_threshold(levels, threshold))[
        0
    ] == pytest.approx(share)


def test_no_cell_above_a_gate_leaves_an_upper_end():
    corrected, low, high = population_pct(np.full(100, 7.0), 9.0, 9.0)
    assert (corrected, low) == (0, 0)
    assert high == pytest.approx(-np.log(0.025))  # of 100


@given(st.integers(1, 99))
def test_the_ends_are_garwood_s(count):
    # At either end, as many or as few cells would be seen in 2.5 % of slides.
    levels = np.repeat([1.0, 9.0], [1000 - count, count])
    _, low, high = population_pct(levels, 5.0, dim_threshold(levels, 5.0))
    assert poisson.sf(count - 1, 10 * low) == pytest.approx(0.025)
    assert poisson.cdf(count, 10 * high) == pytest.approx(0.025)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 50), st.floats(1, 2000))
def test_the_interval_holds_the_share_and_the_corrected_share(seed, threshold):
    levels = mixed(seed, 0.1, n=200)
    corrected, low, high = population_pct(
        levels, threshold, dim_threshold(levels, threshold)
    )
    share = 100 * (levels > threshold).sum() / levels.size
    assert low <= share <= corrected <= high


APART = np.repeat([1.0, 9.0], [90, 10])
MOST = np.r_[np.ones(10), np.linspace(6.5, 9.5, 8), np.full(82, 30.0)]
SPREAD = np.r_[np.ones(80), np.linspace(2, 20, 20)]


@pytest.mark.parametrize(
    ("levels", "threshold", "given", "grade"),
    [
        (APART, 3.0, "", "clear"),
        (SPREAD, 8.0, "", "graded"),
        # Most cells are positive; half as many as are negative lie near the gate.
        (MOST, 8.0, "", "graded"),
        (np.repeat([1.0, 9.0], [10, 90]), 3.0, "", "clear"),
        (np.full(100, 9.0), 3.0, "", "clear"),
        # Populations that were found apart stay apart.
        (SPREAD, 8.0, "clear", "clear"),
        # And those that were found to overlap go on to.
        (APART, 3.0, "graded", "graded"),
        # A threshold that no cell exceeds.
        (APART, 10.0, "", "absent"),
        (APART, 10.0, "clear", "absent"),
        (APART, 10.0, "undecided", "absent"),
        # None at all is read as "none is positive", unless nobody could tell.
        (APART, np.nan, "", "absent"),
        (APART, np.nan, "absent", "absent"),
        (APART, np.nan, "undecided", "undecided"),
        # One that is typed in decides.
        (APART, 3.0, "undecided", "clear"),
        (SPREAD, 8.0, "undecided", "graded"),
        (SPREAD, 8.0, "absent", "graded"),
    ],
)
def test_the_grade_of_a_gate_from_a_table(levels, threshold, given, grade):
    assert grade_of(levels, threshold, given) == grade


@pytest.mark.parametrize("grade", ["clear", "graded", "absent", "undecided"])
def test_a_grade_survives_a_table(grade, tmp_path):
    levels = SPREAD if grade == "graded" else APART
    threshold = {"clear": 3.0, "graded": 8.0}.get(grade, np.nan)
    row = {"marker": "CD8", "threshold": threshold, "grade": grade}
    pd.DataFrame([row]).to_csv(tmp_path / "gates.csv", index=False)
    (back,) = pd.read_csv(tmp_path / "gates.csv").to_dict("records")
    assert grade_of(levels, back["threshold"], back["grade"]) == grade


def test_every_figure_has_its_name():
    assert tuple(gate_figures(LEVELS, 100.0)) == GATE_FIGURES
