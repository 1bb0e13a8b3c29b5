"""Where glass, stroma, nests and planted faults lie: functions of slide pixels."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from mifprofile.synthetic._noise import keyed_rng, smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.synthetic.options import SynthOptions

GLASS, STROMA, TUMOUR = 0, 1, 2
NEST_GRAIN_UM = 85.0
FRINGE_GRAIN_UM = 30.0
FRINGE_WEIGHT = 0.35
OUTLINE_GRAIN_UM = 120.0
EDGE_UM = 6.0

NEST, FRINGE, OUTLINE, FLOW, CLUSTER, GLOW, FOLDS, PATCHES, CELLS, CAMERA = range(10)
OVEREXPOSED, AGGREGATES, LEVELS, GLOWING, DEBRIS = range(10, 15)
# One field per channel from here on.
HAZE = 100


class Band(NamedTuple):
    """A planted fault, px: all places within ``half_width`` of a segment."""

    y: float
    x: float
    dy: float
    dx: float
    half_width: float


class Spot(NamedTuple):
    """A clump of antibody: centre and radius in px, marker and counts."""

    y: float
    x: float
    radius: float
    marker: int
    level: float


def region_map(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the regions of a block, (y, x) uint8: 0 glass, 1 stroma, 2 tumour."""
    um = options.pixel_size_um
    nest = smooth_field((options.seed, NEST), NEST_GRAIN_UM / um, start, shape)
    fringe = smooth_field((options.seed, FRINGE), FRINGE_GRAIN_UM / um, start, shape)
    outline = smooth_field((options.seed, OUTLINE), OUTLINE_GRAIN_UM / um, start, shape)
    regions: NDArray[np.uint8] = _regions(
        nest,
        fringe,
        outline,
        _nest_threshold(options),
        options.glass_margin_um / um,
        start,
        options.shape_px,
    )
    return regions


