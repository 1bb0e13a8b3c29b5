"""Phenotypes and tissue mask → regions and the landscape table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.gates import GATE_COLUMNS
from mifprofile.core.landscape import (
    REGION_NAMES,
    region_map,
    region_of_cells,
    widen,
)
from mifprofile.core.landscape import (
    landscape as core_landscape,
)
from mifprofile.core.maps import at_grid
from mifprofile.core.metrics import dictionary
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store, write_label_store
from mifprofile.io.tables import read_csv, read_parquet, write_table
from mifprofile.model import PixelSize
from mifprofile.stages.quality import read_evaluable, read_tissue

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from mifprofile.io.results import Results
    from mifprofile.model import Panel
    from mifprofile.stages.job import Job

REGIONS = "regions"


def landscape(job: Job) -> dict[str, Any]:
    """Divide the tissue into regions and count in them."""
    options, results = job.options.landscape, job.results
    calls = read_parquet(results.phenotypes)
    cells = read_parquet(results.measurements).merge(calls, on="cell_id")
    slide = open_slide(results.slide)
    step = max(round(options.mask_um / slide.um), 1)
    um = step * slide.um
    labels = open_label_store(results.labels)["cells"].levels[0]
    # A slide may be lower than the step: its last row then stands for the middle one.
    top, left = (min(step // 2, size - 1) for size in labels.shape)
    coarse = np.asarray(labels[top::step, left::step])
    tissue = at_grid(*read_tissue(results), coarse.shape, um)
    excluded = tissue & ~at_grid(*read_evaluable(results), coarse.shape, um)
    tumour_cells = _only_tumour(coarse, cells, job.panel)
    regions = region_map(tissue, tumour_cells, um, options, excluded)
    cells["region"] = region_of_cells(cells, regions, um)
    gates = read_csv(results.gates, set(GATE_COLUMNS) - {"threshold"})
    ungated = frozenset(gates.loc[gates["threshold"].isna(), "marker"])
    table = core_landscape(
        results.sample_id, cells, regions, um, job.panel, options, ungated
    )
    write_label_store(
        results.regions,
        {REGIONS: regions},
        PixelSize(um, um),
        origin_um=slide.origin_um,
    )
    write_table(table, results.landscape)
    write_table(widen(table), results.landscape_wide)
    write_table(dictionary(), results.dictionary)
    pixels = np.bincount(regions.ravel(), minlength=len(REGION_NAMES))
    return {
        "area_mm2": {
            name: float(n) * um**2 / 1e6
            for name, n in zip(REGION_NAMES, pixels, strict=True)
        },
        "rows": len(table),
    }


def read_regions(results: Results) -> tuple[NDArray[np.uint8], float]:
    """Region map and its pixel size in µm."""
    results.require("landscape")
    labels = open_label_store(results.regions)[REGIONS]
    return np.asarray(labels.levels[0]).astype(np.uint8), labels.um


def _only_tumour(
    labels: NDArray[np.uint32], cells: pd.DataFrame, panel: Panel
) -> NDArray[np.uint32]:
    # An uncertain cell makes no hole in its nest.
    mine = cells["phenotype_best"].isin(panel.tumour_phenotypes)
    wanted = cells.loc[mine, "cell_id"].to_numpy()
    return np.where(np.isin(labels, wanted), labels, 0)
