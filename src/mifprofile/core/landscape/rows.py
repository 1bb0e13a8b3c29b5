"""Counts, densities, percentages and ratios of one region."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import (
    ALL,
    LINEAGE,
    UNKNOWN_AREA,
    Estimate,
    Row,
    Scope,
    Sums,
    lineage_labels,
    without_value,
)
from mifprofile.core.landscape.metrics import LYMPHOCYTES, MACROPHAGES
from mifprofile.core.panel.targets import marker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.model import Panel

    Mask = NDArray[np.bool_]

# Molecules whose cells are compared, whatever a panel calls its markers.
RATIOS = (("CD8", "FOXP3"), ("CD8", "CD68"))


def rows_of_region(scope: Scope) -> Iterator[Estimate]:
    """Everything that is counted in every region."""
    yield Estimate(_area(scope))
    for name in (ALL, *scope.panel.categories):
        yield from _rows_of(scope, name)
    for label in lineage_labels(scope.panel):
        for found in _rows_of(scope, label):
            yield replace(found, row=replace(found.row, param=LINEAGE))
    for over, under in RATIOS:
        found = _ratio(scope, over, under)
        yield from (found, _log2_ratio(scope, found.row))


def _rows_of(scope: Scope, name: str) -> Iterator[Estimate]:
    """Count, density, share and states of one phenotype."""
    mine = scope.of_phenotype(name)
    count = int(mine.sum())
    yield Estimate(replace(scope.row(name, "count", count), n_num=count))
    yield density(scope, scope.row(name, "density"), mine)
    if name != ALL:
        row = scope.row(name, "pct_of_cells")
        yield percent(scope, row, mine, scope.of_phenotype(ALL))
    for state in scope.panel.states:
        row = scope.row(name, "pct_positive", phenotype_b=state)
        positive = mine & scope.cells[f"{state}_positive"].to_numpy(bool)
        yield percent(scope, row, positive, mine)


def _area(scope: Scope) -> Row:
    row = scope.row("", "area", scope.area_mm2)
    if np.isnan(row.value):
        return without_value(row, "NOT_COMPUTABLE", "it is not known")
    return row


def density(scope: Scope, row: Row, chosen: Mask) -> Estimate:
    """Cells per mm² of the region."""
    area, least = scope.area_mm2, scope.options.min_area_mm2
    row = replace(row, n_num=int(chosen.sum()))
    if np.isnan(area):
        return Estimate(without_value(row, "NOT_COMPUTABLE", UNKNOWN_AREA))
    if area < least or area == 0:
        reason = f"less than {least:g} mm2" if area else "no tissue in this region"
        return Estimate(without_value(row, "LOW_AREA", reason))
    row = replace(row, value=row.n_num / area)
    return Estimate(row, Sums(scope.by_block(chosen), scope.areas_mm2))


def percent(scope: Scope, row: Row, part: Mask, whole: Mask) -> Estimate:
    """Share of some cells among others, %."""
    row = replace(row, n_num=int(part.sum()), n_den=int(whole.sum()))
    if row.n_den == 0:
        return Estimate(without_value(row, "LOW_N", "no cell in the denominator"))
    row = replace(row, value=100 * row.n_num / row.n_den)
    least = scope.options.min_parent_cells
    if row.n_den < least:
        row = replace(row, status="SMALL", reason=f"fewer than {least} cells")
    both = scope.by_block(part), scope.by_block(whole)
    return Estimate(row, Sums(*both, kind="share", ceiling=1.0, scale=100.0))


def asking_for(panel: Panel, *targets: str) -> list[str]:
    """Phenotypes whose rule asks for one of these molecules, in the panel's order."""
    wanted = {(marker_of(target, panel), True) for target in targets}
    return [name for name, rule in panel.rules.items() if wanted & set(rule.signs)]


def immune_phenotypes(panel: Panel) -> tuple[str, ...]:
    """Lymphocytes and macrophages by their rules, in the panel's order."""
    asked = asking_for(panel, *LYMPHOCYTES, *MACROPHAGES)
    return tuple(name for name in asked if name not in panel.tumour_phenotypes)


def _ratio(scope: Scope, over: str, under: str) -> Estimate:
    """Cells whose phenotype asks for one molecule over those that ask for another."""
    row = scope.row(f"{over}+", "ratio", phenotype_b=f"{under}+")
    upper, lower = (
        scope.cells["phenotype"].isin(asking_for(scope.panel, target)).to_numpy()
        for target in (over, under)
    )
    row = replace(row, n_num=int(upper.sum()), n_den=int(lower.sum()))
    if row.n_den == 0:
        return Estimate(without_value(row, "LOW_N", "zero_denominator"))
    row = _few(scope, replace(row, value=row.n_num / row.n_den))
    return Estimate(row, Sums(scope.by_block(upper), scope.by_block(lower), "ratio"))


def _log2_ratio(scope: Scope, ratio: Row) -> Estimate:
    """The same for statistics: half a cell more on either side, so never infinite."""
    row = replace(ratio, metric="log2_ratio", value=np.nan)
    if row.n_num + row.n_den == 0:
        return Estimate(without_value(row, "LOW_N", "no cell of either"))
    value = float(np.log2((row.n_num + 0.5) / (row.n_den + 0.5)))
    return Estimate(_few(scope, replace(row, value=value, status="OK", reason="")))


def _few(scope: Scope, row: Row) -> Row:
    least = scope.options.min_ratio_cells
    if row.n_num + row.n_den >= least:
        return row
    return replace(row, status="SMALL", reason=f"fewer than {least} cells in all")
