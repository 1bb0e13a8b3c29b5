"""How strong and how clean each channel is, in figures that slides share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import rankdata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from mifprofile.core.quality.illumination import Illumination

PERCENTILES = (1.0, 20.0, 50.0, 99.0, 99.5, 99.9)
BACKGROUND, SIGNAL = 20.0, 99.5
# The brightest pixels of a channel, and the least of another that they leave.
BRIGHT, FLOOR = 99.0, 10.0
MIN_PIXELS = 1000
COLUMNS = ("channel", "channel_b", "figure", "value", "unit", "reason")


@dataclass(frozen=True)
class Figure:
    """A line of ``quality.csv``; NaN comes with a reason."""

    channel: str
    figure: str
    value: float
    unit: str
    channel_b: str = ""
    reason: str = ""


def figure_table(figures: Sequence[Figure]) -> pd.DataFrame:
    """Figures as a table with `COLUMNS`."""
    return pd.DataFrame([asdict(f) for f in figures], columns=list(COLUMNS))


def area_figures(areas: Mapping[str, float]) -> Iterator[Figure]:
    """Areas as figures of no channel."""
    for name, area in areas.items():
        yield Figure("", f"area_{name}", area, "mm2")


def sharpness_figure(channel: str, sharpness: float) -> Figure:
    """The slide's median sharpness."""
    reason = "no structure to judge by" if np.isnan(sharpness) else ""
    return Figure(channel, "sharpness", sharpness, "1", reason=reason)


def staining_figures(
    channel: str, values: NDArray[np.float32], noise: float, saturated_pct: float
) -> Iterator[Figure]:
    """Level, noise and contrast of one channel.

    Signal is the 99.5th percentile of the tissue's pixels and background the 20th, so
    that a marker on a hundredth of the cells and one on half of them both have some of
    each.

    Parameters
    ----------
    channel : str
    values : (n,) float32 array
        Pixels of the evaluable tissue, evenly drawn.
    noise : float
        Standard deviation of the background's noise.
    saturated_pct : float
    """
    none = "" if values.size else "no evaluable tissue"
    levels = dict.fromkeys(PERCENTILES, np.nan)
    if values.size:
        found = np.percentile(values, PERCENTILES)
        levels = {p: float(v) for p, v in zip(PERCENTILES, found, strict=True)}
    for percent, level in levels.items():
        yield Figure(channel, f"p{percent:g}", level, "counts", reason=none)
    below, zero = (
        100 * float(np.mean(hit)) if values.size else np.nan
        for hit in (values < 0, values == 0)
    )
    yield Figure(channel, "negative_pixels", below, "%", reason=none)
    yield Figure(channel, "zero_pixels", zero, "%", reason=none)
    why = "no tissue" if np.isnan(saturated_pct) else ""
    yield Figure(channel, "saturated_pixels", saturated_pct, "%", reason=why)
    why = none or ("pixels too large" if np.isnan(noise) else "")
    yield Figure(channel, "noise", noise, "counts", reason=why)
    yield _ratio(channel, "signal_to_background", levels[SIGNAL], levels[BACKGROUND])
    rise = levels[SIGNAL] - levels[BACKGROUND]
    yield _ratio(channel, "contrast_to_noise", rise, noise)


def illumination_figures(channel: str, found: Illumination) -> Iterator[Figure]:
    """Amplitude and period of the pattern that repeats from field to field."""
    yield Figure(
        channel, "illumination", 100 * found.amplitude, "%", reason=found.reason
    )
    for axis, period in (("x", found.period_x_um), ("y", found.period_y_um)):
        reason = found.reason or ("no pattern repeats" if np.isnan(period) else "")
        yield Figure(channel, f"field_period_{axis}", period, "um", reason=reason)


def pair_figures(
    channels: Sequence[str], values: NDArray[np.float32]
) -> Iterator[Figure]:
    """Rank correlation of every two channels, and how much of one shows in the other.

    Bleed-through lifts a channel wherever another is bright, and even its least
    pixels there. Of the pixels in which the first channel exceeds its 99th percentile,
    the 10th percentile of the second, less the second's median, in units of the
    first's own rise: the leak. Markers on the same cells leak by this figure too.

    Parameters
    ----------
    channels : sequence of str
    values : (c, n) float32 array
        Pixels of the evaluable tissue, the same places in all channels.

    Returns
    -------
    iterator of Figure
        ``correlation`` once per pair and ``leak`` (of ``channel`` into ``channel_b``)
        for both directions.
    """
    few = "" if values.shape[1] >= MIN_PIXELS else "too little evaluable tissue"
    correlations = np.full((len(channels),) * 2, np.nan) if few else _ranks(values)
    for i, j in permutations(range(len(channels)), 2):
        pair = {"channel": channels[i], "channel_b": channels[j]}
        if i < j:
            r = float(correlations[i, j])
            flat = few or ("a channel without contrast" if np.isnan(r) else "")
            yield Figure(**pair, figure="correlation", value=r, unit="1", reason=flat)
        share = np.nan if few else _leak(values[i], values[j])
        flat = few or ("a channel without contrast" if np.isnan(share) else "")
        yield Figure(**pair, figure="leak", value=100 * share, unit="%", reason=flat)


def _ratio(channel: str, name: str, part: float, whole: float) -> Figure:
    if np.isnan(part) or np.isnan(whole):
        return Figure(channel, name, np.nan, "1", reason="no level to compare")
    if whole <= 0:
        return Figure(channel, name, np.nan, "1", reason="background is 0")
    return Figure(channel, name, part / whole, "1")


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Spearman's correlations; NaN for a channel of one value."""
    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=1))
    out = np.full((len(values), len(values)), np.nan)
    some = length > 0
    unit = ranks[some] / length[some, None]
    out[np.ix_(some, some)] = unit @ unit.T
    return out


def _leak(source: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    bright = source > np.percentile(source, BRIGHT)
    if not bright.any():
        return np.nan
    rise = float(np.median(source[bright])) - float(np.median(source))
    floor = float(np.percentile(target[bright], FLOOR)) - float(np.median(target))
    return max(floor, 0.0) / rise if rise > 0 else np.nan
