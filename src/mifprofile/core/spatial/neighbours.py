"""Distances to the nearest cell of each type, and how many lie within a radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import erf

from mifprofile.core.spatial._table import (
    MIN_CELLS,
    OK,
    first,
    frame,
    too_far,
    type_pairs,
)
from mifprofile.core.spatial.pairs import RADII_UM, checked_radii
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.spatial._table import Why
    from mifprofile.core.spatial.pairs import PairSums
    from mifprofile.core.spatial.window import Pattern


NEAREST_COLUMNS = (
    "mean_um",
    "q25_um",
    "median_um",
    "q75_um",
    "csr_mean_um",
    "null_mean_um",
    "z",
)
WITHIN_COLUMNS = ("r_um", "n_pairs", "mean_count", "n_with", "share", "csr_share")
G_COLUMNS = ("r_um", "n_at_risk", "g", "g_csr", "auc")


@dataclass(frozen=True, eq=False)
class NearestNull:
    """Mean nearest distances as seen and with the types dealt out anew.

    Attributes
    ----------
    seen, mean, sd : (t, t) float64 arrays
        Mean distance from reference cells of type a to the nearest of type b, µm: as
        seen, and its mean and standard deviation over relabellings. NaN without cells.
    reference : (t,) int64 array
        Reference cells used of each type.
    """

    seen: NDArray[np.float64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    reference: NDArray[np.int64]


def nearest_distances(pattern: Pattern, *, workers: int = 1) -> NDArray[np.float64]:
    """Distance from every cell to the nearest other cell of each type.

    Returns
    -------
    (n, n_types) float64 array
        µm, rows as in ``pattern.points``; infinite where there is no such cell.
    """
    out = np.full((len(pattern.points), pattern.n_types), np.inf)
    for code in range(pattern.n_types):
        own = pattern.types == code
        out[:, code] = _nearest(pattern.points, pattern.points[own], own, workers)
    return out


def nearest_null(
    pattern: Pattern,
    nearest: NDArray[np.float64],
    *,
    permutations: int = 50,
    max_reference: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> NearestNull:
    """Mean nearest distances under random labelling of all cells.

    Types are dealt out anew over the same positions, so that window, holes and uneven
    density are those of the tissue. At most ``max_reference`` cells of a type, drawn at
    random, look for their nearest; all cells can be found.

    Parameters
    ----------
    pattern : Pattern
    nearest : (n, n_types) float64 array
        As from `nearest_distances`.
    permutations : int
        At least 2.
    max_reference : int
        Reference cells per type and permutation.
    seed : int
    workers : int
        Threads; the result does not depend on them.
    """
    if permutations < 2:
        raise UsageError(
            f"nearest_null: {permutations} permutations; ask for 2 or more"
        )
    rng = np.random.default_rng(seed)
    # From the window's middle outwards: shuffled or turned, cells draw the same lots.
    far = np.square(pattern.points - pattern.window.centre_um).sum(axis=1)
    order = np.lexsort([pattern.types, far])
    points, reference = pattern.points[order], np.minimum(pattern.counts, max_reference)
    seen = np.full((pattern.n_types, pattern.n_types), np.nan)
    for code in np.flatnonzero(reference):
        own = order[pattern.types[order] == code]
        seen[code] = nearest[rng.permutation(own)[: reference[code]]].mean(axis=0)
    # Welford's sums: one table at a time is held.
    mean, squares = np.zeros_like(seen), np.zeros_like(seen)
    for k in range(1, permutations + 1):
        drawn = _relabelled(rng, points, pattern.counts, reference, workers)
        step = drawn - mean
        mean += step / k
        squares += step * (drawn - mean)
    sd = np.sqrt(squares / (permutations - 1))
    return NearestNull(np.where(np.isfinite(seen), seen, np.nan), mean, sd, reference)


def nearest_table(
    pattern: Pattern,
    nearest: NDArray[np.float64],
    null: NearestNull,
    *,
    min_cells: int = MIN_CELLS,
) -> pd.DataFrame:
    """Nearest-neighbour distances from each type to each.

    Parameters
    ----------
    pattern : Pattern
    nearest : (n, n_types) float64 array
        As from `nearest_distances`.
    null : NearestNull
        As from `nearest_null`.
    min_cells : int
        Fewer cells of either type give NaN.

    Returns
    -------
    pandas.DataFrame
        ``type_a, type_b, n_a, n_b, area_mm2``; ``mean_um, q25_um, median_um, q75_um``
        over cells of type a; ``csr_mean_um`` = 1 / (2 √λ_b); ``null_mean_um, z``, the
        mean distance under random labelling and how far the mean lies from it in its
        standard deviations (below 0: closer than chance); ``status, reason``.
    """
    rows = []
    area = pattern.window.area_um2
    for pair in type_pairs(pattern.counts, area, min_cells):
        why, row = pair.why, {}
        if why == OK:
            row = _quartiles(nearest[pattern.members[pair.a], pair.b])
            row["csr_mean_um"] = 0.5 / np.sqrt(pair.others / area)
            row |= _standardised(null, pair.a, pair.b)
            if np.isnan(row["z"]):
                why = ("NOT_COMPUTABLE", "z: every relabelling gives the same mean")
        rows.append(pair.to_row(why, row))
    return frame(rows, NEAREST_COLUMNS)


def within_table(
    pattern: Pattern,
    nearest: NDArray[np.float64],
    sums: PairSums,
    *,
    min_cells: int = MIN_CELLS,
) -> pd.DataFrame:
    """Counts and shares within radii: no edge correction, as the field reports them.

    Parameters
    ----------
    pattern : Pattern
    nearest : (n, n_types) float64 array
        As from `nearest_distances`.
    sums : PairSums
        Of the same pattern; its radii are taken.

    Returns
    -------
    pandas.DataFrame
        ``type_a, type_b, n_a, n_b, area_mm2, r_um``; ``n_pairs`` and ``mean_count`` =
        n_pairs / n_a; ``n_with``, cells of type a with at least one of type b, and
        ``share`` = n_with / n_a; ``csr_share`` = 1 - exp(-λ_b π r²);
        ``status, reason``.
    """
    rows = []
    for pair in type_pairs(pattern.counts, sums.area_um2, min_cells):
        distances = np.sort(nearest[pattern.members[pair.a], pair.b])
        with_one = np.searchsorted(distances, sums.radii_um, side="right")
        n_pairs = sums.pairs[pair.a, pair.b]
        for k, r_um in enumerate(sums.radii_um):
            row = {"r_um": r_um, "n_pairs": n_pairs[k], "n_with": with_one[k]}
            why = first(pair.why, too_far(r_um, sums.width_um))
            if why == OK:
                row["mean_count"] = n_pairs[k] / pair.n_a
                row["share"] = with_one[k] / pair.n_a
                row["csr_share"] = _csr_g(r_um, pair.others / sums.area_um2)
            rows.append(pair.to_row(why, row))
    return frame(rows, WITHIN_COLUMNS)


def cross_g(
    pattern: Pattern,
    nearest: NDArray[np.float64],
    radii_um: Sequence[float] = RADII_UM,
    *,
    min_cells: int = MIN_CELLS,
) -> pd.DataFrame:
    """Nearest-neighbour distribution functions G of each type to each.

    Kaplan-Meier estimator: a distance is censored at the cell's distance to the
    window's border, since a nearer cell might lie beyond it.

    Parameters
    ----------
    pattern : Pattern
    nearest : (n, n_types) float64 array
        As from `nearest_distances`.
    radii_um : sequence of float
        Ascending.

    Returns
    -------
    pandas.DataFrame
        ``type_a, type_b, n_a, n_b, area_mm2, r_um``; ``n_at_risk``, cells of type a
        that are not nearer than r to their neighbour or to the border; ``g``;
        ``g_csr`` = 1 - exp(-λ_b π r²); ``auc`` = ∫₀ʳ (g - g_csr) / r, above 0: closer
        than chance; ``status, reason``.
    """
    radii = checked_radii(radii_um)
    window = pattern.window
    border = window.border_distance_um(pattern.points, float(radii[-1]))
    rows = []
    for pair in type_pairs(pattern.counts, window.area_um2, min_cells):
        own = pattern.members[pair.a]
        curve = _kaplan_meier(nearest[own, pair.b], border[own])
        for r_um in radii:
            g, integral, at_risk = curve.at(r_um)
            why = first(pair.why, too_far(r_um, window.width_um))
            why = first(why, _censored(g, at_risk, r_um))
            row = {"r_um": r_um, "n_at_risk": at_risk}
            if why == OK:
                density = pair.others / window.area_um2
                excess = integral - _csr_g_integral(r_um, density)
                row |= {"g": g, "g_csr": _csr_g(r_um, density), "auc": excess / r_um}
            rows.append(pair.to_row(why, row))
    return frame(rows, G_COLUMNS)


@dataclass(frozen=True, eq=False)
class _Curve:
    """A step function: distances at which it rises, its value from there on."""

    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    times: NDArray[np.float64]

    def at(self, r_um: float) -> tuple[float, float, int]:
        """Value, integral from 0, and cells that are still at risk."""
        k = int(np.searchsorted(self.steps, r_um, side="right"))
        widths = np.diff(self.steps[:k], append=r_um)
        value = float(self.values[k - 1]) if k else 0.0
        left = len(self.times) - int(np.searchsorted(self.times, r_um))
        return value, float((self.values[:k] * widths).sum()), left


def _kaplan_meier(
    distances: NDArray[np.float64], border: NDArray[np.float64]
) -> _Curve:
    if not len(distances):
        return _Curve(*np.empty((3, 0)))
    times = np.minimum(distances, border)
    order = np.argsort(times, kind="stable")
    times, seen = times[order], (distances <= border)[order]
    steps, start = np.unique(times, return_index=True)
    survival = np.cumprod(1 - np.add.reduceat(seen, start) / (len(times) - start))
    return _Curve(steps, 1 - survival, times)


def _censored(g: float, at_risk: int, r_um: float) -> Why:
    """Beyond the last cell at risk the estimator says nothing, unless it has ended."""
    if at_risk == 0 and g < 1:
        text = f"every reference cell is nearer than {r_um:g} um to the border"
        return "LOW_AREA", f"{text} or to a target cell"
    return OK


def _csr_g(r_um: float, density: float) -> float:
    return float(-np.expm1(-density * np.pi * r_um**2))


def _csr_g_integral(r_um: float, density: float) -> float:
    root = np.sqrt(density)
    return float(r_um - erf(np.sqrt(np.pi) * root * r_um) / (2 * root))


def _nearest(
    points: NDArray[np.float64],
    targets: NDArray[np.float64],
    own: NDArray[np.bool_],
    workers: int,
) -> NDArray[np.float64]:
    """Distance to the nearest target; points that are ``own`` are among the targets."""
    out = np.full(len(points), np.inf)
    if len(targets):
        tree = cKDTree(targets, balanced_tree=False)
        out[~own] = tree.query(points[~own], workers=workers)[0]
        out[own] = tree.query(points[own], k=[2], workers=workers)[0][:, 0]
    return out


def _relabelled(
    rng: np.random.Generator,
    points: NDArray[np.float64],
    counts: NDArray[np.int64],
    reference: NDArray[np.int64],
    workers: int,
) -> NDArray[np.float64]:
    """Mean nearest distances of all pairs of types, each dealt out at random.

    Before labels are dealt, reference cells of any type are the same: for every target
    type one draw of cells serves all reference types, the first so many each.
    """
    out = np.full((len(counts), len(counts)), np.nan)
    for b, targets in enumerate(counts):
        apart = np.delete(reference, b).max(initial=0)
        drawn = points[rng.choice(len(points), apart + targets, replace=False)]
        # Among the targets there are the reference cells of type b itself.
        asking = drawn[: apart + reference[b]]
        own = np.arange(len(asking)) >= apart
        found = _nearest(asking, drawn[apart:], own, workers)
        for a, size in enumerate(reference):
            some = found[own] if a == b else found[:size]
            if size and np.isfinite(some).all():
                out[a, b] = some.mean()
    return out


def _standardised(null: NearestNull, a: int, b: int) -> dict[str, float]:
    spread, beyond = null.sd[a, b], null.seen[a, b] - null.mean[a, b]
    z = beyond / spread if spread > 0 else np.nan
    return {"null_mean_um": null.mean[a, b], "z": z}


def _quartiles(distances: NDArray[np.float64]) -> dict[str, float]:
    low, middle, high = np.quantile(distances, [0.25, 0.5, 0.75])
    mean = float(distances.mean())
    return {"mean_um": mean, "q25_um": low, "median_um": middle, "q75_um": high}
