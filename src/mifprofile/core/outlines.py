"""Outlines of labelled objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mifprofile.core.segment.objects import widen

if TYPE_CHECKING:
    from numpy.typing import NDArray

# (dy, dx) to the pixels above, right, below and left.
SIDES = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])


def outlines(
    labels: NDArray[np.integer[Any]],
    wanted: NDArray[np.integer[Any]],
) -> dict[int, NDArray[np.float64]]:
    """Trace objects as closed polygons.

    A polygon runs through the middles of the sides between an object's pixels and
    others, as a marching-squares contour at one half does; pixels that touch at a
    corner only are apart.

    Parameters
    ----------
    labels : (h, w) integer array
    wanted : (n,) integer array
        Labels to trace, ascending; absent ones are left out.

    Returns
    -------
    dict
        Label → (k, 2) array of (x, y) in px from the array's corner, first = last.
        Of an object in pieces, the longest outline.
    """
    boxes = _boxes(labels, wanted)
    found = {}
    for i in np.flatnonzero(boxes[:, 1]):
        halves = _longest(labels, wanted[i], boxes[i])
        found[int(wanted[i])] = halves / 2
    return found


@njit(cache=True, nogil=True)
def _boxes(
    labels: NDArray[np.integer[Any]], wanted: NDArray[np.integer[Any]]
) -> NDArray[np.int64]:
    """Top, bottom, left and right of each label, half-open; all 0 if it is absent."""
    height, width = labels.shape
    boxes = np.zeros((wanted.size, 4), np.int64)
    for y in range(height):
        last, i = labels.dtype.type(0), -1
        for x in range(width):
            name = labels[y, x]
            if name != last:
                last, i = name, np.searchsorted(wanted, name)
                if name == 0 or i == wanted.size or wanted[i] != name:
                    i = -1
            if i >= 0:
                widen(boxes[i], y, x)
    return boxes


@njit(cache=True, nogil=True)
def _longest(
    labels: NDArray[np.integer[Any]], name: int, box: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Longest outline of an object, (x, y) in half pixels; the first of equal ones."""
    top, bottom, left, right = box
    mask = np.zeros((bottom - top + 2, right - left + 2), np.bool_)
    mask[1:-1, 1:-1] = labels[top:bottom, left:right] == name
    seen = np.zeros((*mask.shape, 4), np.bool_)
    longest = np.empty((0, 2), np.int64)
    for y in range(1, mask.shape[0] - 1):
        for x in range(1, mask.shape[1] - 1):
            for side in range(4):
                dy, dx = SIDES[side]
                if mask[y, x] and not mask[y + dy, x + dx] and not seen[y, x, side]:
                    line = _walk(mask, seen, y, x, side)
                    if len(line) > len(longest):
                        longest = line
    # The mask's frame moved the pixels by one; a pixel's middle is half a pixel in.
    return _corners(longest) + np.array([2 * left - 1, 2 * top - 1])


@njit(cache=True, nogil=True)
def _walk(
    mask: NDArray[np.bool_], seen: NDArray[np.bool_], y: int, x: int, side: int
) -> NDArray[np.int64]:
    """Follow a border from one side of a pixel on; (x, y) of each side's middle."""
    line = np.empty((4 * mask.size, 2), np.int64)
    n = 0
    while not seen[y, x, side]:
        seen[y, x, side] = True
        dy, dx = SIDES[side]
        line[n] = 2 * x + dx, 2 * y + dy
        n += 1
        y, x, side = _next(mask, y, x, side)
    return line[:n]


@njit(cache=True, nogil=True)
def _corners(line: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places where a closed line turns, the first one again at the end."""
    out = np.empty((len(line) + 1, 2), np.int64)
    n = 0
    for i in range(len(line)):
        before, after = line[i] - line[i - 1], line[(i + 1) % len(line)] - line[i]
        if before[0] * after[1] != before[1] * after[0]:
            out[n] = line[i]
            n += 1
    out[n] = out[0]
    return out[: n + 1]


@njit(inline="always")
def _next(mask: NDArray[np.bool_], y: int, x: int, side: int) -> tuple[int, int, int]:
    """Side of a pixel that follows another one, clockwise around the object."""
    dy, dx = SIDES[side]
    turned = (side + 1) % 4
    along_y, along_x = SIDES[turned]
    if not mask[y + along_y, x + along_x]:
        return y, x, turned
    if not mask[y + along_y + dy, x + along_x + dx]:
        return y + along_y, x + along_x, side
    return y + along_y + dy, x + along_x + dx, (side + 3) % 4
