"""What the numbers would be if gates lay elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mifprofile.core.gates import population
from mifprofile.core.landscape.estimates import ALL
from mifprofile.core.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

    from mifprofile.core.landscape.estimates import Estimate, Row
    from mifprofile.core.landscape.guard import Guard
    from mifprofile.core.landscape.sample import Sample

    Maker = Callable[[Sample], Iterator[Estimate]]

# Of these regions headline numbers are given at other gates.
MAIN_REGIONS = ("tissue", "tumour_bed", "tumour", "stroma")


class Recall(Protocol):
    """Calls the cells of a sample by other thresholds."""

    def __call__(self, thresholds: Mapping[str, float]) -> pd.DataFrame:
        """Columns of the cell table that rest on gates, indexed as the cells."""


def with_corrected(
    estimates: Iterable[Estimate],
    sample: Sample,
    guard: Guard,
    recall: Recall,
    rows: Maker,
) -> Iterator[Estimate]:
    """Rows that rest on a graded gate, with the count that dim cells may bring it to.

    Dim cells lie between the gate and the end of the negative peak. Every cell is
    called once more with all graded gates at that end; where that changes a count, the
    population lies between both, see `mifprofile.core.gates.population`.

    Parameters
    ----------
    estimates : iterable of Estimate
        All rows of the sample.
    rows : callable
        Makes those rows of a sample that hold counts of called cells.
    """
    dim = {m: guard.gates.dim[m] for m in guard.gates.graded if m in guard.gates.dim}
    many: dict[tuple[str, ...], float] = {}
    if dim:
        moved = {**guard.gates.thresholds, **dim}
        called = sample.called(recall(moved), replace(guard.gates, thresholds=moved))
        many = {_key(e.row): e.row.n_num for e in rows(called)}
    for found in estimates:
        yield replace(found, row=_corrected(found.row, many))


def at_other_gates(
    sample: Sample, guard: Guard, recall: Recall, rows: Maker
) -> Iterator[Estimate]:
    """Headline numbers with the gate of one marker moved, for each they rest on.

    Regions stay as they are. ``param`` says which gate was moved, and by what factor.
    """
    gates = guard.gates
    scopes = {name: sample.scopes[name] for name in MAIN_REGIONS}
    main = replace(sample, scopes=scopes)
    for marker, gate in gates.thresholds.items():
        factors = sample.options.gate_factors if np.isfinite(gate) else ()
        for factor in factors:
            moved = {**gates.thresholds, marker: factor * gate}
            called = main.called(recall(moved), replace(gates, thresholds=moved))
            judge = called.guard(guard.sight.absent).judge
            for found in rows(called):
                if _is_headline(found.row) and marker in guard.needed(found.row):
                    row = replace(
                        judge(found.row), param=_param(found.row, marker, factor)
                    )
                    yield replace(found, row=row)


def _is_headline(row: Row) -> bool:
    return METRICS[row.metric].headline and row.phenotype != ALL


def _param(row: Row, marker: str, factor: float) -> str:
    return ",".join(filter(None, (row.param, f"gate_{marker}={factor:g}")))


def _key(row: Row) -> tuple[str, ...]:
    return row.region, row.phenotype, row.phenotype_b, row.metric, row.param


def _corrected(row: Row, many: Mapping[tuple[str, ...], float]) -> Row:
    """Row with the size of the population behind its count, if that is in doubt."""
    if not METRICS[row.metric].counts or row.grade not in ("graded", "absent"):
        return row
    if not np.isfinite(row.n_num):
        return row
    middle, low, high = population(row.n_num, many.get(_key(row), row.n_num))
    return replace(row, n_corrected=middle, n_corrected_low=low, n_corrected_high=high)
