"""Whether cells become fewer between two groups, and more again."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from scipy.stats import binom

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A gap as deep as the one seen must be rarer than this in one population.
GAP_P = 0.01
# Windows that look for a gap: so many fit between the middles of both populations.
GAP_WINDOWS = (4, 6)
STEPS_PER_WINDOW = 8


def has_gap(ordered: NDArray[np.float64], cut: float, max_gap: float) -> bool:
    """Whether the groups on both sides of a cut lie apart.

    One population, however skewed or heavy its tails, only becomes less dense away from
    its middle. Between two there is a window with fewer cells than one of the same
    width at either middle.

    Parameters
    ----------
    ordered : (n,) float64 array
        Ascending, on any scale.
    cut : float
    max_gap : float
        Cells in the gap, as a share of those at the emptier middle, at most.
    """
    at = int(_up_to(ordered, cut))
    if not 0 < at < ordered.size:
        return False
    return any(_is_gap(*_fewest(ordered, at, n), max_gap) for n in GAP_WINDOWS)


def _fewest(ordered: NDArray[np.float64], at: int, windows: int) -> tuple[int, int]:
    """Fewest cells in a window between both groups, and in one at their middles.

    Of the windows at the two middles, the emptier counts.
    """
    middles = [np.median(part) for part in np.split(ordered, [at])]
    width = (middles[1] - middles[0]) / windows
    places = np.linspace(middles[0], middles[1], STEPS_PER_WINDOW * windows + 1)
    inside = _up_to(ordered, places + width / 2) - _up_to(ordered, places - width / 2)
    clear = inside[STEPS_PER_WINDOW:-STEPS_PER_WINDOW]
    return int(clear.min()), int(min(inside[0], inside[-1]))


def _is_gap(between: int, beside: int, max_gap: float) -> bool:
    """Whether so few cells between are more than chance in falling numbers."""
    chance = float(binom.sf(beside - 1, between + beside, 0.5))
    return between <= max_gap * beside and chance <= GAP_P


@overload
def _up_to(ordered: NDArray[np.float64], at: float) -> np.int64: ...
@overload
def _up_to(
    ordered: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.int64]: ...
def _up_to(
    ordered: NDArray[np.float64], at: NDArray[np.float64] | float
) -> NDArray[np.int64] | np.int64:
    return np.searchsorted(ordered, at, side="right")
