"""Flows to objects by pointer doubling.

In a flow field the next position of a pixel depends on its present one alone. A few
Euler steps are therefore taken once per pixel and then squared: hop, hop of hop, …
The few pixels in which all hops end are then moved on in small steps, to where the
field comes to rest. Objects are the basins of the places where many pixels end, found
as Cellpose finds them, and each is named by its sink's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

EULER_STEPS = 4
STEP_PX = 2
# The pixels in which hops end are moved on by more steps, but no further than this.
SETTLE_PX = 16
SETTLE_STEPS = 100
SETTLED_PX = 0.004
# As in Cellpose: a sink is where more than 10 pixels end, the most within 2 px; it
# takes in what lies within 5 steps over pixels in which more than 2 end.
SINK_PIXELS = 10
SINK_WINDOW = 2
GROW_PIXELS = 2
GROW_STEPS = 5
# Slow flows are lengthened up to unit length: the direction is what they tell.
SPEED_GAIN = 2.0
# Steps and places are integers, 1 / 2**14 px, so that no result depends on where the
# block begins. Both components of a flow share one number: y in its upper half.
BITS = 14
UNIT = 1 << BITS
WEIGHT_BITS = 8
WEIGHTS = 1 << WEIGHT_BITS
# Empty frame of the field that no path can cross.
FRAME_PX = SETTLE_PX + 2


def travel_px(doublings: int) -> int:
    """Furthest along an axis that a pixel can move: it bounds the halo of a block."""
    return EULER_STEPS * STEP_PX * 2**doublings + SETTLE_PX


def follow_flows(
    flows: NDArray[np.float32], foreground: NDArray[np.bool_], doublings: int
) -> NDArray[np.int32]:
    """Send each foreground pixel down the flow field.

    Parameters
    ----------
    flows : (2, h, w) float32 array
        (y, x) components, about unit length inside objects.
    foreground : (h, w) bool array
        Pixels that belong to an object; flows are nothing elsewhere.
    doublings : int
        At least 1. The path is ``4 * 2**doublings`` steps of at most two px, then
        up to 16 px in smaller ones.

    Returns
    -------
    (h, w) int32 array
        Flat index of the pixel where each one ends; -1 outside the foreground.
    """
    field = _field(flows, foreground)
    hops = _hops(field, foreground)
    for _ in range(doublings - 1):
        hops = _double(hops)
    return _settle(field, hops)


def sink_labels(
    ends: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Group pixels by the sink in which they end.

    Parameters
    ----------
    ends : (h, w) int32 array
        As from `follow_flows`.

    Returns
    -------
    labels : (h, w) int32 array
        1 + index of the pixel's sink; 0 is background, and some sinks may have none.
    sinks : (n,) int32 array
        Flat index of each sink, ascending.
    """
    arrivals = _count(ends)
    sinks = _sinks(arrivals)
    # Of two that reach a pixel, the one with more arrivals has it; of equal ones the
    # first in raster order, which is the slide's order too.
    first = np.argsort(-arrivals.ravel()[sinks], kind="stable")
    return _collect(ends, _grow(arrivals, sinks, first)), sinks


