"""The window in which cells were looked for, and the cells in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy import fft, ndimage

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BLOCK_PX = 1024
# The window's width is judged on a mask of at most this many pixels along a side.
WIDTH_PX = 2048


@dataclass(frozen=True, eq=False)
class Window:
    """Evaluable tissue as a pixel mask; its first pixel begins at (0, 0) µm.

    Attributes
    ----------
    mask : (h, w) bool array
        Tissue less what was excluded. Outside the array nothing was looked at.
    um : float
        Pixel size, µm.
    """

    mask: NDArray[np.bool_]
    um: float

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != bool:
            found = f"{self.mask.ndim}-d {self.mask.dtype}"
            raise UsageError(f"window: mask is {found}; give a 2-d bool array")
        if not (np.isfinite(self.um) and self.um > 0):
            raise UsageError(f"window: pixel size is {self.um} µm; it must be > 0")

    @cached_property
    def area_um2(self) -> float:
        """Area, µm²."""
        return float(np.count_nonzero(self.mask)) * self.um**2

    @property
    def area_mm2(self) -> float:
        """Area, mm²."""
        return self.area_um2 / 1e6

    @cached_property
    def width_um(self) -> float:
        """Diameter of the largest disc in the mask with its holes filled, µm.

        Of a rectangle this is the short side, of a core its breadth whichever way it
        lies. Found to within the pixel of a mask of at most 2048² pixels.
        """
        if not self.mask.any():
            return 0.0
        step = -(-max(self.mask.shape) // WIDTH_PX)
        coarse = _all_of(self.mask, step)
        filled = np.pad(ndimage.binary_fill_holes(coarse), 1)
        return 2 * float(ndimage.distance_transform_edt(filled).max()) * step * self.um

    @cached_property
    def centre_um(self) -> NDArray[np.float64]:
        """Middle (x, y) of the mask's bounding box, µm."""
        spans = [np.flatnonzero(self.mask.any(axis=axis)) for axis in (0, 1)]
        middles = [(s[0] + s[-1] + 1) / 2 if s.size else 0.0 for s in spans]
        return np.array(middles) * self.um

    def contains(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the (n, 2) points (x, y in µm) lie on a pixel of the mask."""
        return inside(self.mask, self.um, points)

    def border_distance_um(
        self, points: NDArray[np.float64], within_um: float
    ) -> NDArray[np.float64]:
        """Distance from (n, 2) points to the border, as in `distance_to_pixels`."""
        return distance_to_pixels(points, ~self.mask, self.um, within_um, beyond=True)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Cells of several types in a window.

    Attributes
    ----------
    points : (n, 2) float64 array
        x and y in µm, all in the window.
    types : (n,) int64 array
        Type of each cell, 0 … ``n_types`` - 1.
    n_types : int
    window : Window
    n_outside : int
        Cells that were left out because they lie outside the window.
    """

    points: NDArray[np.float64]
    types: NDArray[np.int64]
    n_types: int
    window: Window
    n_outside: int = 0

    @classmethod
    def of(
        cls,
        x_um: ArrayLike,
        y_um: ArrayLike,
        types: ArrayLike,
        n_types: int,
        window: Window,
    ) -> Pattern:
        """Cells that lie in the window; area and cells so come from the same mask.

        Parameters
        ----------
        x_um, y_um : (n,) arrays
            Centroids from the mask's corner, µm.
        types : (n,) integer array
            0 … ``n_types`` - 1.
        n_types : int
            Types in all, including those without a cell.

        Raises
        ------
        UsageError
            If a coordinate is not finite, a type is none of these, or lengths differ.
        """
        points = np.column_stack([x_um, y_um]).astype(np.float64).reshape(-1, 2)
        codes = np.asarray(types, np.int64).reshape(-1)
        _check_cells(points, codes, n_types)
        kept = window.contains(points)
        outside = int(np.count_nonzero(~kept))
        return cls(points[kept], codes[kept], n_types, window, outside)

    @cached_property
    def members(self) -> list[NDArray[np.int64]]:
        """Row numbers of each type's cells, a (k,) array per type."""
        order = np.argsort(self.types, kind="stable")
        return np.split(order, np.cumsum(self.counts)[:-1])

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Cells of each type, (n_types,)."""
        return np.bincount(self.types, minlength=self.n_types)


def inside(
    mask: NDArray[np.bool_], um: float, points: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which (n, 2) points, x and y in µm, lie on True pixels of ``um``."""
    at = np.floor(points[:, ::-1] / um)
    within = ((at >= 0) & (at < mask.shape)).all(axis=1)
    out = np.zeros(len(points), bool)
    rows, cols = at[within].astype(np.int64).T
    out[within] = mask[rows, cols]
    return out


def set_covariance(
    mask: NDArray[np.bool_], reach_px: int, block_px: int = BLOCK_PX
) -> NDArray[np.float64]:
    """Pixels that a mask shares with itself moved by (dy, dx).

    Blocks are correlated with their surroundings by FFT, and sums are rounded to the
    whole numbers that they are: the block's size does not change the result. Between
    whole pixels the overlap of a pixel mask is bilinear, so this table is all there is
    to know.

    Parameters
    ----------
    mask : (h, w) bool array
    reach_px : int
        Largest move along an axis.

    Returns
    -------
    (2 reach + 1, 2 reach + 1) float64 array
        Entry [reach + dy, reach + dx]; multiply by the pixel's area.
    """
    size = 2 * reach_px + 1
    out = np.zeros((size, size))
    for row in range(0, mask.shape[0], block_px):
        for col in range(0, mask.shape[1], block_px):
            core = mask[row : row + block_px, col : col + block_px]
            if core.any():
                wide = with_halo(mask, (row, col), core.shape, reach_px)
                out += _correlate(core, wide)
    return out


def distance_to_pixels(
    points: NDArray[np.float64],
    target: NDArray[np.bool_],
    um: float,
    within_um: float,
    *,
    beyond: bool = False,
) -> NDArray[np.float64]:
    """Distance from points to the nearest target pixel, taken as a square; exact.

    Parameters
    ----------
    points : (n, 2) float64 array
        x and y in µm, on the array.
    target : (h, w) bool array
    um : float
        Pixel size, µm.
    within_um : float
        Larger distances are not looked for: they are returned as infinite.
    beyond : bool
        Whether all that lies outside the array is target as well.

    Returns
    -------
    (n,) float64 array
        µm; 0 on a target pixel.
    """
    reach = min(int(np.ceil(within_um / um)) + 2, sum(target.shape) + 1)
    kind = np.uint16 if reach < 2**16 else np.uint32
    gaps = np.empty((2, *target.shape), kind)
    _fill_gaps(target, reach, beyond, gaps)
    out = np.empty(len(points))
    _search(points, gaps, um, reach, beyond, out)
    out[out > within_um] = np.inf
    return out


def with_halo(
    mask: NDArray[np.bool_], origin: tuple[int, int], shape: tuple[int, ...], halo: int
) -> NDArray[np.bool_]:
    """Part of a (h, w) mask with a halo; outside the array it is False."""
    out = np.zeros([size + 2 * halo for size in shape], bool)
    source, place = [], []
    for start, size, whole in zip(origin, shape, mask.shape, strict=True):
        low, high = max(start - halo, 0), min(start + size + halo, whole)
        source.append(slice(low, high))
        place.append(slice(low - start + halo, high - start + halo))
    out[tuple(place)] = mask[tuple(source)]
    return out


def _check_cells(
    points: NDArray[np.float64], codes: NDArray[np.int64], n_types: int
) -> None:
    if len(points) != len(codes):
        sizes = f"{len(points)} positions but {len(codes)} types"
        raise UsageError(f"cells: {sizes}; give one type per cell")
    if not np.isfinite(points).all():
        raise UsageError("cells: x_um or y_um is not finite; drop such cells first")
    if codes.size and not (codes.min() >= 0 and codes.max() < n_types):
        found = f"{codes.min()} to {codes.max()}"
        raise UsageError(f"cells: types run from {found}; give 0 to {n_types - 1}")


def _all_of(mask: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Squares of ``step`` pixels that are mask altogether."""
    pad = [(0, -size % step) for size in mask.shape]
    padded = np.pad(mask, pad)
    rows, cols = (size // step for size in padded.shape)
    return np.asarray(padded.reshape(rows, step, cols, step).all(axis=(1, 3)))


def _correlate(core: NDArray[np.bool_], wide: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Overlap of the core with its surroundings at every move within the halo."""
    shape = [fft.next_fast_len(size, real=True) for size in wide.shape]
    spectrum = fft.rfft2(wide.astype(np.float64), shape)
    spectrum *= np.conj(fft.rfft2(core.astype(np.float64), shape))
    moves = [w - c + 1 for w, c in zip(wide.shape, core.shape, strict=True)]
    overlap: NDArray[Any] = fft.irfft2(spectrum, shape)[: moves[0], : moves[1]]
    return np.rint(overlap)


@njit(cache=True, nogil=True)
def _fill_gaps(
    target: NDArray[np.bool_], reach: int, beyond: bool, gaps: NDArray[Any]
) -> None:
    """Pixels to the next target pixel on the left and on the right, up to reach."""
    height, width = target.shape
    for row in range(height):
        for side in range(2):
            gap = 0 if beyond else reach
            for step in range(width):
                col = step if side == 0 else width - 1 - step
                gap = 0 if target[row, col] else min(gap + 1, reach)
                gaps[side, row, col] = gap


@njit(cache=True, nogil=True, inline="always")
def _along_row(
    gaps: NDArray[Any], reach: int, row: int, col: int, x: float, um: float
) -> float:
    """Distance along x to the nearest target pixel of a row."""
    left, right = np.int64(gaps[0, row, col]), np.int64(gaps[1, row, col])
    if left == 0:
        return 0.0
    best = math.inf
    if left < reach:
        best = x - float(col - left + 1) * um
    if right < reach:
        best = min(best, float(col + right) * um - x)
    return max(best, 0.0)


@njit(cache=True, nogil=True)
def _search(
    points: NDArray[np.float64],
    gaps: NDArray[Any],
    um: float,
    reach: int,
    beyond: bool,
    out: NDArray[np.float64],
) -> None:
    """From each point row by row outwards, until rows are further than what is found.

    A gap of ``reach`` leads beyond the distance asked for, or to nothing.
    """
    height, width = gaps.shape[1:]
    for i in range(len(points)):
        x, y = points[i]
        middle = min(int(y / um), height - 1)
        col = min(int(x / um), width - 1)
        best = _along_row(gaps, reach, middle, col, x, um)
        for step in range(1, reach + 1):
            above, below = y - (middle - step + 1) * um, (middle + step) * um - y
            if min(above, below) >= best:
                break
            for row, dy in ((middle - step, above), (middle + step, below)):
                if 0 <= row < height:
                    dx = _along_row(gaps, reach, row, col, x, um)
                    best = min(best, math.sqrt(dx * dx + dy * dy))
                elif beyond:
                    best = min(best, float(dy))
        out[i] = best
