"""What the numbers would be if gates lay elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mifprofile.core.landscape.estimates import ALL
from mifprofile.core.landscape.metrics import METRICS
from mifprofile.core.phenotype.gates import population

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

    from mifprofile.core.landscape.estimates import Estimate, Row
    from mifprofile.core.landscape.guard import Guard
    from mifprofile.core.landscape.sample import SampleScopes

    Maker = Callable[[SampleScopes], Iterator[Estimate]]
    Key = tuple[str, str, str, str, str]

# As of the shares in ``gates.csv``.
FACTORS = (0.8, 1.25)


class Recall(Protocol):
    """Calls the cells of a sample by other thresholds."""

    def __call__(self, thresholds: Mapping[str, float]) -> pd.DataFrame:
        """Columns of the cell table that rest on gates, indexed as the cells."""


def with_other_gates(
    estimates: Iterable[Estimate],
    sample: SampleScopes,
    guard: Guard,
    recall: Recall,
    rows: Maker,
) -> Iterator[Estimate]:
    """Estimates with what their rows would hold if gates lay elsewhere.

    Headline numbers that rest on a gate get their value at 0.8 and 1.25 times all gates
    at once; regions stay as they are, and so do calls that came with the cells. Counts
    that rest on a graded gate get the population behind them: dim cells lie between the
    gate and the end of the negative peak, so every cell is called once more with all
    graded gates at that end, and the population lies between both counts, see
    `mifprofile.core.phenotype.gates.population`.

    Parameters
    ----------
    estimates : iterable of Estimate
        All rows of the sample, judged.
    rows : callable
        Makes those rows of a sample that hold counts of called cells.
    """
    gates = guard.gates

    def at(moved: Mapping[str, float]) -> dict[Key, Row]:
        moved = {**gates.thresholds, **moved}
        called = sample.called(recall(moved), replace(gates, thresholds=moved))
        judge = called.guard(guard.sight.absent).judge
        return {_key(each.row): judge(each.row) for each in rows(called)}

    movable = {m: gate for m, gate in gates.thresholds.items() if np.isfinite(gate)}
    low, high = (
        at({m: factor * gate for m, gate in movable.items()}) if movable else {}
        for factor in FACTORS
    )
    dim = {marker: gates.dim[marker] for marker in gates.graded & set(gates.dim)}
    many = at(dim) if dim else {}
    for found in estimates:
        row = found.row
        if _is_headline(row) and guard.gated_by(row) & movable.keys():
            row = _moved(row, low, high)
        yield replace(found, row=_corrected(row, many))


def _moved(row: Row, low: dict[Key, Row], high: dict[Key, Row]) -> Row:
    """Row with its value at lower and at higher gates."""
    key = _key(row)
    return replace(
        row, value_at_low_gates=low[key].value, value_at_high_gates=high[key].value
    )


def _is_headline(row: Row) -> bool:
    return METRICS[row.metric].headline and row.phenotype != ALL


def _key(row: Row) -> Key:
    return row.region, row.phenotype, row.phenotype_b, row.metric, row.param


def _corrected(row: Row, many: Mapping[Key, Row]) -> Row:
    """Row with the size of the population behind its count, if that is in doubt."""
    if not METRICS[row.metric].counts or row.grade not in ("graded", "absent"):
        return row
    if not np.isfinite(row.n_num):
        return row
    most = many[_key(row)].n_num if many else row.n_num
    middle, low, high = population(row.n_num, most)
    return replace(row, n_corrected=middle, n_corrected_low=low, n_corrected_high=high)
