"""Where the tissue is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes, remove_small_objects

from mifprofile.core.masks import close_mask, grow, shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A class of pixels is glass if its texture is this many times weaker than the rest's.
GLASS_CONTRAST = 4.0
# Texture below this share of the level is noise: nothing was stained.
EMPTY_TEXTURE = 0.05
# The mask is cut where the texture is this share of the tissue's. At a straight edge
# that is so EDGE_SIGMAS beyond it (the window then holds the share's square of tissue).
EDGE_SHARE = 0.2
EDGE_SIGMAS = 1.75
# Within this many smoothing widths of the mask's edge the stain's level decides, if it
# tells tissue from glass by GLASS_SPREADS of the glass's own spread.
LEVEL_SIGMAS = 4.0
GLASS_SPREADS = 4.0
MIN_SAMPLE_PX = 100
SPECK_UM2 = 2000.0


def tissue_mask(
    nuclear: NDArray[np.float32],
    *,
    um: float,
    smooth_um: float,
    close_um: float,
    min_area_um2: float,
) -> NDArray[np.bool_]:
    """Tell tissue from glass by the texture of the nuclear stain.

    Glass is flat whatever its level, tissue is not. The local standard deviation is
    split by Otsu's threshold on its logarithm; if both classes are alike there is no
    glass, and if there is hardly any texture there is no tissue. Texture blurs the
    edge; where unstained tissue glows more than glass, the level draws it sharply.

    Parameters
    ----------
    nuclear : (h, w) float32 array
        Nuclear channel, averaged to pixels of ``um``.
    um : float
        Pixel size, µm.
    smooth_um, close_um, min_area_um2 : float
        As in `mifprofile.options.QualityOptions`.

    Returns
    -------
    (h, w) bool array
    """
    texture = local_texture(nuclear, smooth_um / um)
    level = float(np.median(nuclear)) + 1e-6
    if float(np.quantile(texture, 0.99)) < EMPTY_TEXTURE * level:
        return np.zeros(nuclear.shape, bool)
    mask = _textured(texture, EMPTY_TEXTURE * level / GLASS_CONTRAST)
    mask = shrink(mask, EDGE_SIGMAS * smooth_um / um)
    mask = _tidy(mask, close_um / um, min_area_um2 / um**2)
    return _at_level(nuclear, mask, LEVEL_SIGMAS * smooth_um / um, SPECK_UM2 / um**2)


def flat_light(
    nuclear: NDArray[np.float32], level: float, min_area_px: float
) -> NDArray[np.bool_]:
    """Areas of a (h, w) plane that clip all over: flat as glass, but there is light."""
    size = int(min_area_px)
    return np.asarray(remove_small_objects(nuclear >= level, max_size=size), bool)


def local_texture(plane: NDArray[np.float32], sigma_px: float) -> NDArray[np.float64]:
    """Local standard deviation of a (h, w) plane in a Gaussian window."""
    values = plane.astype(np.float64)
    values -= values.mean()
    mean = ndimage.gaussian_filter(values, sigma_px)
    square = ndimage.gaussian_filter(values**2, sigma_px)
    return np.sqrt(np.maximum(square - mean**2, 0))


def border_share(mask: NDArray[np.bool_]) -> float:
    """Share of an image's border on which its (h, w) mask lies."""
    inner = np.zeros(mask.shape, bool)
    inner[1:-1, 1:-1] = True
    return float(mask[~inner].mean())


def _textured(texture: NDArray[np.float64], floor: float) -> NDArray[np.bool_]:
    logs = np.log(np.maximum(texture, floor))
    threshold = float(threshold_otsu(logs)) if np.ptp(logs) > 0 else -np.inf
    high = logs > threshold
    if high.all() or not high.any():
        return np.ones(texture.shape, bool)
    tissue = float(np.median(logs[high]))
    if tissue - float(np.median(logs[~high])) < np.log(GLASS_CONTRAST):
        return np.ones(texture.shape, bool)
    return logs > max(threshold, tissue + np.log(EDGE_SHARE))


def _at_level(
    nuclear: NDArray[np.float32],
    mask: NDArray[np.bool_],
    reach_px: float,
    speck_px: float,
) -> NDArray[np.bool_]:
    """Redraw the edge half-way between the levels of glass and of dim tissue."""
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    near = (inside <= reach_px) & grow(mask, reach_px)
    glass, tissue = nuclear[~mask & ~near], nuclear[mask & ~near]
    if min(glass.size, tissue.size) < MIN_SAMPLE_PX:
        return mask
    low, high = (float(v) for v in np.percentile(glass, (50, 95)))
    dim = float(np.percentile(tissue, 5))
    if dim - low <= GLASS_SPREADS * (high - low):
        return mask
    redrawn = np.where(near, nuclear > (low + dim) / 2, mask)
    return _tidy(redrawn, 0.0, speck_px)


def _tidy(
    mask: NDArray[np.bool_], close_px: float, min_area_px: float
) -> NDArray[np.bool_]:
    closed = close_mask(mask, close_px)
    size = int(min(min_area_px, mask.size / 20))
    kept = remove_small_objects(closed, max_size=size)
    return np.asarray(remove_small_holes(kept, max_size=size), bool)
