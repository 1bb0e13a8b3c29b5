"""Which tiles of a slide are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape import EXCLUDED, GLASS, OUTSIDE, STROMA, TUMOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# A tile with less tissue than this is none.
MIN_TISSUE = 0.5
KINDS = {TUMOUR: "tumour", STROMA: "stroma", OUTSIDE: "outside the tumour bed"}


@dataclass(frozen=True)
class Spot:
    """A chosen tile: why it was chosen, its upper left corner and its edge."""

    title: str
    x_um: float
    y_um: float
    size_um: float


def choose_tiles(
    regions: NDArray[np.uint8],
    um: float,
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    *,
    tile_um: float,
    count: int,
    seed: int,
) -> tuple[Spot, ...]:
    """Choose the densest tile, then tiles of tumour and stroma by turns, at random.

    Where these run out, other tiles on tissue follow; a slide without tissue has none.

    Parameters
    ----------
    regions : (h, w) uint8 array
        Region map.
    um : float
        Its pixel size, µm; the finer, the more exact the tiles' contents.
    x_um, y_um : (n,) float64 array
        Centroids of the cells.
    tile_um : float
        Edge of a tile, µm; smaller where the slide is smaller.
    count : int
        How many tiles at most.
    seed : int
        Of the random choice.
    """
    tops, lefts = (_starts(size * um, tile_um) for size in regions.shape)
    grid = _Grid(tops, lefts, tile_um, um)
    cells = grid.sums(_count_image(regions.shape, um, x_um, y_um))
    kinds = _kinds(regions, grid)
    chosen: dict[int, str] = {}
    for tile, title in _draw(cells, kinds, np.random.default_rng(seed)):
        if len(chosen) < count:
            chosen.setdefault(tile, title)
    return tuple(grid.spot(tile, title) for tile, title in chosen.items())


@dataclass(frozen=True)
class _Grid:
    """Tiles in rows and columns over a map; they overlap where they do not fit."""

    tops_um: NDArray[np.float64]
    lefts_um: NDArray[np.float64]
    tile_um: float
    um: float

    def sums(self, image: NDArray[np.generic]) -> NDArray[np.float64]:
        """Sum of a map over every tile, row by row."""
        table = np.zeros((image.shape[0] + 1, image.shape[1] + 1))
        image.cumsum(0, dtype=np.float64).cumsum(1, out=table[1:, 1:])
        y0, y1 = self._edges(self.tops_um, image.shape[0])
        x0, x1 = self._edges(self.lefts_um, image.shape[1])
        below = table[np.ix_(y1, x1)] - table[np.ix_(y1, x0)]
        above = table[np.ix_(y0, x1)] - table[np.ix_(y0, x0)]
        return np.asarray(below - above).ravel()

    def spot(self, tile: int, title: str) -> Spot:
        """Place of a tile on the slide."""
        row, col = divmod(tile, len(self.lefts_um))
        x, y = float(self.lefts_um[col]), float(self.tops_um[row])
        return Spot(title, x, y, self.tile_um)

    def _edges(
        self, starts: NDArray[np.float64], size: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        first = np.minimum((starts / self.um).astype(np.intp), size - 1)
        last = np.rint((starts + self.tile_um) / self.um).astype(np.intp)
        return first, np.maximum(np.minimum(last, size), first + 1)


def _starts(extent_um: float, tile_um: float) -> NDArray[np.float64]:
    tiles = max(int(np.ceil(extent_um / tile_um)), 1)
    return np.linspace(0.0, max(extent_um - tile_um, 0.0), tiles)


def _count_image(
    shape: tuple[int, ...],
    um: float,
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Number of centroids per pixel of a map."""
    rows, cols = (
        np.clip((at / um).astype(np.intp), 0, size - 1)
        for at, size in zip((y_um, x_um), shape, strict=True)
    )
    places = np.ravel_multi_index((rows, cols), shape)
    return np.bincount(places, minlength=int(np.prod(shape))).reshape(shape)


def _kinds(regions: NDArray[np.uint8], grid: _Grid) -> NDArray[np.int64]:
    """Region that covers most of a tile's tissue; glass if there is little tissue."""
    unused = np.isin(regions, (GLASS, EXCLUDED))
    masks = [unused, *(regions == code for code in KINDS)]
    sums = np.stack([grid.sums(mask) for mask in masks])
    tissue = sums[1:].sum(0) >= MIN_TISSUE * sums.sum(0)
    return np.where(tissue, np.array([*KINDS])[np.argmax(sums[1:], axis=0)], GLASS)


def _draw(
    cells: NDArray[np.float64], kinds: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[tuple[int, str]]:
    """Yield (tile, title) in order of preference; a tile may come again."""
    order = rng.permutation(len(cells))
    if cells.any():
        yield int(np.argmax(cells)), "densest tile"
        # Hardly filled tiles show little, so they come last.
        sparse = cells[order] < np.median(cells[cells > 0]) / 2
        order = np.concatenate([order[~sparse], order[sparse]])
    tumour, stroma, outside = (list(order[kinds[order] == code]) for code in KINDS)
    while tumour or stroma:
        for tiles in (tumour, stroma):
            if tiles:
                tile = int(tiles.pop(0))
                yield tile, KINDS[int(kinds[tile])]
    for tile in outside:
        yield int(tile), KINDS[OUTSIDE]
