"""Masks and areas on a grid: grown, closed, measured, drawn by people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class DrawnArea:
    """An area that a person has drawn.

    Attributes
    ----------
    polygons : tuple of tuple of (n, 2) float64 array
        Each an outer ring and its holes, x and y in px of the slide.
    note : str
        Its class or name, if it has one.
    """

    polygons: tuple[tuple[NDArray[np.float64], ...], ...]
    note: str = ""


def draw_areas(
    areas: Iterable[tuple[DrawnArea, int]], shape: tuple[int, int], cell_px: float
) -> NDArray[np.uint8]:
    """Map pixels whose centre lies in a drawn area.

    Parameters
    ----------
    areas : iterable of (DrawnArea, int)
        Each with the code, from 1 to 255, of what lies in it.
    shape : (int, int)
        Of the map.
    cell_px : float
        Edge of its pixels, px of the slide.

    Returns
    -------
    (h, w) uint8 array
        Code of the last area that covers a pixel, 0 where there is none.
    """
    out = np.zeros(shape, np.uint8)
    for area, code in areas:
        for rings in area.polygons:
            top, left, inside = _inside(rings, shape, cell_px)
            height, width = inside.shape
            out[top : top + height, left : left + width][inside] = code
    return out


def grow(mask: NDArray[np.bool_], reach_px: float) -> NDArray[np.bool_]:
    """Pixels no farther than a distance from a (h, w) mask."""
    if not mask.any():
        return mask.copy()
    return np.asarray(ndimage.distance_transform_edt(~mask) <= reach_px)


def shrink(mask: NDArray[np.bool_], distance_px: float) -> NDArray[np.bool_]:
    """Take off a margin towards glass, none at the array's edge."""
    if mask.all():
        return mask
    return np.asarray(ndimage.distance_transform_edt(mask) > distance_px)


def close_mask(mask: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    """Close a (h, w) mask with a disc that may reach beyond the array's edge."""
    if radius_px < 1 or not mask.any():
        return mask.copy()
    pad = int(np.ceil(radius_px)) + 1
    grown = ndimage.distance_transform_edt(~np.pad(mask, pad)) <= radius_px
    closed = ndimage.distance_transform_edt(grown) > radius_px
    return np.asarray(closed[pad:-pad, pad:-pad] | mask)


def area_mm2(mask: NDArray[np.bool_], um: float) -> float:
    """Area of a (h, w) mask with pixels of ``um``, mm²."""
    return float(np.count_nonzero(mask)) * um**2 / 1e6


def _inside(
    rings: Sequence[NDArray[np.float64]], shape: tuple[int, int], cell_px: float
) -> tuple[int, int, NDArray[np.bool_]]:
    """Top row and left column of a polygon's box on a map, and the pixels in it.

    A centre lies inside if a ray from it to the left crosses the rings an odd number of
    times. Each edge is looked at once per row, so that long outlines are no burden.
    """
    places = [ring[:, ::-1] / cell_px - 0.5 for ring in rings]
    corners = np.concatenate(places)
    low = np.clip(np.ceil(corners.min(axis=0)), 0, shape).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), low, shape).astype(int)
    height, width = high - low
    crossings = np.zeros((height, width + 1), np.uint8)
    for place in places:
        np.add.at(crossings, _crossings(place - low, height, width), 1)
    odd = np.cumsum(crossings[:, :-1], axis=1, dtype=np.uint8) % 2 == 1
    return int(low[0]), int(low[1]), odd


def _crossings(
    ring: NDArray[np.float64], height: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows in which a ring's edges are crossed, and the first column beyond each."""
    start, end = ring, np.roll(ring, -1, axis=0)
    first = np.clip(np.ceil(np.minimum(start, end)[:, 0]), 0, height).astype(int)
    last = np.clip(np.ceil(np.maximum(start, end)[:, 0]), 0, height).astype(int)
    edges = np.repeat(np.arange(len(ring)), last - first)
    nth = np.arange(edges.size) - np.repeat(np.cumsum(last - first), last - first)
    rows = nth + last[edges]
    (y, x), (down, right) = start[edges].T, (end - start)[edges].T
    columns = np.ceil(x + (rows - y) / down * right)
    return rows, np.clip(columns, 0, width).astype(int)
