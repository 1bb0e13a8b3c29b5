import numpy as np
import pandas as pd
import pytest

from mifprofile.core.phenotype.gates import GATE_COLUMNS, GATE_FIGURES, grade_of
from mifprofile.core.phenotype.shared_gates import Levels, shared_gates
from mifprofile.options import GatesOptions, Options
from tests.panels import make_panel

PANEL = make_panel({"CD8": "a/cell"}, phenotypes={"CTL": "CD8+"})
TIMES = {"A0": "baseline", "A1": "week3", "B0": "baseline", "B1": "week3"}
PATIENTS = {name: name[0] for name in TIMES}


def cells(seed, share, n=2000, stain=1.0):
    rng = np.random.default_rng(seed)
    positive = np.arange(n) < n * share
    logs = rng.normal(np.where(positive, np.log(900), np.log(100)), 0.25)
    return pd.DataFrame({"CD8": stain * np.exp(rng.permutation(logs))})


def gate(levels, scope, lock_to=None, groups=PATIENTS, sharing="one"):
    given = GatesOptions(scope=scope, lock_to=lock_to, sharing=sharing)
    samples = {name: Levels(table) for name, table in levels.items()}
    table = shared_gates(
        samples,
        {name: groups[name] for name in levels},
        TIMES,
        PANEL,
        Options(gates=given),
    )
    return table.set_index("sample")


def cohort(levels, sharing="one"):
    """Gates of samples that are all of one group."""
    return gate(
        levels, "cohort", groups=dict.fromkeys(levels, "cohort"), sharing=sharing
    )


def four(a0=0.1, a1=0.2, b0=0.1, b1=0.1):
    return {
        "A0": cells(0, a0),
        "A1": cells(1, a1),
        "B0": cells(2, b0, stain=4),
        "B1": cells(3, b1, stain=4),
    }


def test_samples_of_a_patient_share_a_gate_and_patients_do_not():
    table = gate(four(), "patient")
    assert table["threshold"].nunique() == 2
    assert table.at["B0", "threshold"] > 3 * table.at["A0", "threshold"]
    assert table.at["A0", "note"].endswith("from A0, A1")
    assert set(table["method"]) == {"evidence"}
    assert table.at["A1", "positive_pct"] == pytest.approx(20, abs=0.2)


def test_a_locked_gate_is_fitted_to_the_baseline_alone():
    levels = four()
    table = gate(levels, "patient", "baseline")
    alone = gate({"A0": levels["A0"]}, "slide", groups={"A0": "A0"})
    assert table.at["A1", "threshold"] == alone.at["A0", "threshold"]
    assert table["method"].tolist() == ["evidence", "locked"] * 2
    assert table.at["A1", "note"].endswith("from A0")


def test_cells_that_come_with_treatment_are_not_overlooked():
    table = gate(four(a0=0.0), "patient", "baseline")
    assert np.isfinite(table.at["A1", "threshold"])
    assert table.at["A0", "positive_pct"] == pytest.approx(0, abs=0.1)
    assert table.at["A1", "note"].endswith("from A0, A1")


def test_a_patient_without_baseline_is_gated_slide_by_slide():
    levels = four()
    del levels["A0"]
    table = gate(levels, "patient", "baseline")
    assert table.at["A1", "note"].startswith("not locked: no sample at baseline")
    assert table.at["A1", "scope"] == "slide"
    assert table.at["B1", "method"] == "locked"


def test_a_large_slide_does_not_dominate():
    small, large = cells(0, 0.1, n=1000), cells(1, 0.1, n=20_000, stain=1.3)
    same = gate({"A0": small, "A1": large}, "patient").at["A0", "threshold"]
    half = gate({"A0": small, "A1": large[::20]}, "patient").at["A0", "threshold"]
    assert same == pytest.approx(half, rel=0.05)


def test_a_sample_of_few_cells_is_left_out():
    table = gate({"A0": cells(0, 0.1), "A1": cells(1, 0.1, n=60)}, "patient")
    assert table.at["A1", "note"].endswith("from A0")


def stained(*stains, n=1000):
    """Samples that differ in stain, and by chance."""
    return {f"S{i}": cells(i, 0.1, n, stain) for i, stain in enumerate(stains)}


