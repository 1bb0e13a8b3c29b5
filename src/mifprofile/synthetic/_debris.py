"""Specks on a slide that are no cells."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from mifprofile.synthetic._noise import keyed_rng
from mifprofile.synthetic._shapes import outline_radius, outline_waves
from mifprofile.synthetic._tissue import DEBRIS, GLASS, region_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.synthetic.options import SynthOptions

SQUARE_UM = 64.0
RADIUS_UM = (0.8, 2.5)
RAGGED = 0.2
SEEN = 0.6
# Multiples of positive_level, drawn evenly in the logarithm.
BRIGHTNESS = (0.2, 2.0)


class Speck(NamedTuple):
    """A speck: centre, mean radius and reach in px, outline, counts per channel."""

    y: float
    x: float
    radius: float
    reach: float
    wave: NDArray[np.float64]
    levels: NDArray[np.float32]


def debris(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the light of the specks in all channels but the nuclear, (c, y, x)."""
    light = np.zeros((len(options.channel_names) - 1, *shape), dtype=np.float32)
    for speck in _specks_near(options, start, shape):
        _add(light, speck.levels, *speck[:5], start)
    return light


def _specks_near(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> list[Speck]:
    """Return the specks that may touch a block, in the order of the whole slide."""
    side = SQUARE_UM / options.pixel_size_um
    # Outlines swell to less than three times their radius.
    reach = 3 * RADIUS_UM[1] / options.pixel_size_um + 1
    rows, columns = (
        range(math.floor((s - reach) / side), math.floor((s + n + reach) / side) + 1)
        for s, n in zip(start, shape, strict=True)
    )
    return [s for row in rows for col in columns for s in _specks(options, row, col)]


@functools.lru_cache(maxsize=8192)
def _specks(options: SynthOptions, row: int, column: int) -> tuple[Speck, ...]:
    """Return the specks whose centres lie in one square of the tissue."""
    rng = keyed_rng(options.seed, DEBRIS, row, column)
    count = rng.poisson(options.debris_per_mm2 * (SQUARE_UM / 1000) ** 2)
    specks = [_speck(rng, options, row, column) for _ in range(count)]
    return tuple(speck for speck in specks if _on_tissue(options, speck))


def _speck(
    rng: np.random.Generator, options: SynthOptions, row: int, column: int
) -> Speck:
    um, count = options.pixel_size_um, len(options.channel_names) - 1
    corner = np.array([row, column])
    y, x = (corner + rng.random(2)) * SQUARE_UM / um
    radius = rng.uniform(*RADIUS_UM) / um
    wave = outline_waves(rng, 1, RAGGED)[0]
    level = options.positive_level * math.exp(rng.uniform(*np.log(BRIGHTNESS)))
    seen = rng.random(count) < SEEN
    seen[rng.permutation(count)[:2]] = True
    levels = (level * seen * rng.lognormal(0, 0.4, count)).astype(np.float32)
    reach = radius * (1 + np.abs(wave).sum()) + 1
    return Speck(float(y), float(x), radius, float(reach), wave, levels)


def _on_tissue(options: SynthOptions, speck: Speck) -> bool:
    at = (math.floor(speck.y), math.floor(speck.x))
    return int(region_map(options, at, (1, 1))[0, 0]) != GLASS


@njit(cache=True, nogil=True)
def _add(
    light: NDArray[np.float32],
    levels: NDArray[np.float32],
    y: float,
    x: float,
    radius: float,
    reach: float,
    wave: NDArray[np.float64],
    start: tuple[int, int],
) -> None:
    top, bottom = math.floor(y - reach) - start[0], math.ceil(y + reach) - start[0]
    left, right = math.floor(x - reach) - start[1], math.ceil(x + reach) - start[1]
    for r in range(max(top, 0), min(bottom + 1, light.shape[1])):
        dy = r + start[0] - y
        for c in range(max(left, 0), min(right + 1, light.shape[2])):
            dx = c + start[1] - x
            far = math.sqrt(dy * dy + dx * dx) + 1e-9
            edge = radius * max(0.2, outline_radius(wave, dx / far, dy / far))
            cover = np.float32(min(1.0, max(0.0, edge - far + 0.5)))
            for k in range(levels.size):
                light[k, r, c] += cover * levels[k]
