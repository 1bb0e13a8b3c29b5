"""Floors under the calls on real tables, a little below what was reached."""

import pytest

from benchmarks import calls

# Below these many positive cells one more or less decides.
ENOUGH = 15


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
