"""Change of a value between two times, a pair per patient.

The patient is the unit: slides are pooled before anything is tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

SignTest = Literal["exact", "sign permutation", "none"]

# Half a cell, so that a sample without a cell has a logarithm.
PSEUDO_CELLS = 0.5
# Up to here all ways to deal out the signs are tried, beyond it so many at random.
ALL_SIGNS_OF = 13
SIGN_DRAWS = 9999
# Changes that differ by less are ties: logarithms of equal ratios differ in rounding.
TIE_DECIMALS = 9


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedChange(Estimate):
    """Change between two times, over patients: Hodges–Lehmann and signed ranks.

    Attributes
    ----------
    changes : (n,) float64 array
        Change of each patient with both times, in the given order.
    test : str
        How the p-value was found: ``exact``, ``sign permutation`` or ``none``.
    """

    changes: Floats
    test: SignTest
    n_pairs: int

    @property
    def log2_changes(self) -> Floats:
        """Changes of a density, which are log₂ fold changes."""
        return self.changes

    @property
    def n_incomplete(self) -> int:
        """Patients who lack a time."""
        return self.n_missing


@dataclass(frozen=True)
class LeftOut:
    """What becomes of an estimate when one patient after the other is left out.

    Attributes
    ----------
    low, high : float
        Least and greatest estimate.
    weightiest : int
        Position of the patient whose absence moves the estimate most; -1 without one.
    reason : str
        Why a number is missing, else ``""``.
    """

    low: float
    high: float
    weightiest: int
    reason: str


def pool_slides(table: pd.DataFrame) -> pd.DataFrame:
    """Sum what the slides of a patient at a time hold: a ratio of sums, ΣN / ΣA.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per slide: ``patient_id``, ``timepoint``, ``n_num`` (cells) and
        ``area_mm2``. A slide without area, or where either is NaN, could not be looked
        at and is left out.

    Returns
    -------
    pandas.DataFrame
        ``patient_id, timepoint, n_num, area_mm2, n_slides``, a row per patient and
        time with at least one slide.

    Raises
    ------
    UsageError
        If a number is negative.
    """
    numbers = table[["n_num", "area_mm2"]]
    if (numbers < 0).any(axis=None):
        raise UsageError("cohort: a count or an area is negative")
    seen = table[numbers.notna().all(axis=1) & (table["area_mm2"] > 0)]
    groups = seen.groupby(["patient_id", "timepoint"], as_index=False, sort=True)
    return groups.agg(
        n_num=("n_num", "sum"),
        area_mm2=("area_mm2", "sum"),
        n_slides=("n_num", "size"),
    )


def pair_times(pooled: pd.DataFrame, before: str, after: str) -> pd.DataFrame:
    """Put two times of each patient side by side.

    Parameters
    ----------
    pooled : pandas.DataFrame
        As from `pool_slides`.
    before, after : str
        Timepoints.

    Returns
    -------
    pandas.DataFrame
        Index ``patient_id``; columns ``(n_num, before)``, ``(n_num, after)``,
        ``(area_mm2, before)`` and ``(area_mm2, after)``. A time that a patient lacks is
        NaN; patients with neither are not there.
    """
    chosen = pooled[pooled["timepoint"].isin([before, after])]
    wide = chosen.pivot(
        index="patient_id", columns="timepoint", values=["n_num", "area_mm2"]
    )
    columns = [(name, at) for name in ("n_num", "area_mm2") for at in (before, after)]
    return wide.reindex(columns=columns).astype(float)


def paired_change(
    counts: ArrayLike,
    areas_mm2: ArrayLike,
    *,
    level: float = LEVEL,
    pseudo_cells: float = PSEUDO_CELLS,
    seed: int = 0,
) -> PairedChange:
    """Change of a density from a first to a second time, a pair per patient.

    The change of a patient is log₂[((N₂ + ½)/A₂) / ((N₁ + ½)/A₁)]. The estimate is the
    median of the Walsh averages (dᵢ + dⱼ)/2, i ≤ j; its limits are those averages
    between which the signed-rank test of the same level does not reject. The p-value
    is the exact one where no change is 0 and no two are of the same size; else, with
    mean ranks for ties and zeros ranked but not counted, it comes from all ways to deal
    out the signs, or from 9999 random ones with more than 13 pairs.

    Parameters
    ----------
    counts, areas_mm2 : (n, 2) arrays
        Cells and area of each patient at the first and the second time, slides pooled.
        A patient with a NaN or without area at a time is incomplete and left out.
    level : float
        Coverage of the interval; 0.95 takes at least 6 pairs.
    pseudo_cells : float
        Added to every count.
    seed : int
        Of the random signs.

    Raises
    ------
    UsageError
        If shapes differ, a number is negative, or a density has no logarithm.

    Notes
    -----
    Hodges and Lehmann 1963 (doi 10.1214/aoms/1177704172); limits and zeros as in
    Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, ch. 3, and Pratt
    1959. With zeros or ties the limits are close to, not exactly, the inverted test.
    """
    cells, areas = np.asarray(counts, float), np.asarray(areas_mm2, float)
    if cells.shape != areas.shape or cells.ndim != 2 or cells.shape[1] != 2:
        shapes = f"{cells.shape} and {areas.shape}"
        raise UsageError(f"paired change: counts and areas are {shapes}; give (n, 2)")
    if (cells < 0).any() or (areas < 0).any():
        raise UsageError("paired change: a count or an area is negative")
    whole = np.isfinite(cells + areas).all(axis=1) & (areas > 0).all(axis=1)
    density = (cells[whole] + pseudo_cells) / areas[whole]
    if not (density > 0).all():
        raise UsageError("paired change: a count of 0 needs pseudo_cells above 0")
    changes = np.log2(density[:, 1] / density[:, 0])
    return _paired(changes, int((~whole).sum()), "log2 fold change", level, seed)


def paired_difference(
    before: ArrayLike,
    after: ArrayLike,
    what: str,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> PairedChange:
    """Change of any value from a first to a second time, as `paired_change` has it.

    Parameters
    ----------
    before, after : (n,) arrays
        Value of each patient, on a scale on which differences mean something. A patient
        who lacks a time has NaN there and is left out.
    what : str
        The value and its unit.
    level : float
    seed : int

    Raises
    ------
    UsageError
        If lengths differ.
    """
    first, second = np.asarray(before, float), np.asarray(after, float)
    if first.shape != second.shape or first.ndim != 1:
        shapes = f"{first.shape} and {second.shape}"
        raise UsageError(f"paired difference: times are {shapes}; give (n,) of both")
    changes = second - first
    whole = np.isfinite(changes)
    return _paired(changes[whole], int((~whole).sum()), what, level, seed)


def leave_one_out(changes: ArrayLike) -> LeftOut:
    """Range of the Hodges–Lehmann estimate with each patient left out in turn.

    Parameters
    ----------
    changes : (n,) array
        Change of each patient; at least two.
    """
    values = np.asarray(changes, float)
    if len(values) < 2:
        why = "nobody can be left out of fewer than 2 pairs"
        return LeftOut(np.nan, np.nan, -1, why)
    kept = [walsh_averages(np.delete(values, out)) for out in range(len(values))]
    estimates = np.array([np.median(averages) for averages in kept])
    moved = np.abs(estimates - np.median(walsh_averages(values)))
    low, high = float(estimates.min()), float(estimates.max())
    return LeftOut(low, high, int(moved.argmax()), "")


def sign_flips(
    changes: ArrayLike, what: str, *, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """Mean change, its interval and p-value by flipping signs: no ranks, no normality.

    Parameters
    ----------
    changes : (n,) array
        Change of each patient; NaN is left out.
    what : str
        The value and its unit.
    level : float
    seed : int
        Of the random signs beyond 13 patients.

    Notes
    -----
    The limits are subset means (Hartigan 1969, doi 10.1080/01621459.1969.10501057):
    those means that the test of the same level does not reject.
    """
    given = np.asarray(changes, float)
    values = given[np.isfinite(given)]
    pairs, missing = len(values), int((~np.isfinite(given)).sum())
    if pairs == 0:
        return Estimate(
            what=what,
            test="none",
            n_patients=0,
            n_pairs=0,
            n_missing=missing,
            level=level,
            reason="no patient with both times",
        )
    signs = signs_of(pairs, seed)
    drawn, seen = np.abs(signs @ values), abs(values.sum())
    low, high = _subset_limits(values, signs, level)
    return Estimate(
        what=what,
        test="sign flips of the mean",
        n_patients=pairs,
        estimate=float(values.mean()),
        low=low,
        high=high,
        level=level,
        p_value=float(np.mean(drawn >= seen - 10.0**-TIE_DECIMALS)),
        n_pairs=pairs,
        n_missing=missing,
        reason=_why_no_limits(pairs, low, level),
    )


def walsh_averages(values: Floats) -> Floats:
    """Means of all pairs of (n,) values, each with itself too, ascending."""
    first, second = np.triu_indices(len(values))
    return np.sort((values[first] + values[second]) / 2)


def _paired(
    changes: Floats, incomplete: int, what: str, level: float, seed: int
) -> PairedChange:
    low, high = _limits(changes, level)
    p_value, test = _signed_rank(changes, seed)
    return PairedChange(
        what=what,
        changes=changes,
        estimate=float(np.median(walsh_averages(changes))) if len(changes) else np.nan,
        low=low,
        high=high,
        level=level,
        p_value=p_value,
        test=test,
        n_patients=len(changes),
        n_pairs=len(changes),
        n_missing=incomplete,
        reason=_why_no_limits(len(changes), low, level),
    )


def _subset_limits(
    values: Floats, signs: NDArray[np.int8], level: float
) -> tuple[float, float]:
    """Means of subsets between which the test by sign flips does not reject."""
    chosen = signs < 0
    sizes = chosen.sum(axis=1)
    means = np.sort((chosen @ values)[sizes > 0] / sizes[sizes > 0])
    c = int((1 - level) / 2 * len(signs) + 1e-9)
    if c == 0:
        return np.nan, np.nan
    return float(means[c - 1]), float(means[-c])


def _signed_rank(changes: Floats, seed: int) -> tuple[float, SignTest]:
    """Two-sided p-value of the Wilcoxon signed-rank test, and how it was found."""
    if len(changes) == 0:
        return np.nan, "none"
    sizes = np.abs(changes).round(TIE_DECIMALS)
    if sizes.all() and len(np.unique(sizes)) == len(sizes):
        found = stats.wilcoxon(changes, method="exact")
        return float(found.pvalue), "exact"
    ranks = stats.rankdata(sizes) * (sizes > 0)
    seen = abs(ranks @ np.sign(changes))
    drawn = np.abs(signs_of(len(changes), seed) @ ranks)
    # Mean ranks are halves, so that sums are exact.
    return float(np.mean(drawn >= seen)), "sign permutation"


def signs_of(size: int, seed: int) -> NDArray[np.int8]:
    """All ways to deal out signs, or so many at random."""
    if size <= ALL_SIGNS_OF:
        bits = np.arange(2**size)[:, None] >> np.arange(size) & 1
        return (1 - 2 * bits).astype(np.int8)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.array([-1, 1], np.int8), (SIGN_DRAWS, size))
    # One draw more, as extreme as can be, so that no p-value is 0.
    return np.concatenate([np.ones((1, size), np.int8), drawn])


def _limits(changes: Floats, level: float) -> tuple[float, float]:
    """Walsh averages between which the signed-rank test does not reject."""
    pairs = len(changes)
    cumulated = np.cumsum(signed_rank_null(pairs))
    # As many of the lowest rank sums as are rare enough together.
    c = int(np.searchsorted(cumulated, (1 - level) / 2 + 1e-12, side="right"))
    if c == 0:
        return np.nan, np.nan
    averages = walsh_averages(changes)
    return float(averages[c - 1]), float(averages[-c])


def signed_rank_null(size: int) -> Floats:
    """Probability of each sum of positive ranks, 0 … n(n + 1)/2."""
    null = np.ones(1)
    for rank in range(1, size + 1):
        still = np.pad(null, (0, rank))
        null = (still + np.roll(still, rank)) / 2
    return null


def _why_no_limits(pairs: int, low: float, level: float) -> str:
    if pairs == 0:
        return "no patient with both times"
    few = f"{pairs} pairs are too few for an interval of {100 * level:g} %"
    return few if np.isnan(low) else ""
