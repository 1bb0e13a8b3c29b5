"""All pairs of cells within a distance, by type and distance, in one pass."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from mifprofile.core.spatial.window import set_covariance
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.core.spatial.window import Pattern

RADII_UM = (10.0, 20.0, 30.0, 50.0)
# Bins are a third of the distance: few bins to visit, few pairs in vain.
BINS_PER_REACH = 3
# More bins than this per cell would be empty.
BINS_PER_CELL = 2
STRIPS = 64


@dataclass(frozen=True, eq=False)
class PairSums:
    """Ordered pairs of distinct cells within each distance; summed over distances.

    Attributes
    ----------
    radii_um : (r,) float64 array
        Ascending. A pair at exactly this distance is within it.
    cells : (t,) int64 array
        Cells of each type.
    pairs : (t, t, r) int64 array
        ``pairs[a, b, k]``: pairs of a cell of type a and another of type b no further
        apart than ``radii_um[k]``. Within a type each pair counts twice.
    weighted : (t, t, r) float64 array
        Sum over these pairs of 1 / |W ∩ (W + v)|, v from one cell to the other, 1/µm².
    area_um2, width_um : float
        Of the window.
    """

    radii_um: NDArray[np.float64]
    cells: NDArray[np.int64]
    pairs: NDArray[np.int64]
    weighted: NDArray[np.float64]
    area_um2: float
    width_um: float


class PointGrid(NamedTuple):
    """Points sorted into square bins, row by row.

    Bins side by side lie side by side in memory, so that all candidates in one row of
    bins are one stretch of the sorted points.

    Attributes
    ----------
    order : (n,) int64 array
        Where each sorted point stood.
    points : (n, 2) float64 array
        Sorted.
    starts : (rows * cols + 1,) int64 array
        First point of each bin.
    rows, cols, reach : int
        Bins along y and x, and how many of them the distance spans.
    """

    order: NDArray[np.int64]
    points: NDArray[np.float64]
    starts: NDArray[np.int64]
    rows: int
    cols: int
    reach: int

    @classmethod
    def of(cls, points: NDArray[np.float64], within_um: float) -> PointGrid:
        """Sort (n, 2) points for a search within a distance."""
        low = points.min(axis=0, initial=np.inf)
        low = np.where(np.isfinite(low), low, 0.0)
        extent = points.max(axis=0, initial=0.0) - low
        room = np.sqrt(extent.prod() / (BINS_PER_CELL * max(len(points), 1)))
        bin_um = max(within_um / BINS_PER_REACH, room, 1e-9)
        cols, rows = (extent / bin_um).astype(np.int64) + 1
        col, row = ((points - low) / bin_um).astype(np.int64).T
        at = row * cols + col
        order = np.argsort(at, kind="stable")
        starts = np.concatenate(
            [[0], np.cumsum(np.bincount(at, minlength=rows * cols))]
        )
        reach = int(np.ceil(within_um / bin_um))
        return cls(order, points[order], starts, int(rows), int(cols), reach)

    def strips(self, count: int = STRIPS) -> list[tuple[int, int]]:
        """Rows of bins in parts of about equal numbers of points."""
        filled = self.starts[:: self.cols]
        share = np.linspace(0, len(self.points), count + 1)
        cuts = np.unique(np.searchsorted(filled, share[1:-1]))
        edges = [0, *(int(c) for c in cuts if 0 < c < self.rows), self.rows]
        return list(pairwise(edges))


def pair_sums(
    pattern: Pattern,
    radii_um: Sequence[float] = RADII_UM,
    *,
    workers: int = 1,
    strips: int = STRIPS,
) -> PairSums:
    """Count and weigh the pairs of all types within each distance, in one pass.

    The weights are those of the translation correction; the set covariance of the
    window is tabulated by FFT (`set_covariance`) and is exact for pixel masks at any
    displacement.

    Parameters
    ----------
    pattern : Pattern
    radii_um : sequence of float
        Ascending, > 0.
    workers : int
        Threads; the result does not depend on them.
    strips : int
        Parts into which the work is cut; it changes no more than rounding.
    """
    radii = checked_radii(radii_um)
    window = pattern.window
    reach_px = int(np.ceil(radii[-1] / window.um)) + 1
    overlap = set_covariance(window.mask, reach_px) * window.um**2
    grid = PointGrid.of(pattern.points, float(radii[-1]))
    types = pattern.types[grid.order]
    shape = (pattern.n_types, pattern.n_types, radii.size)

    def strip(rows: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        sums = np.zeros(shape, np.int64), np.zeros(shape)
        _add_pairs(grid, types, rows, radii**2, overlap, window.um, sums)
        return sums

    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(strip, grid.strips(strips)))
    pairs = np.sum([counts for counts, _ in parts], axis=0)
    weighted = np.sum([weights for _, weights in parts], axis=0)
    return PairSums(
        radii,
        pattern.counts,
        pairs + pairs.transpose(1, 0, 2),
        weighted + weighted.transpose(1, 0, 2),
        window.area_um2,
        window.width_um,
    )


def disc_counts(
    pattern: Pattern, radius_um: float, *, workers: int = 1, strips: int = STRIPS
) -> NDArray[np.int32]:
    """Other cells of each type within a distance of every cell.

    Returns
    -------
    (n, n_types) int32 array
        Rows as in ``pattern.points``; a cell does not count itself.
    """
    grid = PointGrid.of(pattern.points, float(checked_radii([radius_um])[0]))
    types = pattern.types[grid.order]
    out = np.zeros((len(types), pattern.n_types), np.int32)

    def strip(rows: tuple[int, int]) -> None:
        _count_discs(grid, types, rows, radius_um**2, out)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(strip, grid.strips(strips)))
    return out


def checked_radii(radii_um: Sequence[float]) -> NDArray[np.float64]:
    """Radii as an (r,) array; they must be positive and ascend."""
    radii = np.asarray(radii_um, np.float64)
    good = radii.ndim == 1 and radii.size and np.isfinite(radii).all()
    if not (good and radii[0] > 0 and (np.diff(radii) > 0).all()):
        raise UsageError(f"radii_um: {list(radii_um)}; give ascending lengths > 0")
    return radii


@njit(cache=True, nogil=True, inline="always")
def _overlap_at(overlap: NDArray[np.float64], v: float, u: float) -> float:
    """Bilinear value at (v, u) px from the table's middle."""
    half = overlap.shape[0] // 2
    row, col = int(np.floor(v)), int(np.floor(u))
    fy, fx = v - row, u - col
    row, col = row + half, col + half
    top = overlap[row, col] * (1 - fx) + overlap[row, col + 1] * fx
    bottom = overlap[row + 1, col] * (1 - fx) + overlap[row + 1, col + 1] * fx
    return top * (1 - fy) + bottom * fy


