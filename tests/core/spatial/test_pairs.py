import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from mifprofile.core.spatial import Pattern, Window, cross_k, disc_counts, pair_sums
from mifprofile.errors import UsageError

RADII = [3.0, 6.0, 9.5]


def brute_force(pattern, radii, um):
    """A loop over all ordered pairs; the overlap from the mask's pixels."""
    mask, n = pattern.window.mask, pattern.n_types
    pairs, weighted = np.zeros((n, n, len(radii)), int), np.zeros((n, n, len(radii)))
    for i, (p, a) in enumerate(zip(pattern.points, pattern.types, strict=True)):
        for j, (q, b) in enumerate(zip(pattern.points, pattern.types, strict=True)):
            within = np.hypot(*(q - p)) <= np.array(radii)
            if i != j and within.any():
                pairs[a, b] += within
                weighted[a, b] += within / (overlap(mask, (q - p) / um) * um**2)
    return pairs, weighted


def overlap(mask, move):
    """Area in px that a mask shares with itself moved by any (x, y)."""
    rows, cols = np.nonzero(mask)
    dx = 1 - np.abs(cols[:, None] + move[0] - cols)
    dy = 1 - np.abs(rows[:, None] + move[1] - rows)
    return (dx.clip(0) * dy.clip(0)).sum()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(0, 25), st.floats(0.3, 1), st.integers(1, 9))
def test_pairs_and_their_weights_as_by_trying_all(seed, cells, filled, strips):
    rng = np.random.default_rng(seed)
    window = Window(rng.random((9, 12)) < filled, 1.5)
    x, y = rng.random((2, cells)) * [[18], [13.5]]
    pattern = Pattern.of(x, y, rng.integers(0, 3, cells), 3, window)
    sums = pair_sums(pattern, RADII, strips=strips)
    pairs, weighted = brute_force(pattern, RADII, 1.5)
    np.testing.assert_array_equal(sums.pairs, pairs)
    np.testing.assert_allclose(sums.weighted, weighted, rtol=1e-9)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(0, 40), st.integers(1, 9))
def test_discs_as_by_trying_all(seed, cells, strips):
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, cells)) * 20
    window = Window(np.ones((20, 20), bool), 1.0)
    pattern = Pattern.of(x, y, rng.integers(0, 2, cells), 2, window)
    found = disc_counts(pattern, 5.0, strips=strips)
    far = np.hypot(x[:, None] - x, y[:, None] - y)
    near = (far <= 5) & ~np.eye(cells, dtype=bool)
    for code in range(2):
        np.testing.assert_array_equal(
            found[:, code], near[:, pattern.types == code].sum(axis=1)
        )


def test_a_pair_at_the_radius_is_within_it():
    window = Window(np.ones((20, 20), bool), 1.0)
    pattern = Pattern.of([5.0, 8.0], [5.0, 9.0], [0, 1], 2, window)
    sums = pair_sums(pattern, [4.9, 5.0])
    assert sums.pairs[0, 1].tolist() == [0, 1]
    # The square of 20 px shares 17 x 16 px with itself moved by (3, 4).
    assert sums.weighted[1, 0].tolist() == [0, pytest.approx(1 / (17 * 16))]


def test_workers_change_nothing(clustered):
    one, two = (pair_sums(clustered, [20, 60], workers=w) for w in (1, 2))
    np.testing.assert_array_equal(one.weighted, two.weighted)
    np.testing.assert_array_equal(one.pairs, two.pairs)


@pytest.mark.parametrize("radii", [[], [0.0], [5.0, 4.0], [np.nan], [[3.0]]])
def test_radii_that_cannot_be_right(radii, clustered):
    with pytest.raises(UsageError, match="radii_um"):
        pair_sums(clustered, radii)


def test_k_of_randomness_is_a_disc_in_any_window(window, scatter):
    rng = np.random.default_rng(0)
    radii = np.array([20.0, 50.0, 75.0])
    ratios = []
    for _ in range(30):
        points = scatter(rng, window.mask, window.um, 600)
        pattern = Pattern.of(*points.T, np.arange(600) % 2, 2, window)
        table = cross_k(pair_sums(pattern, radii))
        k = table["k_um2"].to_numpy().reshape(2, 2, -1)
        ratios.append(k / (np.pi * radii**2))
    mean, error = np.mean(ratios, axis=0), np.std(ratios, axis=0) / np.sqrt(30)
    assert (np.abs(mean - 1) < 4 * error).all()
    # So tight that the uncorrected K, which is short by some 10 % at 75 um, would fail.
    assert error[0, 1, 2] < 0.01


def test_relabelled_clusters_have_no_degree_of_clustering(clustered):
    rng = np.random.default_rng(2)
    docs = []
    for _ in range(60):
        x, y = clustered.points.T
        types = rng.permutation(clustered.types)
        pattern = Pattern.of(x, y, types, 3, clustered.window)
        table = cross_k(pair_sums(pattern, [25, 60]))
        docs.append(table["doc_um2"].to_numpy() / table["k_all_um2"].to_numpy())
    mean, error = np.mean(docs, axis=0), np.std(docs, axis=0) / np.sqrt(60)
    assert (np.abs(mean) < 4 * error).all()
    # The cells themselves are far from random: it is not K that is 0.
    assert table["k_all_um2"].iloc[0] > 2 * np.pi * 25**2


def test_all_orders_of_the_types_have_k_all_as_their_mean():
    """Exactly, from every way to deal out two types over five cells."""
    from itertools import combinations

    window = Window(np.ones((30, 30), bool), 1.0)
    x, y = np.array([[3, 4, 9, 15, 22], [5, 8, 11, 12, 25]], float)
    tables = []
    for chosen in combinations(range(5), 2):
        types = np.isin(np.arange(5), chosen).astype(int)
        sums = pair_sums(Pattern.of(x, y, types, 2, window), [6.0])
        tables.append(cross_k(sums, min_cells=1))
    k = np.mean([t["k_um2"] for t in tables], axis=0)
    np.testing.assert_allclose(k, tables[0]["k_all_um2"])


def test_k_by_hand():
    window = Window(np.ones((100, 100), bool), 1.0)
    pattern = Pattern.of([50.0, 53.0], [50.0, 54.0], [0, 1], 2, window)
    table = cross_k(pair_sums(pattern, [5.0]), min_cells=1)
    one = table.query("type_a == 0 and type_b == 1").iloc[0]
    assert one["k_um2"] == pytest.approx(100**4 / (97 * 96))
    assert one["l_minus_r_um"] == pytest.approx(np.sqrt(one["k_um2"] / np.pi) - 5)
    assert one["doc_ratio"] == pytest.approx(1)
    same = table.query("type_a == 0 and type_b == 0").iloc[0]
    assert np.isnan(same["k_um2"])
    assert (same["status"], same["reason"]) == (
        "LOW_N",
        "1 reference cells, fewer than 2",
    )


def test_too_few_cells_or_too_long_a_distance_have_a_reason(clustered):
    x, y = clustered.points.T
    pattern = Pattern.of(x, y, clustered.types, 4, clustered.window)
    table = cross_k(pair_sums(pattern, [20, 210]))
    assert (table["k_um2"].isna() == (table["status"] != "OK")).all()
    none = table.query("type_a == 3 and type_b == 0 and r_um == 20").iloc[0]
    assert none["reason"] == "0 reference cells, fewer than 20"
    far = table.query("type_a == 0 and type_b == 0 and r_um == 210").iloc[0]
    assert far["status"] == "LOW_AREA"
    assert "a quarter of the window's width" in far["reason"]
