"""Slides as OME-Zarr 0.5 stores."""

from __future__ import annotations

import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from mifprofile.errors import FormatError
from mifprofile.io import _ngff
from mifprofile.io.atomic import atomic_output
from mifprofile.io.readers import _ome_zarr
from mifprofile.io.readers._common import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import dask.array as da
    from numpy.typing import NDArray

    from mifprofile.model import Slide

CHUNK_PX = 1024
_WIDEST_BLOCK_PX = 4 * CHUNK_PX
_SHOWN_PERCENTILES = (1.0, 99.8)
_LARGE_CHUNK_PX = 2048
_SMALL_PX = 1024


def write_slide_store(
    slide: Slide,
    path: str | Path,
    *,
    levels: int | None = None,
    channels: Sequence[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> None:
    """Write a slide as a chunked, pyramidal OME-Zarr 0.5 store.

    Chunks are (1, 1024, 1024); each level halves the one before by the mean of 2 x 2
    pixels, rounded half up for integers. Every source pixel is decoded once, and memory
    stays within a few rows of chunks per worker.

    Parameters
    ----------
    slide : Slide
    path : str or Path
        What was there is replaced, once the new store is complete.
    levels : int, optional
        Number of levels; by default until the smaller side is at most 512 px.
    channels : sequence of str, optional
        Names of the channels to write, in this order; all by default.
    on_progress : callable, optional
        Called with (chunks done, chunks in all), by one thread at a time.
    workers : int, optional
        Threads, each at work on one channel; by default one per core.

    Raises
    ------
    UsageError
        A channel is not in the slide.
    FormatError
        The slide's image data are damaged.
    StorageError
        The disk is full, read-only or failing; nothing is left under `path`.
    """
    names = slide.channel_names if channels is None else tuple(channels)
    indices = [slide.channel_index(name) for name in names]
    shapes = _ngff.pyramid_shapes(slide.shape_px, levels)
    with atomic_output(path) as partial:
        root = zarr.create_group(partial, zarr_format=3)
        dtype = slide.levels[0].dtype
        arrays = [
            _create(root, level, (len(names), *shape), dtype)
            for level, shape in enumerate(shapes)
        ]
        steps = [
            _write_channel(slide.levels[0][source], arrays, target)
            for target, source in enumerate(indices)
        ]
        total = sum(math.prod(array.cdata_shape) for array in arrays)
        _run(steps, workers, _Progress(total, on_progress))
        root.update_attributes({"ome": _describe(slide, names, arrays)})


def is_current_store(path: str | Path) -> bool:
    """Whether a slide can be used where it lies.

    It must be an OME-Zarr 0.5 image (c, y, x) with channel names and a pixel size, in
    chunks of one channel and at most 2048 px, halved down to at most 1024 px.
    """
    try:
        found = _ome_zarr.read(Path(path))
    except FormatError:
        return False
    levels = [level for level in found.levels if isinstance(level, _ome_zarr.ZarrLevel)]
    return (
        found.file_format == f"OME-Zarr {_ngff.VERSION}"
        and None not in found.names
        and found.pixel_um is not None
        and all(_is_handy(level) for level in levels)
        and all(_is_half(fine, coarse) for fine, coarse in pairwise(levels))
        and min(levels[-1].shape[1:]) <= _SMALL_PX
    )


def _is_handy(level: _ome_zarr.ZarrLevel) -> bool:
    channels, height, width = level.array.chunks if level.axes == "cyx" else (0, 0, 0)
    return (
        level.array.metadata.zarr_format == 3
        and level.dtype.name in DTYPES
        and channels == 1
        and max(height, width) <= _LARGE_CHUNK_PX
    )


def _is_half(fine: _ome_zarr.ZarrLevel, coarse: _ome_zarr.ZarrLevel) -> bool:
    """Whether a level halves another, by whichever rounding."""
    sizes = zip(fine.shape[1:], coarse.shape[1:], strict=True)
    return all(small in (big // 2, (big + 1) // 2) for big, small in sizes)


def _create(
    root: zarr.Group, level: int, shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> zarr.Array[Any]:
    return root.create_array(
        str(level),
        shape=shape,
        chunks=(1, CHUNK_PX, CHUNK_PX),
        dtype=dtype,
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
        dimension_names=("c", "y", "x"),
        # zarr's own search for empty chunks takes longer than compressing them.
        config={"write_empty_chunks": True},
    )


def _describe(
    slide: Slide, names: Sequence[str], arrays: list[zarr.Array[Any]]
) -> dict[str, Any]:
    dtype = arrays[0].dtype
    largest = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    windows = [_window(np.asarray(arrays[-1][i])) for i in range(len(names))]
    return {
        "version": _ngff.VERSION,
        "multiscales": _ngff.multiscales(
            slide.name, "cyx", len(arrays), slide.pixel_size, slide.origin_um
        ),
        "omero": _ngff.channels(names, largest, windows),
    }


def _window(plane: NDArray[Any]) -> tuple[float, float]:
    """(darkest, brightest) value that a viewer should show of a plane (y, x)."""
    low, high = np.percentile(plane, _SHOWN_PERCENTILES)
    return float(low), float(max(high, low + 1e-6))


class _Progress:
    """Counts chunks for a callback."""

    def __init__(self, total: int, callback: Callable[[int, int], None] | None) -> None:
        self._total = total
        self._callback = callback
        self._done = 0
        self._lock = threading.Lock()

    def add(self, chunks: int) -> None:
        """Count `chunks` more."""
        with self._lock:
            self._done += chunks
            if self._callback is not None:
                self._callback(self._done, self._total)


def _run(steps: list[Iterator[int]], workers: int | None, progress: _Progress) -> None:
    """Drain iterators in threads; if one fails, the others stop after their step."""
    stop = threading.Event()

    def drain(iterator: Iterator[int]) -> None:
        for chunks in iterator:
            progress.add(chunks)
            if stop.is_set():
                return

    threads = min(workers or os.cpu_count() or 1, len(steps))
    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(drain, steps):
                pass
        finally:
            stop.set()


def _write_channel(
    plane: da.Array, arrays: list[zarr.Array[Any]], channel: int
) -> Iterator[int]:
    """Copy a plane (y, x), then halve it level by level; yields chunks written."""
    for y, x, block in _blocks(plane):
        yield _put(arrays[0], channel, y, x, block)
    for fine, coarse in pairwise(arrays):
        for y, x in _corners(coarse.shape[1], coarse.shape[2]):
            area = slice(2 * y, 2 * (y + CHUNK_PX)), slice(2 * x, 2 * (x + CHUNK_PX))
            yield _put(coarse, channel, y, x, halve(np.asarray(fine[(channel, *area)])))


def _put(
    array: zarr.Array[Any], channel: int, y: int, x: int, block: NDArray[Any]
) -> int:
    """Write a block (y, x) whose corner lies on a chunk's; returns its chunk count."""
    corners = list(_corners(*block.shape))
    for top, left in corners:
        chunk = block[top : top + CHUNK_PX, left : left + CHUNK_PX]
        # A chunk of zeros, as outside the scanned area, is not stored at all.
        if chunk.any():
            rows = slice(y + top, y + top + chunk.shape[0])
            array[channel, rows, x + left : x + left + chunk.shape[1]] = chunk
    return len(corners)


def _corners(height: int, width: int) -> Iterator[tuple[int, int]]:
    for y in range(0, height, CHUNK_PX):
        for x in range(0, width, CHUNK_PX):
            yield y, x


def _blocks(plane: da.Array) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Yield (y, x, block) cut at multiples of 1024, decoding each source chunk once."""
    height, width = plane.shape
    rows, cols = (int(size) for size in plane.chunksize)
    step = math.lcm(cols, CHUNK_PX)
    if CHUNK_PX % rows == 0 and step <= _WIDEST_BLOCK_PX:
        for y in range(0, height, CHUNK_PX):
            for x in range(0, width, step):
                yield y, x, _read(plane[y : y + CHUNK_PX, x : x + step])
    else:
        for y, band in _bands(plane):
            yield y, 0, band


def _bands(plane: da.Array) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield bands of 1024 rows of a plane whose own chunks are cut elsewhere."""
    rest = np.empty((0, plane.shape[1]), plane.dtype)
    done = start = 0
    for rows in plane.chunks[0]:
        rest = np.concatenate([rest, _read(plane[start : start + rows])])
        start += rows
        while len(rest) >= CHUNK_PX or (start == plane.shape[0] and len(rest)):
            yield done, rest[:CHUNK_PX]
            done, rest = done + CHUNK_PX, rest[CHUNK_PX:]


def _read(block: da.Array) -> NDArray[Any]:
    """Compute in this thread: the workers are the parallelism."""
    pixels: NDArray[Any] = block.compute(scheduler="synchronous")
    return pixels


def halve(plane: NDArray[Any]) -> NDArray[Any]:
    """Halve a plane (y, x) by the mean of 2 x 2 pixels; an odd edge averages fewer.

    Integers are rounded half up; the result has the type of `plane` and the shape
    (ceil(y / 2), ceil(x / 2)).
    """
    odd = [(0, size % 2) for size in plane.shape]
    even = np.pad(plane, odd, mode="edge") if (0, 1) in odd else plane
    if plane.dtype.kind == "f":
        mean: NDArray[Any] = _sum_of_four(even, plane.dtype) / plane.dtype.type(4)
        return mean
    wide = np.dtype(np.uint64 if plane.dtype.itemsize > 2 else np.uint32)
    total = _sum_of_four(even, wide)
    total += wide.type(2)
    total >>= wide.type(2)
    return total.astype(plane.dtype)


def _sum_of_four(even: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    rows = np.add(even[::2], even[1::2], dtype=dtype)
    total: NDArray[Any] = rows[:, ::2] + rows[:, 1::2]
    return total
