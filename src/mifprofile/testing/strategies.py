"""Hypothesis strategies; needs the ``hypothesis`` package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

if TYPE_CHECKING:
    from numpy.typing import NDArray


@st.composite
def label_images(
    draw: st.DrawFn,
    *,
    max_size_px: int = 48,
    max_objects: int = 12,
    max_radius_px: int = 9,
) -> NDArray[np.int32]:
    """Draw small label images of touching discs and ellipses.

    Labels are 1 to n without gaps, or none at all; objects may be cut by the border
    or by those drawn later.

    Parameters
    ----------
    draw : hypothesis.strategies.DrawFn
        Supplied by hypothesis.
    max_size_px : int
        Largest height and width.
    max_objects : int
        Largest number of objects.
    max_radius_px : int
        Largest half axis.

    Returns
    -------
    (y, x) int32
    """
    height = draw(st.integers(1, max_size_px))
    width = draw(st.integers(1, max_size_px))
    labels = np.zeros((height, width), dtype=np.int32)
    y, x = np.ogrid[:height, :width]
    radius = st.integers(1, max_radius_px)
    disc = st.tuples(
        st.integers(0, height - 1), st.integers(0, width - 1), radius, radius
    )
    discs = draw(st.lists(disc, max_size=max_objects))
    for number, (cy, cx, ry, rx) in enumerate(discs, start=1):
        labels[((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1] = number
    return _without_gaps(labels)


def _without_gaps(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    names, inverse = np.unique(np.append(labels, 0), return_inverse=True)
    gapless = np.arange(names.size, dtype=np.int32)[inverse[:-1]]
    return np.asarray(gapless.reshape(labels.shape), dtype=np.int32)
