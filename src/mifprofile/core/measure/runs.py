"""Cells as runs of pixels: the form in which they are measured and carried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

# A pixel's zone says where in its cell it lies: the sum of the bits that hold.
NUCLEUS, RING, STRIP = 1, 2, 4
ZONES = 8


class CellRuns(NamedTuple):
    """Cells as stretches of a pixel row that lie in one zone of one cell.

    Attributes
    ----------
    ids : (m,) int64 array
        The cells, ascending.
    first : (m + 1,) int64 array
        Cell ``i`` has the runs ``first[i]`` to ``first[i + 1]``, in raster order.
    start : (n,) int64 array
        A run's first pixel in the flattened planes that hold its values.
    length, y, x : (n,) int32 array
        Pixels in the run, and its first pixel on the slide.
    zone : (n,) uint8 array
        Sum of the bits `NUCLEUS`, `RING` (membrane) and `STRIP` (boundary strip).
    """

    ids: NDArray[np.int64]
    first: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int32]
    y: NDArray[np.int32]
    x: NDArray[np.int32]
    zone: NDArray[np.uint8]

    @classmethod
    def none(cls) -> CellRuns:
        """No cell."""
        wide, narrow = np.zeros(0, np.int64), np.zeros(0, np.int32)
        zone = np.zeros(0, np.uint8)
        return _of_runs(wide, wide, wide, narrow, narrow, narrow, zone)

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each cell that are here, (m,)."""
        return np.diff(np.append(0, np.cumsum(self.length, dtype=np.int64))[self.first])

    @property
    def owner(self) -> NDArray[np.int64]:
        """Row of ``ids`` that each run belongs to, (n,)."""
        return np.repeat(np.arange(self.ids.size), np.diff(self.first))

    @property
    def by_run(self) -> tuple[NDArray[Any], ...]:
        """The (n,) fields: start, length, y, x and zone."""
        return self[2:]

    def take(self, wanted: NDArray[np.bool_]) -> CellRuns:
        """Those of the cells that an (m,) bool array marks."""
        counts = np.diff(self.first)
        keep = np.repeat(wanted, counts)
        kept = (values[keep] for values in self.by_run)
        return _of_runs(self.ids[wanted], counts[wanted], *kept)


