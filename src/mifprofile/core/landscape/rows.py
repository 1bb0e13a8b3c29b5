"""Counts, densities, percentages and CD8:FOXP3 of one region."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import (
    ALL,
    LINEAGE,
    Estimate,
    Row,
    Scope,
    Sums,
    lineage_labels,
)
from mifprofile.core.targets import marker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.model import Panel

    Mask = NDArray[np.bool_]

# Molecules whose cells are compared, whatever a panel calls its markers.
CD8_FOXP3 = ("CD8", "FOXP3")


def rows_of_region(scope: Scope) -> Iterator[Estimate]:
    """Everything that is counted in every region."""
    yield Estimate(_area(scope))
    for name in (ALL, *scope.panel.categories):
        yield from _rows_of(scope, name)
    for label in lineage_labels(scope.panel):
        for found in _rows_of(scope, label):
            yield replace(found, row=replace(found.row, param=LINEAGE))
    yield _cd8_foxp3(scope)


def _rows_of(scope: Scope, name: str) -> Iterator[Estimate]:
    """Count, density, share and states of one phenotype."""
    mine = scope.of_phenotype(name)
    count = int(mine.sum())
    yield Estimate(replace(scope.row(name, "count", count, "cells"), n_num=count))
    yield density(scope, scope.row(name, "density", np.nan, "cells/mm2"), mine)
    if name != ALL:
        row = scope.row(name, "pct_of_cells", np.nan, "%")
        yield percent(scope, row, mine, scope.of_phenotype(ALL))
    for state in scope.panel.states:
        row = scope.row(name, "pct_positive", np.nan, "%")
        positive = mine & scope.cells[f"{state}_positive"].to_numpy(bool)
        yield percent(scope, replace(row, phenotype_b=state), positive, mine)


def _area(scope: Scope) -> Row:
    row = scope.row("", "area", scope.area_mm2, "mm2")
    if np.isnan(row.value):
        return replace(row, status="NOT_COMPUTABLE", reason="it is not known")
    return row


def density(scope: Scope, row: Row, chosen: Mask) -> Estimate:
    """Cells per mm² of the region."""
    area, least = scope.area_mm2, scope.options.min_area_mm2
    row = replace(row, n_num=int(chosen.sum()))
    if np.isnan(area):
        reason = "the area of this region is not known"
        return Estimate(replace(row, status="NOT_COMPUTABLE", reason=reason))
    if area == 0:
        reason = "no tissue in this region"
        return Estimate(replace(row, status="LOW_AREA", reason=reason))
    if area < least:
        reason = f"less than {least:g} mm2"
        return Estimate(replace(row, status="LOW_AREA", reason=reason))
    row = replace(row, value=row.n_num / area)
    return Estimate(row, Sums(scope.by_block(chosen), scope.areas_mm2))


def percent(scope: Scope, row: Row, part: Mask, whole: Mask) -> Estimate:
    """Share of some cells among others, %."""
    row = replace(row, n_num=int(part.sum()), n_den=int(whole.sum()))
    if row.n_den == 0:
        reason = "no cell in the denominator"
        return Estimate(replace(row, status="LOW_N", reason=reason))
    row = replace(row, value=100 * row.n_num / row.n_den)
    least = scope.options.min_parent_cells
    if row.n_den < least:
        row = replace(row, status="LOW_N", reason=f"fewer than {least} cells")
    both = scope.by_block(part), scope.by_block(whole)
    return Estimate(row, Sums(*both, kind="share", ceiling=1.0, scale=100.0))


def asking(panel: Panel, *markers: str | None) -> list[str]:
    """Phenotypes whose rule asks for one of these markers."""
    wanted = {(marker, True) for marker in markers}
    return [name for name, rule in panel.rules.items() if wanted & set(rule.signs)]


def _cd8_foxp3(scope: Scope) -> Estimate:
    row = replace(scope.row("CD8+", "ratio", np.nan, "1"), phenotype_b="FOXP3+")
    named = {target: marker_of(target, scope.panel) for target in CD8_FOXP3}
    missing = [target for target, marker in named.items() if marker is None]
    if missing:
        reason = f"the panel has no {' and no '.join(missing)}"
        return Estimate(replace(row, status="NOT_COMPUTABLE", reason=reason))
    cd8, foxp3 = (
        scope.cells["phenotype"].isin(asking(scope.panel, marker)).to_numpy()
        for marker in named.values()
    )
    row = replace(row, n_num=int(cd8.sum()), n_den=int(foxp3.sum()))
    if row.n_den == 0:
        return Estimate(replace(row, status="LOW_N", reason="zero_denominator"))
    row = replace(row, value=row.n_num / row.n_den)
    least = scope.options.min_ratio_cells
    if row.n_num + row.n_den < least:
        reason = f"fewer than {least} cells in all"
        row = replace(row, status="LOW_N", reason=reason)
    both = scope.by_block(cd8), scope.by_block(foxp3)
    return Estimate(row, Sums(*both, kind="ratio"))
