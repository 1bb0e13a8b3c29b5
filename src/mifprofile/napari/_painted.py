"""Label pyramids whose cells are recoloured by a table, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

Window = tuple[slice, slice]


class PaintedLabels:
    """A lazy label pyramid that shows, for every cell, a value from a table.

    A colour per cell would cost napari seconds for 10⁵ cells. Here the table is looked
    up for the pixels in view alone, so that a change of every cell's value costs the
    same for any number of cells.

    Parameters
    ----------
    levels : sequence of array-like
        Cell ids, each (y, x) uint32, full resolution first.
    values : (n,) uint32 array
        Shown value by cell id; 0 is transparent, as is an id beyond the table.
    """

    def __init__(self, levels: Sequence[Any], values: NDArray[np.uint32]) -> None:
        self._values = _with_end(values)
        self._ids = np.asarray(levels[-1][:, :])
        # napari keeps the coarsest level for thumbnails: it is repainted in place.
        self._coarsest = self.look_up(self._ids)
        self._fine = [_PaintedLevel(level, self) for level in levels[:-1]]

    @property
    def data(self) -> list[Any] | NDArray[np.uint32]:
        """What a Labels layer takes; a single level is no list."""
        return [*self._fine, self._coarsest] if self._fine else self._coarsest

    def paint(self, values: NDArray[np.uint32]) -> None:
        """Show other values; the layer must then be refreshed."""
        self._values = _with_end(values)
        self._coarsest[...] = self.look_up(self._ids)

    def look_up(self, ids: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Shown value of each pixel."""
        return np.take(self._values, ids, mode="clip")


def _with_end(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Add the 0 that ids beyond the table are clipped to."""
    return np.append(values, np.uint32(0))


class _PaintedLevel:
    """One level as napari wants it: an array that is read by windows."""

    ndim = 2

    def __init__(self, ids: Any, painted: PaintedLabels) -> None:
        self._source = ids
        self._painted = painted
        self._last: tuple[Any, NDArray[np.uint32]] | None = None
        self.shape: tuple[int, int] = ids.shape
        self.dtype = np.dtype(np.uint32)
        self.size = int(np.prod(ids.shape))

    def __getitem__(self, window: Window) -> NDArray[np.uint32]:
        # While a gate is dragged, the window stays: its ids are read once.
        if self._last is None or self._last[0] != window:
            self._last = window, np.asarray(self._source[window])
        return self._painted.look_up(self._last[1])

    def __array__(
        self, dtype: DTypeLike = None, copy: bool | None = None
    ) -> NDArray[Any]:
        return np.asarray(self[:, :], dtype)
