"""Classes of patients at two times: who moved where, and whether moves have a side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from mifprofile.core.statistics.result import LEVEL, Estimate
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# χ² values that differ by less are the same table's.
TIE_DECIMALS = 9


@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions(Estimate):
    """Patients by class before and after; the estimate is the share that moved.

    Attributes
    ----------
    table : pandas.DataFrame
        Patients; a row per class before, a column per class after.
    """

    table: pd.DataFrame

    @property
    def flows(self) -> pd.DataFrame:
        """``before, after, n_patients``: a row per move that somebody made."""
        long = self.table.stack().rename("n_patients")
        moved = long[long > 0].rename_axis(["before", "after"])
        return moved.reset_index()


def transitions(
    before: Sequence[object],
    after: Sequence[object],
    classes: Sequence[str],
    *,
    level: float = LEVEL,
) -> Transitions:
    """Cross classes of two times and test whether moves go one way.

    Parameters
    ----------
    before, after : (n,) sequences
        Class of each patient; None or NaN where it is not known, which leaves the
        patient out.
    classes : sequence of str
        All classes, in the order of the table.
    level : float
        Coverage of the interval of the share that moved (Clopper and Pearson).

    Raises
    ------
    UsageError
        If lengths differ or a class is not among ``classes``.

    Notes
    -----
    The p-value is of symmetry, that as many patients move from i to j as from j to i
    (Bowker 1948, doi 10.1080/01621459.1948.10483284). It is exact, over all ways that
    the movers of each pair could have gone; with two classes it is McNemar's.
    """
    table = _crossed(before, after, classes)
    patients = int(table.to_numpy().sum())
    moved = patients - int(np.trace(table.to_numpy()))
    share, low, high = share_of(moved, patients, level)
    return Transitions(
        what="share of patients whose class changed",
        test="exact test of symmetry",
        n_patients=patients,
        n_pairs=patients,
        n_missing=len(before) - patients,
        estimate=share,
        low=low,
        high=high,
        level=level,
        p_value=symmetry_p(table.to_numpy()) if moved else np.nan,
        reason=_why_no_test(patients, moved),
        table=table,
    )


def loss(
    before: ArrayLike, after: ArrayLike, what: str, *, level: float = LEVEL
) -> Estimate:
    """Share of those positive before who are negative after, such as loss of HER2.

    Parameters
    ----------
    before, after : (n,) arrays
        1, 0 or NaN where it is not known, which leaves the patient out.
    what : str
        What is lost.
    level : float
        Coverage of Clopper and Pearson's interval.

    Notes
    -----
    The p-value is McNemar's exact one, of as many losses as gains: readings that only
    scatter about a cut lose and gain alike.
    """
    first, second = np.asarray(before, float), np.asarray(after, float)
    if first.shape != second.shape or first.ndim != 1:
        raise UsageError("loss: both times need a value per patient")
    known = np.isfinite(first + second)
    positive, negative = known & (first == 1), known & (second == 0)
    lost = int((positive & negative).sum())
    gained = int((known & (first == 0) & (second == 1)).sum())
    share, low, high = share_of(lost, int(positive.sum()), level)
    movers = lost + gained
    return Estimate(
        what=f"share of patients positive before who lost {what}",
        test="exact McNemar test of losses against gains",
        n_patients=int(positive.sum()),
        n_pairs=int(known.sum()),
        n_missing=int((~known).sum()),
        estimate=share,
        low=low,
        high=high,
        level=level,
        p_value=float(stats.binomtest(lost, movers).pvalue) if movers else np.nan,
        reason="" if positive.any() else f"no patient with {what} before",
        note=f"{lost} lost, {gained} gained" + ("" if movers else ": nothing to test"),
    )


def share_of(part: int, whole: int, level: float) -> tuple[float, float, float]:
    """A share and its exact interval (Clopper and Pearson 1934)."""
    if whole == 0:
        return np.nan, np.nan, np.nan
    limits = stats.binomtest(part, whole).proportion_ci(level)
    return part / whole, float(limits.low), float(limits.high)


def symmetry_p(table: Floats) -> float:
    """Exact p-value of a table's symmetry, given who moved between each pair."""
    rows, columns = np.triu_indices(len(table), 1)
    there, back = table[rows, columns], table[columns, rows]
    moved = (there + back).astype(int)
    seen = float(sum((there - back)[moved > 0] ** 2 / moved[moved > 0]))
    null = {0.0: 1.0}
    for movers in moved[moved > 0]:
        null = _added(null, int(movers))
    return min(1.0, sum(p for chi2, p in null.items() if chi2 >= seen - 1e-8))


def _added(null: dict[float, float], movers: int) -> dict[float, float]:
    """Distribution of χ² with one pair of classes more."""
    ways = np.arange(movers + 1)
    sizes = (2 * ways - movers) ** 2 / movers
    chances = stats.binom.pmf(ways, movers, 0.5)
    longer: dict[float, float] = {}
    for chi2, p in null.items():
        for size, chance in zip(sizes, chances, strict=True):
            key = round(chi2 + float(size), TIE_DECIMALS)
            longer[key] = longer.get(key, 0.0) + p * float(chance)
    return longer


def _crossed(
    before: Sequence[object], after: Sequence[object], classes: Sequence[str]
) -> pd.DataFrame:
    if len(before) != len(after):
        raise UsageError("transitions: both times need a class per patient")
    pairs = pd.DataFrame({"before": list(before), "after": list(after)}).dropna()
    strange = sorted(set(pairs.to_numpy().ravel()) - set(classes))
    if strange:
        raise UsageError(f"transitions: no class {', '.join(map(str, strange))}")
    table = pd.crosstab(pairs["before"], pairs["after"])
    return table.reindex(index=classes, columns=classes, fill_value=0).astype(int)


def _why_no_test(patients: int, moved: int) -> str:
    if not patients:
        return "no patient with a class at both times"
    return "" if moved else "no patient changed class: there is no move to test"
