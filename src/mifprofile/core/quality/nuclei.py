"""Whether what was found as nuclei can be nuclei."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from skimage.filters import threshold_otsu

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    """

    channel: str
    um: float
    count: int
    median_um2: float
    unseen_share: float


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
