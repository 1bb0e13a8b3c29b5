"""Shares corrected for a gate's errors, as a review of its cells found them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.errors import UsageError


@dataclass(frozen=True)
class Review:
    """Cells of a gate that a person looked at again.

    Attributes
    ----------
    true_positives, positives : int
        Of the cells that the person calls positive, those that the gate calls so, too.
    true_negatives, negatives : int
        Of the cells that the person calls negative, those that the gate calls so, too.
    """

    true_positives: int
    positives: int
    true_negatives: int
    negatives: int

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        parts = (self.true_positives, self.true_negatives)
        wholes = (self.positives, self.negatives)
        if not all(0 <= p <= w for p, w in zip(parts, wholes, strict=True)):
            raise UsageError("review: more cells agreed than were looked at")


def corrected_share(
    called: float,
    cells: float,
    review: Review,
    *,
    design_effect: float = 1.0,
    level: float = LEVEL,
) -> Estimate:
    """Share of truly positive cells behind the share that a gate calls positive.

    Parameters
    ----------
    called, cells : float
        Cells that the gate calls positive, of so many.
    review : Review
        What a person found of the gate.
    design_effect : float
        By how much cells that cluster vary more than independent ones; the cells count
        as ``cells / design_effect``.
    level : float

    Raises
    ------
    UsageError
        If more cells are called than there are, or the design effect is below 1.

    Notes
    -----
    p = (q + Sp − 1) / (Se + Sp − 1): Rogan and Gladen 1978, doi
    10.1093/oxfordjournals.aje.a112510. Limits with the errors of Se and Sp: Lang and
    Reiczigel 2014, doi 10.1016/j.prevetmed.2013.09.015. Both are cut at 0 and 1.
    """
    if not 0 <= called <= cells or design_effect < 1:
        raise UsageError(
            f"corrected share: {called:g} of {cells:g} cells, or a design "
            f"effect of {design_effect:g}, cannot be"
        )
    nothing = Estimate(
        what="share of positive cells, corrected for the gate's errors",
        test="Rogan–Gladen, limits by Lang and Reiczigel",
        n_patients=1,
        level=level,
        reason=_why_not(cells, review),
    )
    if nothing.reason:
        return nothing
    sensitivity = review.true_positives / review.positives
    specificity = review.true_negatives / review.negatives
    corrected = (called / cells + specificity - 1) / (sensitivity + specificity - 1)
    low, high = _limits(called / cells, cells / design_effect, review, level)
    return Estimate(
        what=nothing.what,
        test=nothing.test,
        n_patients=1,
        estimate=float(np.clip(corrected, 0, 1)),
        low=low,
        high=high,
        level=level,
        note=_cut(corrected, sensitivity, specificity),
    )


def _limits(
    share: float, cells: float, review: Review, level: float
) -> tuple[float, float]:
    z = stats.norm.ppf((1 + level) / 2)
    n, p = cells + z**2, (cells * share + z**2 / 2) / (cells + z**2)
    n_se, n_sp = review.positives + 2, review.negatives + 2
    se = (review.true_positives + 1) / n_se
    sp = (review.true_negatives + 1) / n_sp
    informed = se + sp - 1
    middle = (p + sp - 1) / informed
    var_se, var_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    shift = 2 * z**2 * (middle * var_se - (1 - middle) * var_sp)
    variance = p * (1 - p) / n + middle**2 * var_se + (1 - middle) ** 2 * var_sp
    reach = z * np.sqrt(variance) / informed
    low, high = np.clip([middle + shift - reach, middle + shift + reach], 0, 1)
    return float(low), float(high)


def _why_not(cells: float, review: Review) -> str:
    if cells == 0:
        return "no cell"
    if not (review.positives and review.negatives):
        return "the review has no positive cell, or no negative one"
    right = review.true_positives / review.positives
    wrong = 1 - review.true_negatives / review.negatives
    guess = "the gate calls true positives no more often than others: a guess"
    return "" if right > wrong else guess


def _cut(corrected: float, sensitivity: float, specificity: float) -> str:
    rates = f"sensitivity {sensitivity:.3f}, specificity {specificity:.3f}"
    outside = "" if 0 <= corrected <= 1 else f"; {corrected:.3f} was cut to a share"
    return rates + outside
