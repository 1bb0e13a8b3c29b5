"""Where light clips, tissue lies in folds and antibody in clumps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import remove_small_objects

from mifprofile.core.masks import close_mask, grow

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A value is where the camera clips if it is at least this often met as the values
# down to NEAR_TOP of it together.
NEAR_TOP = 0.95
CLIPPED_SIGMA_UM = 6.0
CLIPPED_CLOSE_UM = 30.0
# An area goes on to where the share falls to this part of the limit.
CLIPPED_EDGE = 0.5
# Levels of the background, percentiles of the tissue: the darkest and the usual.
DARK_PERCENTILE, USUAL_PERCENTILE = 2.0, 25.0
BACKGROUND_UM = 20.0
NUCLEAR_SIGMA_UM = 12.0
# A fold's border is where its background falls to this share of its own.
FOLD_EDGE = 0.5
# It must somewhere stand out this many times more than its surroundings may, be no
# wider than this (a lymph follicle is), and cover this many discs of its own width.
FOLD_SEED = 2.0
FOLD_MAX_WIDTH_UM = 100.0
FOLD_LENGTH = 3.0
FOLD_GAP_UM = 8.0
# Its axes differ at least by this factor, which clusters and vessels fall short of, and
# its nuclei stand out this much: two layers have twice the light.
FOLD_AXES = 4.0
FOLD_NUCLEI = 1.3
# What goes on beyond a gap makes a band longer, and hardly broader.
IN_LINE = 1.3
CLUMP_RIM_UM = 4.0
# Percentile of the nuclear stain above which a spot lies on a nucleus.
OFF_NUCLEI = 75.0


def clip_level(
    values: NDArray[np.float32], maximum: float, type_maximum: float | None
) -> float | None:
    """Return the value at which a channel clips, None if it does not.

    It clips at its highest value if that is the highest of its type, or is met so
    often that the camera, or a program before, must have cut there.

    Parameters
    ----------
    values : (n,) float32 array
        Pixels of the tissue, evenly drawn.
    maximum : float
        Of all pixels of the tissue.
    type_maximum : float or None
        Highest value of the pixel type; None for floats.
    """
    if values.size == 0:
        return None
    if type_maximum is not None and maximum >= type_maximum:
        return maximum
    if float(values.min()) >= maximum:
        return None
    top = int(np.count_nonzero(values == maximum))
    low = NEAR_TOP * maximum
    # Of few counts the next value lies further down.
    if np.array_equal(values, np.rint(values)):
        low = min(low, maximum - 1)
    near = int(np.count_nonzero((values >= low) & (values < maximum)))
    return maximum if top > max(near, 10) else None


def find_saturation(
    share: NDArray[np.float32], *, um: float, limit: float, min_area_um2: float
) -> NDArray[np.bool_]:
    """Areas in which more than a share of the pixels clips.

    The share is averaged in a Gaussian window of 6 µm. An area goes on to half the
    limit, and gaps of up to 60 µm are closed: it clips only where it is stained.

    Parameters
    ----------
    share : (h, w) float32 array
        Of each map pixel, in the channel that clips most.
    um : float
    limit : float
    min_area_um2 : float
        Smaller areas are bright cells.
    """
    if not share.any():
        return np.zeros(share.shape, bool)
    mean = ndimage.gaussian_filter(share, CLIPPED_SIGMA_UM / um)
    clipped = apply_hysteresis_threshold(mean, CLIPPED_EDGE * limit, limit)
    closed = close_mask(clipped, CLIPPED_CLOSE_UM / um)
    return np.asarray(remove_small_objects(closed, max_size=int(min_area_um2 / um**2)))


def background_excess(
    plane: NDArray[np.float32], tissue: NDArray[np.bool_], um: float
) -> NDArray[np.float32] | None:
    """How far a marker's background stands out of the tissue's usual background.

    The background is the grey opening over 20 µm; the excess is counted from its
    25th percentile in units of that percentile's distance from the second.

    Parameters
    ----------
    plane : (h, w) float32 array
        A marker's channel on the map's grid.
    tissue : (h, w) bool array
    um : float

    Returns
    -------
    (h, w) float32 array or None
        None if the background does not vary, as where it was cut off at 0.
    """
    if not tissue.any():
        return None
    size = max(round(BACKGROUND_UM / um), 1)
    opened = ndimage.grey_opening(plane, size=(size, size))
    percents = (DARK_PERCENTILE, USUAL_PERCENTILE)
    dark, usual = (float(v) for v in np.percentile(opened[tissue], percents))
    if usual <= dark:
        return None
    return np.asarray((opened - usual) / (usual - dark), np.float32)


def find_folds(
    nuclear: NDArray[np.float32],
    excess: NDArray[np.float32],
    tissue: NDArray[np.bool_],
    nuclear_excess: NDArray[np.float32] | None = None,
    *,
    um: float,
    limit: float,
    min_area_um2: float,
) -> NDArray[np.bool_]:
    """Long connected areas where every channel's background and the nuclei are high.

    Parameters
    ----------
    nuclear : (h, w) float32 array
    excess : (h, w) float32 array
        As from `background_excess`, the least of all markers.
    tissue : (h, w) bool array
    nuclear_excess : (h, w) float32 array or None
        The same of the nuclear stain; None if its background does not vary.
    um : float
    limit : float
        Excess from which on an area is looked at; its 90th percentile must reach
        twice as much.
    min_area_um2 : float
    """
    stain = _relative(nuclear, tissue, NUCLEAR_SIGMA_UM / um)
    out = _bands(excess, stain, tissue, nuclear_excess, um, limit, min_area_um2)
    if nuclear_excess is not None:
        # Without what only markers stain, a fold parts from the nests that it crosses.
        least = np.minimum(excess, nuclear_excess)
        out |= _bands(least, stain, tissue, None, um, limit, min_area_um2)
    return out


def _relative(
    nuclear: NDArray[np.float32], tissue: NDArray[np.bool_], sigma_px: float
) -> NDArray[np.float32]:
    """Nuclear stain of the tissue around each pixel, of its median."""
    weight = ndimage.gaussian_filter(tissue.astype(np.float32), sigma_px)
    mean = ndimage.gaussian_filter(nuclear * tissue, sigma_px)
    mean /= np.maximum(weight, 1e-3)
    return mean / max(float(np.median(mean[tissue])) if tissue.any() else 0.0, 1e-12)


def _bands(
    excess: NDArray[np.float32],
    stain: NDArray[np.float32],
    tissue: NDArray[np.bool_],
    nuclear_excess: NDArray[np.float32] | None,
    um: float,
    limit: float,
    min_area_um2: float,
) -> NDArray[np.bool_]:
    """Bands of high excess, each with the nuclei of two layers."""
    pieces, _ = ndimage.label(tissue & (excess > limit), np.ones((3, 3)))
    bands: list[_Piece] = []
    others: list[_Piece] = []
    for i, window in enumerate(ndimage.find_objects(pieces), start=1):
        piece, here = pieces[window] == i, excess[window]
        high = float(np.percentile(here[piece], 90))
        lies_double = (
            np.count_nonzero(piece) * um**2 >= min_area_um2
            and high >= FOLD_SEED * limit
            and np.median(stain[window][piece]) >= FOLD_NUCLEI
            and (
                nuclear_excess is None
                or np.median(nuclear_excess[window][piece]) > limit
            )
        )
        if lies_double:
            found = _Piece(window, piece, piece & (here > FOLD_EDGE * high))
            is_band = _is_band(piece, um, _cut_sides(window, tissue.shape))
            (bands if is_band else others).append(found)
    out = np.zeros(tissue.shape, bool)
    for found in (*bands, *(o for o in others if _goes_on(o, bands, um))):
        out[found.window] |= found.inside
    return out


class _Piece(NamedTuple):
    """A connected area: its window, itself there, and its part inside its border."""

    window: tuple[slice, slice]
    mask: NDArray[np.bool_]
    inside: NDArray[np.bool_]

    @property
    def places(self) -> NDArray[np.intp]:
        """Row and column of its pixels in the image."""
        return np.argwhere(self.mask) + [s.start for s in self.window]


def _goes_on(piece: _Piece, bands: list[_Piece], um: float) -> bool:
    """Whether a piece is what is left of a band beyond a gap, in line with it."""
    radius = float(ndimage.distance_transform_edt(np.pad(piece.mask, 1)).max())
    if 2 * radius * um > FOLD_MAX_WIDTH_UM:
        return False
    for band in bands:
        short, long = _axes(band.places)
        wide, far = _axes(np.concatenate([band.places, piece.places]))
        if wide <= IN_LINE * short and far / wide > long / short:
            return True
    return False


def _cut_sides(
    window: tuple[slice, slice], shape: tuple[int, ...]
) -> tuple[tuple[bool, bool], ...]:
    """Per axis, whether a window begins and ends at the image's border."""
    pairs = zip(window, shape, strict=True)
    return tuple((s.start == 0, s.stop == size) for s, size in pairs)


