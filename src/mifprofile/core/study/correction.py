"""P-values corrected inside their family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PREDECLARED = "predeclared"


def corrected(findings: pd.DataFrame) -> pd.DataFrame:
    """Findings with ``p_adjusted``: predeclared by Holm, others Benjamini-Hochberg.

    Parameters
    ----------
    findings : pandas.DataFrame
        With ``family`` and ``p_value``; a NaN is no test and counts for nothing.
    """
    adjusted = findings["p_value"] * np.nan
    method = findings["family"].map(_method)
    for family, rows in findings.groupby("family"):
        known = rows["p_value"].dropna()
        how = holm if _method(str(family)) == "Holm" else benjamini_hochberg
        adjusted.loc[known.index] = how(known.to_numpy(float))
    return findings.assign(p_adjusted=adjusted, adjustment=method)


def holm(p_values: Floats) -> Floats:
    """Adjust by Holm: none is wrong with the level's probability."""
    order = np.argsort(p_values, kind="stable")
    steps = (len(p_values) - np.arange(len(p_values))) * p_values[order]
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Adjust by Benjamini and Hochberg: the level's share of the found are wrong."""
    if len(p_values) == 0:
        return p_values
    return np.asarray(stats.false_discovery_control(p_values), float)


def _method(family: str) -> str:
    return "Holm" if family == PREDECLARED else "Benjamini-Hochberg"
