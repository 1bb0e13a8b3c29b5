"""What is computed from all the pixels of a cell.

Every sum runs over a cell's pixels in raster order, so that it has the same bits
however the cell was cut into runs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mifprofile.core.measure.runs import RING, ZONES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.core.measure.runs import CellRuns

# Area, y, x, and the central second moments yy, yx, xx.
MOMENTS = 6


def zone_sums(
    runs: CellRuns, planes: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels and intensity sums by zone.

    Parameters
    ----------
    runs : CellRuns
    planes : (c, p) array
        The channels, flattened as ``runs.start`` counts.

    Returns
    -------
    pixels : (m, 8) int64 array
    sums : (m, 8, c) float64 array
    """
    pixels = np.zeros((runs.ids.size, ZONES), np.int64)
    sums = np.zeros((runs.ids.size, ZONES, len(planes)))
    _zone_sums(runs, planes, pixels, sums)
    return pixels, sums


def moments(runs: CellRuns, members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area, centroid and central second moments, px.

    Parameters
    ----------
    runs : CellRuns
    members : (8,) bool array
        The zones that count.

    Returns
    -------
    (m, 6) float64 array
        Area, y, x (of pixel centres, from the slide's corner), and the means of
        dy², dy·dx and dx² about them; NaN but for the area if there is no pixel.
    """
    out = np.zeros((runs.ids.size, MOMENTS))
    _moments(runs, members, out)
    return out


def distributions(
    runs: CellRuns,
    plane: NDArray[Any],
    members: NDArray[np.bool_],
    instead: NDArray[np.bool_],
    threshold: float,
    percentiles: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How one channel's pixels are distributed within a compartment.

    Parameters
    ----------
    runs : CellRuns
    plane : (p,) array
        The channel, flattened as ``runs.start`` counts.
    members, instead : (8,) bool array
        The compartment's zones, and those read where it has no pixel.
    threshold : float
        A pixel above it is positive.
    percentiles : (k,) float64 array
        0 to 100, ascending; linear between order statistics, as numpy's default.

    Returns
    -------
    (m, 2 + k) float64 array
        Standard deviation (over n), share of positive pixels, percentiles; NaN if
        there is no pixel.
    """
    out = np.full((runs.ids.size, 2 + percentiles.size), np.nan)
    zones, buffer = (members, instead), np.empty(runs.areas.max(initial=0))
    _distributions(runs, plane, zones, threshold, percentiles / 100, buffer, out)
    return out


def ring_completeness(
    runs: CellRuns,
    centres: NDArray[np.float64],
    planes: NDArray[Any],
    channels: Sequence[int],
    thresholds: Sequence[float],
    sectors: int,
) -> NDArray[np.float64]:
    """Share of the membrane ring's angular sectors that are stained.

    Parameters
    ----------
    runs : CellRuns
    centres : (m, 2) float64 array
        (y, x) of the cells' centroids, px from the slide's corner.
    planes : (c, p) array
    channels : sequence of int
        The planes wanted.
    thresholds : sequence of float
        One per channel wanted: a sector is stained if the mean over its ring pixels is
        above.
    sectors : int
        Equal angles about the centroid; those without a ring pixel do not count.

    Returns
    -------
    (m, len(channels)) float64 array
        NaN for a cell without ring.
    """
    out = np.full((runs.ids.size, len(channels)), np.nan)
    if channels:
        wanted, limits = np.array(channels), np.array(thresholds, float)
        centres = np.ascontiguousarray(centres)
        _completeness(runs, centres, planes, wanted, limits, sectors, out)
    return out


@njit(cache=True, nogil=True)
def _zone_sums(
    runs: CellRuns,
    planes: NDArray[Any],
    pixels: NDArray[np.int64],
    sums: NDArray[np.float64],
) -> None:
    first, start, length, zone = runs.first, runs.start, runs.length, runs.zone
    for i in range(first.size - 1):
        for k in range(first[i], first[i + 1]):
            z, begin, end = zone[k], start[k], start[k] + length[k]
            pixels[i, z] += length[k]
            for c in range(planes.shape[0]):
                total = sums[i, z, c]
                for p in range(begin, end):
                    total += planes[c, p]
                sums[i, z, c] = total


@njit(cache=True, nogil=True)
def _moments(
    runs: CellRuns, members: NDArray[np.bool_], out: NDArray[np.float64]
) -> None:
    first, y, x = runs.first, runs.y, runs.x
    for i in range(first.size - 1):
        # Sums about the cell's first pixel stay small, and exact.
        y0, x0 = y[first[i]], x[first[i]]
        area = sy = sx = syy = syx = sxx = 0
        for k in range(first[i], first[i + 1]):
            if members[runs.zone[k]]:
                dy = y[k] - y0
                for dx in range(x[k] - x0, x[k] - x0 + runs.length[k]):
                    area += 1
                    sy += dy
                    sx += dx
                    syy += dy * dy
                    syx += dy * dx
                    sxx += dx * dx
        out[i] = np.nan
        out[i, 0] = area
        if area:
            my, mx = sy / area, sx / area
            out[i, 1], out[i, 2] = y0 + 0.5 + my, x0 + 0.5 + mx
            out[i, 3] = syy / area - my * my
            out[i, 4] = syx / area - my * mx
            out[i, 5] = sxx / area - mx * mx


@njit(cache=True, nogil=True)
def _gather(
    runs: CellRuns,
    i: int,
    members: NDArray[np.bool_],
    plane: NDArray[Any],
    out: NDArray[np.float64],
) -> int:
    """Copy the values of a cell's runs in some zones; return how many."""
    count = 0
    for k in range(runs.first[i], runs.first[i + 1]):
        if members[runs.zone[k]]:
            for p in range(runs.start[k], runs.start[k] + runs.length[k]):
                out[count] = plane[p]
                count += 1
    return count


@njit(cache=True, nogil=True)
def _select(values: NDArray[np.float64], low: int, k: int) -> None:
    """Bring the k-th smallest to its place, none greater before it (Hoare's find).

    What lies before ``low`` is known to be no greater than the rest.
    """
    high = values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            return


@njit(cache=True, nogil=True)
def _distributions(
    runs: CellRuns,
    plane: NDArray[Any],
    zones: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    threshold: float,
    shares: NDArray[np.float64],
    buffer: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Figures of every cell; ``buffer`` has room for the pixels of any."""
    for i in range(runs.first.size - 1):
        n = _gather(runs, i, zones[0], plane, buffer)
        if n == 0:
            n = _gather(runs, i, zones[1], plane, buffer)
        if n == 0:
            continue
        values = buffer[:n]
        total, positive = 0.0, 0
        for value in values:
            total += value
            positive += value > threshold
        mean, squares = total / n, 0.0
        for value in values:
            squares += (value - mean) ** 2
        out[i, 0] = math.sqrt(squares / n)
        out[i, 1] = positive / n
        settled = 0
        for q in range(shares.size):
            at = shares[q] * (n - 1)
            low = int(at)
            _select(values, settled, low)
            settled = low
            above = values[low + 1 :].min() if low + 1 < n else values[low]
            out[i, 2 + q] = values[low] + (at - low) * (above - values[low])


@njit(cache=True, nogil=True)
def _completeness(
    runs: CellRuns,
    centres: NDArray[np.float64],
    planes: NDArray[Any],
    channels: NDArray[np.int64],
    thresholds: NDArray[np.float64],
    sectors: int,
    out: NDArray[np.float64],
) -> None:
    sums = np.empty((channels.size, sectors))
    counts = np.empty(sectors, np.int64)
    first, start, length, x = runs.first, runs.start, runs.length, runs.x
    for i in range(first.size - 1):
        sums[:], counts[:] = 0, 0
        for k in range(first[i], first[i + 1]):
            if runs.zone[k] & RING:
                dy = runs.y[k] + 0.5 - centres[i, 0]
                for p in range(length[k]):
                    turn = math.atan2(dy, x[k] + p + 0.5 - centres[i, 1]) / math.tau
                    sector = int((turn + 0.5) * sectors) % sectors
                    counts[sector] += 1
                    for c in range(channels.size):
                        sums[c, sector] += planes[channels[c], start[k] + p]
        seen = (counts > 0).sum()
        if seen:
            for c in range(channels.size):
                stained = 0
                for s in range(sectors):
                    stained += counts[s] > 0 and sums[c, s] > thresholds[c] * counts[s]
                out[i, c] = stained / seen