def _is_band(
    piece: NDArray[np.bool_], um: float, cut: tuple[tuple[bool, bool], ...]
) -> bool:
    """Whether a piece, its gaps filled, is narrow, straight and longer than broad.

    What the image's border cuts is taken to go on beyond it as its mirror image: a
    nest of which a rim is seen is no band.
    """
    closed = close_mask(np.pad(piece, 1), FOLD_GAP_UM / um)
    whole = ndimage.binary_fill_holes(closed)[1:-1, 1:-1]
    short, long_axis = _axes(np.argwhere(whole))
    if long_axis < FOLD_AXES * short:
        return False
    pads = [
        tuple(size if side else 0 for side in sides)
        for size, sides in zip(whole.shape, cut, strict=True)
    ]
    mirrored = np.pad(np.pad(whole, pads, mode="symmetric"), 1)
    radius = float(ndimage.distance_transform_edt(mirrored).max())
    long = np.count_nonzero(whole) >= FOLD_LENGTH * np.pi * radius**2
    return bool(long and 2 * radius * um <= FOLD_MAX_WIDTH_UM)


def _axes(places: NDArray[np.intp]) -> tuple[float, float]:
    """Axes of the ellipse of inertia of some pixels, the shorter first."""
    spread = np.cov(places.T, bias=True) + np.eye(2) / 12
    short, long = np.sqrt(np.linalg.eigvalsh(spread))
    return float(short), float(long)


