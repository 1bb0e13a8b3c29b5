"""Where the nuclear stain is blurred, against the slide's own sharpness."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from skimage.morphology import remove_small_holes, remove_small_objects

from mifprofile.core.quality.pixels import LAGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Tiles with less contrast than this share of the slide's median count for less.
FULL_WEIGHT = 0.3
LEAST_WEIGHT = 1e-3
# Of an image without any detail; sharpness cannot fall below it.
SMOOTH = (2**2 - 1) / (8**2 - 1)
# Details finer than a spot of this sigma are sharp, however sharp the rest may be.
SHARP_SIGMA_UM = 1.5


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
    step_um: float,
    smooth_um: float,
    limit: float,
    min_area_um2: float,
) -> Focus:
    """Find tissue whose sharpness is below a share of the slide's median.

    Sharpness is (S2 - S1) / (S8 - S1) with S the mean squared difference of pixels 1,
    2 and 8 steps apart. White noise adds the same to all three and so cancels, and so
    do stain and background; an image without detail has 3/63. Its logarithm is
    averaged with a Gaussian window, in which tiles without structure count little:
    thin tissue borrows the judgement of what is near it. A patch as sharp as spots of
    1.5 µm is in focus even on a sharper slide.

    Parameters
    ----------
    squares : (3, h, w) float32 array
        As from `mifprofile.core.quality.structure`.
    tissue : (h, w) bool array
        Tiles to judge.
    um : float
        Edge of a tile, µm.
    step_um : float
        Length of a step, µm.
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
    kept = _below(remove_small_objects(blurred, max_size=size), sharpness, step_um)
    # On a small image all that is sharp would be a gap.
    gap = min(size, int(np.count_nonzero(kept)))
    return Focus(remove_small_holes(kept, max_size=gap) & tissue, middle)


def _below(
    patches: NDArray[np.bool_], sharpness: NDArray[np.float64], step_um: float
) -> NDArray[np.bool_]:
    """Patches whose median sharpness is less than that of small spots."""
    labels, count = ndimage.label(patches, np.ones((3, 3)))
    index = np.arange(1, count + 1)
    medians = np.atleast_1d(ndimage.median(sharpness, labels, index))
    return np.concatenate([[False], medians < _sharpness_of_spots(step_um)])[labels]


def _sharpness_of_spots(step_um: float) -> float:
    """Sharpness of Gaussian spots, of which a step of it is this long."""
    one, two, eight = (
        1 - np.exp(-((lag * step_um / (2 * SHARP_SIGMA_UM)) ** 2)) for lag in LAGS
    )
    return float((two - one) / (eight - one))
