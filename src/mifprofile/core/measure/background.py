"""A channel's unstained level, and from where on a pixel is stained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The mode is the middle of the shortest interval that holds this share of the pixels.
MODE_SHARE = 0.1
SD_PER_MAD = 1.4826
# Differences of this share of an intensity are the rounding of a float image.
ROUNDING = 1e-6
# The commonest level of cells is stain if it exceeds that of the tissue between them by
# FAR times its noise and FARTHER times what is usual for the other channels. Where the
# usual is beyond GLASS there may be glass, and the channels of unstained tissue differ.
FAR = 8.0
FARTHER, FARTHEST = 4.0, 16.0
GLASS = 4.0
STAINED = 5.0
MIN_BETWEEN = 1000


@dataclass(frozen=True)
class Background:
    """Level and noise of a channel's unstained pixels.

    Attributes
    ----------
    level : float
        The commonest intensity.
    noise : float
        Standard deviation below it, where no stain widens it.
    step : float
        The least difference between two intensities; 0 if all are the same.
    """

    level: float
    noise: float
    step: float

    @property
    def floor(self) -> float:
        """The least intensity that tells anything: noise, or a count."""
        return max(self.noise, self.step)

    def threshold(self, noises: float) -> float:
        """Intensity above which a pixel is stained: ``noises`` above the level."""
        return self.level + noises * self.noise


def background(pixels: NDArray[Any]) -> Background:
    """Find a channel's background among pixels.

    Unstained pixels are the narrowest crowd of a channel, stained ones spread over a
    wide range: the middle of the shortest interval with a tenth of the pixels lies
    among the unstained, even where they are few. The noise is the median distance of
    the pixels below (times 1.4826, as of a normal distribution), and at least that of
    rounding, step/√12. An image times any constant has a background times it.

    Parameters
    ----------
    pixels : (n,) array
        Intensities of a sample of pixels; NaN figures if there is none.
    """
    if pixels.size == 0:
        return Background(np.nan, np.nan, np.nan)
    ordered = np.sort(pixels).astype(np.float64)
    level, step = _mode(ordered), _step(ordered)
    noise = SD_PER_MAD * float(np.median(level - ordered[ordered <= level]))
    return Background(level, max(noise, step / 12**0.5), step)


def backgrounds(
    cells: NDArray[Any], between: NDArray[Any], *, nuclear: int | None = None
) -> list[Background]:
    """Background of each channel on unstained cells, even where every cell is stained.

    The commonest level in cells is that of unstained ones, unless the marker is in
    nearly all of them. It is taken for stain if most pixels are no brighter and if it
    is far above the tissue between the cells, both by that tissue's noise and beside
    the other channels: these tell how much brighter than it, and how much more
    variable, unstained cells are. The background is then that of the tissue between,
    raised and widened by as much.

    Parameters
    ----------
    cells, between : (c, n) and (c, m) arrays
        Intensities of pixels in cells, and in the tissue outside them; each column is
        one pixel.
    nuclear : int, optional
        The channel of the nuclear stain, which every cell has: no measure for others.
    """
    inside = [background(pixels) for pixels in cells]
    if between.shape[1] < MIN_BETWEEN:
        return inside
    outside = [background(pixels) for pixels in between]
    pairs = list(zip(inside, outside, strict=True))
    beside = np.array([(_excess(*pair), _width(*pair)) for pair in pairs])
    for c, (ours, theirs) in enumerate(pairs):
        others = np.delete(beside, [c] if nuclear is None else [c, nuclear], axis=0)
        if len(others) and np.median(cells[c]) <= ours.threshold(STAINED):
            usual, width = (float(v) for v in np.median(others, axis=0))
            if beside[c, 0] > _far(usual):
                inside[c] = _of_unstained_cells(theirs, usual, width, ours.step)
    return inside


def _excess(cells: Background, between: Background) -> float:
    """How far cells are above the tissue between them, in units of its noise."""
    above = max(cells.level - between.level, 0.0)
    if above == 0:
        return 0.0
    return above / between.floor if between.floor > 0 else np.inf


def _width(cells: Background, between: Background) -> float:
    """Noise of cells in units of that between them."""
    return cells.noise / between.floor if between.floor > 0 else 1.0


def _far(usual: float) -> float:
    """From which excess on a channel's cells are stained."""
    return FAR + (FARTHER if usual <= GLASS else FARTHEST) * usual


def _of_unstained_cells(
    between: Background, excess: float, width: float, step: float
) -> Background:
    noise = max(between.noise, width * between.floor, step / 12**0.5)
    return Background(between.level + excess * between.floor, noise, step)


def _mode(ordered: NDArray[np.float64]) -> float:
    count = max(int(MODE_SHARE * ordered.size), 1)
    ends = ordered[count - 1 :]
    widths = ends - ordered[: ordered.size - count + 1]
    # Of equally short intervals, as rounded values have many, the one in the middle.
    shortest = np.flatnonzero(widths <= widths.min() + ROUNDING * np.abs(ends))
    begin = int(shortest[shortest.size // 2])
    return float(np.median(ordered[begin : begin + count]))


def _step(ordered: NDArray[np.float64]) -> float:
    steps = np.diff(ordered)
    real = steps[steps > ROUNDING * np.abs(ordered[1:])]
    return float(real.min()) if real.size else 0.0