def test_the_gate_of_a_group_is_the_median_of_its_samples_gates():
    table = cohort(stained(1, 1.2, 5))
    assert table["threshold"].nunique() == 1
    assert table.at["S0", "threshold"] == np.median(table["own"])
    assert table.at["S0", "note"].startswith("median of the gates of 3 of 3 samples")
    assert set(table["scope"]) == {"cohort"}


def test_of_two_samples_the_median_lies_halfway_on_the_logarithm():
    table = cohort(stained(1, 4))
    middle = np.exp(np.log(table["own"]).mean())
    assert table.at["S0", "threshold"] == pytest.approx(middle)


def test_a_sample_a_thousand_times_as_large_does_not_move_the_gate():
    samples = stained(1, 1.1, 0.9, 1.05)
    large = cells(9, 0.1, n=1_000_000, stain=3)
    few, many = (
        cohort(samples | {"L": large[::step]}).at["S0", "threshold"]
        for step in (1000, 1)
    )
    assert many == pytest.approx(few, rel=0.02)


def dim(seed, n=1000):
    """No population stands out in 1,000 of these cells."""
    rng = np.random.default_rng(seed)
    levels = 100 * np.exp(rng.normal(0, 0.25, n))
    levels[:4] = 500
    return pd.DataFrame({"CD8": levels})


def test_where_no_sample_shows_a_population_the_pooled_cells_are_looked_at():
    samples = {f"S{i}": dim(i) for i in range(8)}
    table = cohort(samples)
    assert table["own"].isna().all()
    assert table["threshold"].nunique() == 1
    assert table["threshold"].between(200, 500).all()
    assert not table["note"].str.startswith("median").any()
    np.testing.assert_allclose(table["positive_pct"], 0.4, atol=0.11)


def test_a_group_in_which_nobody_can_tell_is_undecided():
    table = cohort({f"S{i}": cells(i, 0.0, 500) for i in range(3)})
    assert set(table["grade"]) == {"undecided"}
    assert table["threshold"].isna().all()


def test_a_sample_without_positive_cells_is_absent_by_the_gate_of_the_others():
    samples = stained(1, 1, 1) | {"none": cells(9, 0.0)}
    table = cohort(samples)
    assert np.isnan(table.at["none", "own"])
    assert table.at["none", "grade"] == "absent"
    assert table.at["none", "threshold"] == table.at["S0", "threshold"]
    assert "3 of 4 samples" in table.at["none", "note"]


def test_every_sample_has_its_own_grade_of_a_shared_gate():
    samples = stained(1, 1.1, 0.9)
    table = cohort(samples)
    for name, levels in samples.items():
        threshold = table.at[name, "threshold"]
        assert table.at[name, "grade"] == grade_of(levels["CD8"].to_numpy(), threshold)


def test_a_group_of_one_has_the_gates_and_grades_of_the_sample_alone():
    rng = np.random.default_rng(0)
    spread = cells(0, 0.0)
    spread[:200] *= np.exp(rng.uniform(np.log(2), np.log(20), (200, 1)))
    for levels in (cells(0, 0.1), spread, cells(0, 0.0)):
        alone, group = gate({"A0": levels}, "slide"), cohort({"A0": levels})
        for column in ("threshold", "grade", "own"):
            pd.testing.assert_series_equal(group[column], alone[column])


def test_what_was_found_to_overlap_does_so_in_a_group_of_one():
    # Most cells carry CK, told by those that are CD3+ and cannot.
    rng = np.random.default_rng(0)
    ck = 1000 * np.exp(rng.normal(0, 0.5, 2000))
    ck[:300] = 200 * np.exp(rng.normal(0, 0.6, 300))
    cd3 = cells(0, 0.0, 2000)["CD8"]
    cd3[:300] *= 9
    rules = {"tumour": "CK+/CD3-", "T": "CD3+/CK-"}
    panel = make_panel(("CD3", "CK"), phenotypes=rules)
    samples = {"A0": Levels(pd.DataFrame({"CD3": cd3, "CK": ck}))}
    grades = [
        shared_gates(
            samples,
            {"A0": "A"},
            TIMES,
            panel,
            Options(gates=GatesOptions(scope=scope)),
        ).set_index("marker")["grade"]["CK"]
        for scope in ("slide", "patient")
    ]
    assert grades == ["graded", "graded"]


