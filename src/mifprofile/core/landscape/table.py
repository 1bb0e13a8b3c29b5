"""The landscape table of one sample."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.landscape.estimates import (
    COLUMNS,
    Estimate,
    Scope,
    with_intervals,
)
from mifprofile.core.landscape.her2 import her2_rows
from mifprofile.core.landscape.limits import Limits, blocked, no_tumour_reason
from mifprofile.core.landscape.pdl1 import pdl1_rows
from mifprofile.core.landscape.regions import (
    GLASS,
    OF_TUMOUR,
    REGION_NAMES,
    REGIONS,
)
from mifprofile.core.landscape.rows import rows_of_region
from mifprofile.core.landscape.sample import Sample, adequacy_row
from mifprofile.core.landscape.til import immune_class_rows, til_rows
from mifprofile.core.uncertainty import Blocks, block_edge_um, cut_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions


def landscape(
    sample_id: str,
    cells: pd.DataFrame,
    regions: NDArray[np.uint8],
    um: float,
    panel: Panel,
    options: LandscapeOptions,
    ungated: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """Areas, counts, densities, percentages and scores by region, with intervals.

    Parameters
    ----------
    cells : pandas.DataFrame
        With ``x_um``, ``y_um``, ``region``, ``phenotype`` and ``<marker>_positive``;
        scores of areas need ``area_um2``, those of HER2 ``HER2_membrane_mean`` and
        ``HER2_membrane_completeness``.
    regions : (h, w) uint8 array
        As from `region_map`.
    um : float
        Its pixel size, µm.
    ungated : frozenset of str
        Markers in which no positive population was found: what rests on them is
        ``APPROX``.

    Returns
    -------
    pandas.DataFrame
        The columns of ``landscape.csv``; see `Row`.
    """
    blocks = tissue_blocks(regions, um, options)
    placed = cells.assign(block=blocks.of(cells["x_um"], cells["y_um"]))
    areas = np.stack(
        [blocks.areas_mm2(regions == c, um) for c in range(len(REGION_NAMES))]
    )
    scopes = {
        region: Scope(
            sample_id=sample_id,
            region=region,
            area_mm2=float(areas[list(codes)].sum()),
            areas_mm2=areas[list(codes)].sum(axis=0),
            cells=placed[placed["region"].isin([REGION_NAMES[c] for c in codes])],
            panel=panel,
            options=options,
        )
        for region, codes in REGIONS.items()
    }
    estimates = _estimates(scopes, regions, um, ungated)
    rows = with_intervals(estimates, blocks, options.min_blocks)
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))


def tissue_blocks(
    regions: NDArray[np.uint8], um: float, options: LandscapeOptions
) -> Blocks:
    """Cut the tissue into the blocks from which the intervals come."""
    tissue = regions != GLASS
    edge_um = block_edge_um(
        np.count_nonzero(tissue) * um**2 / 1e6,
        largest_um=options.block_um,
        smallest_um=options.min_block_um,
    )
    return cut_blocks(tissue, um, edge_um)


def widen(table: pd.DataFrame) -> pd.DataFrame:
    """One row per sample, a column per value.

    Columns are ``metric__region__phenotype[__phenotype_b][__param]``.
    """
    keys = ["metric", "region", "phenotype", "phenotype_b", "param"]
    names = table[keys].agg(lambda r: "__".join(k for k in r if k), axis=1)
    wide = table.assign(name=names).pivot_table(
        index="sample_id", columns="name", values="value", sort=False, dropna=False
    )
    return wide[list(dict.fromkeys(names))].rename_axis(columns=None).reset_index()


def _estimates(
    scopes: dict[str, Scope],
    regions: NDArray[np.uint8],
    um: float,
    ungated: frozenset[str],
) -> Iterator[Estimate]:
    """All rows, marked with what is known against them."""
    panel = scopes["tissue"].panel
    no_tumour = no_tumour_reason(panel, scopes["tumour"].area_mm2)
    limits = Limits.of(panel, ungated)
    for region, scope in scopes.items():
        for found in rows_of_region(scope):
            if no_tumour and region in OF_TUMOUR:
                yield replace(found, row=blocked(found.row, *no_tumour))
            else:
                yield replace(found, row=limits.apply(found.row))
    sample = Sample(scopes, regions, um, ungated)
    for rows in (adequacy_row, pdl1_rows, her2_rows, til_rows, immune_class_rows):
        yield from rows(sample)
