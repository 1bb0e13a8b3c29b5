"""Lymphocytes in stroma and nests, and the immune class of a sample."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import (
    ALL,
    UNKNOWN_AREA,
    Estimate,
    Row,
    Scope,
    Sums,
    scored,
    without_value,
)
from mifprofile.core.landscape.metrics import LYMPHOCYTES, METRICS
from mifprofile.core.landscape.rows import density, percent
from mifprofile.core.landscape.sample import SampleScopes, from_blocks
from mifprofile.core.landscape.scores import (
    IMMUNE_CLASSES,
    SURE,
    area_share,
    class_probabilities,
    immune_class,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

WHOSE = "lymphocytes"


def til_rows(sample: SampleScopes) -> Iterator[Estimate]:
    """Lymphocytes by area and by number in stroma, and their density in nests."""
    stroma, nests = sample.scopes["stroma"], sample.scopes["tumour"]
    there = sample.of_lineage(stroma, LYMPHOCYTES)
    yield _by_area(stroma, there)
    row = stroma.row(WHOSE, "til_cell_pct")
    yield percent(stroma, row, there, stroma.of_phenotype(ALL))
    inside = sample.of_lineage(nests, LYMPHOCYTES)
    yield density(nests, nests.row(WHOSE, "itil_density"), inside)


def immune_class_rows(sample: SampleScopes) -> Iterator[Estimate]:
    """Class by CD8+ densities in nests and stroma, and the probability of each."""
    row = sample.scopes["tumour_bed"].row("CD8+", "immune_class")
    least = sample.options.min_area_mm2
    missing = _too_little(sample, row, least)
    if missing is not None:
        row = missing
        yield Estimate(row)
        yield from (Estimate(_probability_row(row, c, np.nan)) for c in IMMUNE_CLASSES)
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


def _too_little(sample: SampleScopes, row: Row, least: float) -> Row | None:
    """Row without a value if either density cannot be had."""
    for region in ("tumour", "stroma"):
        area = sample.scopes[region].area_mm2
        if np.isnan(area):
            return without_value(row, "NOT_COMPUTABLE", UNKNOWN_AREA)
        if area <= least:
            return without_value(
                row, "LOW_AREA", f"less than {least:g} mm2 of {region}"
            )
    return None


def _by_area(stroma: Scope, there: NDArray[np.bool_]) -> Estimate:
    areas_mm2 = stroma.cell_areas_mm2
    score = area_share(areas_mm2[there].sum(), stroma.area_mm2, int(there.sum()))
    row = scored(stroma.row(WHOSE, "stil_area_pct"), score)
    if stroma.area_mm2 == 0:
        return Estimate(without_value(row, "LOW_AREA", "no stroma"))
    if np.isnan(stroma.area_mm2):
        return Estimate(without_value(row, "NOT_COMPUTABLE", UNKNOWN_AREA))
    return Estimate(
        row,
        Sums(
            stroma.by_block(there, areas_mm2),
            stroma.areas_mm2,
            kind="area_share",
            ceiling=1.0,
            scale=100.0,
        ),
    )


def _cd8_tallies(sample: SampleScopes) -> NDArray[np.float64]:
    """CD8+ cells and mm² of nests, then of stroma, by block, (k, 4)."""
    columns = []
    for region in ("tumour", "stroma"):
        scope = sample.scopes[region]
        cd8 = sample.of_lineage(scope, ("CD8",))
        columns += [scope.by_block(cd8), scope.areas_mm2]
    return np.stack(columns, axis=1)


def _cuts(sample: SampleScopes) -> dict[str, float]:
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
        unit=METRICS["immune_class_probability"].unit,
    )
