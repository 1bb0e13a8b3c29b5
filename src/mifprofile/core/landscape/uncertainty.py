"""Intervals from blocks of tissue: cells cluster, so counting noise is not enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage, special, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Kind = Literal["rate", "share", "ratio", "score", "area_share"]
Method = Literal["log-t", "logit-t", "one-sided", "none"]

LEVEL = 0.95
# Blocks are cut so that there are about this many, within the limits of their size.
AIM_BLOCKS = 12
# The grid on which blocks are cut has this many pixels along a block's edge.
PIXELS_PER_BLOCK = 50
# A piece of tissue this much longer than wide is cut along its own axis.
ELONGATED = 2.0


@dataclass(frozen=True)
class Interval:
    """What an estimate may be; NaN limits where that could not be told.

    Parameters
    ----------
    low, high : float
        In the unit of the ratio of numerator to denominator.
    method : str
        ``log-t``, ``logit-t``, ``one-sided`` or ``none``.
    n_blocks : int
        Effective number of blocks, (Σd)²/Σd² over their denominators d, rounded down:
        the number of blocks if all weigh the same.
    block_um : float
        Largest edge of a block, µm.
    """

    low: float
    high: float
    method: Method
    n_blocks: int
    block_um: float


@dataclass(frozen=True)
class Blocks:
    """Tissue cut into blocks.

    Attributes
    ----------
    index : (h, w) int32 array
        Block of each pixel, -1 without tissue.
    um : float
        Pixel size of ``index``, µm.
    block_um : float
        Largest edge of a block, µm.
    places : (k, 3) int array
        Piece of tissue, and the block's place along and across it.
    """

    index: NDArray[np.int32]
    um: float
    block_um: float
    places: NDArray[np.intp]

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self.places)

    def of(self, x_um: Floats, y_um: Floats) -> NDArray[np.int32]:
        """Block in which each of (n,) points lies, -1 outside the tissue."""
        height, width = self.index.shape
        rows = np.floor(np.asarray(y_um) / self.um).astype(int)
        cols = np.floor(np.asarray(x_um) / self.um).astype(int)
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        out = np.full(rows.shape, -1, np.int32)
        out[inside] = self.index[rows[inside], cols[inside]]
        return out

    def areas_mm2(self, mask: NDArray[np.bool_], um: float) -> Floats:
        """Area of a mask with pixels of ``um`` in each block, (k,), mm²."""
        if self.count == 0:
            return np.zeros(0)
        pixels = _pooled(mask, round(self.um / um)).sum(axis=(1, 3))
        inside = self.index >= 0
        sums = np.bincount(self.index[inside], pixels[inside], self.count)
        return sums * um**2 / 1e6

    @property
    def weights(self) -> Floats:
        """How far a cluster of cells may reach into other blocks, (k, k).

        Bartlett weights: 1 for the block itself, ½ for one beside it and ¼ for one at
        its corner. Blocks of different pieces of tissue are independent.
        """
        piece, along, across = self.places.T
        near = np.ones((self.count, self.count))
        for place in (along, across):
            near *= np.maximum(1 - np.abs(place[:, None] - place[None]) / 2, 0)
        return np.where(piece[:, None] == piece[None], near, 0.0)


@dataclass(frozen=True)
class Tallies:
    """Numerators and denominators of many estimates, block by block.

    Attributes
    ----------
    numerators, denominators : (k, m) float64 array
        Of k blocks and m estimates; the value is the ratio of their sums.
    kinds : sequence of str
        ``rate`` is a count per area, ``share`` a count among a count, ``ratio`` one
        count over another, ``score`` a mean of 0 … ceiling over cells, and
        ``area_share`` an area within an area.
    ceilings : (m,) float64 array
        Largest possible ratio; infinite for rates and ratios.
    """

    numerators: Floats
    denominators: Floats
    kinds: Sequence[Kind]
    ceilings: Floats


def block_edge_um(area_mm2: float, *, largest_um: float, smallest_um: float) -> float:
    """Edge that cuts an area into about a dozen blocks, within limits, µm."""
    edge = 1000 * float(np.sqrt(area_mm2 / AIM_BLOCKS))
    return min(max(edge, smallest_um), largest_um)


def cut_blocks(mask: NDArray[np.bool_], um: float, block_um: float) -> Blocks:
    """Cut tissue into blocks of at most ``block_um``.

    Each piece of tissue is divided evenly along two axes: its own if it is elongated,
    else those of the image. So a core thinner than a block gives segments along the
    core. Pieces less than half a block apart are one. No block is dropped: one with
    little tissue has a small denominator, and counts for as little.

    Parameters
    ----------
    mask : (h, w) bool array
        Evaluable tissue.
    um : float
        Its pixel size, µm.
    block_um : float
        Largest edge of a block, µm.
    """
    step = max(int(block_um / PIXELS_PER_BLOCK / um), 1)
    index_um = step * um
    coarse = _pooled(mask, step).any(axis=(1, 3))
    pieces = _pieces(coarse, block_um / 4 / index_um)
    index = np.full(coarse.shape, -1, np.int32)
    places: list[NDArray[np.intp]] = []
    for piece, window in enumerate(ndimage.find_objects(pieces)):
        rows, cols = np.nonzero((pieces[window] == piece + 1) & coarse[window])
        points = np.stack([rows, cols], axis=1) * index_um
        grid = _grid_places(points, block_um, index_um)
        found, inverse = np.unique(grid, axis=0, return_inverse=True)
        index[window][rows, cols] = inverse.ravel() + sum(map(len, places))
        places.append(np.insert(found, 0, piece, axis=1))
    at = np.concatenate([np.empty((0, 3), np.intp), *places])
    return Blocks(index, index_um, block_um, at)


def tile_tallies(
    x_um: Floats,
    y_um: Floats,
    mask: NDArray[np.bool_],
    um: float,
    block_um: float,
) -> tuple[Floats, Floats]:
    """Count points and tissue in blocks.

    Returns
    -------
    counts, areas_mm2 : (k,) float64 array
        Of the blocks of `cut_blocks`; points outside the tissue do not count.
    """
    blocks = cut_blocks(mask, um, block_um)
    of = blocks.of(x_um, y_um)
    counts = np.bincount(of[of >= 0], minlength=blocks.count).astype(float)
    return counts, blocks.areas_mm2(mask, um)


def block_intervals(
    tallies: Tallies,
    weights: Floats,
    *,
    min_blocks: int,
    block_um: float,
) -> list[Interval]:
    """95 % intervals of ratios of sums from their spread over blocks.

    The residuals z = n − R·d of a ratio R give its variance as zᵀWz/(Σd)², where W
    lets neighbours share a cluster. Both the variance's bias and its degrees of freedom
    are those of a quadratic form in counts whose variance goes with the denominator
    (Satterthwaite's approximation); with equal, independent blocks they are k/(k − 1)
    and k − 1. Limits are Student's on the logarithm, or on the logit of what has a
    ceiling, and so never beyond what is possible. Of counts, the variance is at least
    that of counting alone. A count of zero, and a share of all, have an exact limit on
    one side (Poisson, binomial), which clustering can only make too narrow.

    Parameters
    ----------
    tallies : Tallies
    weights : (k, k) float64 array
        As of `Blocks.weights`; the identity for independent blocks.
    min_blocks : int
        With fewer (effective) blocks there is no interval.
    block_um : float
        Noted in the result.

    Returns
    -------
    list of Interval
        One per estimate.
    """
    total = tallies.numerators.sum(axis=0)
    whole = tallies.denominators.sum(axis=0)
    with np.errstate(all="ignore"):
        share = np.clip(total / whole / tallies.ceilings, 0, 1)
        error, df = _relative_error(tallies, weights)
        reach = stats.t.ppf((1 + LEVEL) / 2, df) * error
        low, high = _limits(total / whole, share, tallies.ceilings, reach)
    blocks = effective_blocks(tallies.denominators)
    extreme = (total == 0) | ((share == 1) & np.isfinite(tallies.ceilings))
    known = np.isfinite(low) & np.isfinite(high) & (blocks >= min_blocks)
    out = []
    for i, kind in enumerate(tallies.kinds):
        method: Method = "none"
        limits = np.nan, np.nan
        if extreme[i]:
            limits = _one_sided(kind, total[i], whole[i], tallies.ceilings[i])
            method = "one-sided" if np.isfinite(limits[1]) else "none"
        elif known[i]:
            limits = float(low[i]), float(high[i])
            method = "logit-t" if np.isfinite(tallies.ceilings[i]) else "log-t"
        out.append(Interval(*limits, method, int(blocks[i]), block_um))
    return out


def effective_blocks(denominators: Floats) -> NDArray[np.intp]:
    """Number of equal blocks that tell as much as these, rounded down.

    Parameters
    ----------
    denominators : (k, m) float64 array

    Returns
    -------
    (m,) int array
        (Σd)²/Σd²; 0 without any denominator.
    """
    squares = (denominators**2).sum(axis=0)
    found = _ratio(denominators.sum(axis=0) ** 2, squares)
    # 9 equal blocks are 9, not 8.999….
    return np.floor(np.nan_to_num(found) + 1e-9).astype(np.intp)


def bootstrap_sums(tallies: Floats, samples: int, seed: int) -> Floats:
    """Sums over blocks drawn with replacement, all columns from the same draw.

    Parameters
    ----------
    tallies : (k, m) float64 array
    samples : int
    seed : int

    Returns
    -------
    (samples, m) float64 array
    """
    k = len(tallies)
    # Blocks come in another order when the slide is turned.
    tallies = tallies[np.lexsort(tallies.T)]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(k, np.full(k, 1 / k), size=samples)
    return np.asarray(drawn @ tallies, np.float64)


def _pooled(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """View as (rows, step, columns, step), filled up with False."""
    pad = [(0, -size % step) for size in mask.shape]
    full = np.pad(mask, pad)
    rows, cols = (size // step for size in full.shape)
    return full.reshape(rows, step, cols, step)


def _pieces(mask: NDArray[np.bool_], reach_px: float) -> NDArray[np.int32]:
    """Number pieces of tissue; those within twice the reach are one."""
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    grown = ndimage.distance_transform_edt(~mask) <= reach_px
    return np.asarray(ndimage.label(grown, np.ones((3, 3)))[0], np.int32)


def _grid_places(points: Floats, block_um: float, um: float) -> NDArray[np.intp]:
    """Row and column of each point in an even grid over all of them, (n, 2)."""
    points = _along_axes(points)
    start = points.min(axis=0)
    extent = points.max(axis=0) - start + um
    parts = np.ceil(extent / block_um - 1e-9)
    return np.floor((points - start + um / 2) / extent * parts).astype(np.intp)


def _along_axes(points: Floats) -> Floats:
    """Turn elongated pieces so that their first axis is the long one."""
    if len(points) < 3:
        return points
    spread, axes = np.linalg.eigh(np.cov(points.T))
    if spread[1] <= ELONGATED**2 * spread[0]:
        return points
    return points @ axes[:, ::-1]


def _relative_error(tallies: Tallies, weights: Floats) -> tuple[Floats, Floats]:
    """Relative standard error of each ratio and its degrees of freedom."""
    num, den = tallies.numerators, tallies.denominators
    total, whole = num.sum(axis=0), den.sum(axis=0)
    residuals = num - total / whole * den
    spread = (residuals * (weights @ residuals)).sum(axis=0)
    near = weights @ den
    shared = (den * near).sum(axis=0) / whole
    free = whole - shared
    free_squared = (
        (den * (weights**2 @ den)).sum(axis=0)
        - 2 * (den * near**2).sum(axis=0) / whole
        + shared**2
    )
    variance = spread * whole / free / total**2
    variance = np.maximum(variance, _counting_variance(tallies.kinds, total, whole))
    return np.sqrt(variance), free**2 / free_squared


def _counting_variance(kinds: Sequence[Kind], total: Floats, whole: Floats) -> Floats:
    """Relative variance if cells were independent; 0 where nothing is counted."""
    what = np.array(kinds)
    of_kind = {
        "rate": 1 / total,
        "share": (1 - total / whole) / total,
        "ratio": 1 / total + 1 / whole,
    }
    return np.select([what == k for k in of_kind], list(of_kind.values()), 0.0)


def _limits(
    ratio: Floats, share: Floats, ceiling: Floats, reach: Floats
) -> tuple[Floats, Floats]:
    bounded = np.isfinite(ceiling)
    top = np.where(bounded, ceiling, 1.0)
    logit = special.logit(share)
    turn = reach / (1 - share)
    low = np.where(bounded, top * special.expit(logit - turn), ratio * np.exp(-reach))
    high = np.where(bounded, top * special.expit(logit + turn), ratio * np.exp(reach))
    return low, high


def _one_sided(
    kind: Kind, total: float, whole: float, ceiling: float
) -> tuple[float, float]:
    """Exact 95 % limit of none, or of all: the rule of three and its kin."""
    alpha = 1 - LEVEL
    if whole == 0 or kind == "area_share":
        return np.nan, np.nan
    if kind == "rate":
        return 0.0, float(-np.log(alpha) / whole)
    seldom = float(1 - alpha ** (1 / whole))
    if kind == "ratio":
        return 0.0, seldom / (1 - seldom)
    if total == 0:
        return 0.0, float(ceiling * seldom)
    return float(ceiling * (1 - seldom)), float(ceiling)


def _ratio(above: Floats, below: Floats) -> Floats:
    """Quotient, NaN where the divisor is 0."""
    out = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out