def label_areas(
    cells: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of the k cells in a (h, w) label image, (k,) ascending, and their pixels."""
    inside = cells[cells > 0]
    low = int(inside.min(initial=np.iinfo(cells.dtype).max))
    counts = np.bincount((inside - low).astype(np.int64))
    present = np.flatnonzero(counts)
    return present + low, counts[present]


def cell_runs(
    nuclei: NDArray[np.uint32],
    cells: NDArray[np.uint32],
    inner: tuple[slice, slice],
    origin: tuple[int, int],
    membrane_px: float,
    strip_px: float | None = None,
) -> CellRuns:
    """Cut the cells of a block's core into runs.

    Parameters
    ----------
    nuclei, cells : (h, w) uint32 arrays
        Labels over the block with a margin of at least ``membrane_px`` and
        ``strip_px``; a nucleus has its cell's label.
    inner : tuple of slice
        The core, within these arrays.
    origin : tuple of int
        (y, x) of the arrays' first pixel on the slide.
    membrane_px, strip_px : float
        Widths of the membrane ring and of the boundary strip inside a cell's outline.

    Returns
    -------
    CellRuns
        ``start`` counts in the whole block's planes, margin included.
    """
    core = (inner[0].start, inner[0].stop, inner[1].start, inner[1].stop)
    zones = (nuclei[inner] == cells[inner]).astype(np.uint8) * np.uint8(NUCLEUS)
    zones += membrane_ring(cells, membrane_px, inner) * np.uint8(RING)
    if strip_px is not None:
        zones += membrane_ring(cells, strip_px, inner) * np.uint8(STRIP)
    cells = np.ascontiguousarray(cells)
    low, high = _id_range(cells, core)
    counts = np.zeros(high - low + 1, np.int64)
    _count_runs(cells, zones, core, low, counts)
    present = np.flatnonzero(counts)
    start = np.empty(counts.sum(), np.int64)
    length, y, x = (np.empty(start.size, np.int32) for _ in range(3))
    zone = np.empty(start.size, np.uint8)
    runs = _of_runs(present + low, counts[present], start, length, y, x, zone)
    _fill_runs(cells, zones, core, origin, low, np.cumsum(counts) - counts, runs)
    return runs


def whole_cells(
    blocks: Iterable[tuple[CellRuns, NDArray[Any]]], areas: NDArray[np.int64]
) -> Iterator[tuple[CellRuns, NDArray[Any]]]:
    """Yield every cell once, with all of its pixels, whatever blocks they lay in.

    Cells that a block holds whole are passed on at once; the pixels of the others
    are kept until the last of them has come.

    Parameters
    ----------
    blocks : iterable of (CellRuns, (c, h, w) array)
        In any order; each cell's runs and the planes that hold their values.
    areas : (n + 1,) int64 array
        Pixels of each cell on the whole slide, by its id.

    Yields
    ------
    runs : CellRuns
    planes : (c, p) array
        Flattened planes that hold the values of these runs.
    """
    waiting: tuple[CellRuns, NDArray[Any]] | None = None
    for runs, planes in blocks:
        flat = planes.reshape(len(planes), -1)
        whole = runs.areas == areas[runs.ids]
        yield runs.take(whole), flat
        if whole.all():
            continue
        part = repack(runs.take(~whole), flat)
        waiting = part if waiting is None else join(waiting, part)
        whole = waiting[0].areas == areas[waiting[0].ids]
        if whole.any():
            yield waiting[0].take(whole), waiting[1]
            waiting = repack(waiting[0].take(~whole), waiting[1])


def repack(runs: CellRuns, planes: NDArray[Any]) -> tuple[CellRuns, NDArray[Any]]:
    """Copy the pixels of some cells out of the planes that they lie in.

    Parameters
    ----------
    runs : CellRuns
    planes : (c, p) array

    Returns
    -------
    runs : CellRuns
        The same, with ``start`` in the new planes.
    planes : (c, q) array
        The pixels of these runs one after another.
    """
    start = np.cumsum(runs.length, dtype=np.int64) - runs.length
    packed = np.empty((len(planes), int(runs.length.sum())), planes.dtype)
    _copy_runs(runs.start, runs.length, planes, packed)
    return runs._replace(start=start), packed


def join(
    one: tuple[CellRuns, NDArray[Any]], other: tuple[CellRuns, NDArray[Any]]
) -> tuple[CellRuns, NDArray[Any]]:
    """Put two sets of runs and (c, p) pixels together, a cell's in raster order."""
    (a, left), (b, right) = one, other
    b = b._replace(start=b.start + left.shape[1])
    runs = [np.append(*both) for both in zip(a.by_run, b.by_run, strict=True)]
    _, _, y, x, _ = runs
    owner = np.append(a.ids[a.owner], b.ids[b.owner])
    order = np.lexsort((x, y, owner))
    ids, counts = np.unique(owner, return_counts=True)
    packed = np.concatenate([left, right], axis=1)
    return _of_runs(ids, counts, *(v[order] for v in runs)), packed


def membrane_ring(
    cells: NDArray[np.uint32],
    membrane_px: float,
    inner: tuple[slice, slice] | None = None,
) -> NDArray[np.bool_]:
    """Cell pixels within ``membrane_px`` of a pixel that is not of the same cell.

    Parameters
    ----------
    cells : (h, w) integer array
    membrane_px : float
        Distance between pixel centres; 1 at least.
    inner : tuple of slice, optional
        Only this part is wanted.

    Returns
    -------
    bool array of the shape of the part
    """
    rows, cols = inner or (slice(0, cells.shape[0]), slice(0, cells.shape[1]))
    reach = max(int(membrane_px), 1)
    steps = np.arange(-reach, reach + 1)
    dy, dx = (a.ravel() for a in np.meshgrid(steps, steps, indexing="ij"))
    near = (dy**2 + dx**2 <= max(membrane_px, 1.0) ** 2) & ((dy != 0) | (dx != 0))
    core = (rows.start, rows.stop, cols.start, cols.stop)
    return _ring(np.ascontiguousarray(cells), dy[near], dx[near], core)


def _of_runs(
    ids: NDArray[np.int64], counts: NDArray[np.int64], *runs: NDArray[Any]
) -> CellRuns:
    first = np.append(0, np.cumsum(counts)).astype(np.int64)
    return CellRuns(ids, first, *runs)


@njit(cache=True, nogil=True)
def _ring(
    cells: NDArray[np.uint32],
    dy: NDArray[np.int64],
    dx: NDArray[np.int64],
    core: tuple[int, int, int, int],
) -> NDArray[np.bool_]:
    height, width = cells.shape
    top, bottom, left, right = core
    out = np.zeros((bottom - top, right - left), np.bool_)
    for y in range(top, bottom):
        # Offset by offset along the row, without a branch: the compiler vectorises it.
        for k in range(dy.size):
            v, step = y + dy[k], dx[k]
            if 0 <= v < height:
                begin, end = max(left, -step), min(right, width - step)
                here, there = cells[y, begin:end], cells[v, begin + step : end + step]
                near = out[y - top, begin - left : end - left]
                for x in range(near.size):
                    near[x] |= here[x] != there[x]
        inside = cells[y, left:right]
        for x in range(inside.size):
            out[y - top, x] &= inside[x] != 0
    return out


@njit(cache=True, nogil=True)
def _id_range(
    cells: NDArray[np.uint32], core: tuple[int, int, int, int]
) -> tuple[int, int]:
    """Lowest and highest label but 0; (1, 0) if there is none."""
    low, high = np.uint32(0xFFFFFFFF), np.uint32(0)
    for y in range(core[0], core[1]):
        for x in range(core[2], core[3]):
            # 0 - 1 wraps round to the highest number.
            low = min(low, np.uint32(cells[y, x] - np.uint32(1)))
            high = max(high, cells[y, x])
    return (int(low) + 1, int(high)) if high else (1, 0)


@njit(cache=True, nogil=True)
def _run_end(
    row: NDArray[np.uint32], zones: NDArray[np.uint8], x: int, left: int
) -> int:
    stop = x + 1
    while (
        stop < zones.size
        and row[left + stop] == row[left + x]
        and zones[stop] == zones[x]
    ):
        stop += 1
    return stop


@njit(cache=True, nogil=True)
def _count_runs(
    cells: NDArray[np.uint32],
    zones: NDArray[np.uint8],
    core: tuple[int, int, int, int],
    low: int,
    counts: NDArray[np.int64],
) -> None:
    for v in range(zones.shape[0]):
        row, x = cells[core[0] + v], 0
        while x < zones.shape[1]:
            cell, stop = row[core[2] + x], _run_end(row, zones[v], x, core[2])
            if cell:
                counts[cell - low] += 1
            x = stop


@njit(cache=True, nogil=True)
def _fill_runs(
    cells: NDArray[np.uint32],
    zones: NDArray[np.uint8],
    core: tuple[int, int, int, int],
    origin: tuple[int, int],
    low: int,
    places: NDArray[np.int64],
    out: CellRuns,
) -> None:
    """Write every run to its cell's next place; ``places`` holds the first of each."""
    for v in range(zones.shape[0]):
        row, u = cells[core[0] + v], 0
        while u < zones.shape[1]:
            cell, stop = row[core[2] + u], _run_end(row, zones[v], u, core[2])
            if cell:
                k = places[cell - low]
                places[cell - low] += 1
                out.start[k] = (core[0] + v) * cells.shape[1] + core[2] + u
                out.length[k] = stop - u
                out.y[k] = origin[0] + core[0] + v
                out.x[k] = origin[1] + core[2] + u
                out.zone[k] = zones[v, u]
            u = stop


@njit(cache=True, nogil=True)
def _copy_runs(
    start: NDArray[np.int64],
    length: NDArray[np.int32],
    planes: NDArray[Any],
    out: NDArray[Any],
) -> None:
    at = 0
    for k in range(start.size):
        for c in range(planes.shape[0]):
            for p in range(length[k]):
                out[c, at + p] = planes[c, start[k] + p]
        at += length[k]
