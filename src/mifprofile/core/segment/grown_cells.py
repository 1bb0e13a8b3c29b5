"""Whole cells: nuclei that grow outwards as far as the membrane signal allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Scaled membrane signal below this is none.
BACKGROUND_SIGNAL = 0.25
FRAME = -1


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
    # A frame that belongs to no cell, and is not free, spares looking for the edges.
    cells = np.pad(nuclei, 1, constant_values=FRAME)
    signal = (
        np.zeros_like(cells, np.float32) if membrane is None else np.pad(membrane, 1)
    )
    _grow(cells, signal, reach, rim_um / um, membrane_stop)
    return cells[1:-1, 1:-1]


def reach_px(um: float, rim_um: float, expansion_um: float) -> int:
    """Margin that `expand_nuclei` needs around a block, px."""
    return int(np.ceil(max(rim_um, expansion_um) / um)) + 1


@njit(cache=True, nogil=True)
def _grow(
    cells: NDArray[np.int32],
    signal: NDArray[np.float32],
    reach_px: float,
    rim_px: float,
    stop: float,
) -> None:
    """Let all cells grow by one pixel at a time, each to its neighbours of before."""
    width = cells.shape[1]
    owners, signals = cells.ravel(), signal.ravel()
    # Of each pixel: the way from the nucleus pixel where its path began, and the peak
    # of the signal on that path. While a step lasts, the owner of a pixel that joins
    # is -2 minus the number of the neighbour that it joins, in raster order.
    way = np.zeros((owners.size, 2), np.int16)
    peak = np.zeros(owners.size, np.float32)
    edge, furthest = _edge(owners, width), reach_px * reach_px + 1e-6
    for _ in range(int(np.ceil(reach_px))):
        joined = np.empty(8 * edge.size, np.int64)
        n = 0
        for at in edge:
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    to = at + dy * width + dx
                    if owners[to] > 0 or owners[to] == FRAME:
                        continue
                    y, x = way[at, 0] + dy, way[at, 1] + dx
                    far = y * y + x * x
                    faint = signals[to] < max(BACKGROUND_SIGNAL, stop * peak[at])
                    if far > furthest or (far > rim_px * rim_px and faint):
                        continue
                    if owners[to] == 0:
                        joined[n] = to
                        n += 1
                    elif not _nearer(far, at, to, owners, way, width):
                        continue
                    owners[to] = -2 - (3 * (1 - dy) + 1 - dx)
                    way[to, 0], way[to, 1] = y, x
        edge = joined[:n]
        for to in edge:
            source = _source(owners, to, width)
            owners[to] = owners[source]
            peak[to] = max(peak[source], signals[to])


@njit(cache=True, nogil=True)
def _edge(owners: NDArray[np.int32], width: int) -> NDArray[np.int64]:
    """Pixels of nuclei beside which there is a free one."""
    found = np.empty(owners.size, np.int64)
    n = 0
    for at in range(width, owners.size - width):
        if owners[at] > 0:
            free = False
            for near in (at - width, at, at + width):
                free |= owners[near - 1] == 0 or owners[near + 1] == 0
                free |= owners[near] == 0
            if free:
                found[n] = at
                n += 1
    return found[:n]


@njit(inline="always")
def _nearer(
    far: int,
    at: int,
    to: int,
    owners: NDArray[np.int32],
    way: NDArray[np.int16],
    width: int,
) -> bool:
    """Whether a pixel should join by another neighbour than the one found before."""
    old_far = int(way[to, 0]) ** 2 + int(way[to, 1]) ** 2
    if far != old_far:
        return far < old_far
    source = _source(owners, to, width)
    mine, old = owners[at], owners[source]
    return mine < old or (mine == old and at < source)


@njit(inline="always")
def _source(owners: NDArray[np.int32], to: int, width: int) -> int:
    """Neighbour that a pixel joins in this step."""
    number = -2 - owners[to]
    return to + (number // 3 - 1) * width + number % 3 - 1