@njit(cache=True, nogil=True)
def _add_pairs(
    grid: PointGrid,
    types: NDArray[np.int64],
    strip: tuple[int, int],
    squares: NDArray[np.float64],
    overlap: NDArray[np.float64],
    um: float,
    sums: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    """Each pair once, from the cell that comes first; summed over distances at last."""
    points, starts, cols, reach = grid.points, grid.starts, grid.cols, grid.reach
    counts, weights = sums
    last = len(squares) - 1
    for row in range(strip[0], strip[1]):
        for col in range(cols):
            left, right = max(col - reach, 0), min(col + reach, cols - 1)
            for i in range(starts[row * cols + col], starts[row * cols + col + 1]):
                for other in range(row, min(row + reach + 1, grid.rows)):
                    low = i + 1 if other == row else starts[other * cols + left]
                    for j in range(low, starts[other * cols + right + 1]):
                        dx = points[j, 0] - points[i, 0]
                        dy = points[j, 1] - points[i, 1]
                        square = dx * dx + dy * dy
                        if square > squares[last]:
                            continue
                        k = last
                        while k > 0 and square <= squares[k - 1]:
                            k -= 1
                        weight = 1 / _overlap_at(overlap, dy / um, dx / um)
                        counts[types[i], types[j], k] += 1
                        weights[types[i], types[j], k] += weight
    for k in range(last):
        counts[:, :, k + 1] += counts[:, :, k]
        weights[:, :, k + 1] += weights[:, :, k]


@njit(cache=True, nogil=True)
def _count_discs(
    grid: PointGrid,
    types: NDArray[np.int64],
    strip: tuple[int, int],
    square: float,
    out: NDArray[np.int32],
) -> None:
    points, starts, cols, reach = grid.points, grid.starts, grid.cols, grid.reach
    for row in range(strip[0], strip[1]):
        above, below = max(row - reach, 0), min(row + reach + 1, grid.rows)
        for col in range(cols):
            left, right = max(col - reach, 0), min(col + reach, cols - 1)
            for i in range(starts[row * cols + col], starts[row * cols + col + 1]):
                for other in range(above, below):
                    low = starts[other * cols + left]
                    for j in range(low, starts[other * cols + right + 1]):
                        dx = points[j, 0] - points[i, 0]
                        dy = points[j, 1] - points[i, 1]
                        if j != i and dx * dx + dy * dy <= square:
                            out[grid.order[i], types[j]] += 1
