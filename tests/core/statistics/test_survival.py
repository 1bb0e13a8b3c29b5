import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.datasets import load_leukemia, load_rossi
from lifelines.statistics import logrank_test, proportional_hazard_test

from mifprofile.core.statistics import (
    cox,
    kaplan_meier,
    landmark,
    landmark_cox,
    log_rank,
    time_varying_cox,
    value_intervals,
)
from mifprofile.errors import UsageError


@pytest.fixture(scope="module")
def leukemia():
    """Freireich 1963: remission in weeks, 21 on 6-MP against 21 on placebo."""
    return load_leukemia()


@pytest.fixture(scope="module")
def rossi():
    return load_rossi()


def simulated(n=60, log_ratio=0.7, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n)
    days = rng.exponential(300 * np.exp(-log_ratio * values))
    watched = rng.uniform(100, 900, n)
    return np.minimum(days, watched), days <= watched, values


def test_curve_as_published(leukemia):
    """6-MP, weeks 6, 7, 10, 13: .857, .807, .753, .690; median 23, placebo 8."""
    treated = leukemia[leukemia["Rx"] == 0]
    found = kaplan_meier(treated["t"], treated["status"])
    by_week = found.table.set_index("day")
    np.testing.assert_allclose(
        by_week.loc[[6, 7, 10, 13], "survival"], [0.857, 0.807, 0.753, 0.690], atol=5e-4
    )
    assert by_week.loc[[6, 7, 10, 13], "n_at_risk"].tolist() == [21, 17, 15, 12]
    assert by_week.loc[6, ["n_events", "n_censored"]].tolist() == [3, 1]
    assert (found.estimate, found.n_patients, found.n_events) == (23, 21, 9)
    assert found.at_risk([0, 6, 6.5, 10, 35, 36]).tolist() == [21, 21, 17, 15, 1, 0]
    others = leukemia[leukemia["Rx"] == 1]
    placebo = kaplan_meier(others["t"], others["status"])
    assert (placebo.estimate, placebo.low, placebo.high) == (8, 4, 11)


def test_log_rank_as_published(leukemia):
    """χ² 16.79 (Kleinbaum and Klein, Survival Analysis, ch. 2)."""
    found = log_rank(leukemia["t"], leukemia["status"], leukemia["Rx"])
    assert found.chi2 == pytest.approx(16.793, abs=5e-4)
    assert found.freedom == 1
    treated = leukemia["Rx"] == 0
    expected = logrank_test(
        *(leukemia.loc[who, "t"] for who in (~treated, treated)),
        *(leukemia.loc[who, "status"] for who in (~treated, treated)),
    )
    assert found.chi2 == pytest.approx(expected.test_statistic)
    # Observed 21, expected 10.75 events under placebo.
    assert found.estimate == pytest.approx(np.exp(10.251 / 6.257), rel=1e-3)
    assert found.low < found.estimate < found.high


def test_log_rank_of_three_groups(rossi):
    groups = rossi["prio"].clip(upper=2)
    found = log_rank(rossi["week"], rossi["arrest"], groups)
    assert (found.freedom, found.reason) == (
        2,
        "more than two groups have no single ratio",
    )
    assert 0 < found.p_value < 1


def test_cox_as_published(leukemia):
    """Group alone by Efron: log hazard ratio 1.572, error 0.412; z 3.81."""
    found = cox(leukemia["t"], leukemia["status"], leukemia["Rx"], "placebo")
    assert np.log(found.estimate) == pytest.approx(1.572, abs=5e-4)
    assert np.log(found.high / found.low) / 2 / 1.96 == pytest.approx(0.412, abs=5e-4)
    assert found.proportionality_p > 0.5
    assert (found.n_patients, found.n_events, found.note) == (42, 30, "")


def test_cox_with_covariates_as_its_library(rossi):
    others = rossi[["fin", "age"]]
    found = cox(
        rossi["week"], rossi["arrest"], rossi["prio"], "convictions", covariates=others
    )
    used = rossi[["week", "arrest", "prio", "fin", "age"]]
    expected = CoxPHFitter().fit(used, "week", "arrest")
    rows = found.coefficients.set_index("name").rename(index={"value": "prio"})
    np.testing.assert_allclose(
        rows["hazard_ratio"], np.exp(expected.params_[rows.index])
    )
    np.testing.assert_allclose(rows["p_value"], expected.summary.loc[rows.index, "p"])
    checked = proportional_hazard_test(expected, used, time_transform="rank").summary
    np.testing.assert_allclose(rows["proportionality_p"], checked.loc[rows.index, "p"])


def test_hazards_that_cross_are_said_to():
    rng = np.random.default_rng(1)
    early = np.r_[np.full(40, 1.0), np.zeros(40)]
    days = np.r_[
        rng.uniform(1, 100, 20),
        rng.uniform(800, 900, 20),
        300 + rng.uniform(0, 200, 40),
    ]
    found = cox(days, np.ones(80), early, "x")
    assert found.proportionality_p < 0.01
    assert "changes over time" in found.note


