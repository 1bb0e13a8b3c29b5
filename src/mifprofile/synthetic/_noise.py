"""Smooth random fields that are functions of slide coordinates alone."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

NODE_BLOCK = 16
SPLINE_SD = 0.48  # of a cubic B-spline surface over unit white noise, rms over phases


@njit(cache=True, nogil=True)
def _cubic(t: float) -> tuple[float, float, float, float]:
    s = 1 - t
    return (
        s * s * s / 6,
        (4 - 6 * t * t + 3 * t * t * t) / 6,
        (4 - 6 * s * s + 3 * s * s * s) / 6,
        t * t * t / 6,
    )


@njit(cache=True, nogil=True)
def spline_surface(
    nodes: NDArray[np.float64],
    grain_px: float,
    start: tuple[int, int],
    shape: tuple[int, int],
) -> Any:
    """Evaluate a cubic B-spline surface on a block of pixels.

    Parameters
    ----------
    nodes : (r, c) float64
        Values at lattice rows ``start // grain_px - 1`` and following.
    grain_px : float
        Distance of the nodes, px.
    start, shape : (int, int)
        The block, in pixels of the slide.

    Returns
    -------
    (y, x) float32
        Of unit variance, if the nodes are.
    """
    surface = np.empty(shape, dtype=np.float32)
    line = np.empty(nodes.shape[1], dtype=np.float32)
    weights = np.empty((4, shape[1]), dtype=np.float32)
    first_row = math.floor(start[0] / grain_px)
    first_column = math.floor(start[1] / grain_px)
    ends = np.zeros(nodes.shape[1] - 2, dtype=np.int64)
    for x in range(shape[1]):
        at = (start[1] + x) / grain_px
        column = math.floor(at)
        a, b, c, d = _cubic(at - column)
        weights[0, x], weights[1, x], weights[2, x], weights[3, x] = a, b, c, d
        ends[column - first_column + 1] = x + 1
    for y in range(shape[0]):
        at = (start[0] + y) / grain_px
        row = math.floor(at)
        a, b, c, d = _cubic(at - row)
        r = row - first_row
        for k in range(line.size):
            value = (a * nodes[r, k] + b * nodes[r + 1, k]) + (
                c * nodes[r + 2, k] + d * nodes[r + 3, k]
            )
            line[k] = value / SPLINE_SD
        for k in range(ends.size - 1):
            e, f, g, h = line[k], line[k + 1], line[k + 2], line[k + 3]
            for x in range(ends[k], ends[k + 1]):
                surface[y, x] = (weights[0, x] * e + weights[1, x] * f) + (
                    weights[2, x] * g + weights[3, x] * h
                )
    return surface


def lattice_shape(
    grain_px: float, start: tuple[int, int], shape: tuple[int, int]
) -> tuple[int, int]:
    """Rows and columns of the nodes that `spline_surface` needs for a block."""
    low = [math.floor(s / grain_px) for s in start]
    high = [
        math.floor((s + n - 1) / grain_px) for s, n in zip(start, shape, strict=True)
    ]
    return high[0] - low[0] + 4, high[1] - low[1] + 4


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], grain_px: float
) -> NDArray[np.float32]:
    """Return one smooth random field of mean 0 and sd about 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (int, int)
    grain_px : float
        Size of its blobs, px.

    Returns
    -------
    (y, x) float32
    """
    dy, dx = rng.integers(0, 1 + int(grain_px), 2).tolist()
    nodes = rng.standard_normal(lattice_shape(grain_px, (dy, dx), shape))
    surface: NDArray[np.float32] = spline_surface(nodes, grain_px, (dy, dx), shape)
    return surface


def keyed_rng(*key: int) -> np.random.Generator:
    """Return the generator that belongs to a key of (also negative) integers."""
    return np.random.default_rng([part & 0xFFFF_FFFF for part in key])


def smooth_field(
    key: tuple[int, int],
    grain_px: float,
    start: tuple[int, int],
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Return a block of an endless smooth random field of mean 0 and sd about 1.

    Parameters
    ----------
    key : (int, int)
        Seed and number of the field; blocks of one field agree where they overlap.
    grain_px : float
        Size of its blobs, px.
    start, shape : (int, int)
        The block, in pixels of the slide.

    Returns
    -------
    (y, x) float32
    """
    first = [math.floor(s / grain_px) for s in start]
    rows, columns = lattice_shape(grain_px, start, shape)
    nodes = _nodes(key, first[0], first[1], rows, columns)
    surface: NDArray[np.float32] = spline_surface(nodes, grain_px, start, shape)
    return surface


def _nodes(
    key: tuple[int, int], row: int, column: int, rows: int, columns: int
) -> NDArray[np.float64]:
    top, left = row // NODE_BLOCK, column // NODE_BLOCK
    bottom, right = (row + rows - 1) // NODE_BLOCK, (column + columns - 1) // NODE_BLOCK
    blocks = [
        [_node_block(key, by, bx) for bx in range(left, right + 1)]
        for by in range(top, bottom + 1)
    ]
    y, x = row - top * NODE_BLOCK, column - left * NODE_BLOCK
    return np.ascontiguousarray(np.block(blocks)[y : y + rows, x : x + columns])


@functools.lru_cache(maxsize=4096)
def _node_block(key: tuple[int, int], row: int, column: int) -> NDArray[np.float64]:
    return keyed_rng(*key, row, column).standard_normal((NODE_BLOCK, NODE_BLOCK))
