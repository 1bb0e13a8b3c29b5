"""Cuts chosen by an outcome, and what is left of them on other patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from mifprofile.core.statistics.response import two_groups
from mifprofile.core.statistics.result import LEVEL, Estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MIN_PER_GROUP = 5
# Altman et al. 1994, doi 10.1093/jnci/86.11.829.
OPTIMAL_CUT_REFUSED = (
    "a cut chosen by the outcome that it is then tested on finds differences that are "
    "not there; give a predeclared cut or the median, or test the choice on patients "
    "who had no part in it"
)


def resampled_cut(
    values: ArrayLike, labels: ArrayLike, what: str, *, level: float = LEVEL
) -> Estimate:
    """Balanced accuracy of a cut on patients who had no part in choosing it.

    Each patient is classified by the cut, and the side of it, that Youden's index
    chooses on all the others.

    Parameters
    ----------
    values : (n,) array
        NaN where a patient has none: left out, and counted.
    labels : (n,) bool array
        True for positives, such as responders.
    what : str
        The value and its unit.
    level : float
        Coverage of the interval, by the binomial errors of both groups.
    """
    positive, negative, missing = two_groups(values, labels, "cut")
    scores = np.concatenate([positive, negative])
    truth = np.repeat([True, False], [len(positive), len(negative)])
    nothing = Estimate(
        what=f"balanced accuracy of a cut of {what}, on patients left out",
        test="cut chosen by Youden's index without the patient it is applied to",
        n_patients=len(scores),
        n_missing=missing,
        level=level,
        reason=_why_not(len(positive), len(negative)),
    )
    if nothing.reason:
        return nothing
    called = np.array([_call_of(nth, scores, truth) for nth in range(len(scores))])
    right = [(called == truth)[truth == kind].mean() for kind in (True, False)]
    sizes = np.array([len(positive), len(negative)])
    spread = np.array(right) * (1 - np.array(right)) / sizes
    reach = stats.norm.ppf((1 + level) / 2) * np.sqrt(spread.sum()) / 2
    accuracy = float(np.mean(right))
    return Estimate(
        what=nothing.what,
        test=nothing.test,
        n_patients=len(scores),
        n_missing=missing,
        estimate=accuracy,
        low=max(0.0, accuracy - float(reach)),
        high=min(1.0, accuracy + float(reach)),
        level=level,
        note="0.5 is what guessing reaches",
    )


def _call_of(nth: int, scores: Floats, truth: NDArray[np.bool_]) -> bool:
    """Class of a patient by the cut that the others choose."""
    others, theirs = np.delete(scores, nth), np.delete(truth, nth)
    cuts = np.unique(others)
    middles = (cuts[1:] + cuts[:-1]) / 2 if len(cuts) > 1 else cuts
    above = others > middles[:, None]
    youden = above[:, theirs].mean(axis=1) - above[:, ~theirs].mean(axis=1)
    best = int(np.abs(youden).argmax())
    return bool((scores[nth] > middles[best]) == (youden[best] > 0))


def _why_not(positives: int, negatives: int) -> str:
    if min(positives, negatives) >= MIN_PER_GROUP:
        return ""
    counts = f"{positives} positives and {negatives} others"
    return f"{counts}; each group needs {MIN_PER_GROUP}"