def test_lesions_of_a_patient_are_not_patients():
    days, events, values = simulated()
    copies = [np.repeat(column, 4) for column in (days, events, values)]
    by_row = cox(*copies, "x")
    by_patient = cox(*copies, "x", clusters=np.repeat(np.arange(60), 4))
    alone = cox(days, events, values, "x")
    width = {
        name: np.log(run.high / run.low)
        for name, run in (("row", by_row), ("patient", by_patient), ("alone", alone))
    }
    assert by_patient.n_patients == 60
    assert width["row"] < 0.6 * width["alone"]
    assert width["patient"] == pytest.approx(width["alone"], rel=0.25)


def test_few_events_per_coefficient_are_said():
    days, events, values = simulated(n=20)
    extra = pd.DataFrame({"age": np.arange(20.0)})
    found = cox(days, events, values, "x", covariates=extra)
    assert f"2 coefficients on {events.sum()} events" in found.note


@pytest.mark.parametrize(
    ("events", "values", "says"),
    [
        (np.zeros(20), np.arange(20.0), "0 events are too few"),
        (np.arange(20) < 4, np.arange(20.0), "4 events are too few"),
        (np.ones(20), np.ones(20), "all values are equal"),
        (np.ones(20), np.arange(20) < 10, "does not converge"),
        (np.ones(20), np.full(20, np.nan), "0 events are too few"),
    ],
)
def test_no_hazard_says_why(events, values, says):
    found = cox(np.arange(1.0, 21), events, values, "x")
    assert says in found.reason
    assert np.isnan([found.estimate, found.low, found.p_value]).all()


def test_curves_without_an_event_or_a_patient():
    found = kaplan_meier([10, 20, 30], [0, 0, 0])
    assert "not reached" in found.reason
    assert found.table["survival"].tolist() == [1, 1, 1, 1]
    assert kaplan_meier([np.nan], [0]).reason == "no patient with a time"
    assert log_rank([1, 2], [0, 0], [0, 1]).reason == "no event was seen"
    assert "one group has no patient" in log_rank([1, 2], [1, 1], [0, 0]).reason
    never = log_rank([1, 5], [1, 1], [0, 1])
    assert never.n_patients == 2


def test_two_patients():
    found = kaplan_meier([100, 200], [1, 0])
    assert found.estimate == 100
    assert "too few" in cox([100, 200], [1, 0], [1, 2], "x").reason


@pytest.mark.parametrize(
    ("days", "events", "says"),
    [([1, 2], [1], "give"), ([1], [2], "neither"), ([-1], [1], "negative")],
)
def test_times_that_are_none(days, events, says):
    with pytest.raises(UsageError, match=says):
        kaplan_meier(days, events)


def test_a_covariate_needs_a_name_of_its_own():
    with pytest.raises(UsageError, match="called value"):
        cox([1], [1], [1], "x", covariates=pd.DataFrame({"value": [1]}))


def test_who_is_left_at_a_landmark():
    found = landmark(
        [20, 21, 100, 200, 90], [1, 0, 1, 0, 1], [15, 15, 15, 40, np.nan], 21
    )
    assert found.kept.tolist() == [False, False, True, False, False]
    assert (found.n_gone, found.n_unmeasured) == (2, 2)
    assert found.days[2] == 79
    with pytest.raises(UsageError, match="length"):
        landmark([1, 2], [1, 0], [1], 1)


def test_time_until_the_biopsy_is_no_benefit():
    """Immortal time: being biopsied late, of itself, looks like living longer."""
    rng = np.random.default_rng(5)
    naive, from_landmark = [], []
    for _ in range(40):
        days = rng.exponential(100, 120)
        biopsied = np.where(days > 60, 60.0, np.nan)
        marker = np.where(days > 60, 1.0, 0.0) + rng.normal(0, 0.3, 120)
        naive.append(cox(days, np.ones(120), marker, "x").estimate)
        found = landmark_cox(days, np.ones(120), marker, biopsied, 60, "x")
        from_landmark.append(np.log(found.estimate))
    assert np.median(naive) < 0.5
    assert abs(np.mean(from_landmark)) < 0.3
    assert "landmark at day 60" in found.test
    assert "patients had an event" in found.note


def test_intervals_by_hand():
    patients = pd.DataFrame(
        {"patient_id": ["A", "B", "C"], "days": [100, 50, 80], "event": [1, 0, 1]}
    )
    measured = pd.DataFrame(
        [
            ("A", -7, 1.0),
            ("A", 21, 2.0),
            ("A", 100, 9.0),
            ("B", 0, 3.0),
            ("C", 90, 1.0),
        ],
        columns=["patient_id", "day", "value"],
    )
    found = value_intervals(patients, measured)
    assert found.to_numpy().tolist() == [
        ["A", 0, 21, False, 1.0],
        ["A", 21, 100, True, 2.0],
        ["B", 0, 50, False, 3.0],
    ]


def test_a_marker_that_never_changes_is_cox():
    days, events, values = simulated()
    patients = pd.DataFrame({"patient_id": range(60), "days": days, "event": events})
    measured = pd.DataFrame({"patient_id": range(60), "day": 0, "value": values})
    again = measured.assign(day=30)
    found = time_varying_cox(
        value_intervals(patients, pd.concat([measured, again])), "x"
    )
    plain = cox(days, events, values, "x")
    assert found.estimate == pytest.approx(plain.estimate, rel=1e-4)
    assert found.low == pytest.approx(plain.low, rel=1e-4)
    assert (found.n_patients, found.n_events) == (60, events.sum())
    few = time_varying_cox(value_intervals(patients[:3], measured), "x")
    assert "too few" in few.reason
