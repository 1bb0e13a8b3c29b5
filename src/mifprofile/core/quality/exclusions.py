"""Causes for which tissue is not evaluated, and the areas that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import ndimage

from mifprofile.core.maps import pixel_of_cells
from mifprofile.core.masks import area_mm2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Where causes overlap, the area goes to the first.
CAUSES = ("excluded", "fold", "saturated", "out_of_focus", "aggregate", "edge")
FLAG = "qc_"
EVALUABLE = "qc_evaluable"


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
