"""Arms compared by their change, adjusted for where each patient started."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.core.statistics.robust import Contrast, cluster_robust, full_rank
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

MIN_PER_ARM = 3
# Residual degrees of freedom below which an error says nothing.
MIN_FREEDOM = 3
MIN_CLUSTERS = 6
# Of the spread of the values: below this an error is rounding.
LEAST_ERROR = 1e-9
# A leverage above this: the model passes through the patient, whatever his value.
ALONE = 1 - 1e-9
NO_ERROR = "the model explains every change, which leaves no error to go by"
WITHIN_ARMS = (
    "p-values within arms are not compared: a change that is significant in one arm "
    "and not in the other is no difference between the arms"
)


def arm_effect(
    before: ArrayLike,
    after: ArrayLike,
    treated: ArrayLike,
    what: str,
    *,
    sites: Sequence[str] | None = None,
    clusters: Sequence[str] | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Difference in change between two arms, by analysis of covariance.

    The model is after − before ~ treated + before + site; the coefficient of the arm is
    the same with ``after`` on the left. The value before is in the model, so that
    regression to the mean of arms that started unequal is not taken for an effect.

    Parameters
    ----------
    before, after : (n,) arrays
        Value of each patient, on a scale on which differences mean something, such as
        log₂ density. A patient with a NaN at either time is left out.
    treated : (n,) bool array
        True for the arm in question, False for the arm it is compared with.
    what : str
        The value and its unit.
    sites : (n,) sequence of str, optional
        Biopsy site. The only patient of a site is left out: he tells nothing of arms.
    clusters : (n,) sequence of str, optional
        Who is not independent, such as the cage of a mouse.
    level : float
        Coverage of the interval.

    Raises
    ------
    UsageError
        If lengths differ.

    Notes
    -----
    Errors are HC3 (MacKinnon and White 1985, doi 10.1016/0304-4076(85)90158-7) with
    Student's t, or with ``clusters`` CR2 with Satterthwaite's degrees of freedom.
    """
    table = _table(before, after, treated, sites, clusters)
    known = table[table[["before", "after"]].notna().all(axis=1)]
    shared = known[known.groupby("site")["site"].transform("size") > 1]
    design = _design(shared)
    nothing = Estimate(
        what=f"difference in change of {what}, adjusted for the value before",
        test="analysis of covariance",
        n_patients=len(shared),
        n_pairs=len(shared),
        n_missing=len(table) - len(known),
        level=level,
        reason=_why_not(shared, design, clusters is not None),
        note=_note(len(known) - len(shared)),
    )
    if nothing.reason:
        return nothing
    contrast, how = _fit(design, shared, clusters is not None)
    if contrast.error < LEAST_ERROR * _spread(shared):
        return replace(nothing, reason=NO_ERROR)
    low, high = contrast.limits(level)
    return replace(
        nothing,
        test=f"analysis of covariance, {how}",
        estimate=contrast.estimate,
        low=low,
        high=high,
        p_value=contrast.p_value,
    )


def _table(
    before: ArrayLike,
    after: ArrayLike,
    treated: ArrayLike,
    sites: Sequence[str] | None,
    clusters: Sequence[str] | None,
) -> pd.DataFrame:
    first = np.asarray(before, float)
    columns = {
        "before": first,
        "after": np.asarray(after, float),
        "treated": np.asarray(treated, bool),
        "site": np.zeros(len(first)) if sites is None else np.asarray(sites),
        "cluster": np.arange(len(first)) if clusters is None else np.asarray(clusters),
    }
    if any(column.shape != first.shape for column in columns.values()):
        raise UsageError("arm effect: every column needs a value per patient")
    return pd.DataFrame(columns)


def _design(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of the model; the arm's is the second."""
    sites = pd.get_dummies(table["site"], prefix="site", drop_first=True, dtype=float)
    start = table["before"] - table["before"].mean()
    arm = table["treated"].astype(float)
    model = pd.DataFrame({"mean": 1.0, "treated": arm, "before": start})
    # Who all started alike need no adjustment.
    kept = model if np.ptp(start) > 0 else model.drop(columns="before")
    return kept.join(sites)


def _why_not(table: pd.DataFrame, design: pd.DataFrame, clustered: bool) -> str:
    """Why no effect can be estimated, in words; else empty."""
    treated = int(table["treated"].sum())
    others = len(table) - treated
    if not (treated and others):
        return (
            "one arm has no patient with both times, and a change within one arm is no "
            "effect of the arm"
        )
    if min(treated, others) < MIN_PER_ARM:
        return f"{treated} against {others} pairs; each arm needs {MIN_PER_ARM}"
    if not full_rank(design.to_numpy()):
        return "arm and site cannot be told apart: a site has patients of one arm only"
    if len(table) - design.shape[1] < MIN_FREEDOM:
        least = design.shape[1] + MIN_FREEDOM
        return f"{len(table)} pairs are too few for this model, which needs {least}"
    if clustered and table["cluster"].nunique() < MIN_CLUSTERS:
        return f"fewer than {MIN_CLUSTERS} clusters, such as cages"
    if table["after"].sub(table["before"]).nunique() == 1:
        return "all changes are equal, which leaves no error to go by"
    leverage = np.linalg.norm(np.linalg.qr(design.to_numpy())[0], axis=1) ** 2
    decided = "one patient alone decides a coefficient: all others started alike"
    return decided if leverage.max() > ALONE else ""


def _fit(
    design: pd.DataFrame, table: pd.DataFrame, clustered: bool
) -> tuple[Contrast, str]:
    change = (table["after"] - table["before"]).to_numpy()
    if clustered:
        groups = table["cluster"].to_numpy()
        found = cluster_robust(design.to_numpy(), change, groups, column=1)
        return found, "errors by cluster (CR2)"
    from statsmodels.api import OLS

    model = OLS(change, design).fit(cov_type="HC3", use_t=True)
    error, freedom = model.bse["treated"], model.df_resid
    return Contrast(model.params["treated"], error, freedom), "HC3 errors"


def _spread(table: pd.DataFrame) -> float:
    return float(np.ptp(table[["before", "after"]].to_numpy()))


def _note(alone: int) -> str:
    left_out = (
        f"{alone} patients left out, each the only one of a site; " if alone else ""
    )
    return left_out + WITHIN_ARMS
