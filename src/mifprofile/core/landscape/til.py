"""Lymphocytes in stroma and nests, and the immune class of a sample."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import ALL, Estimate, Row, Scope, Sums
from mifprofile.core.landscape.rows import density, percent
from mifprofile.core.landscape.sample import (
    Sample,
    from_blocks,
    needs_column,
    nests_of,
    without_value,
)
from mifprofile.core.metrics import LYMPHOCYTES
from mifprofile.core.scores import (
    HAS_VALUE,
    IMMUNE_CLASSES,
    SURE,
    class_probabilities,
    immune_class,
    stil_area_pct,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STIL, CD8 = "stromal TILs", "CD8 density"
WHOSE = "lymphocytes"


def til_rows(sample: Sample) -> Iterator[Estimate]:
    """Lymphocytes by area and by number in stroma, and their density in nests."""
    stroma, nests = sample.scopes["stroma"], sample.scopes["tumour"]
    there = sample.of_lineage(stroma, LYMPHOCYTES)
    yield _answered(sample, _by_area(stroma, there))
    row = stroma.row(WHOSE, "til_cell_pct", np.nan, "%")
    share = percent(stroma, row, there, stroma.of_phenotype(ALL))
    yield _answered(sample, share)
    row = nests.row(WHOSE, "itil_density", np.nan, "cells/mm2")
    inside = sample.of_lineage(nests, LYMPHOCYTES)
    yield _answered(sample, density(nests, row, inside))


def immune_class_rows(sample: Sample) -> Iterator[Estimate]:
    """Class by CD8+ densities in nests and stroma, and the probability of each."""
    row = sample.scopes["tumour_bed"].row("CD8+", "immune_class", np.nan, "class")
    row = _without_tumour(sample, sample.answered(row, CD8))
    least = sample.options.min_area_mm2
    for region in ("tumour", "stroma"):
        if row.status in HAS_VALUE and sample.scopes[region].area_mm2 <= least:
            reason = f"less than {least:g} mm2 of {region}"
            row = without_value(row, "LOW_AREA", reason)
    if row.status not in HAS_VALUE:
        yield Estimate(row)
        for name in IMMUNE_CLASSES:
            yield Estimate(_probability_row(row, name, np.nan))
        return
    tallies, cuts = _cd8_tallies(sample), _cuts(sample)
    chances = class_probabilities(
        tallies,
        **cuts,
        samples=sample.options.bootstrap_samples,
        seed=sample.options.seed,
    )
    sums = tallies.sum(axis=0)
    name = immune_class(sums[0] / sums[1], sums[2] / sums[3], **cuts)
    decided = replace(row, value=IMMUNE_CLASSES.index(name), reason=name)
    bed = sample.scopes["tumour_bed"].areas_mm2
    decided = from_blocks(decided, bed, sample.options.min_blocks)
    if decided.status != "LOW_AREA" and max(chances.values()) < SURE:
        reason = f"indeterminate: no class has a probability of {SURE:g}"
        decided = without_value(decided, "LOW_N", reason)
    yield Estimate(decided)
    for each in IMMUNE_CLASSES:
        found = _probability_row(row, each, chances[each])
        yield Estimate(from_blocks(found, bed, sample.options.min_blocks))


def _by_area(stroma: Scope, there: NDArray[np.bool_]) -> Estimate:
    known = "area_um2" in stroma.cells
    areas_mm2 = (
        stroma.cells["area_um2"].to_numpy(float) / 1e6
        if known
        else np.zeros(len(stroma.cells))
    )
    covered = float(areas_mm2[there].sum())
    score = stil_area_pct(covered, stroma.area_mm2, count=int(there.sum()))
    return Estimate(
        needs_column(stroma.scored(WHOSE, score), stroma, "area_um2"),
        Sums(
            stroma.by_block(there, areas_mm2),
            stroma.areas_mm2,
            kind="area_share",
            ceiling=1.0,
            scale=100.0,
        ),
    )


def _answered(sample: Sample, found: Estimate) -> Estimate:
    row = sample.answered(_without_tumour(sample, found.row), STIL)
    return replace(found, row=row)


def _without_tumour(sample: Sample, row: Row) -> Row:
    """Row without a value if there are no nests, APPROX if they are rough."""
    found = nests_of(sample.panel)
    if found.answer == "NOT_COMPUTABLE":
        return without_value(row, "NOT_COMPUTABLE", found.reason)
    if not sample.nests and row.status != "NOT_COMPUTABLE":
        return without_value(row, "NO_TUMOUR", "no tumour nest was found")
    if found.answer == "APPROX" and row.status == "OK":
        return replace(row, status="APPROX", reason=found.reason)
    return row


def _cd8_tallies(sample: Sample) -> NDArray[np.float64]:
    """CD8+ cells and mm² of nests, then of stroma, by block, (k, 4)."""
    columns = []
    for region in ("tumour", "stroma"):
        scope = sample.scopes[region]
        cd8 = sample.of_lineage(scope, ("CD8",))
        columns += [scope.by_block(cd8), scope.areas_mm2]
    return np.stack(columns, axis=1)


def _cuts(sample: Sample) -> dict[str, float]:
    options = sample.options
    return {
        "nest_cut": options.inflamed_per_mm2,
        "stroma_cut": options.excluded_per_mm2,
    }


def _probability_row(row: Row, name: str, chance: float) -> Row:
    return replace(
        row,
        metric="immune_class_probability",
        param=f"class={name}",
        value=chance,
        unit="1",
    )
