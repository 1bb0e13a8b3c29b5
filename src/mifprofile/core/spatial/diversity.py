"""Shannon diversity of the types, over all cells and around each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import entr

from mifprofile.core.spatial._table import MIN_CELLS
from mifprofile.core.spatial.pairs import disc_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.core.spatial.window import Pattern

CHUNK = 1 << 16


@dataclass(frozen=True)
class Diversity:
    """Shannon diversity, bits.

    Attributes
    ----------
    overall_bits : float
        Of all cells.
    local_mean_bits, local_median_bits : float
        Over cells, each with the cells around it; below ``overall_bits`` where types
        keep apart.
    n_cells, n_types : int
        Cells, and types that have any.
    radius_um, area_mm2 : float
    status, reason : str
    """

    overall_bits: float
    local_mean_bits: float
    local_median_bits: float
    n_cells: int
    n_types: int
    radius_um: float
    area_mm2: float
    status: str = "OK"
    reason: str = ""


def shannon_bits(counts: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """-Σ p log2 p along the last axis of (…, t) counts; NaN where there is no cell."""
    total = counts.sum(axis=-1, keepdims=True).astype(np.float64)
    shares = np.divide(
        counts, total, out=np.full(counts.shape, np.nan), where=total > 0
    )
    return np.asarray(entr(shares).sum(axis=-1) / np.log(2))


def diversity(
    pattern: Pattern,
    radius_um: float = 30.0,
    *,
    min_cells: int = MIN_CELLS,
    workers: int = 1,
) -> Diversity:
    """Shannon diversity of all cells, and of the disc around every cell with itself."""
    n_cells, least = len(pattern.points), max(min_cells, 1)
    counts = disc_counts(pattern, radius_um, workers=workers)
    counts[np.arange(n_cells), pattern.types] += 1
    local = np.concatenate(
        [shannon_bits(counts[at : at + CHUNK]) for at in range(0, n_cells, CHUNK)]
        or [np.empty(0)]
    )
    kinds = int(np.count_nonzero(pattern.counts))
    shared = (n_cells, kinds, radius_um, pattern.window.area_mm2)
    if n_cells < least:
        reason = f"{n_cells} cells, fewer than {least}"
        return Diversity(np.nan, np.nan, np.nan, *shared, "LOW_N", reason)
    overall = float(shannon_bits(pattern.counts))
    return Diversity(overall, float(local.mean()), float(np.median(local)), *shared)
