"""Whether what was found as nuclei can be nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from skimage.filters import threshold_otsu

from mifprofile.core.panel.targets import names_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# CD4 is on macrophages too.
LYMPHOCYTES = frozenset({"CD3", "CD8", "CD20", "FOXP3"})
MIN_LYMPHOCYTES = 20
POSITIVE = "_positive"


@dataclass(frozen=True)
class NucleiFigures:
    """What a sample's nuclei are like.

    Attributes
    ----------
    channel : str
        The channel that marks them.
    um : float
        Pixel size of the slide, µm.
    count : int
        Of the evaluable tissue.
    median_um2 : float
        Their median area; NaN without any.
    unseen_share : float
        Share of the stained pixels that lies in no nucleus; NaN if nothing is stained.
    lymphocyte_um2 : float
        Median area of the nuclei of lymphocytes, which differ little between people and
        tissues; NaN if there are too few.
    """

    channel: str
    um: float
    count: int
    median_um2: float
    unseen_share: float
    lymphocyte_um2: float = np.nan


def lymphocyte_nucleus(cells: pd.DataFrame, calls: pd.DataFrame) -> float:
    """Median area of the nuclei of cells that are positive for a lymphocyte's marker.

    Parameters
    ----------
    cells : pandas.DataFrame
        With ``nucleus_area_um2``.
    calls : pandas.DataFrame
        With ``<marker>_positive``, empty where there is no gate.
    """
    known = [
        calls[column].fillna(False).astype(bool)
        for column in calls
        if column.endswith(POSITIVE)
        and names_of([column.removesuffix(POSITIVE)]) & LYMPHOCYTES
    ]
    mine = np.any(known, axis=0) if known else np.zeros(len(cells), bool)
    if mine.sum() < MIN_LYMPHOCYTES:
        return np.nan
    return float(cells.loc[mine, "nucleus_area_um2"].median())


def unseen_share(stain: NDArray[np.float32], nuclei: NDArray[np.bool_]) -> float:
    """Share of the stained pixels that lies in no nucleus.

    Pixels are stained above Otsu's threshold on the square root of their level, which
    evens out the noise of counts.

    Parameters
    ----------
    stain : (n,) float32 array
        Pixels of the nuclear channel in the tissue.
    nuclei : (n,) bool array
        Which of them lie in a nucleus.
    """
    level = np.sqrt(np.maximum(stain, 0))
    if level.size == 0 or np.ptp(level) == 0:
        return np.nan
    stained = level > threshold_otsu(level)
    return float((stained & ~nuclei).sum() / stained.sum())
