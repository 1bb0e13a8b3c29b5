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
    return _grow(nuclei, signal, reach, rim_um / um, membrane_stop)


def reach_px(um: float, rim_um: float, expansion_um: float) -> int:
    """Margin that `expand_nuclei` needs around a block, px."""
    return int(np.ceil(max(rim_um, expansion_um) / um)) + 1


@njit(cache=True, nogil=True)
def _grow(
    nuclei: NDArray[np.int32],
    signal: NDArray[np.float32],
    reach_px: float,
    rim_px: float,
    stop: float,
) -> NDArray[np.int32]:
    cells = nuclei.copy()
    # Flat index of the nucleus pixel where each cell pixel's path began, and the peak
    # of the signal on that path.
    start = np.arange(nuclei.size).reshape(nuclei.shape)
    peak = np.zeros(nuclei.shape, np.float32)
    for _ in range(int(np.ceil(reach_px))):
        cells = _step(cells, start, peak, signal, reach_px, rim_px, stop)
    return cells


@njit(cache=True, nogil=True)
def _step(
    cells: NDArray[np.int32],
    start: NDArray[np.int64],
    peak: NDArray[np.float32],
    signal: NDArray[np.float32],
    reach_px: float,
    rim_px: float,
    stop: float,
) -> NDArray[np.int32]:
    """Let every free pixel beside a cell join the one whose nucleus is nearest."""
    height, width = cells.shape
    grown = cells.copy()
    for y in range(height):
        for x in range(width):
            if cells[y, x]:
                continue
            best = reach_px * reach_px + 1e-6
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if not cells[v, u]:
                        continue
                    sy, sx = start[v, u] // width, start[v, u] % width
                    distance = float((y - sy) ** 2 + (x - sx) ** 2)
                    if distance > rim_px * rim_px and (
                        signal[y, x] < BACKGROUND_SIGNAL
                        or signal[y, x] < stop * peak[v, u]
                    ):
                        continue
                    tied = distance == best and cells[v, u] < grown[y, x]
                    if distance < best or tied:
                        best = distance
                        grown[y, x] = cells[v, u]
                        start[y, x] = start[v, u]
                        peak[y, x] = max(peak[v, u], signal[y, x])
    return grown
