"""Gates, positivity and phenotypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr
from sklearn.mixture import GaussianMixture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mifprofile.model import Panel, Rule

GATE_COLUMNS = ("sample", "marker", "threshold", "method", "scope", "note")
# Who set a gate by hand, and when (ISO 8601, UTC).
GATE_AUTHORSHIP = ("author", "time")
# How firm each gate is; see `gate_figures`.
GATE_FIGURES = (
    "positive_pct",
    "positive_pct_at_0.8",
    "positive_pct_at_1.25",
    "separation_sd",
)
OTHER = "other"
# The mixture is fitted to at most this many cells, taken evenly in order of level.
MAX_FIT_CELLS = 50_000


@dataclass(frozen=True)
class Gate:
    """Where positive begins; a NaN threshold says that there is no such population."""

    threshold: float
    note: str


def marker_columns(panel: Panel) -> dict[str, str]:
    """Column of the cell table that holds each marker's level."""
    return {
        name: f"{name}_{marker.measure}_mean" for name, marker in panel.markers.items()
    }


def marker_levels(table: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Each marker's mean in the compartment where the panel reads it.

    Returns
    -------
    pandas.DataFrame
        One float column per marker, indexed as ``table``.
    """
    return pd.DataFrame(
        {
            name: table[column].astype(float)
            for name, column in marker_columns(panel).items()
        },
        index=table.index,
    )


def fit_gate(
    levels: NDArray[np.float64],
    *,
    min_cells: int,
    min_separation_sd: float,
    min_share: float,
    max_share: float,
    seed: int,
) -> Gate:
    """Find the level that splits negative from positive cells, if there is one.

    Two Gaussians of one width are fitted to log(1 + level): with widths of their own,
    the few cells between both populations would pull the gate down among the negative
    ones. They count as two populations if the Bayesian information criterion prefers
    them to one, their means lie at least ``min_separation_sd`` standard deviations
    apart, and the share of the upper one is within ``min_share`` and ``max_share``. The
    gate is where both are equally probable.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    """
    logs = np.log1p(np.maximum(levels[np.isfinite(levels)], 0.0))
    if logs.size < min_cells:
        return Gate(np.nan, f"only {logs.size} cells: too few for an automatic gate")
    sample = _even_sample(np.sort(logs))[:, None]
    if np.ptp(sample) == 0:
        return Gate(np.nan, "no positive population: every cell has the same level")
    one = GaussianMixture(1, random_state=seed).fit(sample)
    two = _fit_two(sample, seed)
    low, high = np.argsort(two.means_.ravel())
    separation = _separation(two, low, high)
    share = float(two.weights_[high])
    facts = f"separation {separation:.2f} SD, share {100 * share:.1f} %"
    if two.bic(sample) >= one.bic(sample):
        return Gate(
            np.nan, f"no positive population: one Gaussian fits better; {facts}"
        )
    if separation < min_separation_sd or not min_share <= share <= max_share:
        return Gate(np.nan, f"no positive population: {facts}")
    return Gate(float(np.expm1(_crossing(two, low, high))), facts)


def gate_figures(levels: NDArray[np.float64], threshold: float) -> dict[str, float]:
    """What a gate does to the cells, whoever set it, and how firm it is.

    Parameters
    ----------
    levels : (n,) float64 array
        A marker's level per cell.
    threshold : float
        NaN if there is no gate.

    Returns
    -------
    dict
        Of `GATE_FIGURES`: cells above the gate in %, and above 0.8 and 1.25 times the
        gate; and how far positive and negative cells lie apart: the means of
        log(1 + level), in standard deviations within both. NaN where there is no gate,
        no cell, or none on one side.
    """
    known = levels[np.isfinite(levels)]
    if known.size == 0 or not np.isfinite(threshold):
        return dict.fromkeys(GATE_FIGURES, np.nan)
    shares = [100 * float((known > threshold * f).mean()) for f in (1, 0.8, 1.25)]
    return dict(zip(GATE_FIGURES, [*shares, _apart(known, threshold)], strict=True))


def call_positive(
    levels: pd.DataFrame, thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """Whether each cell is positive for each marker.

    Returns
    -------
    pandas.DataFrame
        Bool columns ``<marker>_positive``. A NaN threshold calls no cell positive.
    """
    return pd.DataFrame(
        {
            f"{name}_positive": levels[name] > thresholds.get(name, np.nan)
            for name in levels
        },
        index=levels.index,
    )


def call_phenotypes(positive: pd.DataFrame, panel: Panel) -> pd.Series:
    """Name of the first rule that each cell fits, else ``"other"``."""
    names = pd.Series(OTHER, index=positive.index, dtype="object")
    for name, rule in reversed(panel.rules.items()):
        names[matches(positive, rule)] = name
    return names.astype(pd.CategoricalDtype([*panel.phenotypes, OTHER])).rename(
        "phenotype"
    )


def call_conflicts(positive: pd.DataFrame, panel: Panel) -> pd.Series:
    """Whether a cell shows a combination that the panel calls impossible."""
    conflict = pd.Series(False, index=positive.index, name="conflict")
    for rule in panel.impossible_rules:
        conflict |= matches(positive, rule)
    return conflict


def matches(positive: pd.DataFrame, rule: Rule) -> pd.Series:
    """Whether each cell fits a rule, as a bool series."""
    fits = pd.Series(True, index=positive.index)
    for marker, sign in rule.signs:
        fits &= positive[f"{marker}_positive"] == sign
    return fits


def confidence(
    levels: pd.DataFrame,
    thresholds: Mapping[str, float],
    phenotypes: pd.Series,
    panel: Panel,
) -> pd.Series:
    """How far each cell is from being called otherwise, 0.5 to 1.

    The distance of a marker is |log(1 + level) - log(1 + threshold)| over the robust
    standard deviation of the negative cells, read as a normal probability; a cell has
    the smallest among the markers of its rule, an ``other`` cell among all.
    """
    sure = pd.DataFrame(
        {m: _certainty(levels[m], thresholds.get(m, np.nan)) for m in levels},
        index=levels.index,
    )
    out = sure.min(axis=1)
    for name, rule in panel.rules.items():
        of_rule = phenotypes == name
        out[of_rule] = sure.loc[of_rule, [m for m, _ in rule.signs]].min(axis=1)
    return out.rename("phenotype_confidence")


def impossible_rates(positive: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """How often impossible combinations occur.

    Returns
    -------
    pandas.DataFrame
        ``combination``, ``cells``, ``of`` (cells positive for the rarer of its
        positive markers) and ``percent``; NaN percent if ``of`` is 0.
    """
    rows = []
    for rule in panel.impossible_rules:
        cells = int(matches(positive, rule).sum())
        of = min(
            (int(positive[f"{m}_positive"].sum()) for m, sign in rule.signs if sign),
            default=len(positive),
        )
        rows.append((rule.text, cells, of, 100 * cells / of if of else np.nan))
    return pd.DataFrame(rows, columns=["combination", "cells", "of", "percent"])


def _apart(levels: NDArray[np.float64], threshold: float) -> float:
    logs = np.log1p(np.maximum(levels, 0.0))
    positive, negative = logs[levels > threshold], logs[levels <= threshold]
    if positive.size == 0 or negative.size == 0:
        return np.nan
    within = np.r_[positive - positive.mean(), negative - negative.mean()]
    spread = float(within.std())
    apart = float(positive.mean() - negative.mean())
    return apart / spread if spread > 0 else np.nan


def _even_sample(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    if ordered.size <= MAX_FIT_CELLS:
        return ordered
    picks = np.linspace(0, ordered.size - 1, MAX_FIT_CELLS).round().astype(int)
    return ordered[picks]


def _fit_two(sample: NDArray[np.float64], seed: int) -> GaussianMixture:
    # Starts with an ever smaller upper group: a rare population is else never found.
    starts = [np.quantile(sample, [(1 - q) / 2, 1 - q / 2]) for q in (0.5, 0.1, 0.02)]
    fits = [
        GaussianMixture(
            2,
            covariance_type="tied",
            means_init=s[:, None],
            random_state=seed,
            max_iter=500,
        ).fit(sample)
        for s in starts
    ]
    return max(fits, key=lambda fit: fit.lower_bound_)


def _separation(two: GaussianMixture, low: int, high: int) -> float:
    spread = np.sqrt(two.covariances_.item())
    return float((two.means_[high, 0] - two.means_[low, 0]) / spread)


def _crossing(two: GaussianMixture, low: int, high: int) -> float:
    grid = np.linspace(two.means_[low, 0], two.means_[high, 0], 1001)
    upper = two.predict_proba(grid[:, None])[:, high]
    return float(grid[np.argmax(upper >= 0.5)])


def _certainty(levels: pd.Series, threshold: float) -> NDArray[np.float64]:
    if not np.isfinite(threshold):
        return np.ones(len(levels))
    logs = np.log1p(np.maximum(levels.to_numpy(float), 0.0))
    cut = np.log1p(threshold)
    below = logs[logs <= cut]
    spread = (
        1.4826 * float(np.median(np.abs(below - np.median(below)))) if below.size else 0
    )
    return np.asarray(ndtr(np.abs(logs - cut) / max(spread, 1e-6)))
