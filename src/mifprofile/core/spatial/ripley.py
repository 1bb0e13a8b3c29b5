"""Ripley's cross K and L in the mask's window, and degree of clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.spatial._table import (
    MIN_CELLS,
    OK,
    first,
    frame,
    too_far,
    type_pairs,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.core.spatial.pairs import PairSums

COLUMNS = (
    "r_um",
    "n_pairs",
    "k_um2",
    "l_minus_r_um",
    "k_all_um2",
    "doc_um2",
    "doc_ratio",
)


def cross_k(sums: PairSums, *, min_cells: int = MIN_CELLS) -> pd.DataFrame:
    """K, L and DoC of each type to each, corrected by translation.

    K_ab(r) = |W|² / (n_a n_b) · Σ 1(d ≤ r) / |W ∩ (W + v)|, over pairs of distinct
    cells with displacement v; within a type n_a (n_a - 1) stands for n_a n_b, which
    makes K unbiased. K_all is the same of all cells, whatever their type: exactly the
    mean of K_ab over all ways to deal out the types. DoC = K_ab - K_all.

    Parameters
    ----------
    sums : PairSums
    min_cells : int
        Fewer cells of either type give NaN.

    Returns
    -------
    pandas.DataFrame
        ``type_a, type_b, n_a, n_b, area_mm2, r_um``; ``n_pairs`` within r, ordered;
        ``k_um2``; ``l_minus_r_um`` = √(k/π) - r; ``k_all_um2``; ``doc_um2``;
        ``doc_ratio`` = k / k_all; ``status, reason``. Under complete spatial randomness
        k = π r², under random labelling doc = 0 and its ratio 1.
    """
    total = int(sums.cells.sum())
    k_all = _k(sums.weighted.sum(axis=(0, 1)), total * (total - 1), sums.area_um2)
    rows = []
    for pair in type_pairs(sums.cells, sums.area_um2, min_cells):
        k_ab = _k(sums.weighted[pair.a, pair.b], pair.n_a * pair.others, sums.area_um2)
        for at, r_um in enumerate(sums.radii_um):
            row = {"r_um": r_um, "n_pairs": sums.pairs[pair.a, pair.b, at]}
            why = first(pair.why, too_far(r_um, sums.width_um))
            if why == OK:
                row |= _values(k_ab[at], k_all[at], r_um)
                if k_all[at] == 0:
                    why = ("NOT_COMPUTABLE", "doc_ratio: no two cells within r")
            rows.append(pair.to_row(why, row))
    return frame(rows, COLUMNS)


def _k(weighted: NDArray[np.float64], pairs: int, area: float) -> NDArray[np.float64]:
    """K at every distance; NaN if there can be no pair."""
    return weighted * area**2 / pairs if pairs > 0 else np.full(len(weighted), np.nan)


def _values(k_ab: float, k_all: float, r_um: float) -> dict[str, float]:
    return {
        "k_um2": k_ab,
        "l_minus_r_um": np.sqrt(k_ab / np.pi) - r_um,
        "k_all_um2": k_all,
        "doc_um2": k_ab - k_all,
        "doc_ratio": k_ab / k_all if k_all > 0 else np.nan,
    }
