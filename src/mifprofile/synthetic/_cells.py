"""The cells of a synthetic slide: who, where and how strongly stained."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.errors import UsageError
from mifprofile.synthetic._noise import keyed_rng, smooth_field
from mifprofile.synthetic._shapes import NUCLEUS, place
from mifprofile.synthetic._tissue import (
    CELLS,
    CLUSTER,
    FLOW,
    GLASS,
    GLOWING,
    LEVELS,
    STROMA,
    TUMOUR,
    region_map,
)
from mifprofile.synthetic.nuclei import make_nuclei
from mifprofile.synthetic.options import TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.synthetic.options import SynthOptions

PLOT_UM = 64.0
PLOT_CAPACITY = 128
REACH_UM = 24.0
CANDIDATES = 3.5
FLOW_GRAIN_UM = 70.0
CLUSTER_GRAIN_UM = 40.0
KIND_OF_TYPE = np.array([1, 0, 0, 0, 2])
CYTOPLASM_UM = np.array([4.5, 1.5, 1.5, 1.8, 1.8])
SOFT_SHARE = 0.15
TAIL_DECADES = 1.5
BRIGHTEST_GLOW, GLOWING_DECADES = 0.5, 1.0


@dataclass(frozen=True)
class Seeds:
    """Places, shapes and types of future cells: (n,) arrays."""

    nuclei: NDArray[Any]
    types: NDArray[np.int64]
    regions: NDArray[np.uint8]

    def __len__(self) -> int:
        return int(self.types.size)

    def take(self, which: NDArray[Any]) -> Seeds:
        """Return the seeds that a (k,) index or an (n,) mask selects."""
        return Seeds(self.nuclei[which], self.types[which], self.regions[which])


@dataclass(frozen=True)
class Cells:
    """Some cells of a slide, one row each.

    Parameters
    ----------
    ids : (n,) uint32
    nuclei : (n,) records of NUCLEUS
        Positions in pixels of the slide.
    types : (n,) int64
        Index into ``TYPES``.
    regions : (n,) uint8
    cytoplasm_px : (n,) float64
        How far the cell reaches beyond its nucleus.
    priority : (n,) float64
        Which nucleus lies on top.
    positive : (n, m) bool
    levels : (n, m) float32
        Counts of each marker.
    glow : (n,) float32
        Counts that its autofluorescence adds to every marker; 0 for most.
    """

    ids: NDArray[np.uint32]
    nuclei: NDArray[Any]
    types: NDArray[np.int64]
    regions: NDArray[np.uint8]
    cytoplasm_px: NDArray[np.float64]
    priority: NDArray[np.float64]
    positive: NDArray[np.bool_]
    levels: NDArray[np.float32]
    glow: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.ids.size)

    def take(self, which: NDArray[Any]) -> Cells:
        """Return the cells that a (k,) index or an (n,) mask selects."""
        return Cells(*(getattr(self, f.name)[which] for f in fields(self)))

    @staticmethod
    def join(parts: list[Cells]) -> Cells:
        """Return all cells of several groups, in their order."""
        names = [f.name for f in fields(Cells)]
        return Cells(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def cells_near(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> Cells:
    """Return every cell that may touch a block, in the order of the whole slide."""
    plot, reach = plot_px(options), REACH_UM / options.pixel_size_um
    low = [int((s - reach) // plot) for s in start]
    high = [int((s + n + reach) // plot) for s, n in zip(start, shape, strict=True)]
    rows, columns = plot_count(options)
    parts = [
        plot_cells(options, row, column)
        for row in range(max(low[0], 0), min(high[0], rows - 1) + 1)
        for column in range(max(low[1], 0), min(high[1], columns - 1) + 1)
    ]
    near = Cells.join(parts) if parts else _no_cells(options)
    return near.take(_touching(near, start, shape))


def plot_px(options: SynthOptions) -> int:
    """Edge of the squares in which cells are sown, px."""
    return max(1, round(PLOT_UM / options.pixel_size_um))


def plot_count(options: SynthOptions) -> tuple[int, int]:
    """Rows and columns of these squares on the slide."""
    height, width = options.shape_px
    plot = plot_px(options)
    rows, columns = -(-height // plot), -(-width // plot)
    if rows * columns * PLOT_CAPACITY >= 2**32:
        raise UsageError(
            f"size_mm: {options.size_mm} has more cells than 32-bit labels can name; "
            "make the slide smaller"
        )
    return rows, columns


@functools.lru_cache(maxsize=8192)
def plot_cells(options: SynthOptions, row: int, column: int) -> Cells:
    """Return the cells whose centres lie in one square.

    Squares are sown in four turns, by the parity of their row and column, and keep
    clear of the neighbours sown in an earlier turn; so each depends on few others.
    """
    rng = keyed_rng(options.seed, CELLS, row, column)
    plot = plot_px(options)
    start = (row * plot, column * plot)
    ground = region_map(options, start, (plot, plot))
    seeds = _candidates(rng, options, start, ground)
    before = _sown_before(options, row, column)
    nuclei = np.concatenate([before, seeds.nuclei])
    room = np.concatenate([np.ones(before.size), rng.uniform(0.82, 1.06, len(seeds))])
    bin_px = REACH_UM / options.pixel_size_um
    kept = place(nuclei, room, bin_px, before.size)[before.size :]
    sown = seeds.take(kept)
    sown = sown.take(_wanted(rng, options, sown.regions, ground))
    first = (row * plot_count(options)[1] + column) * PLOT_CAPACITY + 1
    return _stained(rng, options, sown, first)


def _sown_before(options: SynthOptions, row: int, column: int) -> NDArray[Any]:
    rows, columns = plot_count(options)
    turn = _turn(row, column)
    found = [
        plot_cells(options, r, c).nuclei
        for r in range(max(row - 1, 0), min(row + 2, rows))
        for c in range(max(column - 1, 0), min(column + 2, columns))
        if _turn(r, c) < turn
    ]
    return np.concatenate(found) if found else np.zeros(0, dtype=NUCLEUS)


def _turn(row: int, column: int) -> int:
    return 2 * (row % 2) + column % 2


def _candidates(
    rng: np.random.Generator,
    options: SynthOptions,
    start: tuple[int, int],
    ground: NDArray[np.uint8],
) -> Seeds:
    plot, um = ground.shape[0], options.pixel_size_um
    densest = max(options.nest_cells_per_mm2, options.stroma_cells_per_mm2)
    count = round(CANDIDATES * densest * (plot * um / 1000) ** 2)
    at = rng.uniform(0, plot, (2, count))
    y, x = at.astype(np.int64)
    regions = ground[y, x]
    cluster = _coarse(options, CLUSTER, CLUSTER_GRAIN_UM, start, plot)[y // 8, x // 8]
    crowd = np.where((regions == TUMOUR) | (cluster > 0.4), 1.0, 0.6)
    fit = (regions != GLASS) & (rng.random(count) < crowd)
    at, y, x, regions, cluster = at[:, fit], y[fit], x[fit], regions[fit], cluster[fit]
    flow = _coarse(options, FLOW, FLOW_GRAIN_UM, start, plot)[y // 8, x // 8]
    types = _choose_types(rng, options, regions, cluster)
    nuclei = _shaped(rng, types, flow, um)
    nuclei["y"], nuclei["x"] = at[0] + start[0] - 0.5, at[1] + start[1] - 0.5
    return Seeds(nuclei, types, regions)


def _coarse(
    options: SynthOptions,
    field: int,
    grain_um: float,
    start: tuple[int, int],
    plot: int,
) -> NDArray[np.float32]:
    """Return every eighth pixel of a smooth field over one square."""
    corner = (start[0] // 8, start[1] // 8)
    size = plot // 8 + 1
    grain = grain_um / options.pixel_size_um / 8
    return smooth_field((options.seed, field), grain, corner, (size, size))


def _choose_types(
    rng: np.random.Generator,
    options: SynthOptions,
    regions: NDArray[np.uint8],
    cluster: NDArray[np.float32],
) -> NDArray[np.int64]:
    nest = np.cumsum(options.nest.shares)[:-1]
    stroma = np.cumsum(options.stroma.shares)[:-1]
    bounds = np.where((regions == TUMOUR)[:, None], nest, stroma)
    draw = rng.random(regions.size)
    # lymphocytes gather: more of them inside clusters, as many fewer outside
    lean = np.where(regions == TUMOUR, 0.0, np.clip(0.25 * cluster, -0.35, 0.35))
    draw = np.clip(draw - lean * draw * (1 - draw) * 2, 0, 1)
    types: NDArray[np.int64] = (draw[:, None] >= bounds).sum(axis=1)
    return types


def _shaped(
    rng: np.random.Generator,
    types: NDArray[np.int64],
    flow: NDArray[np.float32],
    um: float,
) -> NDArray[Any]:
    kinds = KIND_OF_TYPE[types]
    wobble = np.array([1.5, 0.6, 0.25])[kinds]
    angles = np.pi * flow * 0.6 + rng.normal(0, 1, types.size) * wobble
    nuclei = make_nuclei(rng, kinds, angles, um)
    nuclei["plane"] = rng.random(types.size) < SOFT_SHARE
    return nuclei


def _wanted(
    rng: np.random.Generator,
    options: SynthOptions,
    regions: NDArray[np.uint8],
    ground: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Return which seeds to keep, no more of each region than its density asks."""
    mm2 = (options.pixel_size_um / 1000) ** 2
    keep = np.zeros(regions.size, dtype=bool)
    for region, density in (
        (STROMA, options.stroma_cells_per_mm2),
        (TUMOUR, options.nest_cells_per_mm2),
    ):
        wanted = rng.poisson(density * mm2 * np.count_nonzero(ground == region))
        keep[np.flatnonzero(regions == region)[:wanted]] = True
    return np.flatnonzero(keep)[: PLOT_CAPACITY - 1]


