"""Densities by signed distance to the border of the tumour nests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import ndimage

from mifprofile.core.spatial._table import MIN_CELLS, OK
from mifprofile.core.spatial.window import (
    BLOCK_PX,
    distance_to_pixels,
    inside,
    with_halo,
)
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.core.spatial.window import Pattern, Window

BAND_UM = 25.0
REACH_UM = 300.0
NO_BAND = -1
MIN_AREA_MM2 = 0.01
SUMMARY_COLUMNS = (
    "type_a",
    "metric",
    "value",
    "n_num",
    "n_den",
    "area_num_mm2",
    "area_den_mm2",
    "status",
    "reason",
)
Summary = tuple[str, float, int, int, float, float, str, str]
"""A row of the summary, less its type."""


@dataclass(frozen=True, eq=False)
class Bands:
    """Which band of signed distance each pixel lies in.

    Attributes
    ----------
    index : (h, w) int16 array
        Number of the band; -1 in none: no tissue, too far, or nearer to the window's
        border than to the nest's, so that its distance is not known.
    edges_um : (k + 1,) float64 array
        Signed distances that bound the k bands: below 0 inside a nest.
    um : float
    """

    index: NDArray[np.int16]
    edges_um: NDArray[np.float64]
    um: float


def band_edges(band_um: float = BAND_UM, reach_um: float = REACH_UM) -> list[float]:
    """Bands of one width on both sides of the border."""
    steps = int(np.floor(reach_um / band_um + 1e-9))
    return [k * band_um for k in range(-steps, steps + 1)]


def distance_bands(
    window: Window,
    nest: NDArray[np.bool_],
    edges_um: Sequence[float],
    *,
    block_px: int = BLOCK_PX,
) -> Bands:
    """Divide tissue into bands by signed distance to the border of the nests.

    The border is where nest meets other tissue. Distances are those of pixel centres,
    less half a pixel. A pixel that is nearer to the window's border is in no band: a
    nest might begin just beyond.

    Parameters
    ----------
    window : Window
    nest : (h, w) bool array
    edges_um : sequence of float
        Ascending; a band holds its lower edge.
    block_px : int
        Edge of the blocks worked on; it does not change the result.
    """
    edges = _checked_edges(edges_um)
    if nest.shape != window.mask.shape:
        raise UsageError(
            f"nest: {nest.shape} px, but the window is {window.mask.shape}"
        )
    reach = int(np.ceil(np.abs(edges).max() / window.um)) + 1
    nest = nest & window.mask
    index = np.full(nest.shape, NO_BAND, np.int16)
    for row in range(0, nest.shape[0], block_px):
        for col in range(0, nest.shape[1], block_px):
            core = index[row : row + block_px, col : col + block_px]
            place = ((row, col), core.shape, reach)
            tissue = with_halo(window.mask, *place)
            signed = _signed_px(tissue, with_halo(nest, *place))
            signed = signed[reach:-reach, reach:-reach] * window.um
            band = np.searchsorted(edges, signed, side="right") - 1
            # Beyond the last edge, as what is not known, which is infinite.
            core[...] = np.where(band < edges.size - 1, band, NO_BAND)
    return Bands(index, edges, window.um)


def infiltration_profile(
    pattern: Pattern, bands: Bands, *, min_area_mm2: float = MIN_AREA_MM2
) -> pd.DataFrame:
    """Cells, area and density of each type in each band.

    A cell is in the band of the pixel that it lies on: cells and area share one map.

    Returns
    -------
    pandas.DataFrame
        ``type_a, from_um, to_um, n_cells, area_mm2, density_per_mm2, status, reason``.
        On less than ``min_area_mm2`` there is no density.
    """
    size = bands.edges_um.size - 1
    rows, cols = (pattern.points[:, ::-1] // bands.um).astype(np.int64).T
    at = bands.index[rows, cols]
    known = at >= 0
    flat = pattern.types[known] * size + at[known]
    cells = np.bincount(flat, minlength=pattern.n_types * size)
    pixels = np.bincount(bands.index[bands.index >= 0], minlength=size)
    area = np.tile(pixels * bands.um**2 / 1e6, pattern.n_types)
    low = (area < min_area_mm2) | (area == 0)
    return pd.DataFrame(
        {
            "type_a": np.repeat(np.arange(pattern.n_types), size),
            "from_um": np.tile(bands.edges_um[:-1], pattern.n_types),
            "to_um": np.tile(bands.edges_um[1:], pattern.n_types),
            "n_cells": cells,
            "area_mm2": area,
            "density_per_mm2": np.divide(
                cells, area, out=np.full(area.size, np.nan), where=~low
            ),
            "status": np.where(low, "LOW_AREA", "OK"),
            "reason": np.where(low, f"less than {min_area_mm2:g} mm2", ""),
        }
    )


def infiltration_summary(
    pattern: Pattern,
    nest: NDArray[np.bool_],
    stroma: NDArray[np.bool_],
    profile: pd.DataFrame,
    *,
    min_cells: int = MIN_CELLS,
    max_depth_um: float = REACH_UM,
) -> pd.DataFrame:
    """How far each type reaches into the nests, in three numbers.

    Parameters
    ----------
    pattern : Pattern
    nest, stroma : (h, w) bool arrays
        On the window's grid.
    profile : pandas.DataFrame
        As from `infiltration_profile`.
    min_cells : int
        Fewer cells (in both regions, in the nests, in the bands) give NaN.
    max_depth_um : float
        Cells deeper than this count as this deep.

    Returns
    -------
    pandas.DataFrame
        ``type_a, metric, value, n_num, n_den, area_num_mm2, area_den_mm2, status,
        reason`` with the metrics

        - ``log2_nest_stroma``: log2 of the ratio of densities in nest and stroma, with
          0.5 cells added to either count;
        - ``median_depth_um``: median distance of cells in the nests to the nests'
          border; cells nearer to the window's border are left out (``n_num`` of
          ``n_den`` cells are in);
        - ``centre_of_mass_um``: Σ s D / Σ D over bands, s the band's middle.
    """
    nest, stroma = nest & pattern.window.mask, stroma & pattern.window.mask
    inner, outer = _side(pattern, nest), _side(pattern, stroma)
    types, depth = _known_depths(pattern, nest, max_depth_um)
    rows = []
    for code in range(pattern.n_types):
        own, bands = depth[types == code], profile[profile["type_a"] == code]
        rows += [
            (code, *_log_ratio(inner, outer, code, min_cells)),
            (code, *_median_depth(own, inner, code, min_cells, max_depth_um)),
            (code, *_centre_of_mass(bands, min_cells)),
        ]
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


@dataclass(frozen=True, eq=False)
class _Side:
    """Cells of each type in a region, and its area."""

    cells: NDArray[np.int64]
    area_mm2: float


def _side(pattern: Pattern, mask: NDArray[np.bool_]) -> _Side:
    here = inside(mask, pattern.window.um, pattern.points)
    area = float(np.count_nonzero(mask)) * pattern.window.um**2 / 1e6
    return _Side(np.bincount(pattern.types[here], minlength=pattern.n_types), area)


def _known_depths(
    pattern: Pattern, nest: NDArray[np.bool_], limit_um: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Types and depths of the nests' cells that are not nearer to the window's border.

    Exact distances to pixels as squares, up to ``limit_um``.
    """
    window = pattern.window
    here = inside(nest, window.um, pattern.points)
    points = pattern.points[here]
    around = window.mask & ~nest
    depth = distance_to_pixels(points, around, window.um, limit_um)
    depth = np.minimum(depth, limit_um)
    known = depth <= window.border_distance_um(points, limit_um)
    return pattern.types[here][known], depth[known]


