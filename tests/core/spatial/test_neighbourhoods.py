import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from mifprofile.core.spatial import (
    assign_neighbourhoods,
    compositions,
    fit_neighbourhoods,
)
from mifprofile.errors import UsageError


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 999), st.integers(0, 30), st.integers(1, 12))
def test_compositions_as_by_trying_all(seed, cells, k):
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, cells)) * 20
    types = rng.integers(0, 3, cells)
    found = compositions(np.column_stack([x, y]), types, 3, k, 6.0)
    far = np.hypot(x[:, None] - x, y[:, None] - y)
    for row, distances in zip(found, far, strict=True):
        near = np.argsort(distances)[:k]
        near = near[distances[near] <= 6]
        wanted = np.bincount(types[near], minlength=3) / near.size
        np.testing.assert_allclose(row, wanted, rtol=1e-6)


def test_a_lone_cell_sees_itself():
    points = np.array([[5.0, 5.0], [6.0, 5.0], [190.0, 190.0]])
    found = compositions(points, np.array([0, 1, 2]), 3)
    assert found.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]


def cohort(rng, sizes=(800, 300)):
    """Samples of three kinds of surroundings, half of all cells of the first."""
    kinds = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]])
    truth = [rng.choice(3, size, p=[0.5, 0.3, 0.2]) for size in sizes]
    samples = [
        (rng.multinomial(40, kinds[kind]) / 40).astype(np.float32) for kind in truth
    ]
    return kinds, truth, samples


def test_kinds_of_a_cohort_are_found_and_assigned():
    kinds, truth, samples = cohort(np.random.default_rng(0))
    model = fit_neighbourhoods(samples, 3)
    np.testing.assert_allclose(model.centres, kinds, atol=0.03)
    assert model.seed_ari == pytest.approx(1, abs=0.05)
    assert model.silhouette > 0.5
    for wanted, sample in zip(truth, samples, strict=True):
        assert np.mean(assign_neighbourhoods(sample, model) == wanted) > 0.98


def test_the_same_seed_gives_the_same_fit():
    _, _, samples = cohort(np.random.default_rng(0))
    one, two = (fit_neighbourhoods(samples, 4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centres, two.centres)
    assert (one.silhouette, one.seed_ari) == (two.silhouette, two.seed_ari)


def test_a_small_sample_weighs_as_much_as_a_large_one():
    """Alone in its kind, it is half of the cohort: its centre is not drawn away."""
    large = np.tile(np.float32([1, 0]), (900, 1))
    small = np.tile(np.float32([0, 1]), (10, 1))
    between = np.tile(np.float32([0.4, 0.6]), (100, 1))
    model = fit_neighbourhoods([np.concatenate([large, between]), small], 2)
    # Weight 1 of the small sample's 10 cells against 0.1 of those between.
    near = model.centres[np.argmax(model.centres[:, 1])]
    np.testing.assert_allclose(near, [0.04 / 1.1, 1.06 / 1.1], atol=1e-6)


def test_samples_without_cells_are_passed_over():
    _, _, samples = cohort(np.random.default_rng(0))
    model = fit_neighbourhoods(
        [*samples, np.empty((0, 3), np.float32)], 3, max_cells=400
    )
    assert model.cells == (400, 300, 0)


@pytest.mark.parametrize("samples", [[], [np.float32([[1, 0]])]])
def test_more_kinds_than_there_are(samples):
    with pytest.raises(UsageError, match="10 neighbourhoods asked of"):
        fit_neighbourhoods(samples)


def test_phenotypes_of_another_cohort():
    _, _, samples = cohort(np.random.default_rng(0))
    model = fit_neighbourhoods(samples, 3)
    with pytest.raises(UsageError, match="2 types, but the fit had 3"):
        assign_neighbourhoods(samples[0][:, :2], model)
