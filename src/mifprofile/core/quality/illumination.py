"""Uneven light of the camera's fields, which repeats from field to field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERIODS_UM = (200.0, 1600.0)
# A pattern must come back this often, and look this much alike when it does.
MIN_FIELDS = 8
MIN_LIKENESS = 0.4
# Map pixels of tissue below which a line of the map says nothing.
MIN_LINE_PX = 25


@dataclass(frozen=True)
class Illumination:
    """A pattern of light that repeats.

    Attributes
    ----------
    amplitude : float
        Range of the mean field's light along x plus that along y, relative to its
        mean; 0 if nothing repeats, NaN if it could not be looked for.
    period_x_um, period_y_um : float
        NaN where nothing repeats.
    reason : str
        Why it could not be looked for.
    """

    amplitude: float
    period_x_um: float
    period_y_um: float
    reason: str = ""


def find_illumination(
    plane: NDArray[np.float32], tissue: NDArray[np.bool_], um: float
) -> Illumination:
    """Look for a pattern that repeats along x or y.

    The median of the tissue in each line of the map, relative to its running mean
    over one period, is compared with itself one and two periods on. The dark offset
    of the camera is not taken off, so that a dim channel's figure is too low.

    Parameters
    ----------
    plane : (h, w) float32 array
        A channel, averaged to pixels of ``um``.
    tissue : (h, w) bool array
    um : float
    """
    levels = np.where(tissue, plane, np.nan)
    found = [_along(levels.T, um), _along(levels, um)]
    if all(f is None for f in found):
        return Illumination(
            np.nan, np.nan, np.nan, f"fewer than {MIN_FIELDS} fields of tissue"
        )
    (x, across), (y, down) = (f or (np.nan, 0.0) for f in found)
    return Illumination(across + down, x, y)


def _along(lines: NDArray[np.float32], um: float) -> tuple[float, float] | None:
    """Period (µm) and range of the light from line to line; None if there are few."""
    enough = np.isfinite(lines).sum(axis=1) >= MIN_LINE_PX
    first, last = (np.flatnonzero(enough)[[0, -1]]) if enough.any() else (0, 0)
    profile = np.full(last + 1 - first, np.nan)
    if profile.size * um < MIN_FIELDS * PERIODS_UM[0]:
        return None
    here = enough[first : last + 1]
    profile[here] = np.nanmedian(lines[first : last + 1][here], axis=1)
    at = np.arange(profile.size)
    profile = np.interp(at, at[here], profile[here])
    if profile.min() <= 0:
        return np.nan, 0.0
    longest = min(PERIODS_UM[1] / um, profile.size / MIN_FIELDS)
    periods = np.arange(int(PERIODS_UM[0] / um), int(longest) + 1)
    likeness = [_likeness(_flat(profile, p), p) for p in periods]
    best = int(np.argmax(likeness)) if likeness else -1
    if best < 0 or likeness[best] < MIN_LIKENESS:
        return np.nan, 0.0
    period = int(periods[best])
    return period * um, _range(_flat(profile, period), period)


def _flat(profile: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Profile relative to its running mean over a period, less 1."""
    return profile / ndimage.uniform_filter1d(profile, period, mode="nearest") - 1


def _likeness(flat: NDArray[np.float64], period: int) -> float:
    """Lesser of the correlations with itself one and two periods on."""
    return min(_correlation(flat[lag:], flat[:-lag]) for lag in (period, 2 * period))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0


def _range(flat: NDArray[np.float64], period: int) -> float:
    """Range of the mean field."""
    fields = flat[: flat.size // period * period].reshape(-1, period)
    mean = ndimage.uniform_filter1d(fields.mean(axis=0), max(period // 20, 1))
    return float(np.ptp(mean))
