"""Whole cells: nuclei that grow outwards as far as the membrane signal allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Scaled membrane signal below this is none.
BACKGROUND_SIGNAL = 0.25


def expand_nuclei(
    nuclei: NDArray[np.int32],
    membrane: NDArray[np.float32] | None,
    *,
    um: float,
    rim_um: float,
    expansion_um: float,
    membrane_stop: float,
) -> NDArray[np.int32]:
    """Grow every nucleus into a cell.

    A background pixel within ``rim_um`` of a nucleus joins it. Further out, up to
    ``expansion_um``, growth goes on only along membrane signal: it stops where the
    signal falls below ``membrane_stop`` times its peak on the way, or where there is
    none. Without a membrane channel the rim alone is used. Each pixel takes the
    nearest nucleus, of equally near ones the first in raster order.

    Parameters
    ----------
    nuclei : (h, w) int32 array
        Numbered in raster order.
    membrane : (h, w) float32 array or None
        Scaled so that background is about 0 and clear membranes about 1.
    um : float
        Pixel size.
    rim_um, expansion_um, membrane_stop : float
        As in `mifprofile.options.SegmentOptions`.

    Returns
    -------
    (h, w) int32 array
        Cells; a cell carries its nucleus's number.

    Notes
    -----
    A pixel's label depends on pixels within `reach_px` alone, so that blocks which
    read that margin agree.
    """
    reach = max(rim_um, expansion_um if membrane is not None else 0.0) / um
    signal = np.zeros(nuclei.shape, np.float32) if membrane is None else membrane
    return _grow(nuclei, _around(nuclei), signal, reach, rim_um / um, membrane_stop)


def reach_px(um: float, rim_um: float, expansion_um: float) -> int:
    """Margin that `expand_nuclei` needs around a block, px."""
    return int(np.ceil(max(rim_um, expansion_um) / um)) + 1


@njit(cache=True, nogil=True)
def _around(nuclei: NDArray[np.int32]) -> NDArray[np.int64]:
    """Flat indices of the background pixels that touch a nucleus."""
    height, width = nuclei.shape
    free = np.empty(nuclei.size, np.int64)
    column = np.zeros(width + 2, np.int32)
    n = 0
    for y in range(height):
        above, below = nuclei[max(y - 1, 0)], nuclei[min(y + 1, height - 1)]
        for x in range(width):
            column[x + 1] = above[x] | nuclei[y, x] | below[x]
        for x in range(width):
            if nuclei[y, x] == 0 and (column[x] | column[x + 1] | column[x + 2]):
                free[n] = y * width + x
                n += 1
    return free[:n]


@njit(cache=True, nogil=True)
def _grow(
    nuclei: NDArray[np.int32],
    free: NDArray[np.int64],
    signal: NDArray[np.float32],
    reach_px: float,
    rim_px: float,
    stop: float,
) -> NDArray[np.int32]:
    cells = nuclei.copy()
    # Way from the nucleus pixel where each cell pixel's path began, and the peak of
    # the signal on that path.
    way = np.zeros((*nuclei.shape, 2), np.int16)
    peak = np.zeros(nuclei.shape, np.float32)
    seen = np.zeros(nuclei.shape, np.int16)
    for step in range(int(np.ceil(reach_px))):
        owners = np.zeros(free.size, np.int32)
        for i in range(free.size):
            owners[i] = _join(free[i], cells, way, peak, signal, reach_px, rim_px, stop)
        for i in range(free.size):
            cells.ravel()[free[i]] = owners[i]
        free = _beside(cells, free[owners > 0], seen, step + 1)
    return cells


@njit(cache=True, nogil=True)
def _beside(
    cells: NDArray[np.int32],
    edge: NDArray[np.int64],
    seen: NDArray[np.int16],
    mark: int,
) -> NDArray[np.int64]:
    """Free pixels beside those that joined last: nothing is new for the others."""
    height, width = cells.shape
    found = np.empty(8 * edge.size, np.int64)
    n = 0
    for at in edge:
        y, x = at // width, at % width
        for v in range(max(y - 1, 0), min(y + 2, height)):
            for u in range(max(x - 1, 0), min(x + 2, width)):
                if not cells[v, u] and seen[v, u] != mark:
                    seen[v, u] = mark
                    found[n] = v * width + u
                    n += 1
    return found[:n]


@njit(inline="always")
def _join(
    at: int,
    cells: NDArray[np.int32],
    way: NDArray[np.int16],
    peak: NDArray[np.float32],
    signal: NDArray[np.float32],
    reach_px: float,
    rim_px: float,
    stop: float,
) -> int:
    """Cell that a free pixel joins, 0 if none: the one whose nucleus is nearest."""
    height, width = cells.shape
    y, x = at // width, at % width
    owner, best = 0, reach_px * reach_px + 1e-6
    for v in range(max(y - 1, 0), min(y + 2, height)):
        for u in range(max(x - 1, 0), min(x + 2, width)):
            if not cells[v, u]:
                continue
            dy, dx = way[v, u, 0] + y - v, way[v, u, 1] + x - u
            distance = float(dy * dy + dx * dx)
            if distance > rim_px * rim_px and (
                signal[y, x] < BACKGROUND_SIGNAL or signal[y, x] < stop * peak[v, u]
            ):
                continue
            if distance < best or (distance == best and cells[v, u] < owner):
                owner, best = cells[v, u], distance
                way[y, x, 0], way[y, x, 1] = dy, dx
                peak[y, x] = max(peak[v, u], signal[y, x])
    return owner
