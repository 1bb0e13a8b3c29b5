"""Intensity by compartment, and shape: one raster pass, additive over blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numba import njit

from mifprofile.model import COMPARTMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NUCLEUS, CYTOPLASM, MEMBRANE, CELL = range(4)
# Area, Σy, Σx, Σyy, Σyx, Σxx: what position, axes and eccentricity need.
MOMENTS = 6


@dataclass(frozen=True)
class CellSums:
    """Sufficient statistics of cells 1..n; those of disjoint blocks add up.

    Attributes
    ----------
    pixels : (n, 4) int64 array
        Pixels by compartment: nucleus, cytoplasm, membrane, cell.
    sums : (n, 4, c) float64 array
        Intensity sums by compartment and channel.
    cell_moments, nucleus_moments : (n, 6) float64 array
        Area, Σy, Σx, Σyy, Σyx, Σxx over pixel centres, in px from the slide's corner.
    """

    pixels: NDArray[np.int64]
    sums: NDArray[np.float64]
    cell_moments: NDArray[np.float64]
    nucleus_moments: NDArray[np.float64]

    @classmethod
    def zeros(cls, cells: int, channels: int) -> CellSums:
        """Sums over no pixel."""
        return cls(
            np.zeros((cells, 4), np.int64),
            np.zeros((cells, 4, channels)),
            np.zeros((cells, MOMENTS)),
            np.zeros((cells, MOMENTS)),
        )


def sum_block(
    image: NDArray[np.generic],
    nuclei: NDArray[np.uint32],
    cells: NDArray[np.uint32],
    inner: tuple[slice, slice],
    origin: tuple[int, int],
    membrane_px: float,
) -> tuple[NDArray[np.int64], CellSums]:
    """Sums over one block's core.

    Parameters
    ----------
    image : (c, h, w) array
        Channels over the block with a margin of at least ``membrane_px``.
    nuclei, cells : (h, w) uint32 arrays
        Labels over the same pixels.
    inner : tuple of slice
        The core, within these arrays.
    origin : tuple of int
        (y, x) of the arrays' first pixel on the slide.
    membrane_px : float
        Width of the membrane ring inside a cell's outline.

    Returns
    -------
    ids : (m,) int64 array
        The cells that the core touches.
    part : CellSums
        Their sums, row by row.
    """
    ids = np.unique(np.concatenate([cells[inner].ravel(), nuclei[inner].ravel()]))
    ids = ids[ids > 0]
    ring = membrane_ring(cells, membrane_px)[inner]
    part = CellSums.zeros(ids.size, image.shape[0])
    _accumulate(
        np.ascontiguousarray(np.moveaxis(image[:, *inner], 0, -1)),
        np.searchsorted(ids, nuclei[inner]) + (nuclei[inner] > 0) - 1,
        np.searchsorted(ids, cells[inner]) + (cells[inner] > 0) - 1,
        ring,
        origin[0] + inner[0].start + 0.5,
        origin[1] + inner[1].start + 0.5,
        *(part.pixels, part.sums, part.cell_moments, part.nucleus_moments),
    )
    return ids.astype(np.int64), part


def add_blocks(
    parts: Sequence[tuple[NDArray[np.int64], CellSums]], channels: int
) -> CellSums:
    """Sums over all blocks, of cells from 1 to the highest id."""
    cells = max((int(ids.max(initial=0)) for ids, _ in parts), default=0)
    total = CellSums.zeros(cells, channels)
    for ids, part in parts:
        for mine, theirs in zip(_arrays(total), _arrays(part), strict=True):
            mine[ids - 1] += theirs
    return total


def membrane_ring(cells: NDArray[np.uint32], membrane_px: float) -> NDArray[np.bool_]:
    """Cell pixels within ``membrane_px`` of a pixel that is not of the same cell.

    Parameters
    ----------
    cells : (h, w) integer array
    membrane_px : float
        Distance between pixel centres.

    Returns
    -------
    (h, w) bool array
    """
    reach = int(membrane_px)
    steps = np.arange(-reach, reach + 1)
    dy, dx = (a.ravel() for a in np.meshgrid(steps, steps, indexing="ij"))
    near = (dy**2 + dx**2 <= max(membrane_px, 1.0) ** 2) & ((dy != 0) | (dx != 0))
    return _ring(np.ascontiguousarray(cells), dy[near], dx[near])


def cell_table(
    total: CellSums, channel_names: Sequence[str], um: float
) -> pd.DataFrame:
    """One row per cell: position, size, shape and mean intensities.

    Parameters
    ----------
    total : CellSums
        Over the whole slide.
    channel_names : sequence of str
        Names used in the columns, in channel order.
    um : float
        Pixel size.

    Returns
    -------
    pandas.DataFrame
        ``cell_id``, ``x_um``, ``y_um`` (cell centroid from the slide's corner),
        areas, axes and eccentricity of the ellipse with the same second moments, and
        ``<name>_<compartment>_mean``. A cell without cytoplasm gets its membrane
        ring's mean there.
    """
    cell, nucleus = shape_table(total.cell_moments), shape_table(total.nucleus_moments)
    table = pd.DataFrame(
        {
            "cell_id": np.arange(1, len(cell) + 1, dtype=np.uint32),
            "x_um": cell["x"] * um,
            "y_um": cell["y"] * um,
            "area_um2": cell["area"] * um**2,
            "nucleus_area_um2": nucleus["area"] * um**2,
            "major_axis_um": cell["major"] * um,
            "minor_axis_um": cell["minor"] * um,
            "eccentricity": cell["eccentricity"],
            "nucleus_eccentricity": nucleus["eccentricity"],
        }
    )
    means = compartment_means(total)
    columns = {
        f"{name}_{compartment}_mean": means[:, k, c].astype(np.float32)
        for c, name in enumerate(channel_names)
        for k, compartment in enumerate(COMPARTMENTS)
    }
    present = total.cell_moments[:, 0] > 0
    return table.assign(**columns)[present].reset_index(drop=True)


def compartment_means(total: CellSums) -> NDArray[np.float64]:
    """Mean intensities as an (n, 4, c) array; NaN where a compartment is empty."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total.sums / total.pixels[:, :, None]
    empty = total.pixels[:, CYTOPLASM] == 0
    means[empty, CYTOPLASM] = means[empty, MEMBRANE]
    return means


def shape_table(moments: NDArray[np.float64]) -> pd.DataFrame:
    """Centroid, area, axes and eccentricity, as skimage's ``regionprops`` has them.

    Parameters
    ----------
    moments : (n, 6) float64 array
        Area, Σy, Σx, Σyy, Σyx, Σxx in px.

    Returns
    -------
    pandas.DataFrame
        ``area``, ``y``, ``x``, ``major``, ``minor`` in px, ``eccentricity``.
    """
    area = moments[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        y, x = moments[:, 1] / area, moments[:, 2] / area
        yy = moments[:, 3] / area - y**2
        yx = moments[:, 4] / area - y * x
        xx = moments[:, 5] / area - x**2
        spread = np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
        large, small = (yy + xx) / 2 + spread, np.maximum((yy + xx) / 2 - spread, 0)
        return pd.DataFrame(
            {
                "area": area,
                "y": y,
                "x": x,
                "major": 4 * np.sqrt(large),
                "minor": 4 * np.sqrt(small),
                "eccentricity": np.where(large > 0, np.sqrt(1 - small / large), 0.0),
            }
        )


def _arrays(sums: CellSums) -> tuple[NDArray[Any], ...]:
    return sums.pixels, sums.sums, sums.cell_moments, sums.nucleus_moments


@njit(cache=True, nogil=True)
def _ring(
    cells: NDArray[np.uint32], dy: NDArray[np.int64], dx: NDArray[np.int64]
) -> NDArray[np.bool_]:
    height, width = cells.shape
    out = np.zeros(cells.shape, np.bool_)
    for y in range(height):
        for x in range(width):
            if cells[y, x]:
                for k in range(dy.size):
                    v, u = y + dy[k], x + dx[k]
                    if (
                        0 <= v < height
                        and 0 <= u < width
                        and cells[v, u] != cells[y, x]
                    ):
                        out[y, x] = True
                        break
    return out


@njit(cache=True, nogil=True)
def _accumulate(
    image: NDArray[np.generic],
    nuclei: NDArray[np.int64],
    cells: NDArray[np.int64],
    ring: NDArray[np.bool_],
    y0: float,
    x0: float,
    pixels: NDArray[np.int64],
    sums: NDArray[np.float64],
    cell_moments: NDArray[np.float64],
    nucleus_moments: NDArray[np.float64],
) -> None:
    for y in range(cells.shape[0]):
        for x in range(cells.shape[1]):
            cell, nucleus = cells[y, x], nuclei[y, x]
            if nucleus >= 0:
                _add_moments(nucleus_moments[nucleus], y + y0, x + x0)
                _add_pixel(pixels, sums, nucleus, NUCLEUS, image[y, x])
            if cell >= 0:
                _add_moments(cell_moments[cell], y + y0, x + x0)
                _add_pixel(pixels, sums, cell, CELL, image[y, x])
                if nucleus != cell:
                    _add_pixel(pixels, sums, cell, CYTOPLASM, image[y, x])
                if ring[y, x]:
                    _add_pixel(pixels, sums, cell, MEMBRANE, image[y, x])


@njit(cache=True, nogil=True)
def _add_moments(moments: NDArray[np.float64], y: float, x: float) -> None:
    moments[0] += 1
    moments[1] += y
    moments[2] += x
    moments[3] += y * y
    moments[4] += y * x
    moments[5] += x * x


@njit(cache=True, nogil=True)
def _add_pixel(
    pixels: NDArray[np.int64],
    sums: NDArray[np.float64],
    cell: int,
    compartment: int,
    values: NDArray[np.generic],
) -> None:
    pixels[cell, compartment] += 1
    for c in range(values.size):
        sums[cell, compartment, c] += values[c]
