"""Two Gaussian populations, if there are two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.mixture import GaussianMixture

from mifprofile.core.levels import from_scale, to_scale, unit_of
from mifprofile.core.phenotype.gates.gap import has_gap
from mifprofile.core.phenotype.gates.gate import Gate, too_few, undecided
from mifprofile.core.phenotype.gates.pooling import evenly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.options import PhenotypeOptions

# The mixture is fitted to at most this many cells, taken evenly in order of level.
MAX_FIT_CELLS = 50_000


@dataclass(frozen=True)
class _Split:
    """Two Gaussians of one width on log(1 + level / unit)."""

    fit: GaussianMixture
    low: int
    high: int
    unit: float

    @property
    def separation(self) -> float:
        means = self.fit.means_[:, 0]
        return float(
            (means[self.high] - means[self.low]) / np.sqrt(self.fit.covariances_.item())
        )

    @property
    def share(self) -> float:
        return float(self.fit.weights_[self.high])

    @property
    def fold(self) -> float:
        low, high = from_scale(self.fit.means_[[self.low, self.high], 0], self.unit)
        return float(high / low) if low > 0 else np.inf

    @property
    def cut(self) -> float:
        """Where both are equally probable."""
        ends = self.fit.means_[[self.low, self.high], 0]
        grid = np.linspace(ends[0], ends[1], 1001)
        upper = self.fit.predict_proba(grid[:, None])[:, self.high]
        return float(grid[np.argmax(upper >= 0.5)])


def fit_gate(levels: NDArray[np.float64], options: PhenotypeOptions) -> Gate:
    """Find the level that splits negative from positive cells, if there is one.

    Two Gaussians of one width are fitted to log(1 + level / unit), the unit being the
    marker's own (`mifprofile.core.levels.unit_of`): with widths of their own,
    the few cells between both populations would pull the gate down among the negative
    ones. They count as two populations if the Bayesian information criterion prefers
    them to one, their means lie at least ``min_separation_sd`` standard deviations and
    ``min_fold`` apart, the share of the upper one is within ``min_share`` and
    ``max_share``, and there is a gap between them. The last holds whatever the shape of
    the negative cells: a skewed or heavy-tailed population is fitted better by two
    Gaussians, too, but its cells only become fewer away from their middle. Of several
    splits, the most probable that passes is taken. The gate is where both Gaussians are
    equally probable.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    options : PhenotypeOptions
    """
    known = levels[np.isfinite(levels)]
    if known.size < options.min_cells:
        return too_few(known.size)
    unit = unit_of(known)
    sample = evenly(np.sort(to_scale(known, unit)), MAX_FIT_CELLS)
    if np.ptp(sample) == 0:
        return undecided("no positive population: every cell has the same level")
    splits = _splits(sample, unit, options.seed)
    doubts = [_doubt(split, sample, options) for split in splits]
    for split, doubt in zip(splits, doubts, strict=True):
        if not doubt:
            cut = from_scale(np.array(split.cut), unit)
            return Gate(float(cut), _facts(split), "clear")
    return undecided(
        f"no positive population: {doubts[0]}; best split: {_facts(splits[0])}"
    )


def _splits(sample: NDArray[np.float64], unit: float, seed: int) -> list[_Split]:
    """Splits from several starts, the most probable first.

    Starts with an ever smaller upper group, or a small lower one: a rare population is
    else never found.
    """
    splits = []
    for q in (0.9, 0.5, 0.1, 0.02):
        parts = np.split(sample, [round((1 - q) * sample.size)])
        within = sum(part.var() * part.size for part in parts) / sample.size
        fit = GaussianMixture(
            2,
            covariance_type="tied",
            weights_init=[1 - q, q],
            means_init=[[np.median(part)] for part in parts],
            precisions_init=[[1 / max(within, 1e-6)]],
            random_state=seed,
            max_iter=500,
        ).fit(sample[:, None])
        low, high = np.argsort(fit.means_[:, 0]).tolist()
        splits.append(_Split(fit, low, high, unit))
    return sorted(splits, key=lambda split: -split.fit.lower_bound_)


def _doubt(
    split: _Split, sample: NDArray[np.float64], options: PhenotypeOptions
) -> str:
    """Why a split does not show two populations; empty if it does."""
    if split.fit.bic(sample[:, None]) >= _bic_of_one(sample):
        return "one Gaussian fits better"
    if split.separation < options.min_separation_sd:
        return "the two would be too close"
    if split.fold < options.min_fold:
        return "the upper would be hardly brighter"
    if not options.min_share <= split.share <= options.max_share:
        return "the upper would be too small or too large"
    if not has_gap(sample, split.cut, options.max_gap):
        return "no gap between the two, as in one skewed population"
    return ""


def _bic_of_one(sample: NDArray[np.float64]) -> float:
    """Bayesian information criterion of one Gaussian."""
    spread = np.log(2 * np.pi * sample.var()) + 1
    return float(sample.size * spread + 2 * np.log(sample.size))


def _facts(split: _Split) -> str:
    return f"separation {split.separation:.2f} SD, share {100 * split.share:.1f} %"
