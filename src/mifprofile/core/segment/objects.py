"""What is found out about each object by itself: shape, contrast, agreement with flows.

Nothing here looks at what became of other objects, so that a block needs to know no
more of the slide than an object's own pixels and the network's output near them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Boxes = NDArray[np.int32]
Mask = NDArray[np.uint8]

BODY, HOLE = 1, 2
# Heat of the source: float32 then has room for what arrives far along thin parts.
HEAT = 1e34
VECTOR = 64


@njit(cache=True, nogil=True)
def boxes_of(labels: Labels, count: int) -> Boxes:
    """Bounding boxes of labels 1..count.

    Returns
    -------
    (count, 4) int32 array
        Top, bottom, left, right, half-open; all 0 for an absent label.
    """
    height, width = labels.shape
    boxes = np.zeros((count, 4), np.int32)
    for y in range(height):
        for x in range(width):
            name = labels[y, x]
            if name:
                widen(boxes[name - 1], y, x)
    return boxes


@njit(inline="always")
def widen(box: NDArray[np.integer[Any]], y: int, x: int) -> None:
    """Take a pixel into a (4,) bounding box; pixels come in raster order."""
    if box[1] == 0:
        box[0], box[2] = y, x
    box[1] = y + 1
    box[2] = min(box[2], x)
    box[3] = max(box[3], x + 1)


@njit(cache=True, nogil=True)
def flow_errors(
    labels: Labels, flows: NDArray[np.float32], boxes: Boxes
) -> NDArray[np.float64]:
    """Mean squared difference between an object's own flows and the network's.

    The object's flows are the normalised gradient of heat that diffuses from its
    centre, as in Cellpose (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x);
    the number of diffusion steps is the object's own, twice its box's half girth.

    Parameters
    ----------
    labels : (h, w) int32 array
        Object ``i + 1`` has box ``i``; pieces that no heat reaches have flows of 0.
    flows : (2, h, w) float32 array
        Network flows, unit length.
    boxes : (n, 4) int32 array
        As from `boxes_of`.

    Returns
    -------
    (n,) float64 array
        0 for an absent label.
    """
    errors = np.zeros(boxes.shape[0])
    for i in range(boxes.shape[0]):
        top, bottom, left, right = boxes[i]
        if bottom:
            mask = _cut(labels, boxes[i], i + 1, 1)
            steps = 2 * (bottom - top + right - left + 2)
            heat = _diffuse(mask, steps)
            own = flows[:, top:bottom, left:right]
            errors[i] = _disagreement(mask, heat, own)
    return errors


@njit(cache=True, nogil=True)
def solid_areas(labels: Labels, boxes: Boxes) -> NDArray[np.int64]:
    """Pixels of each object's largest piece and of all that it encloses.

    Parameters
    ----------
    labels : (h, w) int32 array
    boxes : (n, 4) int32 array

    Returns
    -------
    (n,) int64 array
    """
    areas = np.zeros(boxes.shape[0], np.int64)
    for i in range(boxes.shape[0]):
        if boxes[i, 1]:
            for value in _solid(labels, boxes[i], i + 1, 1).ravel():
                areas[i] += value > 0
    return areas


@njit(cache=True, nogil=True)
def contrasts(
    labels: Labels,
    boxes: Boxes,
    foreground: NDArray[np.bool_],
    stain: NDArray[np.float32],
    ring_px: int,
) -> NDArray[np.float64]:
    """How much brighter each object is than the background around it.

    Parameters
    ----------
    labels : (h, w) int32 array
    boxes : (n, 4) int32 array
    foreground : (h, w) bool array
        Pixels that belong to some object, kept or not.
    stain : (h, w) float32 array
    ring_px : int
        Width of the background that is looked at.

    Returns
    -------
    (n,) float64 array
        Mean inside minus mean of the ring; inf where there is no background around,
        and for an absent label.
    """
    out = np.full(boxes.shape[0], np.inf)
    for i in range(boxes.shape[0]):
        if boxes[i, 1]:
            mask = _solid(labels, boxes[i], i + 1, ring_px)
            top, left = boxes[i, 0] - ring_px, boxes[i, 2] - ring_px
            near = _dilated(mask, ring_px)
            out[i] = _contrast(mask, near, (top, left), foreground, stain)
    return out


def solid_objects(
    labels: Labels, boxes: Boxes, wanted: NDArray[np.bool_]
) -> tuple[Labels, NDArray[np.int64]]:
    """Keep the wanted objects: their largest pieces with all holes filled.

    Of equal pieces the first stays. A pixel in the holes of several objects is given
    to the first of them, and one that is part of another object stays with that.

    Parameters
    ----------
    labels : (h, w) int32 array
    boxes : (n, 4) int32 array
    wanted : (n,) bool array

    Returns
    -------
    labels : (h, w) int32 array
        Objects 1..m.
    kept : (m,) int64 array
        Which of the n they were, ascending.
    """
    return _solid_objects(labels, boxes, wanted), np.flatnonzero(wanted)


@njit(cache=True, nogil=True)
def _cut(labels: Labels, box: Boxes, name: int, margin: int) -> Mask:
    """One object's own mask, with a margin of nothing."""
    top, bottom, left, right = box
    out = np.zeros((bottom - top + 2 * margin, right - left + 2 * margin), np.uint8)
    for y in range(bottom - top):
        inside = labels[top + y, left:right]
        row = out[y + margin, margin:]
        for x in range(inside.size):
            row[x] = inside[x] == name
    return out


