"""Turn something that can read a block into a lazy array."""

from __future__ import annotations

import math
import uuid
from typing import Any, Protocol

import dask.array as da
import numpy as np

_TARGET_PX = 1024


class BlockSource(Protocol):
    """What a reader must offer: (c, y, x) shape, chunks and thread-safe blocks."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (c, y, x)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type, native byte order."""

    @property
    def ndim(self) -> int:
        """Always 3."""

    @property
    def chunk_px(self) -> tuple[int, int]:
        """(height, width) of what is decoded at once."""

    def __getitem__(self, index: tuple[slice, slice, slice], /) -> np.ndarray[Any, Any]:
        """Read a block; `index` holds one plain slice per axis."""


def lazy(source: BlockSource) -> da.Array:
    """Wrap a source as a dask array of blocks of about 1024 x 1024 px.

    Blocks are whole multiples of the source's own chunks, so that no chunk is
    decoded for two blocks.
    """
    shape = source.shape
    chunks = (1, *_group(source.chunk_px, shape[1:]))
    array: da.Array = da.from_array(
        source,
        chunks=chunks,
        name=f"slide-{uuid.uuid4().hex}",
        lock=False,
        asarray=False,
        fancy=False,
        # Without it every compute() builds the tasks of the whole slide.
        inline_array=True,
        meta=np.empty((0, 0, 0), source.dtype),
    )
    return array


def _group(chunk: tuple[int, int], shape: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) of a block: whole chunks, about 1024² px in all."""
    width = min(chunk[1] * max(1, _TARGET_PX // chunk[1]), shape[1])
    rows = max(1, round(_TARGET_PX**2 / (width * chunk[0])))
    rows = min(rows, max(1, math.ceil(_TARGET_PX / chunk[0])))
    return min(chunk[0] * rows, shape[0]), width
