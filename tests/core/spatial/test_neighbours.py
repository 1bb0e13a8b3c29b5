import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from mifprofile.core.spatial import (
    Pattern,
    Window,
    cross_g,
    nearest_distances,
    nearest_null,
    nearest_table,
    pair_sums,
    within_table,
)
from mifprofile.errors import UsageError


def square(size=20):
    return Window(np.ones((size, size), bool), 1.0)


def random_pattern(seed, cells, types=3):
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, cells)) * 20
    return Pattern.of(x, y, rng.integers(0, types, cells), types, square())


def all_distances(pattern):
    far = np.hypot(*(pattern.points[:, None] - pattern.points).T)
    np.fill_diagonal(far, np.inf)
    return far


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(0, 30))
def test_nearest_and_within_as_by_trying_all(seed, cells):
    pattern = random_pattern(seed, cells)
    far, nearest = all_distances(pattern), nearest_distances(pattern)
    sums = pair_sums(pattern, [2.0, 5.0])
    table = within_table(pattern, nearest, sums, min_cells=0)
    for b in range(3):
        wanted = far[:, pattern.types == b].min(axis=1, initial=np.inf)
        np.testing.assert_allclose(nearest[:, b], wanted)
    for row in table.itertuples():
        block = far[np.ix_(pattern.types == row.type_a, pattern.types == row.type_b)]
        assert row.n_pairs == (block <= row.r_um).sum()
        assert row.n_with == (block <= row.r_um).any(axis=1).sum()
        if row.status == "OK":
            assert row.mean_count == row.n_pairs / row.n_a
            assert row.share == row.n_with / row.n_a


def test_distances_of_cells_in_a_row():
    pattern = Pattern.of([1, 2, 5, 9], [1] * 4, [0, 1, 0, 1], 2, square())
    nearest = nearest_distances(pattern)
    assert nearest.tolist() == [[4, 1], [1, 7], [4, 3], [4, 7]]
    null = nearest_null(pattern, nearest, permutations=20)
    table = nearest_table(pattern, nearest, null, min_cells=2)
    row = table.query("type_a == 0 and type_b == 1").iloc[0]
    assert (row["mean_um"], row["median_um"], row["q25_um"]) == (2, 2, 1.5)
    assert row["csr_mean_um"] == pytest.approx(0.5 / np.sqrt(2 / 400))
    assert row["z"] < 0


def test_null_of_few_cells_is_the_mean_over_all_relabellings():
    """Three cells in a row, one of type 1: it is equally often any of them."""
    pattern = Pattern.of([1, 2, 4], [1] * 3, [0, 0, 1], 2, square())
    null = nearest_null(pattern, nearest_distances(pattern), permutations=1500)
    ends = [np.mean([1, 3]), np.mean([1, 2]), np.mean([3, 2])]
    assert null.seen[0, 1] == np.mean([3, 2])
    assert null.mean[0, 1] == pytest.approx(np.mean(ends), abs=0.05)
    assert null.sd[0, 1] == pytest.approx(np.std(ends), abs=0.05)
    assert np.isnan(null.seen[1, 1])


def test_one_relabelling_has_no_spread(clustered):
    with pytest.raises(UsageError, match="ask for 2 or more"):
        nearest_null(clustered, nearest_distances(clustered), permutations=1)


def test_z_of_relabelled_clusters_is_standard(clustered):
    rng = np.random.default_rng(3)
    z = []
    for seed in range(20):
        x, y = clustered.points.T
        types = rng.permutation(clustered.types)
        pattern = Pattern.of(x, y, types, 3, clustered.window)
        nearest = nearest_distances(pattern)
        options = {"permutations": 30, "max_reference": 100, "seed": seed}
        null = nearest_null(pattern, nearest, **options)
        z.append((null.seen - null.mean) / null.sd)
    assert np.abs(np.mean(z, axis=0)).max() < 4 / np.sqrt(20)
    assert 0.7 < np.std(z) < 1.4


