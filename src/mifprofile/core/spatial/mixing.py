"""Mixing of two populations: several scores share that name, each has its own here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.spatial._table import MIN_CELLS, OK, first, too_far, too_few
from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mifprofile.core.spatial._table import Why
    from mifprofile.core.spatial.pairs import PairSums

# Below so many cells, or beyond this ratio of the two, ark gives no score.
ARK_MIN_CELLS = 200
ARK_MAX_RATIO = 5
COLUMNS = (
    "metric",
    "r_um",
    "value",
    "n_num",
    "n_den",
    "n_reference",
    "n_target",
    "area_mm2",
    "status",
    "reason",
)


@dataclass(frozen=True)
class _Contacts:
    """Cells and pairs within the radius; pairs of one population count once."""

    n_reference: int
    n_target: int
    between: int
    reference: int
    target: int


def mixing_scores(
    sums: PairSums,
    reference: Sequence[int],
    target: Sequence[int],
    r_um: float,
    *,
    min_cells: int = MIN_CELLS,
) -> pd.DataFrame:
    """Mixing scores of a reference population (Keren: immune) with a target (tumour).

    With RT pairs between both and RR, TT pairs within each, a pair counted once:

    - ``mixing_keren`` = RT / RR
    - ``mixing_spiat_normalised`` = RT / RR · (n_ref - 1) / (2 n_target), 1 under
      random labelling
    - ``mixing_ark_percent`` = RT / (RT + 2 TT)
    - ``mixing_ark_homogeneous`` = RT / (2 TT + 2 RR): ark sees a pair of one
      population from both its cells

    Parameters
    ----------
    sums : PairSums
    reference, target : sequence of int
        Types of either population, none in both.
    r_um : float
        One of the radii of ``sums``.
    min_cells : int
        Fewer cells of either population give NaN.

    Returns
    -------
    pandas.DataFrame
        A row per score: ``metric, r_um, value, n_num, n_den`` (pairs as the formula
        counts them), ``n_reference, n_target, area_mm2, status, reason``.
    """
    found = _contacts(sums, reference, target, r_um)
    few = too_few(found.n_reference, found.n_target, max(min_cells, 1))
    why = first(few, too_far(r_um, sums.width_um))
    ark = first(why, _ark_limits(found))
    between, within = found.between, 2 * (found.reference + found.target)
    balance = (found.n_reference - 1) / (2 * max(found.n_target, 1))
    scores = [
        ("mixing_keren", between, found.reference, 1.0, why),
        ("mixing_spiat_normalised", between, found.reference, balance, why),
        ("mixing_ark_percent", between, between + 2 * found.target, 1.0, ark),
        ("mixing_ark_homogeneous", between, within, 1.0, ark),
    ]
    shared = (found.n_reference, found.n_target, sums.area_um2 / 1e6)
    rows = [
        (name, r_um, *_score(part, whole, factor, limit, shared))
        for name, part, whole, factor, limit in scores
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _contacts(
    sums: PairSums, reference: Sequence[int], target: Sequence[int], r_um: float
) -> _Contacts:
    if set(reference) & set(target):
        raise UsageError("mixing: a type is both reference and target; name it once")
    at = np.flatnonzero(sums.radii_um == r_um)
    if not at.size:
        radii = sums.radii_um.tolist()
        raise UsageError(f"mixing: {r_um:g} um is none of the radii counted, {radii}")
    pairs = sums.pairs[:, :, at[0]]
    ours, theirs = list(reference), list(target)
    return _Contacts(
        n_reference=int(sums.cells[ours].sum()),
        n_target=int(sums.cells[theirs].sum()),
        between=int(pairs[np.ix_(ours, theirs)].sum()),
        reference=int(pairs[np.ix_(ours, ours)].sum()) // 2,
        target=int(pairs[np.ix_(theirs, theirs)].sum()) // 2,
    )


def _ark_limits(found: _Contacts) -> Why:
    low, high = sorted((found.n_reference, found.n_target))
    if low + high < ARK_MIN_CELLS:
        return "LOW_N", f"{low + high} cells in all, fewer than {ARK_MIN_CELLS}"
    if high > ARK_MAX_RATIO * low:
        text = f"one population is more than {ARK_MAX_RATIO} times the other"
        return "NOT_COMPUTABLE", text
    return OK


def _score(
    part: int, whole: int, factor: float, why: Why, shared: tuple[int, int, float]
) -> tuple[float | int | str, ...]:
    """Value, numerator, denominator, what all scores share, status and reason."""
    value = np.nan
    if why == OK and whole == 0:
        why = ("LOW_N", "no pair within r in the denominator")
    elif why == OK:
        value = factor * part / whole
    return value, part, whole, *shared, *why
