"""How far immune cells reach into the nests, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mifprofile.core.landscape.estimates import Estimate
from mifprofile.core.landscape.regions import STROMA, TUMOUR
from mifprofile.core.landscape.rows import immune_phenotypes
from mifprofile.core.landscape.spatial_rows import Columns
from mifprofile.core.spatial import (
    band_edges,
    distance_bands,
    infiltration_profile,
    infiltration_summary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mifprofile.core.landscape.spatial_rows import Found, Scene


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
        row = scene.row(names, "density_by_distance", found, columns, param=param)
        yield Estimate(row)
    summary = infiltration_summary(
        scene.pattern, nest, stroma, profile, min_cells=options.min_pair_cells
    )
    columns = Columns("value", "n_num", "n_den", "area_num_mm2")
    for names, found in _of_immune(scene, summary):
        yield Estimate(scene.row(names, found["metric"], found, columns))


def _of_immune(
    scene: Scene, table: pd.DataFrame
) -> Iterator[tuple[tuple[str, str], Found]]:
    """Rows of immune phenotypes, with their names."""
    codes = scene.codes(immune_phenotypes(scene.sample.panel))
    for found in table[table["type_a"].isin(codes)].to_dict("records"):
        yield (scene.names[found["type_a"]], ""), found
