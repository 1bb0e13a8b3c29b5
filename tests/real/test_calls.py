"""Floors under the calls on real stains, a little below what was reached."""

import pytest

from benchmarks import calls

pytestmark = pytest.mark.xdist_group("mibi")
# Below these many positive cells one more or less decides.
ENOUGH = 15
FLOORS = {
    "slide": {
        "CD8": 0.87,
        "immune": 0.91,
        "tumour": 0.90,
        "HER2+": 0.80,
        "HER2 intense": 0.86,
        "Ki67": 0.93,
        "ER": 0.97,
        "PD-L1": 0.80,
    },
    "cohort": {
        "CD8": 0.78,
        "immune": 0.93,
        "tumour": 0.90,
        "HER2+": 0.80,
        "HER2 intense": 0.86,
        "Ki67": 0.94,
        "ER": 0.97,
        "PD-L1": 0.80,
    },
}


def test_the_lung_field_is_called_as_well_as_one_threshold_can(data_dir):
    table = calls.lung_kappas(data_dir)
    assert (table["kappa"] >= 0.95 * table["best"]).all()


@pytest.mark.parametrize(("together", "floor"), [(False, 0.75), (True, 0.80)])
def test_lung_cores_are_called_as_people_do(data_dir, together, floor):
    table = calls.halo_calls(data_dir, together=together)
    assert (table.loc[table["positive"] >= ENOUGH, "f1"] >= floor).all()
    assert (table.loc[table["positive"] == 0, "called_pct"] <= 0.3).all()


def test_calls_do_not_depend_on_the_unit(data_dir):
    assert calls.changed_calls(data_dir, [1e-6, 1e-3, 0.1, 7.0, 1e3, 1e6]) == 0


@pytest.fixture(scope="module")
def images(data_dir, mibi_folder):
    return calls.mibi_images(data_dir, mibi_folder)


@pytest.mark.parametrize("scope", FLOORS)
def test_images_rank_as_published(data_dir, images, scope):
    panel = calls.panel_of("mibi")
    cuts = (
        calls.cohort_gates(images, panel)
        if scope == "cohort"
        else {n: calls.thresholds(calls.own_gates(s, panel)) for n, s in images.items()}
    )
    ranks = calls.mibi_ranks(images, cuts, calls.published(data_dir))
    low = {name: rank for name, rank in ranks.items() if rank < FLOORS[scope][name]}
    assert not low


def test_few_markers_are_left_undecided(data_dir, images, tmp_path):
    grades = calls.real_grades(data_dir, tmp_path, images)
    assert (grades == "undecided").mean() <= 0.06
    # Nothing is absent where people see it.
    seen = {"lung": {"CK", "CD8", "FOXP3", "CD68"}, "tonsil": {"CD4", "CD8"}}
    wrong = [
        (sample, marker)
        for (sample, marker), grade in grades.items()
        if grade == "absent" and marker in seen.get(sample, ())
    ]
    assert not wrong
