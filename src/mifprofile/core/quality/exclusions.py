"""Causes for which tissue is not evaluated, and the areas that they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import ndimage

from mifprofile.core.maps import pixel_of_cells
from mifprofile.core.quality.tissue import area_mm2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

# Where causes overlap, the area goes to the first.
CAUSES = ("excluded", "fold", "saturated", "out_of_focus", "aggregate", "edge")
FLAG = "qc_"
EVALUABLE = "qc_evaluable"


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


def edge_mask(
    tissue: NDArray[np.bool_], um: float, edge_um: float
) -> NDArray[np.bool_]:
    """Part of a (h, w) tissue mask no farther from glass than a distance."""
    if edge_um <= 0 or tissue.all():
        return np.zeros(tissue.shape, bool)
    near = ndimage.distance_transform_edt(tissue) * um <= edge_um
    return np.asarray(tissue & near)


def evaluable_mask(
    tissue: NDArray[np.bool_], masks: Mapping[str, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Part of a (h, w) tissue mask that no cause's mask takes away."""
    out = tissue.copy()
    for mask in masks.values():
        out &= ~mask
    return out


def areas_by_cause(
    tissue: NDArray[np.bool_], masks: Mapping[str, NDArray[np.bool_]], um: float
) -> dict[str, float]:
    """Area of the ``tissue``, of each cause and of the ``evaluable`` rest, mm².

    Each place counts for the first of its causes, so that all add up to the tissue.
    All masks are (h, w).
    """
    left, areas = tissue.copy(), {"tissue": area_mm2(tissue, um)}
    for cause in CAUSES:
        areas[cause] = area_mm2(left & masks[cause], um)
        left &= ~masks[cause]
    return areas | {"evaluable": area_mm2(left, um)}


def flag_cells(
    cells: pd.DataFrame, masks: Mapping[str, NDArray[np.bool_]], um: float
) -> pd.DataFrame:
    """Tell for every cell in which excluded areas its centroid lies.

    Parameters
    ----------
    cells : pandas.DataFrame
        With ``x_um`` and ``y_um``.
    masks : mapping of str to (h, w) bool array
        By cause.
    um : float
        Pixel size of the masks, µm.

    Returns
    -------
    pandas.DataFrame
        Boolean ``qc_<cause>``, and ``qc_evaluable`` for cells in none of them.
    """
    flags = pd.DataFrame(index=cells.index)
    for cause, mask in masks.items():
        flags[f"{FLAG}{cause}"] = mask[pixel_of_cells(cells, mask.shape, um)]
    flags[EVALUABLE] = ~flags.any(axis=1)
    return flags


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
