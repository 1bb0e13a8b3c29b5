"""Combinations of markers that no cell can have: how often, and whether by contact."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from mifprofile.core.phenotype import matches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mifprofile.model import Panel, Rule

# From this share of touching cells on a conflict is read as spill-over.
SPILL_OVER_PERCENT = 80.0
MAX_P = 0.05
# Fewer conflict cells than this say nothing.
MIN_CELLS = 10


@dataclass(frozen=True)
class Combination:
    """How often an impossible combination occurs, and next to whom.

    Attributes
    ----------
    combination : str
        Its rule.
    cells : int
        Cells that show it: the conflict cells.
    of : int
        Cells positive for the rarer of its positive markers.
    percent : float
        100 · ``cells`` / ``of``; NaN if ``of`` is 0.
    touching_percent : float
        Conflict cells that touch an opposite cell, see `impossible_combinations`; NaN
        if there is none, or if it is not known which cells touch.
    expected_percent : float
        The same among cells without the conflict.
    p_value : float
        Probability of as many touching cells, were contact without effect.
    reading : str
        What this says; empty if it says nothing.
    """

    combination: str
    cells: int
    of: int
    percent: float
    touching_percent: float = np.nan
    expected_percent: float = np.nan
    p_value: float = np.nan
    reading: str = ""


def impossible_combinations(
    calls: pd.DataFrame,
    levels: pd.DataFrame,
    panel: Panel,
    contacts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Count impossible combinations, and test whether neighbours' light makes them.

    Of a pair A+/B+, a conflict cell's own marker is the one whose level ranks higher
    among the cells that are positive for it alone; the other is suspected to come from
    a neighbour. If so, the cell touches an opposite cell: one positive for that marker
    alone. How often it would by chance is seen in the cells that have the same own
    marker and no conflict, so that a tumour cell is compared with tumour cells, which
    lie where it lies. Both directions together make a Mantel-Haenszel test (Mantel and
    Haenszel 1959), one-sided, with continuity correction.

    Parameters
    ----------
    calls : pandas.DataFrame
        ``cell_id`` and the columns of `mifprofile.core.phenotype.call_positive`.
    levels : pandas.DataFrame
        As from `mifprofile.core.phenotype.marker_levels`, in the same order.
    panel : Panel
    contacts : pandas.DataFrame or None
        ``cell_a`` and ``cell_b``, a row per pair of cells that touch; None if that is
        not known.

    Returns
    -------
    pandas.DataFrame
        The fields of `Combination`, a row per impossible combination of the panel.
        Contact is tested for those of two positive markers.
    """
    rows = [
        _combination(calls, levels, rule, contacts) for rule in panel.impossible_rules
    ]
    names = [field.name for field in fields(Combination)]
    return pd.DataFrame([asdict(row) for row in rows], columns=names)


@dataclass(frozen=True)
class _Table:
    """Cells with and without the conflict, and how many of each touch an opposite."""

    conflicts: int
    touching: int
    others: int
    others_touching: int

    @property
    def chance(self) -> float:
        """Share of cells without the conflict that touch an opposite cell."""
        return self.others_touching / self.others if self.others else np.nan

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and variance of ``touching`` if any of the cells had the conflict."""
        total = self.conflicts + self.others
        share = (self.touching + self.others_touching) / max(total, 1)
        spread = share * (1 - share) * self.others / max(total - 1, 1)
        return self.conflicts * share, self.conflicts * spread


def _combination(
    calls: pd.DataFrame,
    levels: pd.DataFrame,
    rule: Rule,
    contacts: pd.DataFrame | None,
) -> Combination:
    cells = int(matches(calls, rule).sum())
    markers = _positive_markers(rule)
    counts = [int(calls[f"{marker}_positive"].sum()) for marker in markers]
    of = min(counts, default=len(calls))
    found = Combination(rule.text, cells, of, 100 * cells / of if of else np.nan)
    if contacts is None or len(markers) != 2 or not cells:
        return found
    return _tested(found, _tables(calls, levels, rule, contacts))


def _positive_markers(rule: Rule) -> list[str]:
    return [marker for marker, positive in rule.signs if positive]


def _tables(
    calls: pd.DataFrame, levels: pd.DataFrame, rule: Rule, contacts: pd.DataFrame
) -> list[_Table]:
    """Contact of conflict cells and of others, by their own marker."""
    a, b = _positive_markers(rule)
    in_a, in_b = (calls[f"{m}_positive"].to_numpy(bool) for m in (a, b))
    only_a, only_b = in_a & ~in_b, in_b & ~in_a
    conflict = matches(calls, rule).to_numpy()
    ranks = [
        _rank(levels[marker].to_numpy(float), only)
        for marker, only in ((a, only_a), (b, only_b))
    ]
    own_a = ranks[0] >= ranks[1]
    pairs = _touching_rows(calls["cell_id"], contacts)
    return [
        _table(conflict & own_a, only_a, _touches(only_b, *pairs)),
        _table(conflict & ~own_a, only_b, _touches(only_a, *pairs)),
    ]


def _rank(levels: NDArray[np.float64], among: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of some cells with a lower level; 1 if there are none to be compared."""
    if not among.any():
        return np.ones(levels.size)
    return np.searchsorted(np.sort(levels[among]), levels) / among.sum()


def _touching_rows(
    cell_id: pd.Series, contacts: pd.DataFrame
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers of touching cells, each pair both ways."""
    index = pd.Index(cell_id)
    a, b = (index.get_indexer(contacts[name]) for name in ("cell_a", "cell_b"))
    known = (a >= 0) & (b >= 0)
    return np.r_[a[known], b[known]], np.r_[b[known], a[known]]


def _touches(
    opposite: NDArray[np.bool_], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.bool_]:
    out = np.zeros(opposite.size, bool)
    out[rows[opposite[columns]]] = True
    return out


def _table(
    conflict: NDArray[np.bool_], single: NDArray[np.bool_], touches: NDArray[np.bool_]
) -> _Table:
    counts = (conflict, conflict & touches, single, single & touches)
    return _Table(*(int(mask.sum()) for mask in counts))


def _tested(found: Combination, tables: list[_Table]) -> Combination:
    touching = sum(t.touching for t in tables)
    mean, variance = np.sum([t.moments for t in tables], axis=0)
    # Without cells to compare with, or all alike, contact explains nothing.
    p = norm.sf((touching - mean - 0.5) / np.sqrt(variance)) if variance > 0 else 1.0
    used = [t for t in tables if t.conflicts]
    touching_percent = 100 * touching / found.cells
    expected = 100 * sum(t.conflicts * t.chance for t in used) / found.cells
    tested = replace(
        found,
        touching_percent=touching_percent,
        expected_percent=expected,
        p_value=float(p),
    )
    return replace(tested, reading=_reading(tested))


def _reading(tested: Combination) -> str:
    if tested.cells < MIN_CELLS or not np.isfinite(tested.expected_percent):
        return "too few cells to tell"
    if tested.p_value >= MAX_P:
        return "no more contact than by chance: look at the gates"
    if tested.touching_percent > SPILL_OVER_PERCENT:
        return "spill-over likely"
    return "spill-over in part"
