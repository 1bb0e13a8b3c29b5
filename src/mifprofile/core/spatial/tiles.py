"""Statistics of tiles: Morisita-Horn overlap and Moran's I."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from mifprofile.core.spatial._table import MIN_CELLS, OK, frame, too_few
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.core.spatial._table import Why
    from mifprofile.core.spatial.window import Pattern, Window

TILE_UM = 250.0
# The variance of Moran's I has n - 3 in its denominator.
MIN_TILES = 4
MORAN_COLUMNS = (
    "type_a",
    "n_cells",
    "area_mm2",
    "tile_um",
    "n_tiles",
    "moran_i",
    "expected",
    "z",
    "p_value",
    "status",
    "reason",
)


@dataclass(frozen=True, eq=False)
class Tiles:
    """Cells and tissue by square tile; a corner of four tiles is the window's middle.

    So laid, tiles turn with the slide, and do not depend on the glass around it.

    Attributes
    ----------
    cells : (t, rows, cols) int64 array
        Cells of each type.
    area_um2 : (rows, cols) float64 array
        Tissue, pixels split where a tile ends.
    tile_um : float
    """

    cells: NDArray[np.int64]
    area_um2: NDArray[np.float64]
    tile_um: float


def count_tiles(pattern: Pattern, tile_um: float = TILE_UM) -> Tiles:
    """Lay square tiles over the window and count."""
    if not (np.isfinite(tile_um) and tile_um > 0):
        raise UsageError(f"tile_um: {tile_um}; give a length > 0")
    height, width = (size * pattern.window.um for size in pattern.window.mask.shape)
    centre = pattern.window.centre_um
    half = np.maximum(centre, [width, height] - centre)
    cols, rows = (2 * np.ceil(half / tile_um)).astype(np.int64)
    corner = centre - np.array([cols, rows]) / 2 * tile_um
    col, row = ((pattern.points - corner) // tile_um).astype(np.int64).T
    cells = np.zeros((pattern.n_types, rows, cols), np.int64)
    np.add.at(cells, (pattern.types, row, col), 1)
    area = _tile_areas(pattern.window, corner, (int(rows), int(cols)), tile_um)
    return Tiles(cells, area, tile_um)


def morisita_horn(tiles: Tiles, *, min_cells: int = MIN_CELLS) -> pd.DataFrame:
    """Morisita-Horn overlap of every two types over the tiles.

    2 Σ p_k q_k / (Σ p_k² + Σ q_k²), with p_k and q_k the shares of either type's cells
    that lie in tile k: 1 where both are distributed alike, 0 where no tile has both.

    Returns
    -------
    pandas.DataFrame
        ``type_a, type_b`` (a < b), ``n_a, n_b, area_mm2, tile_um, n_tiles`` (with
        cells of either type), ``morisita_horn, status, reason``.
    """
    flat = tiles.cells.reshape(len(tiles.cells), -1)
    counts, area = flat.sum(axis=1), float(tiles.area_um2.sum()) / 1e6
    rows = []
    for a, b in combinations(range(len(flat)), 2):
        n_a, n_b = int(counts[a]), int(counts[b])
        status, reason = why = too_few(n_a, n_b, max(min_cells, 1))
        row: dict[str, Any] = {"type_a": a, "type_b": b, "n_a": n_a, "n_b": n_b}
        row |= {"area_mm2": area, "tile_um": tiles.tile_um}
        row["n_tiles"] = int(np.count_nonzero(flat[a] + flat[b]))
        if why == OK:
            p, q = flat[a] / n_a, flat[b] / n_b
            row["morisita_horn"] = 2 * (p @ q) / (p @ p + q @ q)
        rows.append(row | {"status": status, "reason": reason})
    return frame(rows, ("tile_um", "n_tiles", "morisita_horn"))


def moran(
    tiles: Tiles,
    *,
    min_tissue: float = 0.5,
    min_cells: int = MIN_CELLS,
    permutations: int = 999,
    seed: int = 0,
) -> pd.DataFrame:
    """Moran's I of each type's density over the tiles.

    (n / S0) · Σ w_ij z_i z_j / Σ z_i², with z the tile's density less the mean of
    tiles and w_ij = 1 for the up to eight tiles around (queen).

    Parameters
    ----------
    tiles : Tiles
    min_tissue : float
        Tiles with a smaller share of tissue are left out: their densities are noise.
    min_cells : int
        Fewer cells in the tiles used give NaN.
    permutations : int
        Densities dealt out anew over the tiles; with 0 there is no ``p_value``.
    seed : int

    Returns
    -------
    pandas.DataFrame
        A row per type: ``type_a, n_cells`` and ``area_mm2`` (of the tiles used),
        ``tile_um, n_tiles, moran_i, expected`` = -1 / (n - 1), ``z`` (with mean and
        variance over all permutations, Cliff and Ord), ``p_value`` (share of
        ``permutations`` and the data itself that reach the value: one-sided, for
        clustering), ``status, reason``.
    """
    used = tiles.area_um2 >= min_tissue * tiles.tile_um**2
    weights = _queen(used)
    orders = _orders(used, permutations, seed)
    rows = []
    for code, cells in enumerate(tiles.cells):
        density = cells[used] / tiles.area_um2[used]
        status, reason = why = _moran_limits(int(cells[used].sum()), density, min_cells)
        row: dict[str, Any] = {"type_a": code, "n_cells": int(cells[used].sum())}
        row |= {"area_mm2": float(tiles.area_um2[used].sum()) / 1e6}
        row |= {"tile_um": tiles.tile_um, "n_tiles": density.size}
        if why == OK and weights.nnz == 0:
            status, reason = "LOW_AREA", "no two tiles of tissue touch"
        elif why == OK:
            row |= _moran_values(density, weights, orders)
            if np.isnan(row["z"]):
                status, reason = "NOT_COMPUTABLE", "z: every permutation gives this I"
        rows.append(row | {"status": status, "reason": reason})
    return pd.DataFrame(rows, columns=list(MORAN_COLUMNS))


def _tile_areas(
    window: Window, corner: NDArray[np.float64], shape: tuple[int, int], tile_um: float
) -> NDArray[np.float64]:
    """Tissue of each tile, row of tiles by row of tiles."""
    down, across = (
        _shares(size, start, count, window.um, tile_um)
        for size, start, count in zip(
            window.mask.shape, corner[::-1], shape, strict=True
        )
    )
    out = np.zeros(shape)
    for row in range(shape[0]):
        share = down[[row]]
        lengths = share.data @ window.mask[share.indices]
        out[row] = across @ lengths
    return out


def _shares(
    pixels: int, start: float, count: int, um: float, tile_um: float
) -> sparse.csr_array:
    """Length that each pixel has in each tile along one axis, (tiles, pixels) in µm."""
    edges = start + np.arange(count + 1)[:, None] * tile_um
    low, high = np.arange(pixels) * um, np.arange(1, pixels + 1) * um
    overlap = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return sparse.csr_array(np.maximum(overlap, 0))


def _queen(used: NDArray[np.bool_]) -> sparse.csr_array:
    """Which used tiles touch, by side or corner."""
    number = np.full(np.add(used.shape, 2), -1)
    number[1:-1, 1:-1][used] = np.arange(np.count_nonzero(used))
    middle = number[1:-1, 1:-1]
    starts, ends = [], []
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        rows, cols = used.shape
        moved = number[1 + down : 1 + down + rows, 1 + right : 1 + right + cols]
        both = (middle >= 0) & (moved >= 0)
        starts.append(middle[both])
        ends.append(moved[both])
    one, other = np.concatenate(starts), np.concatenate(ends)
    size = np.count_nonzero(used)
    half = sparse.csr_array((np.ones(one.size), (one, other)), (size, size))
    return sparse.csr_array(half + half.T)


def _orders(used: NDArray[np.bool_], count: int, seed: int) -> NDArray[np.int64]:
    """Random orders of the used tiles, (count, n)."""
    rng = np.random.default_rng(seed)
    size = int(np.count_nonzero(used))
    return rng.permuted(np.tile(np.arange(size), (count, 1)), axis=1)


def _moran_limits(cells: int, density: NDArray[np.float64], min_cells: int) -> Why:
    if density.size < MIN_TILES:
        return "LOW_AREA", f"{density.size} tiles of tissue, fewer than {MIN_TILES}"
    if cells < max(min_cells, 1):
        return "LOW_N", f"{cells} cells, fewer than {max(min_cells, 1)}"
    if np.ptp(density) == 0:
        return "NOT_COMPUTABLE", "every tile has the same density"
    return OK


def _moran_values(
    density: NDArray[np.float64],
    weights: sparse.csr_array,
    orders: NDArray[np.int64],
) -> dict[str, float]:
    z = density - density.mean()
    scale = z.size / weights.sum() / (z @ z)
    value = scale * (z @ (weights @ z))
    drawn = z[orders]
    null = scale * np.einsum("pi,ip->p", drawn, weights @ drawn.T)
    # Rounding must not tell a permutation from the data that it repeats.
    reached = np.count_nonzero(null >= value - 1e-12)
    variance = _moran_variance(z, weights)
    # Where all tiles touch each other nothing varies, but for rounding.
    spread = np.sqrt(variance) if variance > 1e-12 else np.nan
    return {
        "moran_i": value,
        "expected": -1 / (z.size - 1),
        "z": (value + 1 / (z.size - 1)) / spread,
        "p_value": (1 + reached) / (1 + len(null)) if len(null) else np.nan,
    }


def _moran_variance(z: NDArray[np.float64], weights: sparse.csr_array) -> float:
    """Variance of I over all permutations of z; weights are symmetric."""
    n, s0 = z.size, weights.sum()
    s1 = 2 * (weights.data**2).sum()
    s2 = 4 * (weights.sum(axis=1) ** 2).sum()
    kurtosis = n * (z**4).sum() / (z @ z) ** 2
    free = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    tails = kurtosis * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    square = (free - tails) / ((n - 1) * (n - 2) * (n - 3) * s0**2)
    return float(square - 1 / (n - 1) ** 2)