def _stained(
    rng: np.random.Generator, options: SynthOptions, seeds: Seeds, first_id: int
) -> Cells:
    count = len(seeds)
    positive = (
        rng.random((count, len(options.markers))) < _carriers(options)[seeds.types]
    )
    levels = _levels(rng, options, positive, first_id)
    width_um = CYTOPLASM_UM[seeds.types] * rng.lognormal(0, 0.15, count).clip(0.7, 1.5)
    return Cells(
        np.arange(first_id, first_id + count, dtype=np.uint32),
        seeds.nuclei,
        seeds.types,
        seeds.regions,
        width_um / options.pixel_size_um,
        rng.random(count),
        positive,
        levels.astype(np.float32),
        _glow(options, count, first_id),
    )


def _levels(
    rng: np.random.Generator,
    options: SynthOptions,
    positive: NDArray[np.bool_],
    first_id: int,
) -> NDArray[np.float64]:
    median = np.where(positive, options.positive_level, options.negative_level)
    levels = median * np.exp(options.level_spread * rng.normal(size=median.shape))
    # Dice of their own: the same cells stand on the easy slide and on the hard one.
    dice = keyed_rng(options.seed, LEVELS, first_id)
    if options.positive_decades:
        dim = 10 ** (-options.positive_decades * dice.random(median.shape))
        levels[positive] *= dim[positive]
    if options.negative_tail:
        bright = np.exp(_tail(dice, options.negative_tail, median.shape))
        levels[~positive] *= bright[~positive]
    return np.asarray(levels, dtype=np.float64)


