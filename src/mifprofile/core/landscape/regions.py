"""Where tumour nests, their stroma and the rest of the tissue are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import ndimage

from mifprofile.core.maps import pixel_of_cells
from mifprofile.core.masks import area_mm2, close_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mifprofile.options import LandscapeOptions

GLASS, TUMOUR, STROMA, OUTSIDE, EXCLUDED = range(5)
REGION_NAMES = ("glass", "tumour", "stroma", "outside", "excluded")
# What is reported: whole tissue, the regions that tile it, and nests with their stroma.
REGIONS: dict[str, tuple[int, ...]] = {
    "tissue": (TUMOUR, STROMA, OUTSIDE),
    "tumour": (TUMOUR,),
    "stroma": (STROMA,),
    "outside": (OUTSIDE,),
    "tumour_bed": (TUMOUR, STROMA),
}
TISSUE_NAMES = tuple(REGION_NAMES[code] for code in REGIONS["tissue"])
MARGIN = "invasive_margin"
# Overlays lie within this of their true border, µm: they are made on a coarser grid.
OVERLAY_UM = 10.0


def region_map(
    tissue: NDArray[np.bool_],
    tumour_cells: NDArray[np.uint32],
    um: float,
    options: LandscapeOptions,
    excluded: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Divide the tissue into tumour nests, their stroma and the rest.

    Nests are tumour cells closed by ``nest_close_um``, with pieces of fewer than
    ``nest_min_cells`` tumour cells dropped and small holes filled. The tumour bed is
    the closing of the nests by ``bed_close_um``; stroma is the bed without nests.

    Parameters
    ----------
    tissue : (h, w) bool array
    tumour_cells : (h, w) uint32 array
        Labels of tumour cells alone, on the same grid.
    um : float
        Pixel size of the grid, µm.
    excluded : (h, w) bool array, optional
        Tissue that belongs to no region, and in which no cell is counted.

    Returns
    -------
    (h, w) uint8 array
        0 glass, 1 tumour, 2 stroma, 3 outside the tumour bed, 4 excluded tissue.
    """
    left = tissue if excluded is None else tissue & ~excluded
    pieces = _pieces(tumour_cells > 0, left, options.nest_close_um / um)
    inside = (pieces > 0) & (tumour_cells > 0)
    # A cell counts once for each piece that it lies in.
    pairs = np.unique(np.stack([pieces[inside], tumour_cells[inside]]), axis=1)
    nests = _large(pieces, pairs[0], options.nest_min_cells)
    return _around(nests, tissue, left, um, options)


