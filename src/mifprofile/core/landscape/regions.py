"""Where tumour nests, their stroma and the rest of the tissue are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import ndimage

from mifprofile.core.quality import close_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.options import LandscapeOptions

GLASS, TUMOUR, STROMA, OUTSIDE = range(4)
REGION_NAMES = ("glass", "tumour", "stroma", "outside")
# What is reported: whole tissue, the regions that tile it, and nests with their stroma.
REGIONS: dict[str, tuple[int, ...]] = {
    "tissue": (TUMOUR, STROMA, OUTSIDE),
    "tumour": (TUMOUR,),
    "stroma": (STROMA,),
    "outside": (OUTSIDE,),
    "tumour_bed": (TUMOUR, STROMA),
}
# Regions that exist only where a tumour was found.
OF_TUMOUR = frozenset({"tumour", "stroma", "tumour_bed"})


def region_map(
    tissue: NDArray[np.bool_],
    tumour_cells: NDArray[np.uint32],
    um: float,
    options: LandscapeOptions,
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

    Returns
    -------
    (h, w) uint8 array
        0 glass, 1 tumour, 2 stroma, 3 outside the tumour bed.
    """
    nest = close_mask(tumour_cells > 0, options.nest_close_um / um) & tissue
    nest = _drop_small_nests(nest, tumour_cells, options.nest_min_cells)
    nest = _fill_small_holes(nest, options.nest_hole_um2 / um**2) & tissue
    bed = close_mask(nest, options.bed_close_um / um) & tissue
    out = np.where(tissue, OUTSIDE, GLASS).astype(np.uint8)
    out[bed] = STROMA
    out[nest] = TUMOUR
    return out


def region_of_cells(
    cells: pd.DataFrame, regions: NDArray[np.uint8], um: float
) -> pd.Series:
    """Region in which each cell's centroid lies, by name."""
    rows, cols = pixel_of_cells(cells, regions.shape, um)
    names = pd.Categorical.from_codes(regions[rows, cols].astype(int), REGION_NAMES)
    return pd.Series(names, index=cells.index, name="region")


def pixel_of_cells(
    cells: pd.DataFrame, shape: tuple[int, ...], um: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of each cell's centroid on a grid, kept within it."""
    rows = np.clip((cells["y_um"] / um).astype(int), 0, shape[0] - 1)
    cols = np.clip((cells["x_um"] / um).astype(int), 0, shape[1] - 1)
    return rows.to_numpy(), cols.to_numpy()


def _drop_small_nests(
    nest: NDArray[np.bool_], tumour_cells: NDArray[np.uint32], min_cells: int
) -> NDArray[np.bool_]:
    pieces, count = ndimage.label(nest, structure=np.ones((3, 3)))
    inside = pieces > 0
    pairs = np.stack([pieces[inside], tumour_cells[inside]], axis=1)
    pairs = np.unique(pairs[pairs[:, 1] > 0], axis=0)
    cells = np.bincount(pairs[:, 0], minlength=count + 1)
    large = cells >= min_cells
    large[0] = False
    return np.asarray(large[pieces])


def _fill_small_holes(nest: NDArray[np.bool_], max_hole_px: float) -> NDArray[np.bool_]:
    holes, count = ndimage.label(~nest)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    small = sizes < max_hole_px
    small[0] = True
    return np.asarray(small[holes])
