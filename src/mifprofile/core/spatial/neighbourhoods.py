"""Cellular neighbourhoods: kinds of surroundings, fitted once for a cohort."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

WINDOW_CELLS = 10
WINDOW_UM = 50.0
CHUNK = 1 << 16
# Silhouettes compare all pairs of the cells that they are given.
SILHOUETTE_CELLS = 3000


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """A cohort's kinds of surroundings.

    Attributes
    ----------
    centres : (m, t) float64 array
        Mean composition of each neighbourhood, the most common in the fit first.
    silhouette : float
        Mean over a sample of the fitted cells, -1 … 1; near 0 the kinds run into
        each other.
    seed_ari : float
        Mean adjusted Rand index between fits from several seeds, 1 if all agree.
    cells : tuple of int
        Cells that each sample gave.
    """

    centres: NDArray[np.float64]
    silhouette: float
    seed_ari: float
    cells: tuple[int, ...]


def compositions(
    points: NDArray[np.float64],
    types: NDArray[np.int64],
    n_types: int,
    k: int = WINDOW_CELLS,
    within_um: float = WINDOW_UM,
    *,
    workers: int = 1,
) -> NDArray[np.float32]:
    """Shares of the types among each cell's k nearest cells, itself among them.

    Cells further than ``within_um`` are left out, so that a lone cell's window holds
    itself alone.

    Parameters
    ----------
    points : (n, 2) float64 array
        x and y, µm, of the cells that count.
    types : (n,) int64 array
        Type of each cell, 0 … ``n_types`` - 1.

    Returns
    -------
    (n, n_types) float32 array
        Rows as in ``points``, each with sum 1.
    """
    if k < 1 or not within_um > 0:
        raise UsageError(f"neighbourhoods: k={k}, within {within_um} um; both be > 0")
    size, kinds = len(points), n_types
    out = np.zeros((size, kinds), np.float32)
    tree = cKDTree(points)
    # The tree marks a missing neighbour by the number of cells.
    types = np.append(types, kinds)
    for start in range(0, size, CHUNK):
        some = points[start : start + CHUNK]
        ranks = range(1, k + 1)
        distance, found = tree.query(some, ranks, workers=workers)
        near = np.where(distance <= within_um, types[found], kinds)
        flat = near + np.arange(len(some))[:, None] * (kinds + 1)
        counts = np.bincount(flat.ravel(), minlength=len(some) * (kinds + 1))
        counts = counts.reshape(len(some), -1)[:, :kinds]
        out[start : start + CHUNK] = counts / counts.sum(axis=1, keepdims=True)
    return out


def fit_neighbourhoods(
    samples: Iterable[NDArray[np.float32]],
    count: int = 10,
    *,
    max_cells: int = 5000,
    seeds: int = 5,
    seed: int = 0,
) -> Neighbourhoods:
    """K-means on the pooled compositions of a cohort, each sample with equal weight.

    Parameters
    ----------
    samples : iterable of (n, t) float32 arrays
        As from `compositions`, taken one after the other; samples without a cell are
        passed over.
    count : int
        Neighbourhoods.
    max_cells : int
        Drawn from each sample at most; cells of smaller samples weigh more, so that
        every sample has the same weight.
    seeds : int
        Fits compared for ``seed_ari``; the one with the least inertia is kept.
    seed : int

    Raises
    ------
    UsageError
        If there are fewer cells or distinct compositions than neighbourhoods.
    """
    rng = np.random.default_rng(seed)
    drawn = [sample[rng.permutation(len(sample))[:max_cells]] for sample in samples]
    cells = tuple(len(sample) for sample in drawn)
    pool = np.concatenate(drawn or [np.empty((0, 1), np.float32)]).astype(np.float64)
    shares = [len(pool) / max(size, 1) for size in cells]
    weights = np.repeat(np.asarray(shares, np.float64), cells)
    if len(pool) < count:
        text = f"{count} neighbourhoods asked of {len(pool)} cells"
        raise UsageError(f"neighbourhoods: {text}; ask for fewer, or add samples")
    distinct = len(np.unique(pool, axis=0))
    if distinct < count or count < 2:
        text = f"{count} neighbourhoods asked of {distinct} distinct compositions"
        raise UsageError(f"neighbourhoods: {text}; ask for 2 to {distinct}")
    # On several threads sums are added in any order, and seeds no longer settle them.
    with threadpool_limits(1):
        fits = [_fit(pool, weights, count, seed + k) for k in range(seeds)]
        best = min(fits, key=lambda fit: fit.inertia_)
        some = rng.permutation(len(pool))[:SILHOUETTE_CELLS]
        silhouette = _silhouette(pool[some], best.labels_[some])
    share = np.bincount(best.labels_, weights, minlength=count)
    order = np.argsort(-share, kind="stable")
    centres = np.asarray(best.cluster_centers_)[order]
    return Neighbourhoods(centres, silhouette, _agreement(fits), cells)


def assign_neighbourhoods(
    composition: NDArray[np.float32], model: Neighbourhoods
) -> NDArray[np.int32]:
    """Number of the neighbourhood whose centre is nearest, (n,)."""
    if composition.shape[1] != model.centres.shape[1]:
        sizes = (
            f"{composition.shape[1]} types, but the fit had {model.centres.shape[1]}"
        )
        raise UsageError(f"neighbourhoods: {sizes}; use the cohort's phenotypes")
    _, nearest = cKDTree(model.centres).query(composition)
    return nearest.astype(np.int32)


def _fit(
    pool: NDArray[np.float64], weights: NDArray[np.float64], count: int, seed: int
) -> KMeans:
    means = KMeans(count, n_init=1, random_state=seed)
    return means.fit(pool, sample_weight=weights)


def _silhouette(pool: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Mean silhouette; NaN if the sample has but one kind, or each cell its own."""
    if not 1 < len(np.unique(labels)) < len(labels):
        return np.nan
    return float(silhouette_score(pool, labels))


def _agreement(fits: Sequence[KMeans]) -> float:
    """Mean adjusted Rand index of all pairs of fits; NaN with one fit."""
    pairs = combinations((fit.labels_ for fit in fits), 2)
    scores = [adjusted_rand_score(a, b) for a, b in pairs]
    return float(np.mean(scores)) if scores else np.nan
