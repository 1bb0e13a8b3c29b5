"""``cells.parquet`` → its forms for people and other programs."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from mifprofile.core.landscape import Row
from mifprofile.core.outlines import outlines
from mifprofile.core.palette import phenotype_colours
from mifprofile.core.segment import plan_blocks
from mifprofile.io.anndata import write_anndata
from mifprofile.io.geojson import cell_feature, write_features
from mifprofile.io.readers import open_slide
from mifprofile.io.store import open_label_store
from mifprofile.io.tables import (
    read_csv,
    read_gates_used,
    read_parquet,
    text_columns,
    write_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mifprofile.stages.job import Job

BLOCK_PX = 2048
# Wider than any cell, so that every cell of a block's core is seen whole.
HALO_UM = 100.0


def export(job: Job) -> dict[str, Any]:
    """Write the cells for others to read; those of a table have no outlines."""
    results = job.results
    cells = read_parquet(results.cells)
    write_table(cells, results.cells.with_suffix(".csv"))
    if not job.of_table:
        _write_for_programs(job, cells)
    return {"cells": len(cells), "columns": list(cells.columns)}


def _write_for_programs(job: Job, cells: pd.DataFrame) -> None:
    """Write AnnData and GeoJSON."""
    results, um = job.results, open_slide(job.results.slide).um
    facts = {
        "sample_id": results.sample_id,
        "panel": job.panel.name,
        "species": job.panel.species,
        "pixel_size_um": um,
        "version": version("mifprofile"),
    }
    tables = {
        "gates": read_gates_used(results.gates),
        "landscape": read_csv(results.landscape, text_columns(Row)),
    }
    write_anndata(cells, facts, tables, results.cells.with_suffix(".h5ad"))
    write_features(_features(job, cells, um), results.cells.with_suffix(".geojson"))


def _features(job: Job, cells: pd.DataFrame, um: float) -> Iterator[dict[str, Any]]:
    slide = open_slide(job.results.slide)
    store = open_label_store(job.results.labels)
    rows, cols = ((cells[c] / um).astype(int) for c in ("y_um", "x_um"))
    colours = phenotype_colours(job.panel)
    blocks = plan_blocks(slide.shape_px, BLOCK_PX, int(HALO_UM / um))
    for block in job.track(blocks, "outlines", len(blocks)):
        y0, y1, x0, x1 = block.core
        mine = cells[(rows >= y0) & (rows < y1) & (cols >= x0) & (cols < x1)]
        if mine.empty:
            continue
        corner = np.array([block.outer[2], block.outer[0]])
        ids = mine["cell_id"].to_numpy()
        shapes, inner = (
            outlines(np.asarray(store[n].levels[0][block.outer_slices]), ids)
            for n in ("cells", "nuclei")
        )
        for row in mine.to_dict("records"):
            key = int(row["cell_id"])
            nucleus = inner[key] + corner if key in inner else None
            name = str(row["phenotype"])
            yield cell_feature(
                shapes[key] + corner, nucleus, name, colours[name], _measurements(row)
            )


def _measurements(row: dict[str, Any]) -> dict[str, float]:
    return {
        k: round(float(v), 4)
        for k, v in row.items()
        if k.endswith(("_um", "_um2", "_mean", "confidence")) and np.isfinite(v)
    }
