"""What the microscope adds: blur, mixing of channels, shading and noise."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from mifprofile.synthetic._noise import keyed_rng, smooth_field
from mifprofile.synthetic._tissue import CAMERA, GLOW, HAZE, fold_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.synthetic.options import SynthOptions

NOISE_TILE_PX = 256
NOISE_SHEET_PX = 1024
CAMERA_FIELD_UM = 600.0
COUNTS_PER_PHOTON = 4.0
READ_NOISE = 12.0
OFFSET = 100.0
GLOW_GRAIN_UM = 25.0
FOLD_GLOW = 0.12
HAZE_GRAIN_UM = 600.0
SPILL_UM = 1.5
SOFT_UM = 0.7
# Above this rate a Poisson deviate is as good as normal.
FEW_EVENTS = 30.0


def point_spread(options: SynthOptions, extra_um: float = 0.0) -> NDArray[np.float32]:
    """Return one axis of the separable blur kernel, (k,) float32, sum 1.

    A share of ``spill_over`` has long tails that reach the neighbouring cells.
    """
    um = options.pixel_size_um
    sharp = math.hypot(options.blur_um, extra_um) / um
    wide = math.hypot(sharp, SPILL_UM / um) if options.spill_over else sharp
    share = 1 - math.sqrt(1 - options.spill_over)
    radius = math.ceil(3 * wide)
    kernel = (1 - share) * _gauss(sharp, radius) + share * _gauss(wide, radius)
    return kernel.astype(np.float32)


def _gauss(sigma: float, radius: int) -> NDArray[np.float64]:
    at = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (at / max(sigma, 1e-3)) ** 2)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


@njit(cache=True, nogil=True)
def blur(
    image: NDArray[np.float32],
    kernel: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Convolve a (y, x) image with a (k,) kernel twice and add the middle to ``out``.

    ``out`` is smaller than the image by the radius of the kernel on each side.

    The order of the sums is the same for every pixel of every block, so overlapping
    blocks agree to the last bit.
    """
    size = kernel.size
    rows, columns = out.shape
    line = np.empty(image.shape[1], dtype=np.float32)
    for r in range(rows):
        line[:] = 0
        for k in range(size):
            weight = kernel[k]
            for c in range(line.size):
                line[c] += weight * image[r + k, c]
        for k in range(size):
            weight = kernel[k]
            for c in range(columns):
                out[r, c] += weight * line[c + k]


@njit(cache=True, nogil=True)
def blend(
    image: NDArray[np.float32],
    other: NDArray[np.float32],
    weight: NDArray[np.float32],
    gain: float,
) -> None:
    """Mix ``gain`` times another into an image, by weights of 0 to 1; all (y, x)."""
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            image[r, c] += weight[r, c] * (gain * other[r, c] - image[r, c])


def bleed_matrix(options: SynthOptions) -> NDArray[np.float32]:
    """Return how much of channel j (column) is seen in channel i (row), (c, c)."""
    count = len(options.channel_names)
    neighbours = np.eye(count, k=1) + np.eye(count, k=-1)
    if options.autofluorescence_channel:
        neighbours[-1] = 0
    return (np.eye(count) + options.bleed_through * neighbours).astype(np.float32)


