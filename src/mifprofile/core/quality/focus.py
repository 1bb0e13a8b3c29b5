"""Where the nuclear stain is blurred, against the slide's own sharpness."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from skimage.morphology import remove_small_holes, remove_small_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Tiles with less contrast than this share of the slide's median count for less.
FULL_WEIGHT = 0.3
LEAST_WEIGHT = 1e-3
# Of an image without any detail; sharpness cannot fall below it.
SMOOTH = (2**2 - 1) / (8**2 - 1)


class Focus(NamedTuple):
    """How sharp a slide is.

    Attributes
    ----------
    blurred : (h, w) bool array
        Tiles that are out of focus.
    sharpness : float
        Median over the tissue; NaN without any structure to judge by.
    """

    blurred: NDArray[np.bool_]
    sharpness: float


def find_blur(
    squares: NDArray[np.float32],
    tissue: NDArray[np.bool_],
    *,
    um: float,
    smooth_um: float,
    limit: float,
    min_area_um2: float,
) -> Focus:
    """Find tissue whose sharpness is below a share of the slide's median.

    Sharpness is (S2 - S1) / (S8 - S1) with S the mean squared difference of pixels 1,
    2 and 8 steps apart. White noise adds the same to all three and so cancels, and so
    do stain and background; an image without detail has 3/63. Its logarithm is
    averaged with a Gaussian window, in which tiles without structure count little:
    thin tissue borrows the judgement of what is near it.

    Parameters
    ----------
    squares : (3, h, w) float32 array
        As from `mifprofile.core.quality.structure`.
    tissue : (h, w) bool array
        Tiles to judge.
    um : float
        Edge of a tile, µm.
    smooth_um : float
        Sigma of the window, µm.
    limit : float
        Share of the median.
    min_area_um2 : float
        Smaller patches, and gaps within patches, are chance.
    """
    fine, coarse = (np.nan_to_num(squares[k] - squares[0]) for k in (1, 2))
    judged = tissue & (coarse > 0)
    if not judged.any():
        return Focus(np.zeros(tissue.shape, bool), np.nan)
    contrast = coarse / float(np.median(coarse[judged]))
    weight = np.where(judged, np.clip(contrast, 0, FULL_WEIGHT), 0.0)
    ratio = np.clip(fine / np.where(judged, coarse, 1.0), SMOOTH / 4, 1.0)
    sigma = smooth_um / um
    total = ndimage.gaussian_filter(weight, sigma)
    mean = ndimage.gaussian_filter(weight * np.log(ratio), sigma)
    known = tissue & (total > LEAST_WEIGHT * FULL_WEIGHT)
    if not known.any():
        return Focus(np.zeros(tissue.shape, bool), np.nan)
    sharpness = np.exp(mean / np.where(known, total, 1.0))
    middle = float(np.median(sharpness[known]))
    blurred = known & (sharpness < limit * middle)
    size = int(min_area_um2 / um**2)
    kept = remove_small_objects(blurred, max_size=size)
    return Focus(remove_small_holes(kept, max_size=size) & tissue, middle)