def fold_weight(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Return how folded each (y, x) pixel is, 0 to 1; None if no fold comes near."""
    return _weight(folds(options), EDGE_UM / options.pixel_size_um, start, shape)


def defocus_weight(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Return how far from focus each (y, x) pixel is, 0 to 1; None if all are sharp."""
    return _weight(patches(options), 2 * EDGE_UM / options.pixel_size_um, start, shape)


def saturation_weight(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Return how overexposed each (y, x) pixel is, 0 to 1; None if no patch is near."""
    return _weight(overexposed(options), EDGE_UM / options.pixel_size_um, start, shape)


def aggregate_weight(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the light of the antibody clumps in each marker channel, (m, y, x)."""
    light = np.zeros((len(options.markers), *shape), np.float32)
    for spot in aggregates(options):
        reach = math.ceil(spot.radius) + 1
        y, x = math.floor(spot.y) - start[0], math.floor(spot.x) - start[1]
        rows = slice(max(y - reach, 0), max(y + reach + 1, 0))
        cols = slice(max(x - reach, 0), max(x + reach + 1, 0))
        window = light[spot.marker, rows, cols]
        dy = np.arange(*rows.indices(shape[0])) + start[0] - spot.y
        dx = np.arange(*cols.indices(shape[1])) + start[1] - spot.x
        far = np.hypot(dy[:, None], dx)
        cover = np.clip(spot.radius - far + 0.5, 0, 1).astype(np.float32)
        np.maximum(window, np.float32(spot.level) * cover, out=window)
    return light


@functools.lru_cache(maxsize=64)
def folds(options: SynthOptions) -> tuple[Band, ...]:
    """Return the folds of a slide: long narrow bands."""
    rng = keyed_rng(options.seed, FOLDS)
    return tuple(
        _band(rng, options, (0.15, 0.3), 14.0) for _ in range(options.fold_count)
    )


@functools.lru_cache(maxsize=64)
def patches(options: SynthOptions) -> tuple[Band, ...]:
    """Return the patches that are out of focus: short broad bands."""
    rng = keyed_rng(options.seed, PATCHES)
    count = options.out_of_focus_count
    return tuple(_band(rng, options, (0.0, 0.06), 90.0) for _ in range(count))


@functools.lru_cache(maxsize=64)
def overexposed(options: SynthOptions) -> tuple[Band, ...]:
    """Return the patches that were exposed too long: short broad bands."""
    rng = keyed_rng(options.seed, OVEREXPOSED)
    count = options.saturated_count
    return tuple(_band(rng, options, (0.0, 0.06), 70.0) for _ in range(count))


@functools.lru_cache(maxsize=64)
def aggregates(options: SynthOptions) -> tuple[Spot, ...]:
    """Return the clumps of antibody of a slide."""
    rng = keyed_rng(options.seed, AGGREGATES)
    count = options.aggregate_count if options.markers else 0
    return tuple(_spot(rng, options) for _ in range(count))


def _spot(rng: np.random.Generator, options: SynthOptions) -> Spot:
    y, x = rng.uniform(0.1, 0.9, 2) * options.shape_px
    return Spot(
        float(y),
        float(x),
        rng.uniform(1.0, 2.0) / options.pixel_size_um,
        int(rng.integers(len(options.markers))),
        rng.uniform(8.0, 14.0) * options.positive_level,
    )


def _band(
    rng: np.random.Generator,
    options: SynthOptions,
    lengths: tuple[float, float],
    half_width_um: float,
) -> Band:
    height, width = options.shape_px
    short = min(height, width)
    y, x = rng.uniform(0.25, 0.75, 2) * (height, width)
    angle = rng.uniform(0, math.pi)
    half_length = rng.uniform(*lengths) * min(short, 1500 / options.pixel_size_um)
    half_width = half_width_um * rng.uniform(0.8, 1.3) / options.pixel_size_um
    return Band(
        float(y),
        float(x),
        half_length * math.sin(angle),
        half_length * math.cos(angle),
        min(half_width, 0.2 * short),
    )


def _nest_threshold(options: SynthOptions) -> float:
    spread = math.hypot(1, FRINGE_WEIGHT)
    return spread * NormalDist().inv_cdf(1 - options.tumour_area_fraction)


@njit(cache=True, nogil=True)
def _regions(
    nest: NDArray[np.float32],
    fringe: NDArray[np.float32],
    outline: NDArray[np.float32],
    threshold: float,
    margin_px: float,
    start: tuple[int, int],
    slide: tuple[int, int],
) -> NDArray[np.uint8]:
    regions = np.zeros(nest.shape, dtype=np.uint8)
    for r in range(nest.shape[0]):
        y = r + start[0]
        for c in range(nest.shape[1]):
            x = c + start[1]
            border = min(min(y, slide[0] - 1 - y), min(x, slide[1] - 1 - x))
            margin = margin_px * max(0.25, 1 + 0.45 * outline[r, c])
            if border < margin or border < 0:
                continue
            level = nest[r, c] + FRINGE_WEIGHT * fringe[r, c]
            regions[r, c] = TUMOUR if level > threshold else STROMA
    return regions


def _weight(
    bands: tuple[Band, ...],
    edge_px: float,
    start: tuple[int, int],
    shape: tuple[int, int],
) -> NDArray[np.float32] | None:
    near = [band for band in bands if _touches(band, edge_px, start, shape)]
    if not near:
        return None
    weight = np.zeros(shape, dtype=np.float32)
    for band in near:
        _add_band(weight, np.array(band), edge_px, start)
    return weight


def _touches(
    band: Band, edge_px: float, start: tuple[int, int], shape: tuple[int, int]
) -> bool:
    reach = math.hypot(band.dy, band.dx) + band.half_width + edge_px
    apart_y = max(start[0] - band.y, band.y - start[0] - shape[0])
    apart_x = max(start[1] - band.x, band.x - start[1] - shape[1])
    return max(apart_y, apart_x) <= reach


@njit(cache=True, nogil=True)
def _add_band(
    weight: NDArray[np.float32],
    band: NDArray[np.float64],
    edge_px: float,
    start: tuple[int, int],
) -> None:
    cy, cx, dy, dx, half_width = band
    length = dy * dy + dx * dx + 1e-9
    for r in range(weight.shape[0]):
        y = r + start[0] - cy
        for c in range(weight.shape[1]):
            x = c + start[1] - cx
            along = min(1.0, max(-1.0, (y * dy + x * dx) / length))
            far = math.hypot(y - along * dy, x - along * dx)
            value = min(1.0, max(0.0, (half_width - far) / edge_px + 1))
            weight[r, c] = max(weight[r, c], value)
