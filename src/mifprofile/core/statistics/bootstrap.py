"""Interval of a pooled ratio when fields are nested in slides or patients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from mifprofile.core.statistics.result import LEVEL, Estimate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MIN_UNITS = 6
DRAWS = 1999


def two_level_interval(
    units: ArrayLike,
    counts: ArrayLike,
    sizes: ArrayLike,
    what: str,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Interval of ΣN / Σsize by drawing units, and within each its fields.

    Parameters
    ----------
    units : (n,) array
        Who is independent: the patient of each field for a cohort, the slide of each
        field for one biopsy.
    counts, sizes : (n,) arrays
        Cells, and area or cells of the whole, of each field. A field without size or
        with a NaN is left out, and counted.
    what : str
        The ratio and its unit.
    draws : int
    level : float
    seed : int

    Notes
    -----
    With few units the fields alone are drawn, all as one level, if those are at least
    6; the note says so. The limits are log-t: the bootstrap's error of the log ratio,
    widened by √(k / (k − 1)), with Student's t of k − 1 degrees of freedom for k units,
    since percentiles of few units are too narrow.
    """
    table = pd.DataFrame(
        {
            "unit": np.asarray(units),
            "n": np.asarray(counts, float),
            "size": np.asarray(sizes, float),
        }
    )
    seen = table[table[["n", "size"]].notna().all(axis=1) & (table["size"] > 0)]
    n_units = seen["unit"].nunique()
    single = n_units < MIN_UNITS
    if single:
        seen = seen.assign(unit=np.arange(len(seen)))
    found = Estimate(
        what=what,
        test=f"two-level bootstrap, {draws} draws, log-t limits",
        n_patients=n_units,
        n_missing=len(table) - len(seen),
        level=level,
        estimate=float(seen["n"].sum() / seen["size"].sum()) if len(seen) else np.nan,
        reason=_why_not(seen),
        note=f"{n_units} units: the fields were drawn as one level" if single else "",
    )
    return found if found.reason else _with_limits(found, seen, draws, seed)


def _why_not(seen: pd.DataFrame) -> str:
    units = seen["unit"].nunique()
    if not len(seen):
        return "no field could be looked at"
    if units < MIN_UNITS:
        return f"{units} fields are too few for an interval; it takes {MIN_UNITS}"
    with_cells = seen.loc[seen["n"] > 0, "unit"].nunique()
    if with_cells < 2:
        found = "one unit only" if with_cells else "no unit"
        return f"{found} has a cell, which leaves no error to go by"
    return ""


def _with_limits(
    found: Estimate, seen: pd.DataFrame, draws: int, seed: int
) -> Estimate:
    codes = pd.factorize(seen["unit"])[0]
    units = int(codes.max()) + 1
    ratios = _drawn_ratios(seen[["n", "size"]].to_numpy(), codes, draws, seed)
    # A draw without a cell has no logarithm.
    error = np.log(ratios[ratios > 0]).std(ddof=1) * np.sqrt(units / (units - 1))
    reach = stats.t.ppf((1 + found.level) / 2, units - 1) * error
    low, high = found.estimate * np.exp([-reach, reach])
    return replace(found, low=float(low), high=float(high))


def _drawn_ratios(
    fields: Floats, codes: NDArray[np.intp], draws: int, seed: int
) -> Floats:
    """ΣN / Σsize of units drawn with replacement, and fields within each unit."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(codes == unit) for unit in range(codes.max() + 1)]
    # Every unit's fields are drawn anew each time that the unit is drawn.
    chosen = rng.integers(len(members), size=(draws, len(members)))
    sums = np.zeros((draws, 2))
    for unit, own in enumerate(members):
        times = (chosen == unit).sum(axis=1)
        picks = rng.integers(len(own), size=(times.sum(), len(own)))
        totals = fields[own[picks]].sum(axis=1)
        np.add.at(sums, np.repeat(np.arange(draws), times), totals)
    return sums[:, 0] / sums[:, 1]
