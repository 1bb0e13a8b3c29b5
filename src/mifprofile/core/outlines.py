"""Outlines of labelled objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

if TYPE_CHECKING:
    from numpy.typing import NDArray


def outlines(
    labels: NDArray[np.integer[Any]],
    wanted: NDArray[np.integer[Any]],
) -> dict[int, NDArray[np.float64]]:
    """Trace objects as closed polygons.

    Parameters
    ----------
    labels : (h, w) integer array
    wanted : (n,) integer array
        Labels to trace; absent ones are left out.

    Returns
    -------
    dict
        Label → (k, 2) array of (x, y) in px from the array's corner, first = last.
        Of an object in pieces, the longest outline.
    """
    places = np.searchsorted(wanted, labels)
    places[places == len(wanted)] = 0
    compact = (
        np.where(wanted[places] == labels, places + 1, 0) if len(wanted) else labels * 0
    )
    found = {}
    for i, box in enumerate(ndimage.find_objects(compact, len(wanted))):
        if box is not None:
            found[int(wanted[i])] = _outline(compact[box] == i + 1, box)
    return found


def _outline(mask: NDArray[np.bool_], box: tuple[slice, ...]) -> NDArray[np.float64]:
    contours = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    longest = _drop_collinear(max(contours, key=len))
    # Padding moved the pixels by one, and a pixel's centre lies half a pixel inside.
    corner = np.array([box[0].start, box[1].start]) - 0.5
    return np.asarray((longest + corner)[:, ::-1])


def _drop_collinear(closed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drop the vertices of a closed polygon at which it goes straight on."""
    ring = closed[:-1]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    kept = ring[turns]
    return np.concatenate([kept, kept[:1]])
