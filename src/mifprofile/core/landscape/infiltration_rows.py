"""How far immune cells reach into the nests, as rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.capability import NESTS
from mifprofile.core.landscape.estimates import Estimate
from mifprofile.core.landscape.limits import no_tumour_reason
from mifprofile.core.landscape.regions import STROMA, TUMOUR
from mifprofile.core.landscape.sample import immune_phenotypes, without_value
from mifprofile.core.landscape.spatial_rows import NO_SHAPE
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
    for found in _of_immune(scene, profile):
        param = f"from_um={found['from_um']:g},to_um={found['to_um']:g}"
        row = scene.row(
            (scene.names[found["type_a"]], ""),
            "density_by_distance",
            "cells/mm2",
            found,
            value="density_per_mm2",
            n_num="n_cells",
            area_mm2="area_mm2",
            param=param,
        )
        yield Estimate(_of_nests(scene, row))
    summary = infiltration_summary(
        scene.pattern, nest, stroma, profile, min_cells=options.min_pair_cells
    )
    for found in _of_immune(scene, summary):
        row = scene.row(
            (scene.names[found["type_a"]], ""),
            found["metric"],
            SUMMARY_UNITS[found["metric"]],
            found,
            value="value",
            n_num="n_num",
            n_den="n_den",
            area_mm2="area_num_mm2",
        )
        yield Estimate(_of_nests(scene, row))


def _of_immune(scene: Scene, table: pd.DataFrame) -> list[Found]:
    codes = scene.codes(immune_phenotypes(scene.sample.panel))
    return table[table["type_a"].isin(codes)].to_dict("records")


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