def test_g_by_hand():
    """Four cells of type a: seen at 1 and 3, censored at 2 by the border, seen at 5."""
    window = square(40)
    x, y = [20, 20, 2, 20, 20, 20, 8, 25], [5, 15, 25, 35, 6, 18, 25, 35]
    pattern = Pattern.of(x, y, [0] * 4 + [1] * 4, 2, window)
    nearest = nearest_distances(pattern)
    assert nearest[:4, 1].tolist() == [1, 3, 6, 5]
    table = cross_g(pattern, nearest, [0.5, 1, 2, 3, 4.9, 5], min_cells=1)
    row = table.query("type_a == 0 and type_b == 1")
    # 1/4 die at 1; one is lost at 2; of two at risk at 3 one dies; the last at 5.
    wanted = [0, 1 / 4, 1 / 4, 1 - 3 / 4 / 2, 1 - 3 / 4 / 2, 1]
    np.testing.assert_allclose(row["g"], wanted)
    assert row["n_at_risk"].tolist() == [4, 4, 3, 2, 1, 1]
    density = 4 / 1600
    r = np.linspace(0, 3, 30001)
    csr = np.trapezoid(1 - np.exp(-density * np.pi * r**2), r)
    assert row["auc"].iloc[3] == pytest.approx((2 * 1 / 4 - csr) / 3, rel=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000))
def test_g_is_the_survival_function_of_scipy(seed):
    pattern = random_pattern(seed, 40, types=2)
    nearest = nearest_distances(pattern)
    border = pattern.window.border_distance_um(pattern.points, 5.0)
    table = cross_g(pattern, nearest, [1.0, 2.5, 5.0], min_cells=2)
    for (a, b), part in table.groupby(["type_a", "type_b"]):
        own = pattern.types == a
        d, c = nearest[own, b], border[own]
        last = np.minimum(d, c)
        if not (d <= c).any():
            continue
        censored = stats.CensoredData(
            uncensored=d[d <= c], right=np.minimum(c, 99)[d > c]
        )
        sf = stats.ecdf(censored).sf
        known = part[part["status"] == "OK"]
        np.testing.assert_allclose(known["g"], 1 - sf.evaluate(known["r_um"]))
        for row in part[part["status"] == "LOW_AREA"].itertuples():
            assert last.max() < row.r_um or row.r_um > 5


def test_g_of_randomness_in_any_window(window, scatter):
    rng = np.random.default_rng(4)
    radii = [5.0, 10.0, 20.0]
    runs = []
    for _ in range(30):
        points = scatter(rng, window.mask, window.um, 400)
        pattern = Pattern.of(*points.T, np.arange(400) % 2, 2, window)
        table = cross_g(pattern, nearest_distances(pattern), radii)
        runs.append(np.stack([table["g"] - table["g_csr"], table["auc"]]))
    mean, error = np.mean(runs, axis=0), np.std(runs, axis=0) / np.sqrt(30)
    assert (np.abs(mean) < 4 * error).all()


def test_without_cells_of_a_type_there_is_a_reason_and_no_number(clustered):
    x, y = clustered.points.T
    pattern = Pattern.of(x, y, clustered.types, 4, clustered.window)
    nearest = nearest_distances(pattern)
    null = nearest_null(pattern, nearest, permutations=3, max_reference=50)
    tables = {
        "mean_um": nearest_table(pattern, nearest, null),
        "share": within_table(pattern, nearest, pair_sums(pattern, [20])),
        "g": cross_g(pattern, nearest, [20]),
    }
    for name, table in tables.items():
        missing = (table["type_a"] == 3) | (table["type_b"] == 3)
        assert (table[name].isna() == missing).all()
        assert ((table["reason"] != "") == missing).all()
        assert not np.isinf(table.select_dtypes("number")).any(axis=None)


def test_cells_too_near_to_the_border_have_a_reason():
    x = np.arange(1.0, 39, 1.5)
    border, middle = np.full(x.size, 1.0), np.full(x.size, 20.0)
    pattern = Pattern.of(
        *(np.r_[x, x], np.r_[border, middle], np.repeat([0, 1], x.size)), 2, square(40)
    )
    table = cross_g(pattern, nearest_distances(pattern), [0.5, 5.0])
    row = table.query("type_a == 0 and type_b == 1")
    assert row["status"].tolist() == ["OK", "LOW_AREA"]
    assert "to the border" in row["reason"].iloc[1]
    assert np.isnan(row["g"].iloc[1])
