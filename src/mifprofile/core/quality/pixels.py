"""What only full resolution shows, gathered per map pixel in one look at each block."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Distances, in steps, over which pixels are compared to tell how sharp they are.
LAGS = (1, 2, 8)


class CellScan(NamedTuple):
    """Square cells of a plane, each (rows, columns).

    Attributes
    ----------
    maximum : float32 array
    at_maximum : uint32 array
        How many of the cell's pixels have that value.
    noise_square : float32 array
        Mean square of the diagonal difference a - b - c + d of neighbouring pixels,
        which is four times the variance of white noise and 0 on any slope; NaN where
        a cell has no such pair.
    """

    maximum: NDArray[np.float32]
    at_maximum: NDArray[np.uint32]
    noise_square: NDArray[np.float32]


def scan_cells(pixels: NDArray[np.float32], cell_px: int) -> CellScan:
    """Look at every pixel of a block once.

    No pair of pixels reaches over a cell's border, so that blocks which begin at a
    multiple of ``cell_px`` give what the whole plane gives.

    Parameters
    ----------
    pixels : (h, w) float32 array
        Without NaN.
    cell_px : int
        Edge of the cells; the last ones may be narrower.
    """
    return CellScan(*_scan_cells(pixels, cell_px))


def structure(
    pixels: NDArray[np.float32], tile_px: int, step_px: int
) -> NDArray[np.float32]:
    """Mean squared difference of pixels ``LAGS`` times a step apart, within tiles.

    Parameters
    ----------
    pixels : (h, w) float32 array
    tile_px : int
        Edge of the tiles, more than the longest distance.
    step_px : int

    Returns
    -------
    (3, rows, columns) float32 array
        One plane per lag, over both axes; NaN where a tile has no such pair.
    """
    lags = np.array(LAGS, np.int64) * step_px
    out: NDArray[np.float32] = _structure(pixels, tile_px, lags)
    return out


@njit(cache=True, nogil=True)
def _scan_cells(
    pixels: NDArray[np.float32], cell_px: int
) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32]]:
    height, width = pixels.shape
    rows, columns = -(-height // cell_px), -(-width // cell_px)
    maximum = np.empty((rows, columns), np.float32)
    at_maximum = np.empty((rows, columns), np.uint32)
    noise = np.empty((rows, columns), np.float32)
    for r in range(rows):
        for c in range(columns):
            y1, x1 = min((r + 1) * cell_px, height), min((c + 1) * cell_px, width)
            best, count, total, pairs = pixels[r * cell_px, c * cell_px], 0, 0.0, 0
            for y in range(r * cell_px, y1):
                for x in range(c * cell_px, x1):
                    value = pixels[y, x]
                    if value > best:
                        best, count = value, 1
                    elif value == best:
                        count += 1
                    if y + 1 < y1 and x + 1 < x1:
                        down, right = pixels[y + 1, x], pixels[y, x + 1]
                        d = np.float64(value) - down - right + pixels[y + 1, x + 1]
                        total += d * d
                        pairs += 1
            maximum[r, c] = best
            at_maximum[r, c] = count
            noise[r, c] = total / pairs if pairs else np.nan
    return maximum, at_maximum, noise


@njit(cache=True, nogil=True)
def _structure(
    pixels: NDArray[np.float32], tile_px: int, lags: NDArray[np.int64]
) -> NDArray[np.float32]:
    height, width = pixels.shape
    rows, columns = -(-height // tile_px), -(-width // tile_px)
    out = np.full((lags.size, rows, columns), np.nan, np.float32)
    for r in range(rows):
        for c in range(columns):
            y1, x1 = min((r + 1) * tile_px, height), min((c + 1) * tile_px, width)
            for k in range(lags.size):
                lag = lags[k]
                total, pairs = 0.0, 0
                for y in range(r * tile_px, y1):
                    for x in range(c * tile_px, x1 - lag):
                        d = np.float64(pixels[y, x + lag]) - pixels[y, x]
                        total += d * d
                        pairs += 1
                for y in range(r * tile_px, y1 - lag):
                    for x in range(c * tile_px, x1):
                        d = np.float64(pixels[y + lag, x]) - pixels[y, x]
                        total += d * d
                        pairs += 1
                if pairs:
                    out[k, r, c] = total / pairs
    return out