def region_map_of_marker(
    tissue: NDArray[np.bool_],
    stained: NDArray[np.bool_],
    tumour_cells: pd.DataFrame,
    um: float,
    options: LandscapeOptions,
    excluded: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Divide the tissue as `region_map` does, with nests of stained pixels.

    Parameters
    ----------
    tissue : (h, w) bool array
    stained : (h, w) bool array
        Pixels on the same grid in which the tumour's marker is positive.
    tumour_cells : pandas.DataFrame
        Their ``x_um`` and ``y_um``: a nest holds ``nest_min_cells`` of them.
    um, options, excluded
        As for `region_map`.

    Returns
    -------
    (h, w) uint8 array
        As of `region_map`.
    """
    left = tissue if excluded is None else tissue & ~excluded
    pieces = _pieces(stained, left, options.nest_close_um / um)
    centres = pieces[pixel_of_cells(tumour_cells, pieces.shape, um)]
    nests = _large(pieces, centres, options.nest_min_cells)
    return _around(nests, tissue, left, um, options)


def overlay_drawn(
    regions: NDArray[np.uint8], drawn: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Region map in which regions drawn by people replace others.

    Parameters
    ----------
    regions : (h, w) uint8 array
        As from `region_map`.
    drawn : (h, w) uint8 array
        On the same grid, in the same codes, 0 where nothing is drawn.

    Returns
    -------
    (h, w) uint8 array
        Glass and excluded tissue are as they were.
    """
    return np.where(evaluable(regions) & (drawn != GLASS), drawn, regions)


def areas_mm2(
    regions: NDArray[np.uint8], um: float, names: Sequence[str] = REGION_NAMES
) -> dict[str, float]:
    """Area of each region of a map with pixels of ``um``, mm²."""
    return {n: area_mm2(regions == REGION_NAMES.index(n), um) for n in names}


def evaluable(regions: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels of a region map are tissue that counts."""
    return np.isin(regions, REGIONS["tissue"])


def region_of_cells(
    cells: pd.DataFrame, regions: NDArray[np.uint8], um: float
) -> pd.Series:
    """Region in which each cell's centroid lies, by name."""
    rows, cols = pixel_of_cells(cells, regions.shape, um)
    names = pd.Categorical.from_codes(regions[rows, cols].astype(int), REGION_NAMES)
    return pd.Series(names, index=cells.index, name="region")


def needs_tumour(region: str) -> bool:
    """Whether a region exists only where a tumour was found."""
    return region not in {"tissue", "outside"}


def band_names(edges_um: Sequence[float]) -> tuple[str, ...]:
    """Names of the bands around the nests, the nearest first."""
    pairs = pairwise((0.0, *edges_um))
    return (*(f"interface_{low:g}_{high:g}_um" for low, high in pairs), "distal")


def interface_bands(
    regions: NDArray[np.uint8], um: float, edges_um: Sequence[float]
) -> dict[str, NDArray[np.bool_]]:
    """Tissue outside the nests by its distance from the nearest one.

    Parameters
    ----------
    regions : (h, w) uint8 array
        As from `region_map`.
    um : float
        Its pixel size, µm.
    edges_um : sequence of float
        Outer edges of the bands, ascending; what lies beyond the last is ``distal``.

    Returns
    -------
    dict
        Name, as ``interface_0_10_um``, → (h, w) bool array. The bands tile what of the
        tissue is no nest; without nests they are empty.
    """
    nests = regions == TUMOUR
    band = np.full(regions.shape, len(edges_um) + 1, np.uint8)
    if nests.any():
        # A pixel's centre lies half a pixel nearer to the nest's edge than to its rim.
        away_um = ndimage.distance_transform_edt(~nests) * um - um / 2
        band = np.digitize(away_um, edges_um, right=True).astype(np.uint8)
    band[nests | ~evaluable(regions)] = len(edges_um) + 1
    return {name: band == nth for nth, name in enumerate(band_names(edges_um))}


def invasive_margin(
    regions: NDArray[np.uint8], um: float, half_um: float
) -> tuple[NDArray[np.bool_], float]:
    """Zone on both sides of the border between tumour bed and other tissue.

    A border with glass is where the tissue was cut, not where the tumour ends.

    Parameters
    ----------
    half_um : float
        The zone's width on either side.

    Returns
    -------
    zone : (h, w) bool array
    visible_mm : float
        Length of the zone's outer edge that lies in tissue.
    """
    step = max(int(OVERLAY_UM / um), 1)
    coarse = regions[step // 2 :: step, step // 2 :: step]
    if coarse.size == 0:
        coarse, step = regions, 1
    bed, outside = np.isin(coarse, (TUMOUR, STROMA)), coarse == OUTSIDE
    zone = np.zeros(coarse.shape, bool)
    visible_mm = 0.0
    if bed.any() and outside.any():
        beyond_um = ndimage.distance_transform_edt(~bed) * um * step
        within_um = ndimage.distance_transform_edt(~outside) * um * step
        zone = (outside & (beyond_um <= half_um)) | (bed & (within_um <= half_um))
        rim = outside & (beyond_um <= half_um) & (beyond_um > 0.8 * half_um)
        visible_mm = float(rim.sum()) * (um * step) ** 2 / (0.2 * half_um) / 1000
    places = [np.minimum(np.arange(n) // step, m - 1) for n, m in _sizes(regions, zone)]
    return zone[np.ix_(*places)] & evaluable(regions), visible_mm


def _sizes(fine: NDArray[np.uint8], coarse: NDArray[np.bool_]) -> list[tuple[int, int]]:
    return list(zip(fine.shape, coarse.shape, strict=True))


def _pieces(
    seed: NDArray[np.bool_], tissue: NDArray[np.bool_], close_px: float
) -> NDArray[np.int32]:
    """Closed pieces of what nests are made of, numbered from 1."""
    closed = close_mask(seed, close_px) & tissue
    pieces, _ = ndimage.label(closed, structure=np.ones((3, 3)))
    return np.asarray(pieces)


def _large(
    pieces: NDArray[np.int32], of_cells: NDArray[np.int32], min_cells: int
) -> NDArray[np.bool_]:
    """Pieces with enough cells, from the piece of each cell."""
    cells = np.bincount(of_cells, minlength=int(pieces.max(initial=0)) + 1)
    large = cells >= min_cells
    large[0] = False
    return np.asarray(large[pieces])


def _around(
    nests: NDArray[np.bool_],
    tissue: NDArray[np.bool_],
    left: NDArray[np.bool_],
    um: float,
    options: LandscapeOptions,
) -> NDArray[np.uint8]:
    """Map of nests, their stroma and the rest of the tissue that is left."""
    nests = _fill_small_holes(nests, options.nest_hole_um2 / um**2) & left
    bed = close_mask(nests, options.bed_close_um / um) & left
    out = np.where(left, OUTSIDE, GLASS).astype(np.uint8)
    out[bed] = STROMA
    out[nests] = TUMOUR
    out[tissue & ~left] = EXCLUDED
    return out


def _fill_small_holes(nest: NDArray[np.bool_], max_hole_px: float) -> NDArray[np.bool_]:
    holes, count = ndimage.label(~nest)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    small = sizes < max_hole_px
    small[0] = True
    return np.asarray(small[holes])
