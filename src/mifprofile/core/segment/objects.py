"""What is done to each object by itself: pieces, holes, size, agreement with flows."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.int32]


def compact(labels: Labels) -> tuple[Labels, NDArray[np.int32]]:
    """Renumber labels 1..n in ascending order.

    Returns
    -------
    compacted : int32 array of the same shape
    names : (n,) int32 array
        ``names[i]`` is what label ``i + 1`` was called.
    """
    seen = np.zeros(int(labels.max(initial=0)) + 1, bool)
    seen[labels.ravel()] = True
    seen[0] = False
    names = np.flatnonzero(seen).astype(np.int32)
    table = np.zeros(seen.size, np.int32)
    table[names] = np.arange(1, names.size + 1, dtype=np.int32)
    return table[labels], names


def areas_px(labels: Labels, count: int) -> NDArray[np.int64]:
    """Pixels of each label 1..count, as a (count,) array."""
    return np.bincount(labels.ravel(), minlength=count + 1)[1 : count + 1]


def drop(labels: Labels, unwanted: NDArray[np.bool_]) -> Labels:
    """Set the labels ``i + 1`` with ``unwanted[i]`` to background."""
    table = np.arange(unwanted.size + 1, dtype=labels.dtype)
    table[1:][unwanted] = 0
    return table[labels]


def keep_largest_piece(labels: Labels) -> Labels:
    """Keep the largest 4-connected piece of each label, the first of equal ones."""
    pieces, count = _pieces(np.ascontiguousarray(labels))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    return _largest(labels, pieces, sizes)


def fill_holes(labels: Labels, max_hole_px: int) -> Labels:
    """Fill background that one label alone encloses, up to a size.

    Holes that touch the array's edge stay open: they may go on beyond it.
    """
    holes, count = ndimage.label(labels == 0)
    owner = _hole_owners(labels, holes.astype(np.int32), count, max_hole_px)
    return np.where(labels == 0, owner[holes], labels).astype(labels.dtype)


def flow_errors(
    labels: Labels, flows: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """Mean squared difference between an object's own flows and the network's.

    The object's flows are the normalised gradient of heat that diffuses from its
    centre, as in Cellpose (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x);
    the number of diffusion steps is the object's own, twice its box's half girth.

    Parameters
    ----------
    labels : (h, w) int32 array
        Objects 1..count.
    flows : (2, h, w) float32 array
        Network flows, unit length.
    count : int

    Returns
    -------
    (count,) float64 array
        0 for an absent label.
    """
    boxes = np.zeros((count, 4), np.int64)
    for i, box in enumerate(ndimage.find_objects(labels, count)):
        if box is not None:
            boxes[i] = box[0].start, box[0].stop, box[1].start, box[1].stop
    return _flow_errors(np.ascontiguousarray(labels), flows, boxes)


def contrasts(
    labels: Labels, stain: NDArray[np.float32], count: int, ring_px: int
) -> NDArray[np.float64]:
    """How much brighter each object is than the background around it.

    Parameters
    ----------
    labels : (h, w) int32 array
        Objects 1..count.
    stain : (h, w) float32 array
    count : int
    ring_px : int
        Width of the background that is looked at.

    Returns
    -------
    (count,) float64 array
        Mean inside minus mean of the ring; inf where there is no background around.
    """
    grown = labels
    for _ in range(ring_px):
        grown = np.where(grown == 0, ndimage.maximum_filter(grown, 3), grown)
    ring = np.where(labels == 0, grown, 0)
    inside, around = (
        _means(part, stain, count) for part in (labels, ring.astype(np.int32))
    )
    return np.where(np.isnan(around), np.inf, inside - around)


def _means(
    labels: Labels, stain: NDArray[np.float32], count: int
) -> NDArray[np.float64]:
    """Mean of each label 1..count; NaN for an absent one."""
    flat = labels.ravel()
    sums = np.bincount(flat, weights=stain.ravel(), minlength=count + 1)
    pixels = np.bincount(flat, minlength=count + 1)
    with np.errstate(invalid="ignore"):
        return (sums / pixels)[1 : count + 1]


@njit(cache=True, nogil=True)
def _root(parent: NDArray[np.int32], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def _pieces(labels: Labels) -> tuple[NDArray[np.int32], int]:
    height, width = labels.shape
    parent = np.arange(height * width, dtype=np.int32)
    for y in range(height):
        for x in range(width):
            if labels[y, x]:
                i = y * width + x
                if x and labels[y, x - 1] == labels[y, x]:
                    parent[i] = _root(parent, i - 1)
                if y and labels[y - 1, x] == labels[y, x]:
                    a, b = _root(parent, i - width), _root(parent, i)
                    parent[max(a, b)] = min(a, b)
    out = np.zeros(height * width, np.int32)
    count = 0
    for i in range(height * width):
        if labels[i // width, i % width]:
            root = _root(parent, i)
            if root == i:
                count += 1
                out[i] = count
            else:
                out[i] = out[root]
    return out.reshape(height, width), count


@njit(cache=True, nogil=True)
def _largest(
    labels: Labels, pieces: NDArray[np.int32], sizes: NDArray[np.int64]
) -> Labels:
    best = np.zeros(labels.max() + 1, np.int32)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            label, piece = labels[y, x], pieces[y, x]
            if piece and (not best[label] or sizes[piece] > sizes[best[label]]):
                best[label] = piece
    out = np.zeros_like(labels)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] and best[labels[y, x]] == pieces[y, x]:
                out[y, x] = labels[y, x]
    return out


@njit(cache=True, nogil=True)
def _hole_owners(
    labels: Labels, holes: NDArray[np.int32], count: int, max_hole_px: int
) -> Labels:
    height, width = labels.shape
    owner = np.zeros(count + 1, labels.dtype)
    open_ = np.zeros(count + 1, np.bool_)
    size = np.zeros(count + 1, np.int64)
    for y in range(height):
        for x in range(width):
            hole = holes[y, x]
            if not hole:
                continue
            size[hole] += 1
            if y == 0 or x == 0 or y == height - 1 or x == width - 1:
                open_[hole] = True
                continue
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                label = labels[v, u]
                if label:
                    if owner[hole] and owner[hole] != label:
                        open_[hole] = True
                    owner[hole] = label
    for hole in range(count + 1):
        if open_[hole] or size[hole] > max_hole_px:
            owner[hole] = 0
    return owner


@njit(cache=True, nogil=True)
def _flow_errors(
    labels: Labels, flows: NDArray[np.float32], boxes: NDArray[np.int64]
) -> NDArray[np.float64]:
    errors = np.zeros(boxes.shape[0])
    for i in range(boxes.shape[0]):
        y0, y1, x0, x1 = boxes[i]
        if y1 > y0:
            inside = labels[y0:y1, x0:x1] == i + 1
            steps = 2 * (y1 - y0 + x1 - x0 + 2)
            heat = _diffuse(inside, steps)
            errors[i] = _disagreement(inside, heat, flows[:, y0:y1, x0:x1])
    return errors


@njit(cache=True, nogil=True)
def _centre(inside: NDArray[np.bool_]) -> tuple[int, int]:
    rows, cols = np.nonzero(inside)
    distance = (rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2
    nearest = distance.argmin()
    return rows[nearest], cols[nearest]


@njit(cache=True, nogil=True)
def _diffuse(inside: NDArray[np.bool_], steps: int) -> NDArray[np.float64]:
    height, width = inside.shape
    heat = np.zeros((height + 2, width + 2))
    new = np.zeros((height + 2, width + 2))
    cy, cx = _centre(inside)
    for _ in range(steps):
        heat[cy + 1, cx + 1] += 1
        for y in range(1, height + 1):
            for x in range(1, width + 1):
                if inside[y - 1, x - 1]:
                    above = heat[y - 1, x - 1] + heat[y - 1, x] + heat[y - 1, x + 1]
                    beside = heat[y, x - 1] + heat[y, x] + heat[y, x + 1]
                    below = heat[y + 1, x - 1] + heat[y + 1, x] + heat[y + 1, x + 1]
                    new[y, x] = (above + beside + below) / 9
        heat, new = new, heat
    return heat


@njit(cache=True, nogil=True)
def _disagreement(
    inside: NDArray[np.bool_],
    heat: NDArray[np.float64],
    flows: NDArray[np.float32],
) -> float:
    total, pixels = 0.0, 0
    for y in range(inside.shape[0]):
        for x in range(inside.shape[1]):
            if inside[y, x]:
                dy = heat[y + 2, x + 1] - heat[y, x + 1]
                dx = heat[y + 1, x + 2] - heat[y + 1, x]
                norm = np.sqrt(dy * dy + dx * dx) + 1e-60
                total += (dy / norm - flows[0, y, x]) ** 2
                total += (dx / norm - flows[1, y, x]) ** 2
                pixels += 1
    return total / pixels
