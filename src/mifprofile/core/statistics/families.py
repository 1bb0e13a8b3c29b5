"""Many endpoints at once: what was predeclared, and what was found by looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

PREDECLARED, EXPLORATORY = "predeclared", "exploratory"


def adjust_families(table: pd.DataFrame) -> pd.DataFrame:
    """Adjust p-values inside the families that were declared.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per endpoint: ``family`` (str), ``predeclared`` (bool) and ``p_value``,
        NaN where nothing could be tested.

    Returns
    -------
    pandas.DataFrame
        The table with ``kind`` (predeclared or exploratory), ``n_tests`` (how many in
        the row's family and kind have a p-value), ``p_adjusted`` and ``adjustment``: by
        Holm, which bounds the chance of one false claim, for predeclared endpoints; by
        Benjamini and Hochberg, which bounds the share of false ones, for the others.

    Raises
    ------
    UsageError
        If a column is missing or a p-value is none.
    """
    missing = [n for n in ("family", "predeclared", "p_value") if n not in table]
    if missing:
        raise UsageError(f"families: no column {', '.join(missing)}")
    if not table["p_value"].dropna().between(0, 1).all():
        raise UsageError("families: a p-value is not between 0 and 1")
    declared = table["predeclared"].astype(bool)
    out = table.assign(
        kind=np.where(declared, PREDECLARED, EXPLORATORY),
        adjustment=np.where(declared, "Holm", "Benjamini–Hochberg"),
    )
    groups = out.groupby(["family", "kind"])["p_value"]
    out["n_tests"] = groups.transform("count").astype(int)
    out["p_adjusted"] = np.nan
    for (_, kind), p_values in groups:
        adjust = holm if kind == PREDECLARED else benjamini_hochberg
        out.loc[p_values.index, "p_adjusted"] = adjust(p_values)
    return out


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """False discovery rate at which each would be claimed; NaN stays, uncounted.

    Benjamini and Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    p = np.asarray(p_values, float)
    out, known = np.full(p.shape, np.nan), ~np.isnan(p)
    if known.any():
        out[known] = stats.false_discovery_control(p[known])
    return out


def holm(p_values: ArrayLike) -> Floats:
    """Level at which each would be claimed with no false one; NaN stays, uncounted.

    Holm 1979: the i-th smallest of m times m − i + 1, never below one before it.
    """
    p = np.asarray(p_values, float)
    out, known = np.full(p.shape, np.nan), np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return out
