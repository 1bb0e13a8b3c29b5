"""Logistic regression that stays finite when a marker separates the groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, special, stats

from mifprofile.core.statistics.response import TwoGroups
from mifprofile.core.statistics.result import LEVEL
from mifprofile.core.statistics.robust import full_rank
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MIN_PER_GROUP = 3
STEPS = 100
LONGEST_STEP = 5.0
TOLERANCE = 1e-8
# Log odds ratio per standard deviation beyond which a limit is not looked for.
FARTHEST = 60.0


class FirthFit(NamedTuple):
    """Coefficients, and the log-likelihood with Jeffreys' penalty."""

    coefficients: Floats
    log_likelihood: float


def firth_logistic(
    values: ArrayLike,
    labels: ArrayLike,
    what: str,
    *,
    covariates: ArrayLike | None = None,
    level: float = LEVEL,
) -> TwoGroups:
    """Odds ratio per unit of a value, by Firth's penalised logistic regression.

    Parameters
    ----------
    values : (n,) array
        On a log₂ scale the odds ratio is per doubling. A patient with a NaN here or in
        the covariates is left out, and counted.
    labels : (n,) bool array
        True for positives, such as responders.
    what : str
        The value and its unit.
    covariates : (n, k) array, optional
        What else to adjust for.
    level : float
        Coverage of the profile-likelihood interval.

    Raises
    ------
    UsageError
        If lengths differ or a label is neither true nor false.

    Notes
    -----
    Firth 1993 (doi 10.1093/biomet/80.1.27); interval and p-value by the penalised
    likelihood as in Heinze and Schemper 2002 (doi 10.1002/sim.1047).
    """
    design, truth, missing = _known(values, labels, covariates)
    positives = int(truth.sum())
    found = TwoGroups(
        what=f"odds ratio per unit of {what}",
        test="Firth's logistic regression, penalised likelihood-ratio test",
        n_patients=len(truth),
        n_positive=positives,
        n_negative=len(truth) - positives,
        n_missing=missing,
        level=level,
        reason=_why_not(design, truth),
        note=_few_per_coefficient(truth, design.shape[1] - 1),
    )
    return found if found.reason else _filled(found, design, truth)


def firth_fit(
    design: Floats,
    truth: Floats,
    held: tuple[int, float] | None = None,
) -> FirthFit:
    """Maximise the log-likelihood plus half the log-determinant of the information.

    Parameters
    ----------
    design : (n, p) array
    truth : (n,) array of 0 and 1
    held : (column, value), optional
        A coefficient that is not free.
    """
    coefficients = np.zeros(design.shape[1])
    free = np.ones(design.shape[1], bool)
    if held is not None:
        coefficients[held[0]] = held[1]
        free[held[0]] = False
    best = _penalised(design, truth, coefficients)
    for _ in range(STEPS):
        step = _newton_step(design, truth, coefficients, free)
        # A step too far is halved until the likelihood rises.
        while (now := _penalised(design, truth, coefficients + step)) < best - 1e-12:
            step /= 2
        coefficients, best = coefficients + step, now
        if np.abs(step).max() < TOLERANCE:
            break
    return FirthFit(coefficients, best)


def _newton_step(
    design: Floats, truth: Floats, coefficients: Floats, free: NDArray[np.bool_]
) -> Floats:
    """Step of Fisher scoring towards where Firth's score is 0."""
    chance = special.expit(design @ coefficients)
    weight = chance * (1 - chance)
    information = design.T @ (design * weight[:, None])
    leverage = weight * np.einsum(
        "ij,ji->i", design, np.linalg.solve(information, design.T)
    )
    score = design.T @ (truth - chance + leverage * (0.5 - chance))
    step = np.zeros(len(coefficients))
    step[free] = np.linalg.solve(information[np.ix_(free, free)], score[free])
    longest = np.abs(step).max()
    return step * min(1.0, LONGEST_STEP / longest) if longest else step


def _penalised(design: Floats, truth: Floats, coefficients: Floats) -> float:
    line = design @ coefficients
    chance = special.expit(line)
    information = design.T @ (design * (chance * (1 - chance))[:, None])
    sign, log_det = np.linalg.slogdet(information)
    likelihood = truth @ line - np.logaddexp(0, line).sum()
    return float(likelihood + log_det / 2) if sign > 0 else -np.inf


def _known(
    values: ArrayLike, labels: ArrayLike, covariates: ArrayLike | None
) -> tuple[Floats, Floats, int]:
    """Design with a mean, the value and what else; labels; how many are left out."""
    marker, truth = np.asarray(values, float), np.asarray(labels)
    extra = [] if covariates is None else np.atleast_2d(np.asarray(covariates).T)
    if marker.shape != truth.shape or marker.ndim != 1:
        shapes = f"{marker.shape} and {truth.shape}"
        raise UsageError(f"firth: values and labels are {shapes}; give (n,) of both")
    if not np.isin(truth, (0, 1)).all():
        raise UsageError("firth: a label is neither true nor false")
    columns = [np.ones(len(marker)), marker, *extra]
    design = np.column_stack(columns).astype(float)
    known = np.isfinite(design).all(axis=1)
    return design[known], truth[known].astype(float), int((~known).sum())


def _why_not(design: Floats, truth: Floats) -> str:
    positives, patients = int(truth.sum()), len(truth)
    if min(positives, patients - positives) < MIN_PER_GROUP:
        counts = f"{positives} positives and {patients - positives} others"
        return f"{counts}; each group needs {MIN_PER_GROUP}"
    if np.ptp(design[:, 1]) == 0:
        return "all values are equal"
    return "" if full_rank(design) else "a covariate says the same as another column"


def _few_per_coefficient(truth: Floats, coefficients: int) -> str:
    rarer = int(min(truth.sum(), len(truth) - truth.sum()))
    enough = rarer >= 10 * coefficients
    said = f"{coefficients} coefficients on {rarer} patients of the rarer kind"
    return "" if enough else f"{said}: fewer than 10 for each"


def _filled(nothing: TwoGroups, design: Floats, truth: Floats) -> TwoGroups:
    """Estimate, profile interval and p-value; the value is scaled to an SD of 1."""
    spread = design[:, 1].std()
    scaled = design.copy()
    scaled[:, 1] = (design[:, 1] - design[:, 1].mean()) / spread
    fit = firth_fit(scaled, truth)
    top = float(fit.coefficients[1])

    def fallen(at: float) -> float:
        held = firth_fit(scaled, truth, (1, at)).log_likelihood
        return 2 * (fit.log_likelihood - held)

    cut = stats.chi2.ppf(nothing.level, 1)
    low, high = (_limit(fallen, top, side, cut) for side in (-1, 1))
    unbounded = "a limit of the interval is beyond any meaningful odds ratio"
    return replace(
        nothing,
        estimate=float(np.exp(top / spread)),
        low=float(np.exp(low / spread)),
        high=float(np.exp(high / spread)),
        p_value=float(stats.chi2.sf(max(fallen(0.0), 0.0), 1)),
        reason=unbounded if np.isnan(low + high) else "",
    )


def _limit(
    fallen: Callable[[float], float], top: float, side: int, cut: float
) -> float:
    """Where the likelihood has fallen by ``cut``, on one side of its top."""
    reach = 1.0
    while fallen(top + side * reach) < cut:
        reach *= 2
        if reach > FARTHEST:
            return np.nan
    end = top + side * reach
    return float(optimize.brentq(lambda at: fallen(at) - cut, *sorted((top, end))))
