"""Patients compared: changes of pairs, and responders against the others.

The patient is the unit: slides are pooled before anything is tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special, stats

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

SignTest = Literal["exact", "sign permutation", "none"]

LEVEL = 0.95
# Half a cell, so that a sample without a cell has a logarithm.
PSEUDO_CELLS = 0.5
# Up to here all ways to deal out the signs are tried, beyond it so many at random.
ALL_SIGNS_OF = 13
SIGN_DRAWS = 9999
# Changes that differ by less are ties: logarithms of equal ratios differ in rounding.
TIE_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class PairedChange:
    """Change of a density between two times, over patients.

    Attributes
    ----------
    log2_changes : (n,) float64 array
        log₂ fold change of each patient with both times, in the given order.
    estimate : float
        Hodges–Lehmann estimate, log₂; NaN without a pair.
    low, high : float
        Its interval; NaN where ``reason`` says why.
    level : float
        Nominal coverage of the interval.
    p_value : float
        Wilcoxon signed-rank, two-sided; NaN without a pair.
    test : str
        How the p-value was found: ``exact``, ``sign permutation`` or ``none``.
    n_pairs : int
    n_incomplete : int
        Patients who lack a time.
    reason : str
        Why a number is missing, else ``""``.
    """

    log2_changes: Floats
    estimate: float
    low: float
    high: float
    level: float
    p_value: float
    test: SignTest
    n_pairs: int
    n_incomplete: int
    reason: str


@dataclass(frozen=True)
class Auroc:
    """How well a score tells positives from negatives.

    Attributes
    ----------
    value : float
        Probability that a positive's score is the higher one, a tie counted half.
    low, high : float
        Its interval; NaN where ``reason`` says why.
    level : float
        Nominal coverage of the interval.
    n_positive, n_negative : int
    n_missing : int
        Patients without a score.
    reason : str
        Why a number is missing, else ``""``.
    """

    value: float
    low: float
    high: float
    level: float
    n_positive: int
    n_negative: int
    n_missing: int
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
    low, high = _limits(changes, level)
    p_value, test = _signed_rank(changes, seed)
    return PairedChange(
        log2_changes=changes,
        estimate=float(np.median(walsh_averages(changes))) if len(changes) else np.nan,
        low=low,
        high=high,
        level=level,
        p_value=p_value,
        test=test,
        n_pairs=len(changes),
        n_incomplete=int((~whole).sum()),
        reason=_why_no_limits(len(changes), low, level),
    )


def walsh_averages(values: Floats) -> Floats:
    """Means of all pairs of (n,) values, each with itself too, ascending."""
    first, second = np.triu_indices(len(values))
    return np.sort((values[first] + values[second]) / 2)


def auroc(scores: ArrayLike, labels: ArrayLike, *, level: float = LEVEL) -> Auroc:
    """Area under the ROC curve, U / (n₁ n₀), with DeLong's standard error.

    Parameters
    ----------
    scores : (n,) array
        NaN where a patient has none: left out, and counted.
    labels : (n,) bool array
        True for positives, such as responders.
    level : float
        Coverage of the interval. It is set on log(A / (1 - A)), so that it stays
        between 0 and 1 with few patients.

    Raises
    ------
    UsageError
        If lengths differ or a label is neither true nor false.

    Notes
    -----
    Variance: DeLong, DeLong and Clarke-Pearson 1988 (doi 10.2307/2531595), by ranks as
    in Sun and Xu 2014 (doi 10.1109/LSP.2014.2337313). Scale of the interval: Pepe, The
    Statistical Evaluation of Medical Tests, 2003, ch. 5.
    """
    values, truth = np.asarray(scores, float), np.asarray(labels)
    if values.shape != truth.shape or values.ndim != 1:
        shapes = f"{values.shape} and {truth.shape}"
        raise UsageError(f"auroc: scores and labels are {shapes}; give (n,) of both")
    if not np.isin(truth, (0, 1)).all():
        raise UsageError("auroc: a label is neither true nor false")
    known = ~np.isnan(values)
    positive = values[known & (truth == 1)]
    negative = values[known & (truth == 0)]
    won, lost = _placements(positive, negative)
    value = float(won.mean()) if won.size and lost.size else np.nan
    low, high, reason = _delong(value, won, lost, level)
    missing = int((~known).sum())
    return Auroc(value, low, high, level, len(positive), len(negative), missing, reason)


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
    drawn = np.abs(_signs(len(changes), seed) @ ranks)
    # Mean ranks are halves, so that sums are exact.
    return float(np.mean(drawn >= seen)), "sign permutation"


def _signs(size: int, seed: int) -> NDArray[np.int8]:
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
    cumulated = np.cumsum(_signed_rank_null(pairs))
    # As many of the lowest rank sums as are rare enough together.
    c = int(np.searchsorted(cumulated, (1 - level) / 2 + 1e-12, side="right"))
    if c == 0:
        return np.nan, np.nan
    averages = walsh_averages(changes)
    return float(averages[c - 1]), float(averages[-c])


def _signed_rank_null(size: int) -> Floats:
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


def _placements(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """Share of negatives below each positive, of positives above each negative."""
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    n_pos, n_neg = len(positive), len(negative)
    below = (ranks[:n_pos] - stats.rankdata(positive)) / max(n_neg, 1)
    above = 1 - (ranks[n_pos:] - stats.rankdata(negative)) / max(n_pos, 1)
    return below, above


def _delong(
    value: float, won: Floats, lost: Floats, level: float
) -> tuple[float, float, str]:
    """Limits on the logit scale, and why there are none."""
    if min(won.size, lost.size) < 2:
        return np.nan, np.nan, "fewer than 2 positives or 2 negatives"
    error = np.sqrt(won.var(ddof=1) / won.size + lost.var(ddof=1) / lost.size)
    if error == 0:
        alike = "all scores are equal" if value == 0.5 else "the groups do not overlap"
        return np.nan, np.nan, f"{alike}, which leaves no error to go by"
    reach = stats.norm.ppf((1 + level) / 2) * error / (value * (1 - value))
    middle = special.logit(value)
    low, high = special.expit([middle - reach, middle + reach])
    return float(low), float(high), ""
