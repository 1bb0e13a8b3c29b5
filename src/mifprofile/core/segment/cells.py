"""Whole cells: nuclei that grow outwards as far as the membrane signal allows."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


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
    The result at a pixel depends on pixels within ``expansion_um`` alone, so blocks
    that read that margin agree.
    """
    reach = max(rim_um, expansion_um if membrane is not None else 0.0) / um
    signal = np.zeros(nuclei.shape, np.float32) if membrane is None else membrane
    return _grow(nuclei, signal, reach, rim_um / um, membrane_stop)


BACKGROUND_SIGNAL = 0.15


@njit(cache=True, nogil=True)
def _grow(
    nuclei: NDArray[np.int32],
    signal: NDArray[np.float32],
    reach_px: float,
    rim_px: float,
    stop: float,
) -> NDArray[np.int32]:
    height, width = nuclei.shape
    cells = nuclei.copy()
    # Where each cell pixel's path left its nucleus, and the peak signal on the path.
    from_y, from_x = np.empty(nuclei.shape, np.int32), np.empty(nuclei.shape, np.int32)
    peak = np.zeros(nuclei.shape, np.float32)
    for y in range(height):
        for x in range(width):
            from_y[y, x], from_x[y, x] = y, x
    for _ in range(int(np.ceil(reach_px))):
        grown = cells.copy()
        old_y, old_x, old_peak = from_y.copy(), from_x.copy(), peak.copy()
        for y in range(height):
            for x in range(width):
                if cells[y, x]:
                    continue
                best = reach_px * reach_px + 1e-6
                for v in range(max(y - 1, 0), min(y + 2, height)):
                    for u in range(max(x - 1, 0), min(x + 2, width)):
                        label = cells[v, u]
                        if not label:
                            continue
                        sy, sx = old_y[v, u], old_x[v, u]
                        distance = float((y - sy) ** 2 + (x - sx) ** 2)
                        if distance > rim_px * rim_px and not (
                            signal[y, x] > BACKGROUND_SIGNAL
                            and signal[y, x] >= stop * old_peak[v, u]
                        ):
                            continue
                        nearer = distance < best
                        tied = distance == best and label < grown[y, x]
                        if nearer or tied:
                            best = distance
                            grown[y, x] = label
                            from_y[y, x], from_x[y, x] = sy, sx
                            peak[y, x] = max(old_peak[v, u], signal[y, x])
        cells = grown
    return cells
