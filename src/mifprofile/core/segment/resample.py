"""Change of pixel size that does not depend on how the image is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.core.segment.grid import Window


def resample(
    image: NDArray[np.float32],
    origin: tuple[int, int],
    window: Window,
    ratio: float,
) -> NDArray[np.float32]:
    """Resample part of a plane with a triangular kernel.

    Every output value is a function of the slide's pixels and its own global
    position, so that overlapping windows agree to the last bit. The kernel widens
    with ``ratio``: bilinear when enlarging, anti-aliased when shrinking.

    Parameters
    ----------
    image : (..., h, w) float32 array
        Source pixels; missing ones beyond its edge are repeated from the edge.
    origin : tuple of int
        (y, x) of ``image[..., 0, 0]`` in the source plane.
    window : tuple of int
        (y0, y1, x0, x1) wanted, in output pixels.
    ratio : float
        Output pixel size over source pixel size.

    Returns
    -------
    (..., y1 - y0, x1 - x0) float32 array
    """
    y0, y1, x0, x1 = window
    planes = np.ascontiguousarray(image, np.float32).reshape(-1, *image.shape[-2:])
    rows = np.stack([_rows(p, origin[0], y0, y1, ratio) for p in planes])
    turned = np.ascontiguousarray(rows.transpose(0, 2, 1))
    done = np.stack([_rows(p, origin[1], x0, x1, ratio) for p in turned])
    return done.transpose(0, 2, 1).reshape(*image.shape[:-2], y1 - y0, x1 - x0)


def source_window(window: Window, ratio: float, shape: tuple[int, int]) -> Window:
    """Bounds of the source pixels that ``resample`` needs, cut at the plane."""
    y0, y1, x0, x1 = window
    rows = _source_range(y0, y1, ratio, shape[0])
    return (*rows, *_source_range(x0, x1, ratio, shape[1]))


def _source_range(start: int, stop: int, ratio: float, size: int) -> tuple[int, int]:
    reach = max(ratio, 1.0) + 1
    first = int(np.floor((start + 0.5) * ratio - 0.5 - reach))
    last = int(np.ceil((stop - 0.5) * ratio - 0.5 + reach))
    return min(max(first, 0), size - 1), max(min(last + 1, size), 1)


@njit(cache=True, nogil=True)
def _rows(
    plane: NDArray[np.float32], offset: int, start: int, stop: int, ratio: float
) -> NDArray[np.float32]:
    height, width = plane.shape
    width_taps = max(ratio, 1.0)
    out = np.empty((stop - start, width), np.float32)
    total = np.empty(width, np.float64)
    for i in range(start, stop):
        centre = (i + 0.5) * ratio - 0.5
        total[:] = 0.0
        weights = 0.0
        for k in range(
            int(np.ceil(centre - width_taps)), int(np.floor(centre + width_taps)) + 1
        ):
            weight = 1.0 - abs(k - centre) / width_taps
            row = min(max(k - offset, 0), height - 1)
            weights += weight
            for x in range(width):
                total[x] += weight * plane[row, x]
        for x in range(width):
            out[i - start, x] = total[x] / weights
    return out
