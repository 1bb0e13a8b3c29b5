"""Responders against the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Where values are tied, so many ways to deal out the groups are tried; beyond it so
# many at random.
GROUP_DRAWS = 9999


@dataclass(frozen=True, kw_only=True)
class TwoGroups(Estimate):
    """A value of positives, such as responders, against that of the others.

    Attributes
    ----------
    n_positive, n_negative : int
    """

    n_positive: int
    n_negative: int

    @property
    def value(self) -> float:
        """The estimate."""
        return self.estimate


class Auroc(TwoGroups):
    """Chance that a positive's score is the higher one, a tie counted half."""


def auroc(
    scores: ArrayLike, labels: ArrayLike, *, level: float = LEVEL, seed: int = 0
) -> Auroc:
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
    seed : int
        Of the random groups that are dealt out where scores are tied.

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
    positive, negative, missing = two_groups(scores, labels, "auroc")
    won, lost = _placements(positive, negative)
    value = float(won.mean()) if won.size and lost.size else np.nan
    low, high, reason = _delong(value, won, lost, level)
    p_value, found = _rank_sum(positive, negative, seed)
    return Auroc(
        what="area under the ROC curve",
        test=f"DeLong interval on the logit; {found}",
        estimate=value,
        low=low,
        high=high,
        level=level,
        p_value=p_value,
        n_patients=len(positive) + len(negative),
        n_positive=len(positive),
        n_negative=len(negative),
        n_missing=missing,
        reason=reason,
    )


def mann_whitney(
    values: ArrayLike,
    labels: ArrayLike,
    what: str,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> TwoGroups:
    """Shift between positives and the others: Hodges–Lehmann, Mann–Whitney.

    Parameters
    ----------
    values : (n,) array
        NaN where a patient has none: left out, and counted.
    labels : (n,) bool array
        True for positives, such as responders.
    what : str
        The value and its unit.
    level : float
        Coverage of the interval; 0.95 takes 4 against 4, or 3 against 5.
    seed : int
        Of the random groups that are dealt out where values are tied.

    Raises
    ------
    UsageError
        If lengths differ or a label is neither true nor false.

    Notes
    -----
    The estimate is the median of all differences positive − other; the limits are those
    differences between which the exact test does not reject (Moses; Hollander, Wolfe
    and Chicken, ch. 4). With ties they are close to the inverted test.
    """
    positive, negative, missing = two_groups(values, labels, "mann-whitney")
    n_pos, n_neg = len(positive), len(negative)
    shifts = np.sort((positive[:, None] - negative).ravel())
    p_value, found = _rank_sum(positive, negative, seed)
    low, high = _shift_limits(shifts, n_pos, n_neg, level)
    few = f"{n_pos} against {n_neg} are too few for an interval of {100 * level:g} %"
    nobody = "one of the two groups has no patient with a value"
    return TwoGroups(
        what=f"shift of {what}",
        test=f"Hodges–Lehmann shift; {found}",
        estimate=float(np.median(shifts)) if shifts.size else np.nan,
        low=low,
        high=high,
        level=level,
        p_value=p_value,
        n_patients=n_pos + n_neg,
        n_positive=n_pos,
        n_negative=n_neg,
        n_missing=missing,
        reason=nobody if not shifts.size else few if np.isnan(low) else "",
    )


def rank_sum_null(n_pos: int, n_neg: int) -> Floats:
    """Probability of each U = 0 … n₁n₀ without ties (Mann and Whitney 1947).

    The generating function is the Gaussian binomial coefficient.
    """
    ways = np.zeros(n_pos * n_neg + 1)
    ways[0] = 1.0
    for nth in range(1, n_pos + 1):
        longer = nth + n_neg
        ways[longer:] -= ways[:-longer].copy() if longer < len(ways) else 0.0
        for at in range(nth, len(ways)):
            ways[at] += ways[at - nth]
    return ways / ways.sum()


def two_groups(
    scores: ArrayLike, labels: ArrayLike, who: str
) -> tuple[Floats, Floats, int]:
    """Known values of positives and of the others, and how many are not known."""
    values, truth = np.asarray(scores, float), np.asarray(labels)
    if values.shape != truth.shape or values.ndim != 1:
        shapes = f"{values.shape} and {truth.shape}"
        raise UsageError(f"{who}: scores and labels are {shapes}; give (n,) of both")
    if not np.isin(truth, (0, 1)).all():
        raise UsageError(f"{who}: a label is neither true nor false")
    known = ~np.isnan(values)
    missing = int((~known).sum())
    return values[known & (truth == 1)], values[known & (truth == 0)], missing


def _rank_sum(positive: Floats, negative: Floats, seed: int) -> tuple[float, str]:
    """Two-sided p-value of the Mann–Whitney test, and how it was found."""
    if not (positive.size and negative.size):
        return np.nan, "no test"
    together = np.concatenate([positive, negative])
    if len(np.unique(together)) == len(together):
        found = stats.mannwhitneyu(positive, negative, method="exact")
        return float(found.pvalue), "exact Mann–Whitney test"
    if together.min() == together.max():
        return 1.0, "all values are equal"
    ranks = stats.rankdata(together)
    middle = ranks.mean() * len(positive)
    drawn = np.abs(_dealt_sums(ranks, len(positive), seed) - middle)
    seen = abs(ranks[: len(positive)].sum() - middle)
    p_value = float(np.mean(drawn >= seen - 1e-9))
    return p_value, "Mann–Whitney test by permutation of the groups"


def _dealt_sums(ranks: Floats, size: int, seed: int) -> Floats:
    """Rank sums of all groups of a size, or of so many at random and the seen one."""
    if math.comb(len(ranks), size) <= GROUP_DRAWS:
        return np.array([sum(group) for group in combinations(ranks, size)])
    rng = np.random.default_rng(seed)
    dealt = rng.permuted(np.tile(ranks, (GROUP_DRAWS, 1)), axis=1)
    return np.append(dealt[:, :size].sum(axis=1), ranks[:size].sum())


def _shift_limits(
    shifts: Floats, n_pos: int, n_neg: int, level: float
) -> tuple[float, float]:
    """Differences between which the rank-sum test does not reject."""
    if not shifts.size:
        return np.nan, np.nan
    cumulated = np.cumsum(rank_sum_null(n_pos, n_neg))
    c = int(np.searchsorted(cumulated, (1 - level) / 2 + 1e-12, side="right"))
    if c == 0:
        return np.nan, np.nan
    return float(shifts[c - 1]), float(shifts[-c])


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
