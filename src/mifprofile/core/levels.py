"""Levels on a scale without unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A level of this share of the scale's unit lies where the scale turns linear.
FLOOR = 0.1


def unit_of(levels: NDArray[np.floating[Any]]) -> float:
    """A marker's own unit: a tenth of the median of those (n,) levels above 0.

    Levels in counts, as shares or times any constant give the same picture on
    log(1 + level / unit). It is 1 where no level is above 0.
    """
    lit = levels[np.isfinite(levels) & (levels > 0)]
    return FLOOR * float(np.median(lit)) if lit.size else 1.0


def to_scale(levels: NDArray[np.floating[Any]], unit: float) -> NDArray[np.float64]:
    """log(1 + level / unit) of an array of any shape; below 0 levels count as 0."""
    return np.log1p(np.maximum(np.asarray(levels, float), 0.0) / unit)


def from_scale(scaled: NDArray[np.floating[Any]], unit: float) -> NDArray[np.float64]:
    """Undo `to_scale`, in the same shape."""
    return unit * np.expm1(np.asarray(scaled, float))
