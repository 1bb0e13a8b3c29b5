"""The landscape of cells whose tissue is known by its areas alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mifprofile.core.landscape.estimates import COLUMNS, NO_SHAPE, Scope, with_intervals
from mifprofile.core.landscape.guard import no_tumour
from mifprofile.core.landscape.regions import (
    MARGIN,
    REGION_NAMES,
    REGIONS,
    TISSUE_NAMES,
    band_names,
    needs_tumour,
)
from mifprofile.core.landscape.sample import SampleScopes
from mifprofile.core.landscape.table import estimates
from mifprofile.core.phenotype.gates import KnownGates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mifprofile.core.landscape.guard import Objection
    from mifprofile.core.landscape.regated import Recall
    from mifprofile.model import Panel
    from mifprofile.options import LandscapeOptions

NO_REGIONS = "the table names no tissue categories"


def landscape_of_areas(
    sample_id: str,
    cells: pd.DataFrame,
    areas_mm2: Mapping[str, float],
    panel: Panel,
    options: LandscapeOptions,
    gates: KnownGates | None = None,
    recall: Recall | None = None,
) -> pd.DataFrame:
    """Landscape without a map: no blocks, and nothing that asks for a distance.

    Parameters
    ----------
    cells : pandas.DataFrame
        As for `mifprofile.core.landscape.landscape`; ``region`` is ``""`` where it is
        not known.
    areas_mm2 : mapping of str to float
        Of ``tumour``, ``stroma`` and ``outside``; a region without one has no
        density. With none, densities are ``NOT_COMPUTABLE``.
    gates, recall
        As for `mifprofile.core.landscape.landscape`.

    Returns
    -------
    pandas.DataFrame
        The columns of ``landscape.csv``.
    """
    unknown_or_tissue = cells["region"].isin(["", *TISSUE_NAMES])
    placed = cells[unknown_or_tissue].assign(block=0)
    scopes = {
        region: _scope(sample_id, region, codes, placed, areas_mm2, panel, options)
        for region, codes in REGIONS.items()
    }
    for region in (*band_names(options.interface_um), MARGIN):
        nothing = np.zeros(1), placed.iloc[:0]
        scopes[region] = Scope.of(sample_id, region, *nothing, panel, options)
    sample = SampleScopes(scopes, None, np.nan, gates or KnownGates())
    found = estimates(sample, _absent(scopes, placed), recall)
    rows = with_intervals(found, None, options.min_blocks)
    return pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))


def _scope(
    sample_id: str,
    region: str,
    codes: tuple[int, ...],
    cells: pd.DataFrame,
    areas_mm2: Mapping[str, float],
    panel: Panel,
    options: LandscapeOptions,
) -> Scope:
    names = [REGION_NAMES[code] for code in codes]
    # Of the whole tissue, cells without a category are part as well.
    here = cells if region == "tissue" else cells[cells["region"].isin(names)]
    known = [areas_mm2[name] for name in names if name in areas_mm2]
    area = np.array([sum(known) if known else np.nan])
    return Scope.of(sample_id, region, area, here, panel, options)


def _absent(scopes: Mapping[str, Scope], cells: pd.DataFrame) -> dict[str, Objection]:
    """Regions about which a table cannot speak."""
    if not (cells["region"] != "").any():
        return {r: ("NOT_COMPUTABLE", NO_REGIONS) for r in scopes if r != "tissue"}
    mapped: dict[str, Objection] = {
        region: ("NOT_COMPUTABLE", NO_SHAPE)
        for region in scopes
        if region not in REGIONS
    }
    tumour = scopes["tumour"]
    # Where no area is given, a cell in a nest shows that there is one.
    nest_mm2 = tumour.area_mm2 if np.isfinite(tumour.area_mm2) else len(tumour.cells)
    found = no_tumour(tumour.panel, nest_mm2)
    if found is None:
        return mapped
    return mapped | {r: found for r in scopes if needs_tumour(r)}
