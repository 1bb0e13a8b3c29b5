"""Flows to objects by pointer doubling.

In a flow field the next position of a pixel depends on its present one alone. A few
Euler steps are therefore taken once per pixel and then squared: hop, hop of hop, …
Objects are the basins of the sinks in which the pixels end, and each is named by its
sink's place on the slide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

EULER_STEPS = 8
CLIMB_WINDOW = 2
CLIMB_DOUBLINGS = 3
MIN_SINK_PIXELS = 10
# Slow flows are lengthened up to one px per step: the direction is what they tell.
SPEED_GAIN = 2.0


def travel_px(doublings: int) -> int:
    """Furthest that a pixel can move, px: it bounds the halo a block needs."""
    return EULER_STEPS * 2**doublings


def follow_flows(
    flows: NDArray[np.float32], foreground: NDArray[np.bool_], doublings: int
) -> NDArray[np.int32]:
    """Send each foreground pixel down the flow field.

    Parameters
    ----------
    flows : (2, h, w) float32 array
        (y, x) components, about unit length inside objects.
    foreground : (h, w) bool array
        Pixels that belong to an object.
    doublings : int
        The path is ``8 * 2**doublings`` steps of at most one px.

    Returns
    -------
    (h, w) int32 array
        Flat index of the pixel where each one ends; -1 outside the foreground.
    """
    hops = _euler_hops(np.ascontiguousarray(flows, np.float32), foreground)
    for _ in range(doublings):
        hops = _double(hops)
    return hops.reshape(foreground.shape)


def sink_labels(ends: NDArray[np.int32]) -> NDArray[np.int32]:
    """Group pixels by the sink in which they end.

    Sinks are the local maxima, in a 5 x 5 window, of the 3 x 3 sum of arrivals; each
    end climbs to one of them. Sinks with fewer than 10 arriving pixels are dropped.

    Parameters
    ----------
    ends : (h, w) int32 array
        As from `follow_flows`.

    Returns
    -------
    (h, w) int32 array
        1 + flat index of the pixel's sink; 0 is background.
    """
    height, width = ends.shape
    arrivals = _box_sum(_count(ends.ravel(), height, width))
    climb = _climb(arrivals)
    for _ in range(CLIMB_DOUBLINGS):
        climb = _double(climb)
    return _name(ends.ravel(), climb).reshape(ends.shape)


@njit(cache=True, nogil=True)
def _euler_hops(
    flows: NDArray[np.float32], foreground: NDArray[np.bool_]
) -> NDArray[np.int32]:
    height, width = foreground.shape
    hops = np.full(height * width, -1, np.int32)
    for row in range(height):
        for col in range(width):
            if foreground[row, col]:
                hops[row * width + col] = _hop(flows, foreground, row, col)
    return hops


@njit(cache=True, nogil=True)
def _hop(
    flows: NDArray[np.float32], foreground: NDArray[np.bool_], row: int, col: int
) -> int:
    height, width = foreground.shape
    one = np.float32(1)
    # Offsets from the pixel, not absolute places: how float32 rounds must not depend
    # on where the block begins.
    dy, dx = np.float32(0), np.float32(0)
    end = row * width + col
    for _ in range(EULER_STEPS):
        fy, fx = _sample(flows, row, col, dy, dx)
        speed = np.sqrt(fy * fy + fx * fx)
        gain = np.float32(SPEED_GAIN)
        if speed * gain > one:
            gain = one / speed
        dy += fy * gain
        dx += fx * gain
        i, j = row + int(np.rint(dy)), col + int(np.rint(dx))
        if 0 <= i < height and 0 <= j < width and foreground[i, j]:
            end = i * width + j
    return end


@njit(cache=True, nogil=True)
def _sample(
    flows: NDArray[np.float32], row: int, col: int, dy: np.float32, dx: np.float32
) -> tuple[np.float32, np.float32]:
    height, width = flows.shape[1:]
    fy, fx = int(np.floor(dy)), int(np.floor(dx))
    wy, wx = np.float32(dy - fy), np.float32(dx - fx)
    y0 = min(max(row + fy, 0), height - 1)
    y1 = min(max(row + fy + 1, 0), height - 1)
    x0 = min(max(col + fx, 0), width - 1)
    x1 = min(max(col + fx + 1, 0), width - 1)
    one = np.float32(1)
    a, b, c, d = (one - wy) * (one - wx), (one - wy) * wx, wy * (one - wx), wy * wx
    y = a * flows[0, y0, x0] + b * flows[0, y0, x1]
    y += c * flows[0, y1, x0] + d * flows[0, y1, x1]
    x = a * flows[1, y0, x0] + b * flows[1, y0, x1]
    x += c * flows[1, y1, x0] + d * flows[1, y1, x1]
    return y, x


@njit(cache=True, nogil=True)
def _double(hops: NDArray[np.int32]) -> NDArray[np.int32]:
    out = np.empty_like(hops)
    for i in range(hops.size):
        out[i] = hops[hops[i]] if hops[i] >= 0 else -1
    return out


@njit(cache=True, nogil=True)
def _count(ends: NDArray[np.int32], height: int, width: int) -> NDArray[np.int32]:
    counts = np.zeros(height * width, np.int32)
    for end in ends:
        if end >= 0:
            counts[end] += 1
    return counts.reshape(height, width)


@njit(cache=True, nogil=True)
def _box_sum(counts: NDArray[np.int32]) -> NDArray[np.int32]:
    height, width = counts.shape
    out = np.zeros_like(counts)
    for y in range(height):
        for x in range(width):
            if counts[y, x]:
                for v in range(max(y - 1, 0), min(y + 2, height)):
                    for u in range(max(x - 1, 0), min(x + 2, width)):
                        out[v, u] += counts[y, x]
    return out


@njit(cache=True, nogil=True)
def _climb(arrivals: NDArray[np.int32]) -> NDArray[np.int32]:
    height, width = arrivals.shape
    out = np.full(height * width, -1, np.int32)
    for y in range(height):
        for x in range(width):
            if arrivals[y, x]:
                out[y * width + x] = _highest(arrivals, y, x)
    return out


@njit(cache=True, nogil=True)
def _highest(arrivals: NDArray[np.int32], y: int, x: int) -> int:
    height, width = arrivals.shape
    r = CLIMB_WINDOW
    best, at = arrivals[y, x], y * width + x
    for v in range(max(y - r, 0), min(y + r + 1, height)):
        for u in range(max(x - r, 0), min(x + r + 1, width)):
            # Of equal heights the first in raster order: the slide's order too.
            if arrivals[v, u] > best or (arrivals[v, u] == best and v * width + u < at):
                best, at = arrivals[v, u], v * width + u
    return at


@njit(cache=True, nogil=True)
def _name(ends: NDArray[np.int32], climb: NDArray[np.int32]) -> NDArray[np.int32]:
    pixels = np.zeros(ends.size, np.int32)
    out = np.zeros(ends.size, np.int32)
    for i in range(ends.size):
        if ends[i] >= 0:
            out[i] = 1 + climb[ends[i]]
            pixels[climb[ends[i]]] += 1
    for i in range(ends.size):
        if out[i] and pixels[out[i] - 1] < MIN_SINK_PIXELS:
            out[i] = 0
    return out