@njit(cache=True, nogil=True)
def _solid(labels: Labels, box: Boxes, name: int, margin: int) -> Mask:
    """BODY on the largest 4-connected piece, HOLE on what it encloses."""
    mask = _cut(labels, box, name, margin)
    if not _is_plain(mask, margin):
        _keep_largest(mask)
        _mark_holes(mask)
    return mask


@njit(cache=True, nogil=True)
def _is_plain(mask: Mask, margin: int) -> bool:
    """Whether each row is one run that touches the next: one piece without holes."""
    before, after = 0, mask.shape[1]
    for y in range(margin, mask.shape[0] - margin):
        row = mask[y]
        first, last, pixels = -1, -1, 0
        for x in range(row.size):
            if row[x]:
                if first < 0:
                    first = x
                last = x
                pixels += 1
        if pixels == 0 or last - first + 1 != pixels or first > after or last < before:
            return False
        before, after = first, last
    return True


@njit(cache=True, nogil=True)
def _flood(mask: Mask, start: int, old: int, new: int, queue: NDArray[np.int32]) -> int:
    """Turn the 4-connected pixels from a start on from old to new; their number."""
    width = mask.shape[1]
    flat = mask.ravel()
    flat[start] = new
    queue[0] = start
    done, end = 0, 1
    while done < end:
        at = queue[done]
        done += 1
        col = at % width
        for step, inside in (
            (-1, col > 0),
            (1, col < width - 1),
            (-width, at >= width),
            (width, at < flat.size - width),
        ):
            if inside and flat[at + step] == old:
                flat[at + step] = new
                queue[end] = at + step
                end += 1
    return end


@njit(cache=True, nogil=True)
def _keep_largest(mask: Mask) -> None:
    seen, best = 3, 4
    queue = np.empty(mask.size, np.int32)
    flat = mask.ravel()
    largest, where = 0, -1
    for i in range(flat.size):
        if flat[i] == BODY:
            size = _flood(mask, i, BODY, seen, queue)
            if size > largest:
                largest, where = size, i
    if where >= 0:
        _flood(mask, where, seen, best, queue)
    for i in range(flat.size):
        flat[i] = BODY if flat[i] == best else 0


@njit(cache=True, nogil=True)
def _mark_holes(mask: Mask) -> None:
    outside = 3
    queue = np.empty(mask.size, np.int32)
    _flood(mask, 0, 0, outside, queue)
    flat = mask.ravel()
    for i in range(flat.size):
        if flat[i] == 0:
            flat[i] = HOLE
        elif flat[i] == outside:
            flat[i] = 0


@njit(cache=True, nogil=True)
def _solid_objects(labels: Labels, boxes: Boxes, wanted: NDArray[np.bool_]) -> Labels:
    out = np.zeros_like(labels)
    name = np.int32(0)
    for i in np.flatnonzero(wanted):
        name += 1
        mask = _solid(labels, boxes[i], i + 1, 1)
        top, _, left, _ = boxes[i]
        for y in range(1, mask.shape[0] - 1):
            for x in range(1, mask.shape[1] - 1):
                v, u = top + y - 1, left + x - 1
                if mask[y, x] == BODY or (mask[y, x] == HOLE and out[v, u] == 0):
                    out[v, u] = name
    return out