def _tail(
    dice: np.random.Generator, mean: float, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return exponential deviates, cut off where a negative cell would shine."""
    longest = TAIL_DECADES * np.log(10) / mean
    return np.asarray(-mean * np.log1p(dice.random(shape) * np.expm1(-longest)))


def _glow(options: SynthOptions, count: int, first_id: int) -> NDArray[np.float32]:
    """Return the autofluorescence of each cell, 0 for cells without."""
    if not options.autofluorescent_cells:
        return np.zeros(count, dtype=np.float32)
    dice = keyed_rng(options.seed, GLOWING, first_id)
    glowing = dice.random(count) < options.autofluorescent_cells
    level = BRIGHTEST_GLOW * 10 ** (-GLOWING_DECADES * dice.random(count))
    return np.where(glowing, options.positive_level * level, 0.0).astype(np.float32)


def _carriers(options: SynthOptions) -> NDArray[np.float64]:
    """Return the share of each type (row) that carries each marker (column)."""
    looks = [options.carriers(name) for name in options.markers]
    shares = [[look.get(kind, 0.0) for look in looks] for kind in TYPES]
    return np.array(shares, dtype=float).reshape(len(TYPES), len(looks))


def _no_cells(options: SynthOptions) -> Cells:
    none = np.zeros(0, dtype=np.int64)
    seeds = Seeds(np.zeros(0, dtype=NUCLEUS), none, none.astype(np.uint8))
    return _stained(keyed_rng(0), options, seeds, 0)


def _touching(
    cells: Cells, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    reach = cells.nuclei["reach"] + cells.cytoplasm_px + 1
    inside = np.ones(len(cells), dtype=bool)
    for axis, name in enumerate("yx"):
        at = cells.nuclei[name]
        inside &= (at + reach >= start[axis]) & (
            at - reach <= start[axis] + shape[axis]
        )
    return inside
