"""The landscape table of one sample."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mifprofile.core.landscape.estimates import (
    ALL,
    COLUMNS,
    Estimate,
    Scope,
    with_intervals,
)
from mifprofile.core.landscape.guard import Objection, no_tumour
from mifprofile.core.landscape.her2 import her2_rows
from mifprofile.core.landscape.infiltration_rows import infiltration_rows
from mifprofile.core.landscape.metrics import METRICS
from mifprofile.core.landscape.pdl1 import pdl1_rows
from mifprofile.core.landscape.regated import Recall, with_other_gates
from mifprofile.core.landscape.regions import (
    EXCLUDED,
    MARGIN,
    REGION_NAMES,
    REGIONS,
    TISSUE_NAMES,
    evaluable,
    interface_bands,
    invasive_margin,
    needs_tumour,
)
from mifprofile.core.landscape.rows import rows_of_region
from mifprofile.core.landscape.sample import SampleScopes, adequacy_row
from mifprofile.core.landscape.spatial_rows import Scene, spatial_rows
from mifprofile.core.landscape.til import immune_class_rows, til_rows
from mifprofile.core.landscape.uncertainty import Blocks, block_edge_um, cut_blocks
from mifprofile.core.maps import pixel_of_cells
from mifprofile.core.phenotype.gates import KnownGates

# What a headline number is not to be read without.
BESIDE_VALUE = (
    *("grade", "n_corrected", "n_corrected_low", "n_corrected_high"),
    *("value_at_low_gates", "value_at_high_gates"),
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.core.landscape.guard import Guard
    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions


def landscape(
    sample_id: str,
    cells: pd.DataFrame,
    regions: NDArray[np.uint8],
    um: float,
    panel: Panel,
    options: LandscapeOptions,
    gates: KnownGates | None = None,
    recall: Recall | None = None,
) -> pd.DataFrame:
    """Areas, counts, densities, percentages and scores by region, with intervals.

    Parameters
    ----------
    cells : pandas.DataFrame
        With ``x_um``, ``y_um``, ``region``, ``phenotype``, ``<marker>_positive``, and
        ``lineage`` if the panel divides one into subsets;
        scores of areas need ``area_um2``, those of HER2 ``HER2_membrane_mean`` and
        ``HER2_membrane_completeness``.
    regions : (h, w) uint8 array
        As from `region_map`.
    um : float
        Its pixel size, µm.
    gates : KnownGates, optional
        On which the calls rest: what needs an undecided marker is ``NOT_COMPUTABLE``,
        and scores of HER2 without calibrated levels are relative to its gate.
    recall : callable, optional
        Calls the cells by other thresholds, see `mifprofile.core.landscape.regated`;
        without it nothing is said of other gates.

    Returns
    -------
    pandas.DataFrame
        The columns of ``landscape.csv``; see `Row`.
    """
    blocks = tissue_blocks(regions, um, options)
    placed = cells.assign(block=blocks.of(cells["x_um"], cells["y_um"]))
    # Comparing categories is fast, comparing a million strings is not.
    placed = placed.astype({"phenotype": "category"})
    placed = placed[placed["region"].isin(TISSUE_NAMES)]
    at = pixel_of_cells(placed, regions.shape, um)
    zone, visible_mm = invasive_margin(regions, um, options.margin_um)
    scopes = {}
    for region, mask in _masks(regions, um, options, zone):
        areas, here = blocks.areas_mm2(mask, um), placed[mask[at]]
        scopes[region] = Scope.of(sample_id, region, areas, here, panel, options)
    absent = _absent(scopes, visible_mm, bool((regions == EXCLUDED).any()))
    sample = SampleScopes(scopes, regions, um, gates or KnownGates())
    found = estimates(sample, absent, recall)
    rows = with_intervals(found, blocks, options.min_blocks)
    order = list(scopes)
    rows.sort(key=lambda row: order.index(row.region))
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))


def tissue_blocks(
    regions: NDArray[np.uint8], um: float, options: LandscapeOptions
) -> Blocks:
    """Cut the tissue into the blocks from which the intervals come."""
    tissue = evaluable(regions)
    edge_um = block_edge_um(
        np.count_nonzero(tissue) * um**2 / 1e6,
        largest_um=options.block_um,
        smallest_um=options.min_block_um,
    )
    return cut_blocks(tissue, um, edge_um)


def widen(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a sample as one row, a column per value.

    Columns are ``metric__region__phenotype[__phenotype_b][__param]``; those of headline
    numbers are followed by what stands beside the value, such as ``…__n_corrected``.
    """
    keys = ["metric", "region", "phenotype", "phenotype_b", "param"]
    names = table[keys].agg(lambda r: "__".join(k for k in r if k), axis=1)
    wide: dict[str, Any] = {}
    for name, row in zip(names, table.to_dict("records"), strict=True):
        wide[name] = row["value"]
        if METRICS[row["metric"]].headline and row["phenotype"] != ALL:
            wide |= {f"{name}__{column}": row[column] for column in BESIDE_VALUE}
    return pd.DataFrame([{"sample_id": table["sample_id"].iloc[0], **wide}])


def _masks(
    regions: NDArray[np.uint8],
    um: float,
    options: LandscapeOptions,
    zone: NDArray[np.bool_],
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Regions that tile the tissue, then overlays; one mask at a time."""
    for name, codes in REGIONS.items():
        yield name, np.isin(np.arange(len(REGION_NAMES)), codes)[regions]
    yield from interface_bands(regions, um, options.interface_um).items()
    yield MARGIN, zone


def _absent(
    scopes: dict[str, Scope], visible_mm: float, excluded: bool
) -> dict[str, Objection]:
    """Regions that are not there, with status and reason."""
    scope = scopes["tissue"]
    if excluded and scope.area_mm2 == 0:
        return dict.fromkeys(scopes, ("QC_FAIL", "all tissue is excluded"))
    found = no_tumour(scope.panel, scopes["tumour"].area_mm2)
    if found:
        return {region: found for region in scopes if needs_tumour(region)}
    least = scope.options.min_margin_mm
    if visible_mm < least:
        text = f"tissue around the tumour is visible on less than {least:g} mm"
        return {MARGIN: ("LOW_AREA", text)}
    return {}


def estimates(
    sample: SampleScopes, absent: dict[str, Objection], recall: Recall | None = None
) -> Iterator[Estimate]:
    """All rows, each judged by the guard, and those that other gates would give."""
    guard = sample.guard(absent)
    found = (_judged(each, guard) for each in chain(counted(sample), _others(sample)))
    if recall is None:
        yield from found
        return
    yield from with_other_gates(found, sample, guard, recall, counted)


def counted(sample: SampleScopes) -> Iterator[Estimate]:
    """Rows of cells that were called: of every region, and of scores."""
    for scope in sample.scopes.values():
        yield from rows_of_region(scope)
    for rows in (pdl1_rows, her2_rows, til_rows):
        yield from rows(sample)


def _others(sample: SampleScopes) -> Iterator[Estimate]:
    for rows in (adequacy_row, immune_class_rows):
        yield from rows(sample)
    if sample.options.spatial:
        scene = Scene.of(sample)
        yield from chain(spatial_rows(scene), infiltration_rows(scene))


def _judged(found: Estimate, guard: Guard) -> Estimate:
    return replace(found, row=guard.judge(found.row))