@njit(cache=True, nogil=True)
def _dilated(mask: Mask, reach: int) -> Mask:
    """1 within a square around what is not 0; the mask's margin is the reach."""
    return _smeared(_smeared(mask, reach, 1), reach, mask.shape[1])


@njit(cache=True, nogil=True)
def _smeared(mask: Mask, reach: int, step: int) -> Mask:
    out = np.zeros_like(mask)
    for shift in range(-reach * step, reach * step + 1, step):
        to, of = out.ravel()[max(shift, 0) :], mask.ravel()[max(-shift, 0) :]
        for i in range(mask.size - abs(shift)):
            to[i] |= of[i] > 0
    return out


@njit(cache=True, nogil=True)
def _contrast(
    mask: Mask,
    near: Mask,
    corner: tuple[int, int],
    foreground: NDArray[np.bool_],
    stain: NDArray[np.float32],
) -> float:
    height, width = stain.shape
    inside, around = 0.0, 0.0
    n_inside, n_around = 0, 0
    for y in range(max(-corner[0], 0), min(mask.shape[0], height - corner[0])):
        for x in range(max(-corner[1], 0), min(mask.shape[1], width - corner[1])):
            v, u = corner[0] + y, corner[1] + x
            light = float(stain[v, u])
            own = mask[y, x] > 0
            ring = (near[y, x] > 0) & (mask[y, x] == 0) & (not foreground[v, u])
            inside += light if own else 0.0
            around += light if ring else 0.0
            n_inside += own
            n_around += ring
    return inside / n_inside - around / n_around if n_around else np.inf


@njit(cache=True, nogil=True)
def _centre(mask: Mask) -> int:
    """Flat index of the pixel nearest to the mean of all, the first of equal ones."""
    row, col, pixels = 0, 0, 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            inside = int(mask[y, x] > 0)
            row, col, pixels = row + y * inside, col + x * inside, pixels + inside
    mean_y, mean_x = row / pixels, col / pixels
    y, x = int(np.ceil(mean_y - 0.5)), int(np.ceil(mean_x - 0.5))
    if mask[y, x]:
        return y * mask.shape[1] + x
    best, at = np.inf, 0
    for y in range(mask.shape[0]):
        for x in range(mask.shape[1]):
            distance = (y - mean_y) ** 2 + (x - mean_x) ** 2
            if mask[y, x] and distance < best:
                best, at = distance, y * mask.shape[1] + x
    return at


@njit(cache=True, nogil=True)
def _diffuse(mask: Mask, steps: int) -> NDArray[np.float32]:
    """Heat after each step has added some at the centre and spread all over 3 x 3."""
    centre, width, last = _centre(mask), mask.shape[1], mask.size - mask.shape[1]
    # Whole vectors: no loop has a rest. What is beyond the mask stays cold.
    inner = -(-(last - width) // VECTOR) * VECTOR
    size = inner + 2 * width + 1
    heat, sums = np.zeros(size, np.float32), np.zeros(size, np.float32)
    share, flat = np.zeros(size, np.float32), mask.ravel()
    for i in range(width, last):
        share[i] = np.float32(1 / 9) if flat[i] else np.float32(0)
    left, level, right = heat[width - 1 :], heat[width:], heat[width + 1 :]
    above, beside, below = sums, sums[width:], sums[2 * width :]
    shares = share[width:]
    for _ in range(steps):
        heat[centre] += np.float32(HEAT)
        for i in range(inner):
            beside[i] = left[i] + right[i] + level[i]
        for i in range(inner):
            level[i] = (above[i] + below[i] + beside[i]) * shares[i]
    return heat[: mask.size].reshape(mask.shape)


@njit(cache=True, nogil=True)
def _disagreement(
    mask: Mask, heat: NDArray[np.float32], flows: NDArray[np.float32]
) -> float:
    total, pixels = 0.0, 0
    for y in range(flows.shape[1]):
        for x in range(flows.shape[2]):
            if mask[y + 1, x + 1]:
                dy = np.float64(heat[y + 2, x + 1]) - np.float64(heat[y, x + 1])
                dx = np.float64(heat[y + 1, x + 2]) - np.float64(heat[y + 1, x])
                norm = np.sqrt(dy * dy + dx * dx) + 1e-60
                total += (dy / norm - flows[0, y, x]) ** 2
                total += (dx / norm - flows[1, y, x]) ** 2
                pixels += 1
    return total / pixels
