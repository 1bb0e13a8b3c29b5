"""Coarse grids of values, read between their nodes at any place of the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Nodes = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def places_um(start_px: int, count: int, um: float) -> NDArray[np.float64]:
    """Pixel centres along one axis, (count,), µm from the slide's corner."""
    centres: NDArray[np.float64] = (np.arange(start_px, start_px + count) + 0.5) * um
    return centres


def bilinear(
    grid: NDArray[np.floating[Any]],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Values of a grid on the lattice of some rows and columns.

    Every value is the same sequence of operations on its own place alone, so blocks
    that overlap agree to the last bit.

    Parameters
    ----------
    grid : (r, c) float array
    rows : (h,) float64 array
    columns : (w,) float64 array
        In steps of the grid, 0 at its first node; beyond its edge the edge counts on.

    Returns
    -------
    (h, w) float32 array
    """
    top, bottom, down = _nodes(rows, grid.shape[0])
    left, right, across = _nodes(columns, grid.shape[1])
    values = grid.astype(np.float32, copy=False)
    lines = values[top] * (1 - down)[:, None] + values[bottom] * down[:, None]
    return lines[:, left] * (1 - across) + lines[:, right] * across


def _nodes(at: NDArray[np.float64], size: int) -> Nodes:
    inside = np.clip(at, 0, size - 1)
    low = np.minimum(inside.astype(np.int64), max(size - 2, 0))
    return low, np.minimum(low + 1, size - 1), (inside - low).astype(np.float32)
