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


@dataclass(frozen=True)
class Background:
    """Level and noise of a channel's unstained cell pixels.

    Attributes
    ----------
    level : float
        The commonest intensity.
    noise : float
        Standard deviation below it, where no stain widens it.
    """

    level: float
    noise: float

    def threshold(self, noises: float) -> float:
        """Intensity above which a pixel is stained: ``noises`` above the level."""
        return self.level + noises * self.noise


def background(pixels: NDArray[Any]) -> Background:
    """Find a channel's background among pixels of cells.

    Unstained pixels are the narrowest crowd of a channel, stained ones spread over a
    wide range: the middle of the shortest interval with a tenth of the pixels lies
    among the unstained, even where they are few. The noise is the median distance of
    the pixels below (times 1.4826, as of a normal distribution), and at least that of
    rounding, step/√12.

    Parameters
    ----------
    pixels : (n,) array
        Intensities of a sample of pixels in cells; NaN figures if there is none.
    """
    if pixels.size == 0:
        return Background(np.nan, np.nan)
    ordered = np.sort(pixels).astype(np.float64)
    count = max(int(MODE_SHARE * ordered.size), 1)
    widths = ordered[count - 1 :] - ordered[: ordered.size - count + 1]
    # Of equally short intervals, as rounded values have many, the one in the middle.
    shortest = np.flatnonzero(widths == widths.min())
    begin = int(shortest[shortest.size // 2])
    level = float(np.median(ordered[begin : begin + count]))
    below = level - ordered[ordered <= level]
    steps = np.diff(ordered)
    rounding = float(steps[steps > 0].min(initial=np.inf)) / 12**0.5
    noise = SD_PER_MAD * float(np.median(below))
    return Background(level, max(noise, rounding if np.isfinite(rounding) else 0.0))
