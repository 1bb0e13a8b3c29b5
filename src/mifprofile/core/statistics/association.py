"""Features from elsewhere (sequencing, blood, IHC) against the landscape, by rank."""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MIN_PATIENTS = 5
# Up to so many orders all are tried, beyond it so many at random.
ORDERS = 9999


def associate(
    feature: ArrayLike,
    values: ArrayLike,
    what: str,
    *,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Spearman's correlation of a feature with a landscape's value or change.

    Parameters
    ----------
    feature, values : (n,) arrays
        Of each patient; one with a NaN in either is left out, and counted.
    what : str
        Both, in words.
    level : float
    seed : int
        Of the random orders with more than 7 patients.

    Raises
    ------
    UsageError
        If lengths differ.

    Notes
    -----
    The p-value is by permutation. Limits: Fisher's z with the variance of Bonett and
    Wright 2000 (doi 10.1007/BF02294183), (1 + ρ²/2) / (n − 3).
    """
    first, second = np.asarray(feature, float), np.asarray(values, float)
    if first.shape != second.shape or first.ndim != 1:
        raise UsageError("association: both need a value per patient")
    known = np.isfinite(first) & np.isfinite(second)
    x, y = stats.rankdata(first[known]), stats.rankdata(second[known])
    nothing = Estimate(
        what=f"Spearman's correlation of {what}",
        test="permutation of patients",
        n_patients=len(x),
        n_missing=int((~known).sum()),
        level=level,
        reason=_why_not(x, y),
    )
    if nothing.reason:
        return nothing
    rho = _correlation(x, y[None])[0]
    low, high, reason = _limits(rho, len(x), level)
    return Estimate(
        what=nothing.what,
        test=nothing.test,
        n_patients=len(x),
        n_missing=nothing.n_missing,
        estimate=float(rho),
        low=low,
        high=high,
        level=level,
        p_value=permutation_p(x, y, seed),
        reason=reason,
    )


def permutation_p(x: Floats, y: Floats, seed: int) -> float:
    """Two-sided p-value of a correlation, over orders of one of the two."""
    if math.factorial(len(y)) <= ORDERS:
        orders = np.array(list(permutations(y)))
    else:
        rng = np.random.default_rng(seed)
        orders = rng.permuted(np.tile(y, (ORDERS, 1)), axis=1)
        orders = np.vstack([y, orders])
    seen = abs(_correlation(x, y[None])[0])
    return float(np.mean(np.abs(_correlation(x, orders)) >= seen - 1e-12))


def _correlation(x: Floats, orders: Floats) -> Floats:
    """Pearson's correlation of x with each row."""
    centred, rows = x - x.mean(), orders - orders.mean(axis=1, keepdims=True)
    return (rows @ centred) / (np.linalg.norm(rows, axis=1) * np.linalg.norm(centred))


def _limits(rho: float, patients: int, level: float) -> tuple[float, float, str]:
    if abs(rho) > 1 - 1e-12:
        return np.nan, np.nan, "ranks agree wholly, which leaves no error to go by"
    z = stats.norm.ppf((1 + level) / 2)
    reach = z * np.sqrt((1 + rho**2 / 2) / (patients - 3))
    low, high = np.tanh(np.arctanh(rho) + np.array([-reach, reach]))
    return float(low), float(high), ""


def _why_not(x: Floats, y: Floats) -> str:
    if len(x) < MIN_PATIENTS:
        return f"{len(x)} patients with both; it takes {MIN_PATIENTS}"
    alike = np.ptp(x) == 0 or np.ptp(y) == 0
    return "all values of one of the two are equal" if alike else ""
