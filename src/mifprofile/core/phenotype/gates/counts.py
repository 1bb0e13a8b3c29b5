"""Gates of sparse counts: most cells hold none, and no mixture describes the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.phenotype.gates.gap import has_gap
from mifprofile.core.phenotype.gates.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.options import PhenotypeOptions

# A channel is one of counts if at least this share of its cells is empty.
EMPTY_SHARE = 0.5
# Small sums must be whole multiples of the smallest, to this part of it.
WHOLE = 0.05
SMALL_COUNTS = 20
# Counts that chance cannot make of the background, in their standard deviations.
DEVIATIONS = 5.0
# With fewer empty cells than this the background is no rate that can be read off them.
MIN_EMPTY = 0.01
# No cell among n: the upper end of the share's one-sided 95 % interval is 3 / n.
RULE_OF_THREE = 3.0


def one_count(cells: pd.DataFrame, markers: Iterable[str]) -> float:
    """What a single count adds to a typical cell's mean, NaN where nothing is counted.

    Ions and photons come in whole numbers: a cell's mean times its area is a multiple
    of one. That is seen in channels in which most cells are empty.

    Parameters
    ----------
    cells : pandas.DataFrame
        As measured: ``area_um2`` and ``<marker>_cell_mean``.
    markers : iterable of str
    """
    names = [f"{m}_cell_mean" for m in markers if f"{m}_cell_mean" in cells]
    if "area_um2" not in cells or not names or cells.empty:
        return np.nan
    area = cells["area_um2"].to_numpy(float)
    sums = cells[names].to_numpy(float) * area[:, None]
    sparse = sums[:, (sums == 0).mean(axis=0) > EMPTY_SHARE]
    lit = sparse[sparse > 0]
    if not lit.size or not _whole(lit):
        return np.nan
    return float(lit.min() / np.median(area))


def counted_gate(
    levels: NDArray[np.float64], one: float, options: PhenotypeOptions
) -> Gate | None:
    """Gate a marker that is counted: more than chance makes of its background.

    The background's rate is read off the empty cells, -log(their share), so that a cell
    needs k counts with k - rate = 5 sqrt(k), five times the deviation of k counts: 25
    where nearly all cells are empty.

    Parameters
    ----------
    levels : (n,) float64 array
        Finite.
    one : float
        As from `one_count`.
    options : PhenotypeOptions

    Returns
    -------
    Gate or None
        None where too few cells are empty to read a background off them.
    """
    empty = float((levels == 0).mean())
    if empty < MIN_EMPTY:
        return None
    needed = _needed(-np.log(empty))
    threshold = needed * one
    above = int((levels > threshold).sum())
    note = f"{needed:.0f} counts, beyond what the background makes; "
    if above == 0:
        return Gate(threshold, note + _none_of(levels), "absent")
    lit = np.sort(np.log(levels[levels > 0]))
    apart = has_gap(lit, float(np.log(threshold)), options.max_gap)
    share = 100 * above / levels.size
    return Gate(threshold, f"{note}{share:.2g} % have", "clear" if apart else "graded")


def _none_of(levels: NDArray[np.float64]) -> str:
    most = 100 * RULE_OF_THREE / levels.size
    if levels.any():
        return f"no cell has them: at most {most:.2g} %"
    return f"not one in any cell: at most {most:.2g} %, if the channel was stained"


def _needed(rate: float) -> float:
    """Counts that lie `DEVIATIONS` of their own standard deviations above a rate."""
    half = DEVIATIONS / 2
    return float((half + (half**2 + rate) ** 0.5) ** 2)


def _whole(sums: NDArray[np.float64]) -> bool:
    """Whether the smaller sums are whole multiples of the smallest."""
    counts = sums / sums.min()
    small = counts[counts < SMALL_COUNTS]
    return bool((np.abs(small - np.round(small)) < WHOLE).mean() > 1 - WHOLE)