def test_own_is_what_the_sample_would_have_been_given_alone():
    levels = four()
    alone = gate(levels, "slide", groups={name: name for name in levels})
    assert (alone["own"] == alone["threshold"]).all()
    for table in (
        gate(levels, "patient"),
        gate(levels, "patient", "baseline"),
        gate(levels, "patient", sharing="shrunk"),
    ):
        pd.testing.assert_series_equal(table["own"], alone["own"])
    columns = alone.reset_index().columns
    assert {*columns} == {*GATE_COLUMNS, *GATE_FIGURES, "own"}


def test_a_shrunk_gate_lies_between_the_sample_s_own_and_the_group_s():
    samples = stained(1, 1.1, 0.9, 1.3, 0.8)
    group = cohort(samples)["threshold"]
    table = cohort(samples, "shrunk")
    ends = pd.concat([group, table["own"]], axis=1)
    assert (table["threshold"] >= ends.min(axis=1) * (1 - 1e-9)).all()
    assert (table["threshold"] <= ends.max(axis=1) * (1 + 1e-9)).all()
    # Stains that differ by more than the gates are uncertain: nearer to their own.
    assert table["threshold"].nunique() > 1
    own = table["own"].mask(np.isclose(table["own"], group))
    away = (np.log(table["threshold"] / group) / np.log(own / group)).dropna()
    assert away.size == 4
    assert (away > 0.5).all()


def test_samples_that_differ_by_chance_share_their_shrunk_gate():
    samples = {f"S{i}": cells(i, 0.1, 1000) for i in range(4)}
    table = cohort(samples, "shrunk")
    spread = np.log(table["threshold"]).std()
    assert spread < np.log(table["own"]).std()


def test_a_sample_whose_own_gate_is_unknown_is_given_the_group_s():
    samples = stained(1, 1.1, 0.9, 1.3) | {"none": cells(9, 0.0)}
    group, table = cohort(samples), cohort(samples, "shrunk")
    assert np.isnan(table.at["none", "own"])
    assert table.at["none", "threshold"] == group.at["none", "threshold"]
    assert table.at["none", "grade"] == "absent"


def test_a_locked_gate_is_not_shrunk():
    levels = four()
    locked = gate(levels, "patient", "baseline")
    shrunk = gate(levels, "patient", "baseline", sharing="shrunk")
    pd.testing.assert_series_equal(shrunk["threshold"], locked["threshold"])


def test_the_unit_changes_no_shared_gate():
    samples = stained(1, 1.1, 0.9, 1.3)
    for sharing in ("one", "shrunk"):
        own = cohort(samples, sharing)
        other = cohort({name: 1e-4 * t for name, t in samples.items()}, sharing)
        np.testing.assert_allclose(other["threshold"], 1e-4 * own["threshold"])
        assert other["grade"].tolist() == own["grade"].tolist()


def test_pooled_samples_keep_the_cells_as_measured_if_all_have_them():
    measured = pd.DataFrame({"area_um2": np.arange(500.0)})
    one = Levels(cells(0, 0.1, 500), measured)
    both = Levels.pooled([one, one])
    assert len(both) == 1000
    assert both.cells["area_um2"].tolist() == [*range(500)] * 2
    assert Levels.pooled([one, Levels(cells(1, 0.1, 500))]).cells is None


def test_counts_are_known_as_such_in_every_sample():
    samples = {}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        area = rng.uniform(30, 120, 800)
        levels = rng.poisson(0.005 * area) / area
        table = pd.DataFrame({"area_um2": area, "CD8_cell_mean": levels})
        samples[f"S{seed}"] = Levels(pd.DataFrame({"CD8": levels}), table)
    options = Options(gates=GatesOptions(scope="cohort"))
    groups = dict.fromkeys(samples, "cohort")
    found = shared_gates(samples, groups, TIMES, PANEL, options)
    assert set(found["grade"]) == {"absent"}
