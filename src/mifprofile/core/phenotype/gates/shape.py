"""What a marker's own levels tell: the main peak, and whether cells lie beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom, norm
from skimage.filters import threshold_li

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# The density is drawn on so many bins, and smoothed by Silverman's rule.
BINS = 256
# A peak's flank reaches to where a normal density would have fallen by one deviation.
FLANK_HEIGHT = float(np.exp(-0.5))
# A negative peak is no wider to the right than this many times its left flank.
MAX_SKEW = 1.5
# Where so many cells are positive, cells between them and the negatives are theirs.
COMMON_SHARE = 0.3
# Cells are not looked for beyond so many cuts, each of the cells above the last.
MAX_RUNGS = 4
# Cells above a cut must outnumber those as far below the peak; one-sided binomial.
SYMMETRY_P = 0.01
# They must outnumber a normal peak's own tail by this.
TAIL_FACTOR = 3.0
# Levels that differ by less than this part are the same, rounded otherwise.
SAME = 1e-6
# The lowest cells of a marker, and how near to the lowest the background may come.
LOWEST_SHARE = 0.01
NEAREST = 1e-3


@dataclass(frozen=True)
class Peak:
    """The main peak of a marker's levels, in natural logarithms.

    Attributes
    ----------
    at : float
        Where the density is highest.
    left, right : float
        Widths of both flanks: the distance at which the density has fallen to that of
        a normal distribution at one standard deviation.
    """

    at: float
    left: float
    right: float

    @property
    def width(self) -> float:
        """Width of the right flank, which many positive cells nearby can only widen."""
        return min(self.right, MAX_SKEW * self.left)


@dataclass(frozen=True)
class Cut:
    """A place where positive may begin, and what lies above it.

    Attributes
    ----------
    threshold : float
        A level.
    flanks : float
        How far the middle of the cells above lies above the main peak, in widths of
        the peak.
    above, mirrored : int
        Cells above, and cells as far below the peak as the cut lies above it.
    by_tail : float
        Cells that a normal peak would have above.
    """

    threshold: float
    flanks: float
    above: int
    mirrored: int
    by_tail: float

    @property
    def more_than_tails(self) -> bool:
        """Whether more cells lie above than either tail of the peak explains.

        The cells as far on the other side stand for a peak with heavy tails, whatever
        its shape; the normal tail stands for one that has no cells there.
        """
        among = self.above + self.mirrored
        chance = float(binom.sf(self.above - 1, among, 0.5)) if self.above else 1.0
        return chance < SYMMETRY_P and self.more_than_normal

    @property
    def more_than_normal(self) -> bool:
        """Whether more cells lie above than the tail of a normal peak explains."""
        return self.above > TAIL_FACTOR * self.by_tail


class Shape:
    """The levels of one marker, above the background that all of its cells share.

    A camera's offset and the glow of the tissue are added to every cell, and squeeze
    the peak in the logarithm; see `background_of`.

    Parameters
    ----------
    levels : (n,) float64 array
        Finite; those below 0 count as 0.
    """

    def __init__(self, levels: NDArray[np.float64]) -> None:
        # In order, so that sums do not depend on how the cells are numbered.
        self.levels = np.sort(np.maximum(levels, 0.0))

    @cached_property
    def background(self) -> float:
        """What is taken off every level."""
        lit = self.levels[self.levels > 0]
        return background_of(lit) if self.is_spread else 0.0

    @cached_property
    def logs(self) -> NDArray[np.float64]:
        """Natural logarithms, (k,) and ascending, of levels above the background."""
        return _logs_above(self.levels, self.background)

    @cached_property
    def is_spread(self) -> bool:
        """Whether there are different levels above 0."""
        lit = self.levels[self.levels > 0]
        return lit.size > 1 and bool(np.ptp(lit) > 0)

    @cached_property
    def peak(self) -> Peak:
        """The main peak of the levels above the background."""
        return find_peak(self.logs)

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """Candidates, from the lowest to the highest."""
        above = np.maximum(self.levels - self.background, 0.0)
        return tuple(self.cut_at(self.background + cut) for cut in rungs(above))

    def log_of(self, level: float) -> float:
        """Logarithm of a level above the background."""
        return float(np.log(level - self.background))

    def level_of(self, log: float) -> float:
        """Level at a place among `logs`."""
        return self.background + float(np.exp(log))

    def edge(self, flanks: float) -> float:
        """Level at which the main peak ends: so many of its narrower flanks above."""
        narrower = min(self.peak.left, self.peak.right)
        return self.level_of(self.peak.at + flanks * narrower)

    def cut_at(self, threshold: float) -> Cut:
        """Describe what lies above a level."""
        at, logs, peak = self.log_of(threshold), self.logs, self.peak
        above = logs[np.searchsorted(logs, at, side="right") :]
        middle = float(np.median(above)) if above.size else at
        tail = norm.sf((at - peak.at) / max(peak.left, peak.width))
        return Cut(
            threshold,
            flanks=(middle - peak.at) / peak.width,
            above=int(above.size),
            mirrored=int(np.searchsorted(logs, 2 * peak.at - at)),
            by_tail=float(logs.size * tail),
        )


def find_peak(logs: NDArray[np.float64]) -> Peak:
    """Main peak of a smoothed histogram.

    Parameters
    ----------
    logs : (n,) float64 array
        Not all the same.
    """
    at, density = _density(logs)
    top = int(density.argmax())
    low = density < FLANK_HEIGHT * density[top]
    right = at[top + int(low[top:].argmax())] - at[top]
    left = at[top] - at[top - int(low[top::-1].argmax())]
    return Peak(float(at[top]), float(left), float(right))


def rungs(levels: NDArray[np.float64]) -> Iterator[float]:
    """Cuts by minimum cross-entropy, each of the cells above the one before.

    Li's threshold (Li and Tam 1998) needs no scale and no valley. Where positive cells
    are much brighter than the others it lies low among the cells between both. The
    rarer positive cells are, the more of these are neighbours that only catch their
    light: the cut is drawn towards half the median of what lies above, all the way
    where few cells lie there, half of it (in the logarithm) where many do. Of the later
    rungs, which overshoot where few cells are left, the mean of both is taken.

    Parameters
    ----------
    levels : (n,) float64 array
        Not below 0.

    Yields
    ------
    float
        At most `MAX_RUNGS` levels, each above the one before; none where all levels
        are the same.
    """
    above, last = levels, -np.inf
    for rung in range(MAX_RUNGS):
        if above.size < 3 or np.ptp(above) == 0:
            return
        scale = float(above.max())
        cut = scale * float(threshold_li(above / scale))
        above = above[above > cut]
        half = 0.5 * float(np.median(above))
        if half >= cut:
            rare = 1 - min(1.0, above.size / levels.size / COMMON_SHARE) / 2
        else:
            rare = 0.0 if rung == 0 else 0.5
        place = between(levels, cut * (half / cut) ** rare)
        if place > last:
            last = place
            yield place


def between(levels: NDArray[np.float64], threshold: float) -> float:
    """A threshold, or if some of (n,) levels equals it, the middle to the next above.

    Calls then do not depend on how that level was rounded.
    """
    above = levels[levels > threshold * (1 + SAME)]
    equal = np.abs(levels - threshold) <= SAME * threshold
    if not equal.any() or above.size == 0:
        return threshold
    return (threshold + float(above.min())) / 2


def background_of(levels: NDArray[np.float64]) -> float:
    """Background that levels share, as their lowest cells show it.

    These lie as far above it as the main peak lies above them: where the levels reach
    down towards 0 there is none, and where they begin at their peak nearly all of it
    is background.

    Parameters
    ----------
    levels : (n,) float64 array
        Above 0, and not all the same.

    Returns
    -------
    float
        Below the lowest level, and at least 0.
    """
    peak = float(np.exp(find_peak(np.sort(np.log(levels))).at))
    low = float(np.quantile(levels, LOWEST_SHARE))
    below_all = float(levels.min()) * (1 - NEAREST)
    return max(0.0, min(2 * low - peak, below_all))


def _logs_above(levels: NDArray[np.float64], background: float) -> NDArray[np.float64]:
    above = levels - background
    return np.sort(np.log(above[above > 0]))


def _density(
    logs: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of bins, and the smoothed density there; nothing at both ends."""
    # No narrower than a bin, or there would be none beyond the last cell.
    width = max(_bandwidth(logs), float(np.ptp(logs)) / BINS)
    ends = (logs.min() - 4 * width, logs.max() + 4 * width)
    counts, edges = np.histogram(logs, BINS, ends)
    step = edges[1] - edges[0]
    reach = int(np.ceil(3 * width / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    smooth = np.convolve(counts, kernel / kernel.sum(), "same")
    return (edges[:-1] + edges[1:]) / 2, smooth


def _bandwidth(logs: NDArray[np.float64]) -> float:
    """Silverman's rule of thumb (1986), from the narrower of two spreads."""
    quartiles = np.quantile(logs, (0.25, 0.75))
    spreads = (float(np.std(logs)), float(np.diff(quartiles)[0]) / 1.349)
    spread = min(s for s in spreads if s > 0)
    return 0.9 * spread * float(logs.size**-0.2)