@njit(cache=True, nogil=True)
def _field(
    flows: NDArray[np.float32], foreground: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Flows, packed: none outside the foreground and in a frame around the array."""
    height, width = foreground.shape
    field = np.zeros((height + 2 * FRAME_PX, width + 2 * FRAME_PX), np.int32)
    for row in range(height):
        for col in range(width):
            if foreground[row, col]:
                y, x = flows[0, row, col], flows[1, row, col]
                speed = np.sqrt(y * y + x * x)
                gain = np.float32(SPEED_GAIN * UNIT)
                if speed > np.float32(1 / SPEED_GAIN):
                    gain = np.float32(UNIT) / speed
                packed = (int(np.rint(y * gain)) << 16) + int(np.rint(x * gain))
                field[row + FRAME_PX, col + FRAME_PX] = packed
    return field


@njit(cache=True, nogil=True, inline="always")
def _wide(flow: np.int32) -> int:
    """Both components with 32 bits each, so that they can be multiplied at once."""
    x = int(np.int16(flow))
    return ((int(flow) - x) << 16) + x


@njit(cache=True, nogil=True, inline="always")
def _step(field: NDArray[np.int32], stride: int, y: int, x: int) -> tuple[int, int]:
    """Bilinear flow at a place of the flat field."""
    at = np.uint64((y >> BITS) * stride + (x >> BITS))
    below = at + np.uint64(stride)
    wy = (y >> (BITS - WEIGHT_BITS)) & (WEIGHTS - 1)
    wx = (x >> (BITS - WEIGHT_BITS)) & (WEIGHTS - 1)
    both = wy * wx
    flow = _wide(field[at]) * (WEIGHTS * (WEIGHTS - wy - wx) + both)
    flow += _wide(field[at + np.uint64(1)]) * (WEIGHTS * wx - both)
    flow += _wide(field[below]) * (WEIGHTS * wy - both)
    flow += _wide(field[below + np.uint64(1)]) * both
    along_x = int(np.int32(flow & 0xFFFFFFFF))
    along_y = (flow - along_x) >> 32
    half, bits = WEIGHTS * WEIGHTS // 2, 2 * WEIGHT_BITS
    return (along_y + half) >> bits, (along_x + half) >> bits


@njit(cache=True, nogil=True)
def _hops(field: NDArray[np.int32], foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Where each pixel is after EULER_STEPS: itself if that is background."""
    height, width = foreground.shape
    stride, flat = field.shape[1], field.ravel()
    hops = np.full((height, width), -1, np.int32)
    for row in range(height):
        for col in range(width):
            if foreground[row, col]:
                # The first step needs no interpolation: it begins in a pixel.
                flow = field[row + FRAME_PX, col + FRAME_PX]
                dx = int(np.int16(flow))
                dy = (int(flow) - dx) >> 16
                y = ((row + FRAME_PX) << BITS) + STEP_PX * dy
                x = ((col + FRAME_PX) << BITS) + STEP_PX * dx
                for _ in range(EULER_STEPS - 1):
                    dy, dx = _step(flat, stride, y, x)
                    y, x = y + STEP_PX * dy, x + STEP_PX * dx
                v = ((y + UNIT // 2) >> BITS) - FRAME_PX
                u = ((x + UNIT // 2) >> BITS) - FRAME_PX
                inside = 0 <= v < height and 0 <= u < width and foreground[v, u]
                hops[row, col] = v * width + u if inside else row * width + col
    return hops


@njit(cache=True, nogil=True)
def _double(hops: NDArray[np.int32]) -> NDArray[np.int32]:
    out, of = np.empty_like(hops), hops.ravel()
    to = out.ravel()
    for i in range(of.size):
        to[i] = of[of[i]] if of[i] >= 0 else -1
    return out


@njit(cache=True, nogil=True)
def _settle(field: NDArray[np.int32], hops: NDArray[np.int32]) -> NDArray[np.int32]:
    """Double once more, and go on from there to where the field comes to rest."""
    height, width = hops.shape
    stride, flat, all_hops = field.shape[1], field.ravel(), hops.ravel()
    settled = np.full(height * width, -1, np.int32)
    ends = np.full((height, width), -1, np.int32)
    to = ends.ravel()
    for i in range(all_hops.size):
        if all_hops[i] >= 0:
            hop = all_hops[all_hops[i]]
            if settled[hop] < 0:
                row, col = _rest(flat, stride, *divmod(hop, width))
                row, col = min(max(row, 0), height - 1), min(max(col, 0), width - 1)
                settled[hop] = row * width + col
            to[i] = settled[hop]
    return ends


@njit(cache=True, nogil=True)
def _rest(field: NDArray[np.int32], stride: int, row: int, col: int) -> tuple[int, int]:
    """Pixel at whose lower side is the place where the field comes to rest."""
    least, furthest = int(SETTLED_PX * UNIT), (SETTLE_PX - 1) << BITS
    y0, x0 = (row + FRAME_PX) << BITS, (col + FRAME_PX) << BITS
    y, x = y0, x0
    for _ in range(SETTLE_STEPS):
        dy, dx = _step(field, stride, y, x)
        y, x = y + dy, x + dx
        if max(abs(dy), abs(dx)) < least or max(abs(y - y0), abs(x - x0)) > furthest:
            break
    return (y >> BITS) - FRAME_PX, (x >> BITS) - FRAME_PX


@njit(cache=True, nogil=True)
def _count(ends: NDArray[np.int32]) -> NDArray[np.int32]:
    counts = np.zeros(ends.shape, np.int32)
    flat = counts.ravel()
    for end in ends.ravel():
        if end >= 0:
            flat[end] += 1
    return counts


@njit(cache=True, nogil=True)
def _sinks(arrivals: NDArray[np.int32]) -> NDArray[np.int32]:
    height, width = arrivals.shape
    found = [np.int32(0) for _ in range(0)]
    for y in range(height):
        for x in range(width):
            if arrivals[y, x] > SINK_PIXELS and _is_highest(arrivals, y, x):
                found.append(np.int32(y * width + x))
    return np.array(found, np.int32)


@njit(cache=True, nogil=True)
def _is_highest(arrivals: NDArray[np.int32], y: int, x: int) -> bool:
    height, width = arrivals.shape
    r = SINK_WINDOW
    for v in range(max(y - r, 0), min(y + r + 1, height)):
        for u in range(max(x - r, 0), min(x + r + 1, width)):
            if arrivals[v, u] > arrivals[y, x]:
                return False
    return True


@njit(cache=True, nogil=True)
def _grow(
    arrivals: NDArray[np.int32], sinks: NDArray[np.int32], first: NDArray[np.int64]
) -> NDArray[np.int32]:
    """1 + index of the sink that takes in each pixel; 0 for none."""
    height, width = arrivals.shape
    flat = arrivals.ravel()
    taken = np.zeros(height * width, np.int32)
    for sink in first[::-1]:
        _take(flat, sinks[sink], np.int32(sink + 1), taken, width, height)
    return taken


@njit(cache=True, nogil=True)
def _take(
    arrivals: NDArray[np.int32],
    sink: int,
    name: np.int32,
    taken: NDArray[np.int32],
    width: int,
    height: int,
) -> None:
    size = 2 * GROW_STEPS + 1
    seen = np.zeros((size, size), np.bool_)
    queue = np.empty((size * size, 2), np.int32)
    row, col = divmod(sink, width)
    queue[0] = row, col
    seen[GROW_STEPS, GROW_STEPS] = True
    taken[sink] = name
    begin, end = 0, 1
    for _ in range(GROW_STEPS):
        last = end
        for n in range(begin, last):
            y, x = queue[n]
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    at = (v - row + GROW_STEPS, u - col + GROW_STEPS)
                    if arrivals[v * width + u] > GROW_PIXELS and not seen[at]:
                        seen[at] = True
                        taken[v * width + u] = name
                        queue[end] = v, u
                        end += 1
        begin = last


@njit(cache=True, nogil=True)
def _collect(ends: NDArray[np.int32], taken: NDArray[np.int32]) -> NDArray[np.int32]:
    labels = np.zeros(ends.shape, np.int32)
    out = labels.ravel()
    flat = ends.ravel()
    for i in range(flat.size):
        if flat[i] >= 0:
            out[i] = taken[flat[i]]
    return labels
