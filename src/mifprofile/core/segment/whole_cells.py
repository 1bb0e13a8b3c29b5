"""Whole cells from a network that sees membranes: nuclei and what flows to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# No cell extends further than this beyond its nucleus, along its flows.
MAX_REACH_UM = 16.0


def claim_cells(
    nuclei: NDArray[np.int32],
    flows: NDArray[np.float32],
    probability: NDArray[np.float32],
    *,
    um: float,
    cell_probability: float,
) -> NDArray[np.int32]:
    """Give every nucleus the pixels whose cell flows lead to it.

    A pixel walks down the flows of whole cells until it meets a nucleus and takes its
    number, so that a cell and its nucleus are a pair from the start and a cell with two
    nuclei is divided between them. Pixels that meet none stay background, and so do
    those that are not connected to their nucleus.

    Parameters
    ----------
    nuclei : (h, w) int32 array
    flows : (2, h, w) float32 array
        (y, x) flows of whole cells, unit length.
    probability : (h, w) float32 array
        Logit of being inside a cell.
    um : float
        Pixel size.
    cell_probability : float
        Logit above which a pixel belongs to a cell.

    Returns
    -------
    (h, w) int32 array
        Cells; a cell carries its nucleus's number.

    Notes
    -----
    A pixel's cell depends on what lies within `claim_reach_px`.
    """
    steps = _steps(um)
    inside = probability > cell_probability
    claims = _claims(nuclei, np.ascontiguousarray(flows, np.float32), inside, steps)
    return _connected(nuclei, claims, steps)


def claim_reach_px(um: float) -> int:
    """Margin around a block that `claim_cells` needs, px.

    A walk of ``steps`` px for each pixel on a connection of ``steps`` px.
    """
    return 2 * _steps(um) + 2


def _steps(um: float) -> int:
    return int(np.ceil(MAX_REACH_UM / um))


@njit(cache=True, nogil=True)
def _claims(
    nuclei: NDArray[np.int32],
    flows: NDArray[np.float32],
    inside: NDArray[np.bool_],
    steps: int,
) -> NDArray[np.int32]:
    height, width = nuclei.shape
    claims = nuclei.copy()
    for row in range(height):
        for col in range(width):
            if inside[row, col] and not nuclei[row, col]:
                claims[row, col] = _walk(nuclei, flows, inside, row, col, steps)
    return claims


@njit(cache=True, nogil=True)
def _walk(
    nuclei: NDArray[np.int32],
    flows: NDArray[np.float32],
    inside: NDArray[np.bool_],
    row: int,
    col: int,
    steps: int,
) -> int:
    """Nucleus that a pixel meets on its way down the flows, 0 if none."""
    height, width = nuclei.shape
    # Offsets from the pixel: how float32 rounds must not depend on the block.
    dy, dx = np.float32(0), np.float32(0)
    i, j = row, col
    for _ in range(steps):
        fy, fx = flows[0, i, j], flows[1, i, j]
        speed = np.sqrt(fy * fy + fx * fx)
        if speed < np.float32(0.1):
            return 0
        dy += fy / speed
        dx += fx / speed
        i, j = row + int(np.rint(dy)), col + int(np.rint(dx))
        if i < 0 or j < 0 or i >= height or j >= width:
            return 0
        if nuclei[i, j]:
            return nuclei[i, j]
        if not inside[i, j]:
            return 0
    return 0


@njit(cache=True, nogil=True)
def _connected(
    nuclei: NDArray[np.int32], claims: NDArray[np.int32], steps: int
) -> NDArray[np.int32]:
    """Claimed pixels that a path of at most ``steps`` px joins to their nucleus."""
    height, width = nuclei.shape
    cells = nuclei.copy()
    queue = np.empty(nuclei.size, np.int32)
    end = 0
    for i in range(nuclei.size):
        if nuclei[i // width, i % width]:
            queue[end] = i
            end += 1
    start = 0
    for _ in range(steps):
        stop = end
        for k in range(start, stop):
            y, x = queue[k] // width, queue[k] % width
            for v, u in ((y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x)):
                if v < 0 or u < 0 or v >= height or u >= width or cells[v, u]:
                    continue
                if claims[v, u] == cells[y, x]:
                    cells[v, u] = claims[v, u]
                    queue[end] = v * width + u
                    end += 1
        start = stop
    return cells
