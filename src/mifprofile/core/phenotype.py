"""Positivity and phenotypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mifprofile.model import Panel, Rule

OTHER = "other"


def marker_levels(table: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Each marker's mean in the compartment where the panel reads it.

    Returns
    -------
    pandas.DataFrame
        One float column per marker, indexed as ``table``.
    """
    return pd.DataFrame(
        {
            name: table[f"{name}_{marker.measure}_mean"].astype(float)
            for name, marker in panel.markers.items()
        },
        index=table.index,
    )


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
