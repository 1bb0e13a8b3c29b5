"""Image planes as tables of segments (tiles or strips) in files, read on demand."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mifprofile.errors import FormatError
from mifprofile.io.readers._common import DAMAGED, reading

Decode = Callable[[bytes, int, dict[str, Any]], NDArray[Any]]

_RAW_STRIP_BYTES = 2**20
_LARGEST_TILE_PX = 2**16
_LARGEST_PX = 2**24


@dataclass(frozen=True)
class Plane:
    """Where the segments of one channel lie.

    Parameters
    ----------
    path : str
    offsets, counts : ndarray of int64
        First byte and length of every segment of the page.
    first : int
        The plane's first segment, where a page holds several planes in turn.
    sample : int
        The plane's place in a segment, where planes are interleaved.
    options : dict
        What the decoder needs beyond the data (JPEG tables).
    """

    path: str
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    first: int = 0
    sample: int = 0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SegmentedLevel:
    """One resolution level, read segment by segment; safe to share by threads.

    Each block opens the file anew and reads with ``pread``: no handle is held, nothing
    is locked, and decoding runs in the calling thread. (tifffile's own zarr store
    decodes in the one thread of zarr's event loop.)

    Parameters
    ----------
    planes : tuple of Plane
        One per channel.
    shape_px, chunk_px : tuple of int
        (height, width) of the level and of a segment.
    dtype : numpy.dtype
        Native byte order.
    decode : callable
        (data, segment number, options) to pixels (h, w, sample).
    """

    planes: tuple[Plane, ...]
    shape_px: tuple[int, int]
    chunk_px: tuple[int, int]
    dtype: np.dtype[Any]
    decode: Decode

    ndim = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (c, y, x)."""
        return len(self.planes), *self.shape_px

    def __getitem__(self, index: tuple[slice, slice, slice]) -> NDArray[Any]:
        """Read a block (c, y, x); `index` holds one contiguous slice per axis."""
        rows, cols = (
            range(self.shape_px[0])[index[1]],
            range(self.shape_px[1])[index[2]],
        )
        planes = self.planes[index[0]]
        block = np.zeros((len(planes), len(rows), len(cols)), self.dtype)
        if block.size:
            for plane, target in zip(planes, block, strict=True):
                self._fill(target, plane, rows.start, cols.start)
        return block

    def _fill(self, target: NDArray[Any], plane: Plane, y: int, x: int) -> None:
        """Fill `target` with the region of `plane` whose corner is (y, x)."""
        height, width = self.chunk_px
        across = math.ceil(self.shape_px[1] / width)
        last_y, last_x = y + target.shape[0] - 1, x + target.shape[1] - 1
        with reading(plane.path), Path(plane.path).open("rb", buffering=0) as file:
            for row in range(y // height, last_y // height + 1):
                for col in range(x // width, last_x // width + 1):
                    number = plane.first + row * across + col
                    segment = self._segment(file.fileno(), plane, number)
                    if segment is not None:
                        _paste(target, segment, row * height - y, col * width - x)

    def _segment(self, file: int, plane: Plane, number: int) -> NDArray[Any] | None:
        """Decode one segment (h, w); None where the writer left a hole."""
        count, offset = int(plane.counts[number]), int(plane.offsets[number])
        if count == 0 or offset == 0:
            return None
        data = os.pread(file, count, offset)
        try:
            _complete(data, count)
            pixels: NDArray[Any] = self.decode(data, number, plane.options)
            return pixels[..., plane.sample]
        except DAMAGED as error:
            raise FormatError(
                f"{plane.path}: the image data at byte {offset} are damaged; "
                "copy the file again from its source"
            ) from error


def _complete(data: bytes, count: int) -> None:
    if len(data) != count:
        raise ValueError("end of file")


def _paste(target: NDArray[Any], tile: NDArray[Any], y: int, x: int) -> None:
    """Copy `tile` into `target` with its corner at (y, x), cropped to the target."""
    top, left = max(y, 0), max(x, 0)
    bottom = min(y + tile.shape[0], target.shape[0])
    right = min(x + tile.shape[1], target.shape[1])
    target[top:bottom, left:right] = tile[top - y : bottom - y, left - x : right - x]


def raw_level(
    starts: list[tuple[str, int]], shape_px: tuple[int, int], dtype: np.dtype[Any]
) -> SegmentedLevel:
    """Level of uncompressed planes, each in one piece, read in strips of about 1 MiB.

    Parameters
    ----------
    starts : list of tuple
        (file, first byte) of each channel.
    shape_px : tuple of int
        (height, width).
    dtype : numpy.dtype
        With the file's byte order.
    """
    height, width = shape_px
    row = width * dtype.itemsize
    rows = min(height, max(1, _RAW_STRIP_BYTES // row))
    offsets = np.arange(0, height * row, rows * row, dtype=np.int64)
    counts = np.minimum(rows * row, height * row - offsets)

    def decode(data: bytes, _number: int, _options: dict[str, Any]) -> NDArray[Any]:
        return np.frombuffer(data, dtype).reshape(-1, width, 1)

    planes = tuple(Plane(path, start + offsets, counts) for path, start in starts)
    return check_complete(
        SegmentedLevel(planes, shape_px, (rows, width), dtype.newbyteorder("="), decode)
    )


def check_complete(level: SegmentedLevel) -> SegmentedLevel:
    """Return the level; refuse it if its data cannot be all there, or be right."""
    sides = max(level.shape_px), max(level.chunk_px)
    if sides[0] > _LARGEST_PX or sides[1] > max(sides[0], _LARGEST_TILE_PX):
        raise FormatError(
            f"{level.planes[0].path}: an image of {level.shape_px} px in pieces of "
            f"{level.chunk_px} px cannot be; copy the file again from its source"
        )
    grid = zip(level.shape_px, level.chunk_px, strict=True)
    wanted = math.prod(math.ceil(size / chunk) for size, chunk in grid)
    sizes = {path: Path(path).stat().st_size for path in {p.path for p in level.planes}}
    for plane in level.planes:
        size = sizes[plane.path]
        listed = min(len(plane.offsets), len(plane.counts)) - plane.first
        end = int((plane.offsets[:listed] + plane.counts[:listed]).max(initial=0))
        if listed < wanted or end > size:
            raise FormatError(
                f"{plane.path}: the file is cut off: it has {size} bytes and "
                f"{listed} of {wanted} image segments, which reach to byte {end}; "
                "copy it again from its source"
            )
    return level