def _log_ratio(nest: _Side, stroma: _Side, code: int, min_cells: int) -> Summary:
    n_nest, n_stroma = int(nest.cells[code]), int(stroma.cells[code])
    areas = nest.area_mm2, stroma.area_mm2
    value, why = np.nan, OK
    if min(areas) == 0:
        why = ("LOW_AREA", "no nest or no stroma")
    elif n_nest + n_stroma < min_cells:
        why = ("LOW_N", f"{n_nest + n_stroma} cells, fewer than {min_cells}")
    else:
        value = float(np.log2((n_nest + 0.5) / areas[0] / (n_stroma + 0.5) * areas[1]))
    return "log2_nest_stroma", value, n_nest, n_stroma, *areas, *why


def _median_depth(
    depth: NDArray[np.float64], nest: _Side, code: int, least: int, limit_um: float
) -> Summary:
    value, why = np.nan, OK
    if depth.size < max(least, 1):
        why = ("LOW_N", f"{depth.size} cells of known depth, fewer than {least}")
    else:
        value = float(np.median(depth))
        if value == limit_um:
            why = ("APPROX", f"at least {limit_um:g} um: deeper was not looked")
    area, cells = nest.area_mm2, int(nest.cells[code])
    return "median_depth_um", value, depth.size, cells, area, area, *why


def _centre_of_mass(bands: pd.DataFrame, min_cells: int) -> Summary:
    density = bands["density_per_mm2"].fillna(0)
    middle = (bands["from_um"] + bands["to_um"]) / 2
    known = bands["density_per_mm2"].notna()
    cells, area = int(bands["n_cells"][known].sum()), float(bands["area_mm2"].sum())
    value, why = np.nan, OK
    if cells < max(min_cells, 1):
        why = ("LOW_N", f"{cells} cells in the bands, fewer than {max(min_cells, 1)}")
    else:
        value = float((middle * density).sum() / density.sum())
    return "centre_of_mass_um", value, cells, cells, area, area, *why


def _signed_px(
    tissue: NDArray[np.bool_], nest: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Signed distance of pixels to the border of the nests; infinite if not known."""
    out = np.full(tissue.shape, np.inf)
    rest = tissue & ~nest
    if not (nest.any() and rest.any()):
        return out
    # Without a pixel to go to, scipy's distances mean nothing.
    border = np.inf if tissue.all() else ndimage.distance_transform_edt(tissue)
    for here, there, sign in ((rest, nest, 1), (nest, rest, -1)):
        far = ndimage.distance_transform_edt(~there)
        known = here & (far <= border)
        out[known] = sign * (far[known] - 0.5)
    return out


def _checked_edges(edges_um: Sequence[float]) -> NDArray[np.float64]:
    edges = np.asarray(edges_um, np.float64)
    if edges.size < 2 or not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        raise UsageError(f"edges_um: {list(edges_um)}; give two or more, ascending")
    return edges
