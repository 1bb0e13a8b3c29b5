"""Parameters of corrections, found on coarse planes of the slide's tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.stats import theilslopes

from mifprofile.core.correct.grids import bilinear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = tuple[NDArray[np.float64], NDArray[np.float64]]

PROFILE_SIZE = 64
MAX_FIELDS = 400
# Less light than this is no shading, but something in the way.
DARKEST_SHARE = 0.05
GLOW_BINS = 40
# Stained pixels lie above the line between a channel and the glow: so is it fitted to
# the lower end of each bin.
GLOW_QUANTILE = 0.1
MIN_NODE_PX = 25


def dark_end(plane: NDArray[np.float32]) -> float:
    """First percentile of a (h, w) plane: what shows where there is nothing."""
    return float(np.percentile(plane, 1))


def background_grid(
    plane: NDArray[np.float32],
    tissue: NDArray[np.bool_],
    step_px: int,
    percentile: float,
) -> NDArray[np.float32]:
    """Background that varies slowly: a percentile of the tissue, node by node.

    Parameters
    ----------
    plane : (h, w) float32 array
    tissue : (h, w) bool array
    step_px : int
        Edge of the square around each node.
    percentile : float
        Of the square's tissue. Squares with little tissue take the nearest other one's;
        all are smoothed by half a step.

    Returns
    -------
    (r, k) float32 array
    """
    rows, columns = (-(-n // step_px) for n in plane.shape)
    grid = np.full((rows, columns), np.nan)
    for r in range(rows):
        for k in range(columns):
            at = np.s_[r * step_px : (r + 1) * step_px, k * step_px : (k + 1) * step_px]
            inside = plane[at][tissue[at]]
            if inside.size >= MIN_NODE_PX:
                grid[r, k] = np.percentile(inside, percentile)
    return _smooth(_filled(grid)).astype(np.float32)


def autofluorescence_factor(
    channel: NDArray[np.floating[Any]], glow: NDArray[np.floating[Any]]
) -> float:
    """Share of the glow that a channel sees, from pixels of the tissue.

    In bins of equal glow the lower end of the channel is free of stain; the
    Theil-Sen slope of these ends over the glow is the share.

    Parameters
    ----------
    channel, glow : (n,) float array
        The same pixels in both channels.

    Returns
    -------
    float
        At least 0; 0 if the glow is the same everywhere.
    """
    order = np.argsort(glow, kind="stable")
    bins = [b for b in np.array_split(order, GLOW_BINS) if b.size]
    glows = np.array([np.median(glow[b]) for b in bins])
    ends = np.array([np.quantile(channel[b], GLOW_QUANTILE) for b in bins])
    if np.ptp(glows) == 0:
        return 0.0
    return max(float(theilslopes(ends, glows).slope), 0.0)


def camera_fields(
    plane: NDArray[np.float32], tissue: NDArray[np.bool_], field_px: tuple[float, float]
) -> NDArray[np.float32]:
    """Whole camera fields that are mostly tissue, resampled to one size.

    Glass within a field takes the median of the field's tissue: the slide's outline is
    no shading.

    Parameters
    ----------
    plane : (h, w) float32 array
    tissue : (h, w) bool array
    field_px : (float, float)
        Height and width of a field, in pixels of the plane; the first field starts at
        the plane's corner.

    Returns
    -------
    (n, 64, 64) float32 array
        At most 400, taken evenly over the slide.
    """
    rows, columns = (int(n // f) for n, f in zip(plane.shape, field_px, strict=True))
    places = [_in_field((r, k), field_px) for r, k in np.ndindex(rows, columns)]
    share = tissue.astype(np.float32)
    used = [at for at in places if _inside(share, at).mean() > 0.5]
    if not used:
        return np.zeros((0, PROFILE_SIZE, PROFILE_SIZE), np.float32)
    picks = np.linspace(0, len(used) - 1, min(len(used), MAX_FIELDS)).round()
    return np.stack([_tissue_alone(plane, share, used[i]) for i in picks.astype(int)])


def _tissue_alone(
    plane: NDArray[np.float32], share: NDArray[np.float32], at: Places
) -> NDArray[np.float32]:
    """One field, its glass filled."""
    field, inside = bilinear(plane, *at), _inside(share, at)
    return np.where(inside, field, np.median(field[inside]))


def _inside(share: NDArray[np.float32], at: Places) -> NDArray[np.bool_]:
    """Places all of whose neighbours on the plane are tissue."""
    return bilinear(share, *at) > 0.99


def quartile_profile(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flat-field whose logarithm is a paraboloid through the lower quartile of fields.

    A quarter of the fields shows no stain at a given place, so what is left there is
    the light of the optics; each field is divided by its own lower quartile before. Six
    coefficients are all that few fields can hold.

    Parameters
    ----------
    fields : (n, h, w) float32 array
        Light above the camera's dark level.

    Returns
    -------
    (h, w) float32 array
        Mean 1.
    """
    levels = np.percentile(fields, 25, axis=(1, 2), keepdims=True)
    lower = np.percentile(fields / np.maximum(levels, 1e-6), 25, axis=0)
    v, u = (np.linspace(-1, 1, n) for n in lower.shape)
    y, x = (a.ravel() for a in np.meshgrid(v, u, indexing="ij"))
    terms = np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=1)
    logs = np.log(np.maximum(lower, DARKEST_SHARE))
    weights = np.linalg.lstsq(terms, logs.ravel(), rcond=None)[0]
    return flat_profile(np.exp(terms @ weights).reshape(lower.shape))


def flat_profile(profile: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(h, w) profile of mean 1 whose darkest parts still let some light through."""
    scaled = profile / max(float(profile.mean()), 1e-6)
    return np.maximum(scaled, DARKEST_SHARE).astype(np.float32)


def _in_field(field: tuple[int, int], field_px: tuple[float, float]) -> Places:
    centres = (np.arange(PROFILE_SIZE) + 0.5) / PROFILE_SIZE
    y, x = ((n + centres) * f - 0.5 for n, f in zip(field, field_px, strict=True))
    return y, x


def _filled(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Grid whose empty nodes hold the value of the nearest full one, else 0."""
    empty = np.isnan(grid)
    if empty.all():
        return np.zeros_like(grid)
    nearest = ndimage.distance_transform_edt(
        empty, return_distances=False, return_indices=True
    )
    return grid[tuple(nearest)]


def _smooth(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ndimage.gaussian_filter(grid, 0.5, mode="nearest"))
