"""How far immune cells reach into the nests, as rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.capability import NESTS
from mifprofile.core.landscape.estimates import Estimate
from mifprofile.core.landscape.guard import no_tumour_reason
from mifprofile.core.landscape.regions import STROMA, TUMOUR
from mifprofile.core.landscape.sample import immune_phenotypes, without_value
from mifprofile.core.landscape.spatial_rows import NO_SHAPE, Columns
from mifprofile.core.spatial import (
    band_edges,
    distance_bands,
    infiltration_profile,
    infiltration_summary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mifprofile.core.landscape.estimates import Row
    from mifprofile.core.landscape.spatial_rows import Found, Scene

SUMMARY_UNITS = {
    "log2_nest_stroma": "log2",
    "median_depth_um": "um",
    "centre_of_mass_um": "um",
}


def infiltration_rows(scene: Scene) -> Iterator[Estimate]:
    """Densities by signed distance to the nests' border, and what they come to."""
    options, regions = scene.options, scene.sample.regions
    if regions is None:
        regions = np.zeros(scene.pattern.window.mask.shape, np.uint8)
    nest, stroma = regions == TUMOUR, regions == STROMA
    edges = band_edges(options.infiltration_band_um, options.infiltration_reach_um)
    bands = distance_bands(scene.pattern.window, nest, edges)
    profile = infiltration_profile(
        scene.pattern, bands, min_area_mm2=options.min_area_mm2
    )
    columns = Columns("density_per_mm2", "n_cells", area_mm2="area_mm2")
    for names, found in _of_immune(scene, profile):
        param = f"from_um={found['from_um']:g},to_um={found['to_um']:g}"
        metric, unit = "density_by_distance", "cells/mm2"
        row = scene.row(names, metric, unit, found, columns, param=param)
        yield Estimate(_of_nests(scene, row))
    summary = infiltration_summary(
        scene.pattern, nest, stroma, profile, min_cells=options.min_pair_cells
    )
    columns = Columns("value", "n_num", "n_den", "area_num_mm2")
    for names, found in _of_immune(scene, summary):
        metric = found["metric"]
        row = scene.row(names, metric, SUMMARY_UNITS[metric], found, columns)
        yield Estimate(_of_nests(scene, row))


def _of_immune(
    scene: Scene, table: pd.DataFrame
) -> Iterator[tuple[tuple[str, str], Found]]:
    """Rows of immune phenotypes, with their names."""
    codes = scene.codes(immune_phenotypes(scene.sample.panel))
    for found in table[table["type_a"].isin(codes)].to_dict("records"):
        yield (scene.names[found["type_a"]], ""), found


def _of_nests(scene: Scene, row: Row) -> Row:
    """Row without a value if there is no nest, APPROX if nests are rough."""
    if scene.sample.regions is None:
        row = replace(row, n_num=np.nan, n_den=np.nan, area_mm2=np.nan)
        return without_value(row, "NOT_COMPUTABLE", NO_SHAPE)
    nest_mm2 = scene.sample.scopes["tumour"].area_mm2
    found = no_tumour_reason(scene.sample.panel, nest_mm2)
    if found:
        return without_value(row, *found)
    return scene.sample.answered(row, NESTS)
