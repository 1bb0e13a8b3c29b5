"""Errors of a linear model that hold for few clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Eigenvalues below this are directions that a cluster alone decides.
SINGULAR = 1e-9


class Contrast(NamedTuple):
    """One coefficient of a linear model, its standard error and degrees of freedom."""

    estimate: float
    error: float
    freedom: float

    def limits(self, level: float) -> tuple[float, float]:
        """Interval by Student's t."""
        reach = self.error * stats.t.ppf((1 + level) / 2, self.freedom)
        return float(self.estimate - reach), float(self.estimate + reach)

    @property
    def p_value(self) -> float:
        """Two-sided, of no effect."""
        return float(2 * stats.t.sf(abs(self.estimate) / self.error, self.freedom))


def cluster_robust(
    design: Floats, outcome: Floats, clusters: ArrayLike, column: int
) -> Contrast:
    """Least squares with bias-reduced cluster errors and Satterthwaite's freedom.

    Parameters
    ----------
    design : (n, p) array
    outcome : (n,) array
    clusters : (n,) array
        Who is independent of whom: patients, or cages.
    column : int
        Coefficient that is asked for.

    Notes
    -----
    CR2 and its degrees of freedom under independent errors: Bell and McCaffrey 2002;
    Pustejovsky and Tipton 2018 (doi 10.1080/07350015.2016.1247004). With clusters of
    one and a single mean it is Student's t.
    """
    bread = np.linalg.inv(design.T @ design)
    coefficients = bread @ design.T @ outcome
    residuals = outcome - design @ coefficients
    _, members = np.unique(np.asarray(clusters), return_inverse=True)
    hat = design @ bread @ design.T
    rest = np.eye(len(outcome)) - hat
    influence, directions = [], []
    for cluster in range(members.max() + 1):
        own = np.flatnonzero(members == cluster)
        adjusted = _inverse_root(rest[np.ix_(own, own)])
        weights = adjusted @ design[own] @ bread[:, column]
        influence.append(weights @ residuals[own])
        directions.append(rest[:, own] @ weights)
    gram = np.array(directions) @ np.array(directions).T
    freedom = np.trace(gram) ** 2 / (gram**2).sum()
    error = float(np.linalg.norm(influence))
    return Contrast(float(coefficients[column]), error, float(freedom))


def full_rank(design: Floats) -> bool:
    """Whether every coefficient can be told from the others."""
    return bool(np.linalg.matrix_rank(design) == design.shape[1])


def _inverse_root(symmetric: Floats) -> Floats:
    """Inverse square root; 0 in directions that are singular."""
    values, vectors = np.linalg.eigh(symmetric)
    usable = values > SINGULAR
    roots = np.where(usable, 1 / np.sqrt(np.where(usable, values, 1)), 0)
    return (vectors * roots) @ vectors.T