def glow(
    options: SynthOptions, regions: NDArray[np.uint8], start: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the autofluorescence of a block in counts, (y, x) float32.

    Folded tissue glows more.
    """
    shape = (regions.shape[0], regions.shape[1])
    grain = GLOW_GRAIN_UM / options.pixel_size_um
    field = smooth_field((options.seed, GLOW), grain, start, shape)
    level = np.float32(options.autofluorescence) * np.exp(np.float32(0.35) * field)
    folded = fold_weight(options, start, shape)
    if folded is not None:
        level += np.float32(FOLD_GLOW) * folded
    tissue = np.array([0.0, 1.0, 0.8], dtype=np.float32)[regions]
    light: NDArray[np.float32] = np.float32(options.positive_level) * tissue * level
    return light


def haze(
    options: SynthOptions, channel: int, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the slowly varying light of one channel in counts, (y, x) float32."""
    grain = HAZE_GRAIN_UM / options.pixel_size_um
    field = smooth_field((options.seed, HAZE + channel), grain, start, shape)
    level = np.float32(options.haze * options.positive_level)
    light: NDArray[np.float32] = level * np.exp(np.float32(0.5) * field)
    return light


@functools.cache
def noise_sheet() -> NDArray[np.float32]:
    """Return standard normal deviates, (1024, 1024) float32, the camera's dice."""
    rng = np.random.default_rng(20_240_502)
    sheet = rng.standard_normal((NOISE_SHEET_PX, NOISE_SHEET_PX), dtype=np.float32)
    sheet.flags.writeable = False
    return sheet


def noise_offsets(
    options: SynthOptions, start: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Return where in the noise sheet each tile of the slide and channel begins.

    Returns
    -------
    (rows, columns, c, 2) int64
        For the tiles that a block touches.
    """
    rows, columns = (
        range(s // NOISE_TILE_PX, (s + n - 1) // NOISE_TILE_PX + 1)
        for s, n in zip(start, shape, strict=True)
    )
    size = (len(options.channel_names), 2)
    return np.array(
        [
            [
                keyed_rng(options.seed, CAMERA, row, column).integers(0, 2**20, size)
                for column in columns
            ]
            for row in rows
        ]
    )


@njit(cache=True, nogil=True)
def expose(
    light: NDArray[np.float32],
    glowing: NDArray[np.float32],
    bleed: NDArray[np.float32],
    shading: tuple[float, float],
    start: tuple[int, int],
    sheet: NDArray[np.float32],
    offsets: NDArray[np.int64],
    noise: float,
    events: NDArray[np.float32],
) -> NDArray[np.uint16]:
    """Return camera counts.

    Parameters
    ----------
    light : (c, y, x) float32
        Light of each fluorophore.
    glowing : (y, x) float32
        Autofluorescence, seen in every channel.
    bleed : (c, c) float32
        As from `bleed_matrix`.
    shading : (float, float)
        Loss of light in the corners, and size of a camera field in px.
    start : (int, int)
        Slide row and column of the upper left pixel.
    sheet, offsets
        As from `noise_sheet` and `noise_offsets`.
    noise : float
        Multiple of a usual camera's noise.
    events : (c,) float32
        0 for a camera; else a detector of single events, so many per unit of light.

    Returns
    -------
    (c, y, x) uint16
    """
    count, rows, columns = light.shape
    image = np.empty(light.shape, dtype=np.uint16)
    seen = np.empty(columns, dtype=np.float32)
    first_row, first_column = start[0] // NOISE_TILE_PX, start[1] // NOISE_TILE_PX
    across = np.empty(columns, dtype=np.float32)
    for c in range(columns):
        u = ((c + start[1]) / shading[1]) % 1.0 * 2 - 1
        across[c] = u * u
    for i in range(count):
        for r in range(rows):
            y = r + start[0]
            v = (y / shading[1]) % 1.0 * 2 - 1
            down = np.float32(v * v)
            loss = np.float32(0.5 * shading[0])
            seen[:] = glowing[r]
            for j in range(max(0, i - 1), min(count, i + 2)):
                share = bleed[i, j]
                for c in range(columns):
                    seen[c] += share * light[j, r, c]
            for c in range(columns):
                seen[c] *= np.float32(1) - loss * (down + across[c])
            tile_row = y // NOISE_TILE_PX - first_row
            for c in range(columns):
                x = c + start[1]
                at = offsets[tile_row, x // NOISE_TILE_PX - first_column, i]
                dice = sheet[(y + at[0]) & 1023, (x + at[1]) & 1023]
                if events[i] > 0:
                    value = _counted(events[i] * seen[c], dice)
                else:
                    value = _digitised(seen[c], noise, dice)
                image[i, r, c] = np.uint16(min(max(value, 0.0), 65535.0))
    return image


@njit(cache=True, nogil=True)
def _digitised(seen: float, noise: float, dice: float) -> float:
    """Counts of a camera: offset, shot noise and read noise."""
    variance = COUNTS_PER_PHOTON * seen + READ_NOISE * READ_NOISE
    return OFFSET + seen + noise * math.sqrt(variance) * dice + 0.5


@njit(cache=True, nogil=True)
def _counted(rate: float, dice: float) -> float:
    """Poisson deviate of a rate, by inversion of a standard normal one."""
    if rate > FEW_EVENTS:
        return max(0.0, math.floor(rate + math.sqrt(rate) * dice + 0.5))
    level = 0.5 * math.erfc(-dice / math.sqrt(2.0))
    chance = math.exp(-rate)
    below, events = chance, 0.0
    while level > below and events < 4 * FEW_EVENTS:
        events += 1
        chance *= rate / events
        below += chance
    return events