def clump_level(values: NDArray[np.float32], factor: float) -> float:
    """Level that no cell reaches: the 99.9th percentile of (n,) values times a factor.

    Both are counted from the median.
    """
    if values.size == 0:
        return np.inf
    middle, high = (float(v) for v in np.percentile(values, (50, 99.9)))
    return middle + factor * (high - middle) if high > middle else np.inf


def find_aggregates(
    maximum: NDArray[np.float32],
    nuclear: NDArray[np.float32],
    tissue: NDArray[np.bool_],
    *,
    um: float,
    threshold: float,
    max_area_um2: float,
) -> NDArray[np.bool_]:
    """Small spots of a marker that are brighter than any cell and lie off the nuclei.

    Parameters
    ----------
    maximum : (h, w) float32 array
        Brightest pixel of the marker in each map pixel.
    nuclear : (h, w) float32 array
        Mean of the nuclear stain.
    tissue : (h, w) bool array
    um : float
    threshold : float
    max_area_um2 : float
        A larger bright area is a cell, or something else.

    Returns
    -------
    (h, w) bool array
        The spots with a rim of 4 µm.
    """
    spots, count = ndimage.label(maximum > threshold, np.ones((3, 3)))
    if not count or not tissue.any():
        return np.zeros(tissue.shape, bool)
    index = np.arange(1, count + 1)
    areas = np.bincount(spots.ravel())[1:] * um**2
    stain = ndimage.mean(nuclear, spots, index)
    on_tissue = ndimage.maximum(tissue, spots, index) > 0
    small = areas <= max_area_um2
    kept = (
        small & on_tissue & (stain <= float(np.percentile(nuclear[tissue], OFF_NUCLEI)))
    )
    found = np.concatenate([[False], kept])[spots]
    return grow(found, CLUMP_RIM_UM / um)
